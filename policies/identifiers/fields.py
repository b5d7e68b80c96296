"""Where people say something in a content, and by what name: texts, titles, details, how they call themselves.

Platforms' own ids are nothing that anybody said: they are left as they are, whatever their digits look like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from policies.content import placed
from policies.message import Content, Json, Media

Change = Callable[[str, str], str]
"""What becomes of a text that stands under a label; "" where it has none."""


def said(content: Content, change: Change) -> Content:
    """The content with everything changed that somebody said. The same object where nothing was."""
    text = None if content.text is None else change(content.text, "")
    media = tuple(_media(one, change) for one in content.media) if content.media else ()
    details = _object(content.details.items(), change) if content.details else {}
    profile = _object(content.profile.items(), change) if content.profile else {}
    after = Content(text=text, media=media, details=details, profile=profile)
    return content if after == content else after


def _media(media: Media, change: Change) -> Media:
    """A title is said, and a URL may name what its value is; ids, types and digests are the platform's."""
    title = None if media.title is None else change(media.title, "")
    url = None if media.url is None else change(media.url, "")
    if (title, url) == (media.title, media.url):
        return media
    return msgspec.structs.replace(media, title=title, url=url)


def _object(items: Iterable[tuple[str, Json]], change: Change) -> dict[str, Json]:
    """A form's answer (``name``, ``value``) is labelled by its question, all else by its key."""
    given = dict(items)
    question = given.get("name")
    changed: dict[str, Json] = {}
    for key, value in given.items():
        if _is_platform_id(key, value):
            placed(changed, change(key, ""), value)
        elif key == "value" and isinstance(question, str):
            placed(changed, key, _answer(value, change, question))
        else:
            placed(changed, change(key, ""), _tree(value, change, key))
    return changed


def _tree(value: Json, change: Change, label: str) -> Json:
    if isinstance(value, str):
        return change(value, label)
    if isinstance(value, dict):
        return _object(value.items(), change)
    if isinstance(value, list):
        return [_tree(item, change, label) for item in value]
    return value


def _answer(value: Json, change: Change, question: str) -> Json:
    """Forms send numbers as numbers, too: one that is redacted becomes a text."""
    if isinstance(value, list):
        return [_answer(item, change, question) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST:
        written = str(value)
        changed = change(written, question)
        return value if changed == written else changed
    return _tree(value, change, question)


def _is_platform_id(key: str, value: Json) -> bool:
    """``id``, ``catalog_id``, ``wa_id`` …, and a contact's telephone numbers."""
    return isinstance(value, str) and (key in _IDS or key.endswith("_id"))


_IDS: Final = frozenset({"id", "phone", "sha256"})
_LARGEST: Final = 10**40
