"""What a normalised message says: text, media references and details, and what kind of message that makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from connectors import wild
from connectors.meta_messaging.attachments import picked, unknown
from policies.message import Content, Json, Media, MediaKind, MessageKind

_MEDIA: Final[Mapping[str, MediaKind]] = MappingProxyType(
    {
        "image": MediaKind.IMAGE,
        "video": MediaKind.VIDEO,
        "audio": MediaKind.AUDIO,
        "file": MediaKind.FILE,
        "link": MediaKind.LINK,
    }
)

_STORIES: Final[Mapping[str, tuple[MessageKind, MediaKind]]] = MappingProxyType(
    {
        "mention": (MessageKind.STORY_MENTION, MediaKind.STORY_MENTION),
        "reply": (MessageKind.STORY_REPLY, MediaKind.STORY_REPLY),
    }
)

_PRECEDENCE: Final = (
    MessageKind.STORY_MENTION,
    MessageKind.STORY_REPLY,
    MessageKind.UNKNOWN,
    MessageKind.MEDIA,
    MessageKind.LOCATION,
    MessageKind.QUICK_REPLY,
    MessageKind.BUTTON,
    MessageKind.TEXT,
)
"""Of several kinds in one message, the one that comes first here is the message's."""

Part = tuple[MessageKind, str | None, list[Media], dict[str, Json]]
"""What one element adds: kind, text, media, and details under our own keys."""


def read_content(message: dict[str, Json], profile: Mapping[str, str]) -> tuple[MessageKind, Content]:
    """The kind and the content of a message of the types ``Text`` and ``Structured``."""
    parts = [_part(element) for element in wild.objects(message.get("content"))]
    texts = [text for text in (wild.text(message.get("text")), *(part[1] for part in parts)) if text]
    kinds = {part[0] for part in parts} | ({MessageKind.TEXT} if texts else set())
    details: dict[str, Json] = {}
    for _, _, _, added in parts:
        details |= added
    content = Content(
        text="\n".join(dict.fromkeys(texts)) or None,
        media=tuple(media for part in parts for media in part[2]),
        details=details,
        profile=profile,
    )
    return next((kind for kind in _PRECEDENCE if kind in kinds), MessageKind.EMPTY), content


def _part(element: dict[str, Json]) -> Part:
    """By the element's ``contentType``; of one that nobody knows, the URLs, for the rules to judge."""
    word = wild.text(element.get("contentType")) or ""
    name, read = _READERS.get(word, ("", _unknown))
    return read(wild.mapping(element.get(name)) if name else element)


def _attachment(told: dict[str, Json]) -> Part:
    media = Media(
        kind=_MEDIA.get((wild.text(told.get("mediaType")) or "").lower(), MediaKind.UNKNOWN),
        url=wild.text(told.get("url")),
        id=wild.identifier(told.get("id")),
        mime_type=wild.text(told.get("mime")),
        sha256=wild.text(told.get("sha256")),
        title=wild.text(told.get("filename")),
    )
    return MessageKind.MEDIA, wild.text(told.get("text")), [media], {}


def _story(told: dict[str, Json]) -> Part:
    """A mention, a reply, or a story in a role that nobody knows: all of it ephemeral (SM-6)."""
    word = (wild.text(told.get("type")) or "").lower()
    kind, media_kind = _STORIES.get(word, (MessageKind.MEDIA, MediaKind.STORY))
    media = Media(kind=media_kind, url=wild.text(told.get("url")), id=wild.identifier(told.get("replyToId")))
    return kind, None, [media], {}


def _location(told: dict[str, Json]) -> Part:
    place: dict[str, Json] = {
        name: degrees
        for name in ("latitude", "longitude")
        if (degrees := _degrees(told.get(name))) is not None
    }
    place |= picked(told, {"address": "address", "text": "title", "url": "url"})
    return MessageKind.LOCATION, None, [], {"location": place} if place else {}


def _degrees(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -360 <= value <= 360 else None


def _answer(kind: MessageKind) -> Callable[[dict[str, Json]], Part]:
    def read(told: dict[str, Json]) -> Part:
        payload = picked(told, {"payload": "payload"})
        return kind, wild.text(told.get("text")), [], {kind.value: payload} if payload else {}

    return read


def _text(told: dict[str, Json]) -> Part:
    return MessageKind.TEXT, wild.text(told.get("body")), [], {}


def _unknown(element: dict[str, Json]) -> Part:
    return MessageKind.UNKNOWN, None, unknown(element), {}


_READERS: Final[Mapping[str, tuple[str, Callable[[dict[str, Json]], Part]]]] = MappingProxyType(
    {
        "Attachment": ("attachment", _attachment),
        "ButtonResponse": ("buttonResponse", _answer(MessageKind.BUTTON)),
        "Location": ("location", _location),
        "QuickReply": ("quickReply", _answer(MessageKind.QUICK_REPLY)),
        "Story": ("story", _story),
        "Text": ("text", _text),
    }
)
