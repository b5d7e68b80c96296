"""Media that its sender lets be seen once is never kept: a placeholder says that it was there.

SM-6: ephemeral images, videos and other media are not stored, nor is anyone enabled to store them. SM-8: the message
itself stays.
"""

from __future__ import annotations

from policies.content import reduced
from policies.message import MediaKind, Message
from policies.tenant import Facts
from policies.verdict import ALLOW, ReasonCode, Verdict, amended

_KINDS = frozenset({MediaKind.EPHEMERAL})


def check(message: Message, _facts: Facts) -> Verdict:
    """Reduce every view-once attachment to a placeholder."""
    if not message.content.media:
        return ALLOW
    content = reduced(message.content, _KINDS, ReasonCode.VIEW_ONCE)
    return amended(message.content, content, ReasonCode.VIEW_ONCE)
