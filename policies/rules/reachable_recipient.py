"""A text goes to one telephone number of a numbering plan, never to a costly or an emergency one.

VT-1.1: no interference with services such as emergency calls. VT-1.3 and VT-1.5: traffic to premium numbers is how
texts are turned into money, and an emergency line is nobody's to bother.
"""

from __future__ import annotations

from typing import Final

from policies.message import Message
from policies.sms.recipients import objection, recipient_of
from policies.tenant import Facts
from policies.verdict import ALLOW, Drop, ReasonCode, Verdict

CODES: Final = (
    ReasonCode.RECIPIENT_MALFORMED,
    ReasonCode.RECIPIENT_INVALID,
    ReasonCode.RECIPIENT_PREMIUM,
    ReasonCode.RECIPIENT_EMERGENCY,
)


def check(message: Message, _facts: Facts) -> Verdict:
    """Refuse what is no such number."""
    code = objection(recipient_of(message))
    return Drop(code=code) if code is not None else ALLOW
