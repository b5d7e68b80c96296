"""What a reader sees, in plain letters: disguises are undone, and what was undone is noted.

The folded text has lower-case letters without accents; every character of it remembers where it came from.
Letters of other scripts stay what they are, unless they stand among Latin letters in one word: no language does that.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Sequence
from typing import Final

from policies.message import Private
from policies.screening.confusables import LOOKALIKES


class Folded(Private, frozen=True):
    """``text[i]`` came from ``original[starts[i]]``; ``flags`` name the disguises that were undone."""

    text: str
    starts: Sequence[int]
    flags: frozenset[str]


def fold(text: str) -> Folded:
    """The text in plain letters. Total: any string has one."""
    flags: set[str] = set()
    starts: Sequence[int] = range(len(text))
    folded = text.lower()
    if not text.isascii():
        folded, starts = _folded(text, flags)
    if _SPACED.search(folded):
        folded, starts = _closed_up(folded, starts, flags)
    return Folded(folded, starts, frozenset(flags))


def _folded(text: str, flags: set[str]) -> tuple[str, Sequence[int]]:
    fold_of = {character: _fold(character, flags) for character in set(text)}
    pieces = [fold_of[character] for character in text]
    starts: Sequence[int] = range(len(text))
    if any(len(piece) != 1 for piece in pieces):
        starts = array("L", (index for index, piece in enumerate(pieces) for _ in piece))
    return _without_lookalikes("".join(pieces), flags), starts


def _fold(character: str, flags: set[str]) -> str:
    if character.isascii():
        return character.lower()
    category = unicodedata.category(character)
    plain = _PLAIN.get(character)
    if plain is not None:
        if character not in _QUIET:
            flags.add("enclosed" if category == "So" else "lookalike")
        return plain
    if category in _HIDDEN or character in _FILLERS:
        if character not in _COMMON_INVISIBLES:
            flags.add("invisible")
        return ""
    return _decomposed(character, category, flags)


def _decomposed(character: str, category: str, flags: set[str]) -> str:
    """Compatibility letters become plain ones, accents go; other scripts keep their letters."""
    if category == "Zs" or character in "\u2028\u2029\x85":
        return " "
    if category == "Pd":
        return "-"
    parts = [part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part)]
    plain = "".join(parts).lower()
    if not plain:
        return ""
    if category == "So" and plain.isascii():
        flags.add("enclosed")
    elif (
        plain.isascii()
        and plain.isalnum()
        and unicodedata.decomposition(character).startswith(("<font", "<wide"))
    ):
        flags.add("mathematical")
    return "".join(map(_stroked, plain)) if plain != character else _stroked(plain)


def _stroked(character: str) -> str:
    return _STROKED.get(character, character)


def _without_lookalikes(text: str, flags: set[str]) -> str:
    """Letters of other scripts that look Latin become Latin, in a word or among words that are Latin."""
    if not _FOREIGN.search(text):
        return text
    latin = len(_LATIN.findall(text)) * 2 > len(_FOREIGN.findall(text))

    def plain(word: re.Match[str]) -> str:
        letters = word.group()
        lookalike = "".join(_LOOKALIKE.get(letter, letter) for letter in letters)
        mixed = _LATIN.search(letters) is not None
        if lookalike == letters or not (mixed or (latin and lookalike.isascii())):
            return letters
        flags.add("lookalike")
        return lookalike

    return _WORD.sub(plain, text)


def _closed_up(text: str, starts: Sequence[int], flags: set[str]) -> tuple[str, Sequence[int]]:
    """``f r e e`` and ``c-l-a-i-m`` without what keeps their letters apart."""
    kept = array("L")
    position = 0
    for match in _SPACED.finditer(text):
        run = match.group()
        if sum(letter.isalpha() for letter in run[::2]) * 2 < len(run[::2]):
            continue
        flags.add("spaced")
        kept.extend(range(position, match.start()))
        kept.extend(range(match.start(), match.end(), 2))
        position = match.end()
    kept.extend(range(position, len(text)))
    return "".join(text[index] for index in kept), array("L", (starts[index] for index in kept))


_HIDDEN: Final = frozenset({"Cf", "Mn", "Me", "Cc", "Cs", "Co", "Cn"})
_FILLERS: Final = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
# Emoji, Persian words and copied text hold these without any purpose of hiding.
_COMMON_INVISIBLES: Final = frozenset(
    "\u200d\ufe0f\ufe0e\u20e3\ufeff\u200e\u200f\xad\u0301\u0300\u0308\u0303\u0302\u0327"
)

_SCRIPTS: Final = ("CYRILLIC", "GREEK", "ARMENIAN", "HEBREW", "ARABIC", "COPTIC", "CHEROKEE", "GEORGIAN")


def _script(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]


# Letters that whole languages are written in: they are taken for Latin only where they stand among Latin letters.
_LOOKALIKE: Final = {letter: plain for letter, plain in LOOKALIKES.items() if _script(letter) in _SCRIPTS}
_QUIET: Final = frozenset("\u0131øłđħŧØŁĐĦŦĿŀ")
_STROKED: Final = {
    "ß": "ss",
    "æ": "ae",
    "œ": "oe",
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "ħ": "h",
    "ŧ": "t",
    "\u0131": "i",
}
_STROKED.update(
    {
        "\u2019": "'",
        "\u2018": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2044": "/",
        "\u2215": "/",
        "\u2024": ".",
        "\u3002": ".",
    }
)
_PLAIN: Final = {letter: plain for letter, plain in LOOKALIKES.items() if letter not in _LOOKALIKE}

_LATIN: Final = re.compile("[a-z]")
_FOREIGN: Final = re.compile("[" + "".join(map(re.escape, _LOOKALIKE)) + "]")
_WORD: Final = re.compile(r"[^\W_]+")
# Four or more single letters, always kept apart by the same one character.
_SPACED: Final = re.compile(r"(?<![^\W_])[^\W_]([ .\-_*|~/,·•])[^\W_](?:\1[^\W_]){2,}(?![^\W_])")
