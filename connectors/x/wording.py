"""What a person wrote, as they wrote it: entities unescaped, X's own link wrappers taken off."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Final

from connectors import wild
from policies.message import Json

_ESCAPES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'"}
_MAX_EXPANSIONS: Final = 1100
_MAX_EXPANDED: Final = 4096
# Only what X escapes: html.unescape would also turn the "&copy=" of a link into a sign.
_escape = re.compile("&(?:amp|lt|gt|quot|#39);")
_short_link = re.compile(r"https?://t\.co/[0-9A-Za-z_-]+")
_media_page = re.compile(
    r"https?://(?:[a-z]+\.)?(?:twitter|x)\.com/"
    r"(?:[^/?#]+/status/([0-9]+)/(?:photo|video)/[0-9]+|messages/media/([0-9]+))"
)


class Links:
    """The link entities of one text: which of them are the person's own, and which X appended for media."""

    def __init__(self, entities: Iterable[Json], media: Iterable[Json], own_ids: Collection[str]) -> None:
        urls = [url for part in entities for url in wild.objects(wild.mapping(part).get("urls"))]
        appended = [url for url in urls if _is_media_page(url, own_ids)]
        self._media = {wild.text(node.get("url")) for node in chain(wild.objects(list(media)), appended)} - {
            None
        }
        self._own = [url for url in urls if wild.text(url.get("url")) not in self._media]

    def all(self) -> list[str]:
        """Where the person's links lead, each once, as far as X resolved them."""
        return list(dict.fromkeys(target for url in self._own for target in _targets(url)))

    def wording(self, text: str | None) -> str | None:
        """``text`` without X's additions: the trailing media link goes, a short link becomes its target.

        A rule that looks for a host could not see it behind t.co, and t.co leads there for ever.
        """
        if text is None:
            return None
        plain = _escape.sub(lambda found: _ESCAPES[found.group()], self._without_media_link(text))
        targets = dict(self._expansions())
        return _short_link.sub(lambda found: targets.get(found[0], found[0]), plain, _MAX_EXPANSIONS) or None

    def _without_media_link(self, text: str) -> str:
        body = text.rstrip()
        last = body[body.rfind("http") :] if "http" in body else ""
        return body.removesuffix(last).rstrip() if last in self._media else text

    def _expansions(self) -> Iterator[tuple[str, str]]:
        for url in self._own:
            short, target = wild.text(url.get("url")), wild.text(url.get("expanded_url"))
            if short and target and len(target) <= _MAX_EXPANDED:
                yield short, target


def _is_media_page(url: dict[str, Json], own_ids: Collection[str]) -> bool:
    """Whether X appended the link for the message's own media: a pasted link to another photo is not."""
    if wild.text(url.get("media_key")):
        return True
    page = _media_page.match(wild.text(url.get("expanded_url")) or "")
    return page is not None and (page[1] or page[2]) in own_ids


def _targets(url: dict[str, Json]) -> Iterator[str]:
    unwound = wild.mapping(url.get("unwound")).get("url")
    return filter(None, map(wild.text, (url.get("expanded_url"), url.get("unwound_url"), unwound)))
