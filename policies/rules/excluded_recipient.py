"""A text to somebody of whom nothing is recorded waits for a person.

PP-8: no personal data of persons known to be under 13. PP-3: the customer limits what is collected. Why nothing of them is
recorded, the reason does not say.
"""

from __future__ import annotations

from policies.message import Message
from policies.tenant import Facts
from policies.verdict import ALLOW, Quarantine, ReasonCode, Verdict


def check(_message: Message, facts: Facts) -> Verdict:
    """Withhold a text to them that nobody has released."""
    send = facts.sending
    return Quarantine(code=ReasonCode.EXCLUDED_RECIPIENT) if facts.excluded and not send.excused else ALLOW
