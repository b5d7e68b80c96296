"""Marketing waits for hours that suit every place where its recipient may be; every text keeps its submitter's times.

VT-1.3 and VT-1.5: a text at night is a nuisance. VT-1: the customer says when a text may go, and when it is too late to. It
waits and is not dropped, unless it could go only after its do-not-send-after. The table is ``policies/sms/quiet_hours.toml``.
"""

from __future__ import annotations

from typing import Final

from policies.message import Message
from policies.sms import quiet_hours
from policies.sms.purpose import Purpose
from policies.sms.recipients import recipient_of
from policies.tenant import Facts
from policies.verdict import ReasonCode, Verdict

CODES: Final = (
    ReasonCode.QUIET_HOURS,
    ReasonCode.ZONE_UNKNOWN,
    ReasonCode.SEND_AFTER,
    ReasonCode.SEND_EXPIRED,
)


def check(message: Message, facts: Facts) -> Verdict:
    """Delay a text until it may go; refuse it where that is too late; withhold it where no hour is known."""
    send = facts.sending
    # Owed within minutes of the opt-out, whatever the hour: 47 CFR 64.1200(a)(12).
    purpose = Purpose.TRANSACTIONAL if send.answers_opt_out else send.purpose
    allowed = quiet_hours.next_allowed(
        max(facts.now, send.send_after or facts.now),
        recipient_of(message),
        purpose,
        quiet_hours.TABLE,
        send.stored_zone,
        send.place,
    )
    return quiet_hours.schedule(facts.now, allowed, send_after=send.send_after, not_after=send.not_after)
