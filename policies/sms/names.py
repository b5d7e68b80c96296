"""Which sender names pass for which: folded to one spelling, with the words that forgers add taken off."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Final

from policies.sms.folding import DIGITS, folded

_OTHER: Final = re.compile(r"[^a-z0-9]")
# On a handset's screen these pairs are one letter.
_SHAPES: Final = (("rn", "m"), ("vv", "w"))
_SIMILAR: Final = str.maketrans("l|!", "iii")


@lru_cache(maxsize=4096)
def skeleton(name: str) -> str:
    """The name without case, spaces, punctuation, accents, foreign letters and digits that stand for letters.

    ``ACME Bank``, ``acmebank``, ``Acrne-Bank`` and ``4cmeBank`` have the same. Cached: a function of its argument.
    """
    bare = folded(name).translate(_SIMILAR)
    if any(letter.isalpha() for letter in bare):
        bare = bare.translate(DIGITS)
    for pair, letter in _SHAPES:
        bare = bare.replace(pair, letter)
    return _OTHER.sub("", bare)


def passes_for(name: str, other: str) -> bool:
    """Whether a reader could take the one for the other: the same skeleton, or with a generic word added to it."""
    mine, theirs = skeleton(name), skeleton(other)
    if not theirs or theirs not in mine:
        return False
    before, _, after = mine.partition(theirs)
    return all(part == "" or part in GENERIC for part in (before, after))


def _words(of: str) -> frozenset[str]:
    text = files(__package__).joinpath("sender_words.toml").read_text(encoding="utf-8")
    return frozenset(map(skeleton, tomllib.loads(text)[of].split()))


GENERIC: Final = _words("generic")
"""Skeletons of the words that anybody could use."""

PROTECTED: Final = _words("protected")
"""Skeletons of the names of public bodies."""
