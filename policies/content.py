"""Reaching every string of a content: to look at them all at once, to change each, to reduce an attachment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from policies.message import Content, Json, Media, MediaKind, Private
from policies.urls import Suffixes, removable, scrub
from policies.verdict import ReasonCode

Change = Callable[[str], str]


def may_hold(value: Private, suffixes: Suffixes) -> bool:
    """Whether a URL of these hosts could stand anywhere in a message, a content or an event.

    One cheap look at all strings together; never False for one that holds such a URL.
    """
    try:
        everything = _encode(value).decode()
    except (ValueError, RecursionError):
        return True
    if "\\" in everything:
        # What JSON itself escapes; a backslash of the content is two of them, and one is left.
        for escape in ("\\n", "\\r", "\\t", '\\"'):
            everything = everything.replace(escape, "")
    return suffixes.suspects(everything)


def holds(value: Private, suffixes: Suffixes) -> bool:
    """Whether a URL of these hosts stands anywhere in it. Raises for what is no data: treat that as a yes."""
    return may_hold(value, suffixes) and any(
        scrub(text, suffixes)[1] for text in _strings(msgspec.to_builtins(value))
    )


def mapped(content: Content, change: Change) -> Content:
    """The content with every string changed: text, attachments, profile, and the details with their keys."""
    return Content(
        text=None if content.text is None else change(content.text),
        media=tuple(mapped_media(media, change) for media in content.media),
        details=_object(content.details.items(), change),
        profile=_object(content.profile.items(), change),
    )


def mapped_media(media: Media, change: Change) -> Media:
    """The attachment with every string that came from outside changed."""
    texts = {name: getattr(media, name) for name in _MEDIA_TEXTS}
    return msgspec.structs.replace(
        media, **{name: change(text) for name, text in texts.items() if text is not None}
    )


def without_urls(content: Content, suffixes: Suffixes, why: ReasonCode) -> Content:
    """The content without any URL of these hosts: attachments lose it, in texts the token stands for it."""
    media = tuple(_without_url(media, suffixes, why) for media in content.media)
    return mapped(msgspec.structs.replace(content, media=media), lambda text: scrub(text, suffixes)[0])


def reduced(content: Content, kinds: AbstractSet[MediaKind], why: ReasonCode) -> Content:
    """The content with attachments of these kinds reduced to a placeholder: what it was, and why it is absent."""
    return msgspec.structs.replace(
        content,
        media=tuple(
            Media(kind=media.kind, removed=why.value) if media.kind in kinds else media
            for media in content.media
        ),
    )


def placed(result: dict[str, Json], key: str, value: Json) -> None:
    """Put it in. Keys that become the same are told apart by a number, so that nothing beside them is lost."""
    unique, number = key, 1
    while unique in result:
        number += 1
        unique = f"{key} {number}"
    result[unique] = value


def _without_url(media: Media, suffixes: Suffixes, why: ReasonCode) -> Media:
    if media.url is None or not removable(media.url, suffixes):
        return media
    media_id = None if _names_asset(media.url, media.id) else media.id
    return msgspec.structs.replace(media, url=None, id=media_id, removed=media.removed or why.value)


def _names_asset(url: str, media_id: str | None) -> bool:
    """Whether the id is a key to the content behind the URL (``asset_id``).

    A WhatsApp media id (``mid`` in the URL) opens with the tenant's own token only, for the tenant's own media.
    """
    return media_id is not None and media_id in url and f"mid={media_id}" not in url


def _tree(value: Json, change: Change) -> Json:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return _object(value.items(), change)
    if isinstance(value, list):
        return [_tree(item, change) for item in value]
    return value


def _strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, held in value.items():
            yield from _strings(key)
            yield from _strings(held)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def _object(items: Iterable[tuple[str, Json]], change: Change) -> dict[str, Json]:
    result: dict[str, Json] = {}
    for key, value in items:
        placed(result, change(key), _tree(value, change))
    return result


_encode: Final = msgspec.json.Encoder().encode
_MEDIA_TEXTS: Final = ("url", "id", "mime_type", "sha256", "title")
