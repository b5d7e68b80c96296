"""A message that its sender has taken back is not recorded, also when the unsend came first.

SM-9 for unsent messages, SM-10 for deleted posts: the tombstone outlives the content and refuses whatever comes
after it, be it late, a duplicate, or from a history synchronisation.
"""

from __future__ import annotations

from policies.message import Message
from policies.tenant import Facts
from policies.verdict import ALLOW, Drop, ReasonCode, Verdict


def check(_message: Message, facts: Facts) -> Verdict:
    """Drop a message that has a tombstone."""
    return Drop(code=ReasonCode.UNSENT) if facts.unsent else ALLOW
