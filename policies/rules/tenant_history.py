"""Messages from a history synchronisation are not recorded where the tenant says so.

PP-3: the customer limits what is collected (``record_history``).
"""

from __future__ import annotations

from policies.message import Message
from policies.tenant import Facts
from policies.verdict import ALLOW, Drop, ReasonCode, Verdict


def check(message: Message, facts: Facts) -> Verdict:
    """Drop a message that comes from history."""
    unwanted = message.history and not facts.policy.record_history
    return Drop(code=ReasonCode.TENANT_HISTORY) if unwanted else ALLOW
