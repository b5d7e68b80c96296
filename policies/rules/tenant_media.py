"""References to media are not recorded where the tenant says so: what it was stays, where it lies does not.

PP-3: the customer limits what is collected (``record_media_references``): ids, URLs and digests, of attachments and
of the pictures in templates, referrals and advertisements.
"""

from __future__ import annotations

from typing import Final

import msgspec

from policies.message import Content, Json, Media, Message
from policies.tenant import Facts
from policies.verdict import ALLOW, ReasonCode, Verdict, amended

MEDIA_KEYS: Final = frozenset(
    "image_url video_url audio_url photo_url thumbnail_url media_url image video document".split()
)
"""The keys in ``details`` under which connectors put a reference to media."""


def check(message: Message, facts: Facts) -> Verdict:
    """Leave every media reference out."""
    if facts.policy.record_media_references:
        return ALLOW
    return amended(message.content, _without_references(message.content), ReasonCode.TENANT_MEDIA)


def _without_references(content: Content) -> Content:
    return msgspec.structs.replace(
        content, media=tuple(map(_bare, content.media)), details=_without_keys(dict(content.details))
    )


def _bare(media: Media) -> Media:
    if media.url is media.id is media.sha256 is None:
        return media
    why = media.removed or ReasonCode.TENANT_MEDIA.value
    return msgspec.structs.replace(media, url=None, id=None, sha256=None, removed=why)


def _without_keys(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _without_keys(held) for key, held in value.items() if key not in MEDIA_KEYS}
    if isinstance(value, list):
        return [_without_keys(item) for item in value]
    return value
