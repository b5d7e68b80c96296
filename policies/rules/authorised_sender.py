"""Only a sender of the tenant's own register goes out, to countries that take it, under a name that is nobody else's.

VT-6: no falsified sending address. VT-8: only numbers that are owned or authorised, DID and toll-free unless the
recipient's country takes other kinds. VT-1.3: no name that passes for another's. Every objection is named.
"""

from __future__ import annotations

from typing import Final

from policies.message import Message
from policies.sms.recipients import recipient_of
from policies.sms.senders import authorise
from policies.tenant import Facts
from policies.verdict import ALLOW, Drop, ReasonCode, Verdict

CODES: Final = (
    ReasonCode.SENDER_UNKNOWN,
    ReasonCode.SENDER_MALFORMED,
    ReasonCode.SENDER_NOT_VALID,
    ReasonCode.SENDER_INBOUND_ONLY,
    ReasonCode.SENDER_COUNTRY,
    ReasonCode.SENDER_KIND,
    ReasonCode.SENDER_UNREGISTERED,
    ReasonCode.SENDER_GENERIC,
    ReasonCode.SENDER_PROTECTED,
    ReasonCode.SENDER_LOOKALIKE,
)


def check(message: Message, facts: Facts) -> Verdict:
    """Refuse a sender against which anything stands."""
    register = facts.sending.sms.register
    codes = authorise(message.account, recipient_of(message), register, facts.now).codes
    return Drop(code=codes[0], also=codes[1:]) if codes else ALLOW
