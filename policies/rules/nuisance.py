"""Nobody gets more texts, or the same one more often, than anybody needs.

VT-1.5: no text is a nuisance. Marketing may come as often as the tenant's ``recipient_rate`` says and never twice; what
was asked for, and answers, have more room: a one-time password is asked for again, and ``Thanks!`` is said as often as
it is meant.
"""

from __future__ import annotations

from typing import Final

import msgspec

from policies.message import Message
from policies.sms.courtesy import is_courtesy
from policies.sms.purpose import Purpose
from policies.tenant import Facts
from policies.verdict import ALLOW, Quarantine, ReasonCode, Verdict


class Room(msgspec.Struct, frozen=True):
    """``rates``: how many times the tenant's rate; ``repeats``: how often the same text may come again."""

    rates: int
    repeats: int


ROOM: Final = {
    Purpose.MARKETING: Room(rates=1, repeats=0),
    Purpose.TRANSACTIONAL: Room(rates=3, repeats=5),
    Purpose.CONVERSATIONAL: Room(rates=3, repeats=5),
}


def check(message: Message, facts: Facts) -> Verdict:
    """Withhold a text that is one too many."""
    send = facts.sending
    room = ROOM[send.purpose]
    too_many = send.to_recipient >= room.rates * send.sms.policy.recipient_rate.messages
    again = send.same_to_recipient > room.repeats and not is_courtesy(message, send.purpose)
    return Quarantine(code=ReasonCode.NUISANCE) if (too_many or again) and not send.excused else ALLOW
