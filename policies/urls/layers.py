"""The layers of a text: as a browser reads it, and again with one more encoding undone.

Folding is what a browser does to a host (WHATWG URL, UTS 46): compatibility letters become plain ones, case goes,
invisible characters go. Decoding undoes percent-encoding, HTML entities and JSON's escapes together, one level at a
time. Every character of a layer remembers which characters of the original it came from.
"""

from __future__ import annotations

import html
import html.entities
import re
import unicodedata
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from policies.message import Private

DEPTH: Final = 4
"""So many encodings are undone, one inside the other. Percent signs encoded again and again count as one."""

SOFT: Final = "^"
"""Stands for a decoded space, quote or bracket: in the text it was no such thing, so no URL ends there."""


class Layer(Private, frozen=True):
    """``text[i]`` came from ``original[starts[i]:ends[i]]``."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]


def layers(text: str, separate: re.Pattern[str]) -> Iterator[Layer]:
    """The folded text, the same with hosts joined over line breaks, and what is inside each, decoded."""
    folded = _folded(text)
    yield from _opened(folded)
    if _BREAK.search(folded.text):
        yield from _opened(_rewritten(folded, _HOST_WITH_BREAKS, lambda host: _join(host, separate)))


def _opened(layer: Layer | None) -> Iterator[Layer]:
    """The layer and what is inside it, decoded once more each time."""
    for _ in range(DEPTH):
        if layer is None:
            return
        yield layer
        layer = _rewritten(layer, _ENCODED, _decode)


def plain(text: str) -> str:
    """The ASCII letters of a text, those that compatibility letters stand for among them: quick, without origins."""
    if text.isascii():
        return text
    # Normalising costs most, and accents, emoji and most scripts have no compatibility letters: ask them alone.
    others = text.encode("utf-8", "ignore").translate(None, _ASCII).decode()
    if _ascii_of(unicodedata.normalize("NFKC", others)).strip(" ."):
        text = unicodedata.normalize("NFKC", text)
    return _ascii_of(text)


def _ascii_of(text: str) -> str:
    return text.encode("ascii", "ignore").decode()


def decoded(text: str) -> str:
    """The text with one level of encoding undone, without origins."""
    return _ENCODED.sub(_decode, text.lower())


def may_be_encoded(text: str) -> bool:
    """Whether the text holds the beginning of an encoding."""
    return ("%" in text or "&" in text or "\\" in text) and _ENCODING.search(text) is not None


def _folded(text: str) -> Layer:
    if text.isascii():
        return Layer(text=text.lower(), starts=range(len(text)), ends=range(1, len(text) + 1))
    folded = [_fold(character) for character in text]
    starts = array("L", (index for index, character in enumerate(folded) for _ in character))
    return Layer(text="".join(folded), starts=starts, ends=array("L", (start + 1 for start in starts)))


def _fold(character: str) -> str:
    if character.isascii():
        return character.lower()
    if unicodedata.category(character) == "Cf" or _INVISIBLE.match(character):
        return ""
    if character in _FULL_WIDTH_BREAKS:
        return "\u3001"
    return unicodedata.normalize("NFKC", character).lower().replace("\u3002", ".")


def _rewritten(
    layer: Layer, pattern: re.Pattern[str], change: Callable[[re.Match[str]], str]
) -> Layer | None:
    """The layer with every match replaced, origins kept; None where nothing changes."""
    pieces: list[str] = []
    starts, ends = array("L"), array("L")
    position = 0
    for match in pattern.finditer(layer.text):
        new = change(match)
        if new == match.group():
            continue
        pieces += (layer.text[position : match.start()], new)
        starts.extend(layer.starts[position : match.start()])
        ends.extend(layer.ends[position : match.start()])
        starts.extend([layer.starts[match.start()]] * len(new))
        ends.extend([layer.ends[match.end() - 1]] * len(new))
        position = match.end()
    if not pieces:
        return None
    starts.extend(layer.starts[position:])
    ends.extend(layer.ends[position:])
    return Layer(text="".join((*pieces, layer.text[position:])), starts=starts, ends=ends)


def _join(host: re.Match[str], separate: re.Pattern[str]) -> str:
    """A browser drops tabs and line breaks inside a URL. A whole host on a line of its own is another URL."""
    text = host.group()
    return text if separate.search(text) else _BREAK.sub("", text)


def _decode(escape: re.Match[str]) -> str:
    text = escape.group()
    if text[0] == "&":
        new = _NAMED.get(text[1:]) or html.unescape(text)
    elif text[0] == "%" and "u" not in text:
        data = bytes.fromhex(_PERCENT.sub("", text))
        new = _HARD.sub(SOFT, data.decode("utf-8", errors="replace"))
    elif text[-1] == "/":
        new = "/"
    elif text[-1] == "\\":
        return text
    else:
        new = chr(int(text.lstrip("\\%ux"), 16))
    return _BREAK.sub("", "".join(map(_fold, new)))


_ASCII: Final = bytes(range(128))
_BREAK: Final = re.compile(r"[\t\r\n]+")
_HARD: Final = re.compile(r"""[ <>"'()\[\]{}\x00-\x08\x0b\x0c\x0e-\x1f\x7f]""")
_PERCENT: Final = re.compile(r"%(?:25)*(?=[0-9a-f]{2})")

# Default-ignorable characters that are not of category Cf: joiners, fillers, variation selectors.
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# Between a URL and the words of a Chinese or Japanese sentence; no URL is disguised by them.
_FULL_WIDTH_BREAKS: Final = "\uff01\uff08\uff09\uff0c\uff1b"

# "%2525…41" counts as one level: each level more costs an attacker two characters and us a whole pass. Every branch
# begins with a literal, which lets the search skip ordinary text; a run of backslashes is always taken whole.
_ENCODED: Final = re.compile(
    r"%(?:25)*[0-7][0-9a-f]"
    r"|%(?:25)*[89a-f][0-9a-f](?:%(?:25)*[89a-f][0-9a-f])*"
    r"|%u[0-9a-f]{4}"
    r"|&\#x[0-9a-f]{1,6};?|&\#[0-9]{1,7};?|&[a-z][a-z0-9]{1,31};"
    r"|\\\\*+(?:u[0-9a-f]{4}|x[0-9a-f]{2}|/)?"
)
# Names of ASCII characters and of letters that fold to one, in lower case as the layers are ("NewLine", "Copf").
_NAMED: Final = {
    name.lower(): value
    for name, value in html.entities.html5.items()
    if unicodedata.normalize("NFKC", value).isascii()
}
_ENCODING: Final = re.compile(r"[%&\\][0-9A-Za-z\#\\/]")
# A host ends where its path begins, encoded or not; "//" begins one only where a URL can begin.
_IN_HOST: Final = r"""(?:[^\s/\\?\#<>"&%]|%(?!2[35f]|3f|5c))++"""
_HOST_WITH_BREAKS: Final = re.compile(
    r"""(?:https?:|(?<![^\s"'(<\[{])[/\\]{2})[/\\\t\r\n]*+"""
    + _IN_HOST
    + rf"""(?:[\t\r\n]++(?!\w+:[/\\]|[/\\]{{2}}){_IN_HOST})*+"""
    + r"""(?:[\t\r\n]++(?=[?\#]|[/\\](?![/\\])))?"""
)
