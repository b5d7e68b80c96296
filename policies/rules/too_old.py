"""A message older than the tenant keeps anything, by its own timestamp, is refused.

SM-9 and PP-6: signed deliveries carry no nonce and may be replayed for ever; what was unsent, erased or purged must
not come back in that way.
"""

from __future__ import annotations

from typing import Final

from policies.message import Message
from policies.tenant import Facts
from policies.verdict import ALLOW, Drop, ReasonCode, Verdict

DAY: Final = 24 * 3600 * 1_000_000
"""Microseconds."""


def check(message: Message, facts: Facts) -> Verdict:
    """Drop a message that happened more than ``oldest_days`` ago."""
    age = facts.now - message.occurred_at
    return Drop(code=ReasonCode.TOO_OLD) if age > facts.policy.oldest_days * DAY else ALLOW
