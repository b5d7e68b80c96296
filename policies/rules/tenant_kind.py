"""Of the kinds of message that a tenant never records, nothing but the fact is kept.

PP-3: the customer limits what is collected (``never_record_kinds``).
"""

from __future__ import annotations

from policies.message import Message
from policies.tenant import Facts
from policies.verdict import ALLOW, Drop, ReasonCode, Verdict


def check(message: Message, facts: Facts) -> Verdict:
    """Drop a message of such a kind."""
    unwanted = facts.policy.never_record_kinds and message.kind in facts.policy.never_record_kinds
    return Drop(code=ReasonCode.TENANT_KIND) if unwanted else ALLOW
