"""Attachments: media references, and the data in templates and locations. Only named keys are carried."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from connectors import wild
from connectors.meta_messaging.vocabulary import (
    BUTTON_KEYS,
    ELEMENT_KEYS,
    MEDIA_ID_KEYS,
    TEMPLATE_KEYS,
    URL_KEYS,
)
from policies.message import Json, Media, MediaKind

MAX_UNKNOWN_URLS: Final = 32
"""How many URLs of an attachment of unknown type are carried; the rest is not kept."""

# A scheme's slashes (encoded or not), or a dot between a name and a suffix of letters, in any script.
_url_like = re.compile(r"//|%2f%2f|%252f|[^\s.](?:[.。．｡]|%2e)[^\W\d_]{2,}", re.IGNORECASE)  # noqa: RUF001


def references(attachment: dict[str, Json], kind: MediaKind) -> list[Media]:
    """One Media for every URL of the attachment, or one without a URL where it has none.

    URLs stand in ``payload``, on the attachment itself (fallback), and in lists of ``media``.
    """
    sources = list(_sources(attachment))
    titles = [wild.text(source["title"]) for source in sources if "title" in source]
    title = next((one for one in titles if one), None)
    media_id = _media_id(sources)
    if kind is MediaKind.IMAGE and any("sticker_id" in source for source in sources):
        kind = MediaKind.STICKER
    found: dict[tuple[str, str | None], Media] = {}
    for source in sources:
        own_title = wild.text(source.get("title")) or title
        for key, value in source.items():
            if key in URL_KEYS and value and isinstance(value, str):
                found[value, own_title] = Media(kind=kind, url=value, id=media_id, title=own_title)
    return list(found.values()) or [Media(kind=kind, id=media_id, title=title)]


def unknown(attachment: dict[str, Json]) -> list[Media]:
    """An attachment of a type in no table: its URLs, so that the rules can judge them, and nothing else."""
    urls = dict.fromkeys(leaf for leaf in _texts(attachment) if _url_like.search(leaf))
    kept = list(urls)[:MAX_UNKNOWN_URLS]
    return [Media(kind=MediaKind.UNKNOWN, url=url) for url in kept] or [Media(kind=MediaKind.UNKNOWN)]


def template(attachment: dict[str, Json]) -> dict[str, Json]:
    """A template's words, pictures and links, under our own keys."""
    payload = wild.mapping(attachment.get("payload"))
    read = picked(attachment, {"title": "title", "url": "url"}) | picked(payload, TEMPLATE_KEYS)
    elements = payload.get("elements") or wild.mapping(payload.get("product")).get("elements")
    _put(read, "elements", [_element(one) for one in wild.objects(elements)])
    _put(read, "buttons", _buttons(payload))
    return read


def location(attachment: dict[str, Json]) -> dict[str, Json]:
    """Where it is, in degrees, with the map's own title and link."""
    coordinates = wild.mapping(wild.mapping(attachment.get("payload")).get("coordinates"))
    read = picked(attachment, {"title": "title", "url": "url"})
    _put(read, "latitude", _degrees(coordinates.get("lat")))
    _put(read, "longitude", _degrees(coordinates.get("long")))
    return read


def picked(source: dict[str, Json], names: Mapping[str, str]) -> dict[str, Json]:
    """The texts (and ids written as integers) under the named keys of ``source``, renamed."""
    read: dict[str, Json] = {}
    for key, name in names.items():
        value = source.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if value and isinstance(value, str):
            read[name] = value
    return read


def _sources(attachment: dict[str, Json]) -> Iterator[dict[str, Json]]:
    yield attachment
    for payload in wild.objects(attachment.get("payload")):
        yield payload
        if "media" in payload:
            yield from wild.objects(payload["media"])


def _media_id(sources: list[dict[str, Json]]) -> str | None:
    for source in sources:
        for key in MEDIA_ID_KEYS:
            if key in source and (value := wild.identifier(source[key])) and not _url_like.search(value):
                return value
    return None


def _element(element: dict[str, Json]) -> dict[str, Json]:
    read = picked(element, ELEMENT_KEYS)
    read |= picked(wild.mapping(element.get("default_action")), {"url": "action_url"})
    _put(read, "buttons", _buttons(element))
    return read


def _buttons(holder: dict[str, Json]) -> list[Json]:
    return [picked(button, BUTTON_KEYS) for button in wild.objects(holder.get("buttons"))]


def _put(read: dict[str, Json], name: str, value: Json) -> None:
    if value is not None and value != []:
        read[name] = value


def _degrees(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if -360 <= value <= 360 else None


def _texts(value: Json) -> Iterator[str]:
    """Every string value in ``value``, however deep, in order."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            waiting.extend(reversed(node.values()))
        elif isinstance(node, list):
            waiting.extend(reversed(node))
