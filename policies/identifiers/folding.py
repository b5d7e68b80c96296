"""One spelling for what reads the same: plain digits, small letters, one kind of dash, dot and space.

Every folded character remembers where it came from, so that what is found is cut out of the text as it was written.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from policies.message import Private
from policies.screening.confusables import LOOKALIKES

MASK: Final = "\x1a"
"""What stands for every character of a token: nothing is found in a token, and it counts as a number for all else."""

CARD_MASK: Final = "\x19"
"""The same for the token of a card: a CVV beside it is one also where the card is already gone."""


class Folded(Private, frozen=True):
    """``text[i]`` came from ``original[starts[i]]``; ``length`` is the original's."""

    text: str
    starts: Sequence[int]
    length: int

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where ``text[start:end]`` stands in the original, with what is invisible in it and right behind it."""
        after = self.starts[end] if end < len(self.starts) else self.length
        return self.starts[start], max(after, self.starts[end - 1] + 1)


def has_number(text: str) -> bool:
    """Whether there are digits enough for any number, in any script: the cheap question, asked of every text."""
    return _THREE.search(text) is not None


def has_long_number(text: str) -> bool:
    """Whether there are digits enough for a card's."""
    return _TWELVE.search(text) is not None


def fold(text: str) -> Folded:
    """The text in plain digits and letters. Total: any string has one."""
    starts: Sequence[int] = range(len(text))
    folded = text.lower()
    if not text.isascii():
        pieces = [_fold(character) for character in text]
        folded = "".join(pieces)
        if len(folded) != len(text) or "" in pieces:
            starts = array("L", (at for at, piece in enumerate(pieces) for _ in piece))
    return Folded(_TOKEN.sub(_masked, folded.translate(_SPACES)), starts, len(text))


def plain(words: str) -> str:
    """Words as they stand in a folded text in which every mark inside a word is a space."""
    return fold(words).text.translate(TO_WORDS)


@lru_cache(maxsize=4096)
def _fold(character: str) -> str:
    if character.isascii():
        return character.lower()
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    if unicodedata.category(character) in _HIDDEN or character in _FILLERS:
        return ""
    return _mark(character) or _letters(character)


def _mark(character: str) -> str:
    """The plain mark for what looks like it; "" for what is none."""
    category = unicodedata.category(character)
    if category == "Pd" or character in _DASHES:
        return "-"
    if character in _DOTS:
        return "."
    return " " if category == "Zs" else ""


def _letters(character: str) -> str:
    parts = unicodedata.normalize("NFKD", character).lower()
    return "".join(part for part in parts if not unicodedata.combining(part)).translate(_LETTERS)


def _masked(token: re.Match[str]) -> str:
    return (CARD_MASK if token[0] == "[id:card]" else MASK) * len(token[0])


TO_WORDS: Final = str.maketrans("-'’._/", "      ")  # noqa: RUF001
"""``Steuer-ID``, ``n.i.f.`` and ``numéro d'identité`` as words; nothing changes its place."""

# Digits, and the signs that show one: superscripts, circled and boxed digits.
_DIGIT: Final = (
    r"\d\u00b2\u00b3\u00b9\u2070-\u2089\u2460-\u249b\u24ea-\u24ff\u2776-\u2793\U0001f100-\U0001f10c"
)
_NEXT: Final = rf"(?:[^{_DIGIT}\n]{{0,12}}+[{_DIGIT}])"
_THREE: Final = re.compile(rf"[{_DIGIT}]{_NEXT}{{2}}")
_TWELVE: Final = re.compile(rf"[{_DIGIT}]{_NEXT}{{11}}")
_TOKEN: Final = re.compile(r"\[id:[a-z_]+\]")
_SPACES: Final = str.maketrans("\t\v\f\r", "    ")
_HIDDEN: Final = frozenset({"Cf", "Mn", "Me", "Cc", "Cs", "Co", "Cn"})
_FILLERS: Final = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
_DASHES: Final = frozenset("\u2212\u02d7\u2043\u30fc\uff70")
_DOTS: Final = frozenset("\u00b7\u2022\u2024\u2027\u2219\u22c5\u30fb\u3002\uff61\uff65")
# A letter that looks like a digit is none here: in its own language it stands in words.
_LETTERS: Final = str.maketrans(
    {letter: plain for letter, plain in LOOKALIKES.items() if plain.isalpha()}
    | {"\u2044": "/", "\u2215": "/", "\xdf": "ss", "\xe6": "ae", "\u0153": "oe"}
)
