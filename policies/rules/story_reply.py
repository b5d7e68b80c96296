"""A reply to a story keeps the person's own words and loses the story that it quotes.

SM-6 and SM-8: ``reply_to.story`` carries the id and the CDN URL of ephemeral media on Instagram and on Facebook.
"""

from __future__ import annotations

from policies.content import reduced
from policies.message import MediaKind, Message
from policies.tenant import Facts
from policies.verdict import ALLOW, ReasonCode, Verdict, amended

_KINDS = frozenset({MediaKind.STORY_REPLY})


def check(message: Message, _facts: Facts) -> Verdict:
    """Reduce the quoted story to a placeholder."""
    if not message.content.media:
        return ALLOW
    content = reduced(message.content, _KINDS, ReasonCode.STORY_REPLY)
    return amended(message.content, content, ReasonCode.STORY_REPLY)
