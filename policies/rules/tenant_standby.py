"""Copies from threads that another application owns are not recorded where the tenant says so.

PP-3: the customer limits what is collected (``record_standby``).
"""

from __future__ import annotations

from policies.message import Message
from policies.tenant import Facts
from policies.verdict import ALLOW, Drop, ReasonCode, Verdict


def check(message: Message, facts: Facts) -> Verdict:
    """Drop a standby copy."""
    unwanted = message.standby and not facts.policy.record_standby
    return Drop(code=ReasonCode.TENANT_STANDBY) if unwanted else ALLOW
