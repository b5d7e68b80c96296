"""Media that came through a story mention is never kept: a placeholder says that it was there.

SM-6 and SM-7 forbid to keep the media or any way to it, whatever host it lies on; SM-8 lets the message itself
stand. Told by type, never by host: developers.facebook.com/docs/messenger-platform/instagram/features/story-mention.
"""

from __future__ import annotations

from policies.content import reduced
from policies.message import MediaKind, Message
from policies.tenant import Facts
from policies.verdict import ALLOW, ReasonCode, Verdict, amended

_KINDS = frozenset({MediaKind.STORY_MENTION})


def check(message: Message, _facts: Facts) -> Verdict:
    """Reduce every story mention to a placeholder; the person's own words stay."""
    if not message.content.media:
        return ALLOW
    content = reduced(message.content, _KINDS, ReasonCode.STORY_MENTION)
    return amended(message.content, content, ReasonCode.STORY_MENTION)
