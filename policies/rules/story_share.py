"""A story that is shared in a message is never kept: a placeholder says that it was there.

SM-6 and SM-8: the attachment ``ig_story`` carries the story's media id and URL (``story_media_id``,
``story_media_url``). Meta documents it nowhere; it is told by type, as a story mention is.
"""

from __future__ import annotations

from policies.content import reduced
from policies.message import MediaKind, Message
from policies.tenant import Facts
from policies.verdict import ALLOW, ReasonCode, Verdict, amended

_KINDS = frozenset({MediaKind.STORY})


def check(message: Message, _facts: Facts) -> Verdict:
    """Reduce every shared story to a placeholder."""
    if not message.content.media:
        return ALLOW
    content = reduced(message.content, _KINDS, ReasonCode.STORY_SHARE)
    return amended(message.content, content, ReasonCode.STORY_SHARE)
