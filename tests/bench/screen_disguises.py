"""Ways to disguise a text from a filter while a person can still read it. Each is a pure function of text and seed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from typing import Final

Disguise = Callable[[str, random.Random], str]

_HOMOGLYPHS: Final = dict(zip("aceiopxyABEHKMOPTX", "асеіорхуАВЕНКМОРТХ", strict=True))
_LEET: Final = dict(zip("aeiost", "4310$7", strict=True))
_ACCENTS: Final = "\u0301\u0300\u0308\u0302\u0323"
_PADDING: Final = (
    "thanks see you later at home my dear hope you are well have a nice evening with the family and take care"
)


def _letters(text: str, chance: float, rng: random.Random, change: Callable[[str], str]) -> str:
    """Some letters changed; links stay as they are, or they would lead nowhere."""
    pieces = re.split(r"(\S*[./]\S+)", text)
    return "".join(
        piece
        if index % 2
        else "".join(change(c) if c.isalpha() and rng.random() < chance else c for c in piece)
        for index, piece in enumerate(pieces)
    )


def _words(text: str, rng: random.Random, change: Callable[[str], str]) -> str:
    return " ".join(
        change(w) if len(w) > 3 and w.isalpha() and rng.random() < 0.4 else w for w in text.split(" ")
    )


def _split_links(text: str, _: random.Random) -> str:
    return re.sub(r"https?://(\S)", r"hxxp :// \1", re.sub(r"(\w)\.(\w{2,4})(?=/|\b)", r"\1[.]\2", text))


def _typo(word: str, rng: random.Random) -> str:
    place = rng.randrange(1, len(word) - 1)
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


DISGUISES: Final[Mapping[str, Disguise]] = {
    "homoglyphs": lambda t, r: _letters(t, 0.4, r, lambda c: _HOMOGLYPHS.get(c, c)),
    "leetspeak": lambda t, r: _letters(t, 0.5, r, lambda c: _LEET.get(c.lower(), c)),
    "zero width": lambda t, r: _letters(t, 0.3, r, lambda c: c + "\u200b"),
    "spacing": lambda t, r: _words(t, r, " ".join),
    "dots": lambda t, r: _words(t, r, ".".join),
    "split links": _split_links,
    "enclosed": lambda t, r: _letters(
        t, 0.6, r, lambda c: chr(0x24D0 + ord(c.lower()) - 97) if c.isascii() else c
    ),
    "mathematical": lambda t, r: _letters(
        t, 1.0, r, lambda c: chr(0x1D41A + ord(c.lower()) - 97) if c.isascii() else c
    ),
    "full width": lambda t, r: _letters(
        t, 1.0, r, lambda c: chr(0xFF41 + ord(c.lower()) - 97) if c.isascii() else c
    ),
    "accents": lambda t, r: _letters(t, 0.4, r, lambda c: c + r.choice(_ACCENTS)),
    "struck through": lambda t, r: _letters(t, 1.0, r, lambda c: c + "\u0336"),
    "split words": lambda t, r: _words(t, r, lambda w: f"{w[: len(w) // 2]} {w[len(w) // 2 :]}"),
    "hyphens": lambda t, r: _words(t, r, lambda w: f"{w[: len(w) // 2]}-{w[len(w) // 2 :]}"),
    "stretched": lambda t, r: _words(t, r, lambda w: w[:-1] + w[-1] * 4),
    "typing errors": lambda t, r: _words(t, r, lambda w: _typo(w, r)),
    "padding": lambda t, _: f"{_PADDING} {t} {_PADDING}",
}
