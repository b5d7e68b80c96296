"""Attachments of DMs and posts: references only, never bytes.

A DM's media lies on ton.twitter.com and opens only with the participant's OAuth; a post's on pbs.twimg.com and
video.twimg.com.
"""

from __future__ import annotations

from typing import Final

from connectors import wild
from connectors.x.wire import platform_id
from policies.message import Json, Media, MediaKind

_KINDS: Final = {
    "photo": MediaKind.IMAGE,
    "video": MediaKind.VIDEO,
    "animated_gif": MediaKind.VIDEO,
    "audio": MediaKind.AUDIO,
}


def media(node: dict[str, Json]) -> Media:
    """A media object of either API. In v1.1 ``url`` is the t.co link, in v2 the media itself."""
    is_v2 = "media_key" in node
    kind = wild.text(node.get("type")) or ""
    best = _best_variant(node)
    still = (node.get("media_url_https"), node.get("media_url"), node.get("url") if is_v2 else None)
    fallback = next((url for url in (*still, node.get("preview_image_url")) if wild.text(url)), None)
    return Media(
        kind=_KINDS.get(kind, MediaKind.UNKNOWN),
        url=wild.text(best.get("url")) or fallback,
        id=wild.text(node.get("media_key")) or platform_id(node, "id"),
        mime_type=wild.text(best.get("content_type")),
        title=wild.text(node.get("alt_text")) or wild.text(node.get("ext_alt_text")),
    )


def _best_variant(node: dict[str, Json]) -> dict[str, Json]:
    """The film itself rather than its still: of several, the one of the highest bit rate."""
    variants = node.get("variants") or wild.mapping(node.get("video_info")).get("variants")
    return max(wild.objects(variants), key=_bit_rate, default={})


def _bit_rate(variant: dict[str, Json]) -> int:
    return wild.integer(variant.get("bit_rate")) or wild.integer(variant.get("bitrate")) or 0
