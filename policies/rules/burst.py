"""More texts of one sender at once than it may have are looked at by a person before they go on.

VT-1.1: no impairment of the service. VT-1.5: no spam: a sender that is suddenly busy may be in somebody else's hands.
"""

from __future__ import annotations

from policies.message import Message
from policies.tenant import Facts
from policies.verdict import ALLOW, Quarantine, ReasonCode, Verdict


def check(_message: Message, facts: Facts) -> Verdict:
    """Withhold a text of a sender that reached ``burst``."""
    send = facts.sending
    busy = send.from_sender >= send.sms.policy.burst.messages
    return Quarantine(code=ReasonCode.BURST) if busy and not send.excused else ALLOW
