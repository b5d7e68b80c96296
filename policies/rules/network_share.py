"""A network that takes a tenth of the committed rate or more is noted on its texts, and none is stopped.

VT-7: such traffic carries no guarantee.
"""

from __future__ import annotations

from policies.message import Message
from policies.tenant import Facts
from policies.verdict import ALLOW, Flag, ReasonCode, Verdict


def check(_message: Message, facts: Facts) -> Verdict:
    """Note a text to such a network."""
    return Flag(code=ReasonCode.NETWORK_SHARE) if facts.sending.crowded_network else ALLOW
