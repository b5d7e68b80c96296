"""What there is to know about one kind of number."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec


class Family(StrEnum):
    """Which rule takes care of it."""

    GOVERNMENT = "government"
    PAYMENT = "payment"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of number. Texts are folded: small letters without accents, plain digits, ``-`` for every dash.

    ``shapes``    what is left of it without separators: ``9`` a digit, ``A`` a letter
    ``valid``     whether such a string can be one: check digit, ranges, dates inside it
    ``words``     how people name it; one of these beside it makes a hit
    ``doubtful``  words that name it only where a card stands in the same text
    ``written``   how it has to be written at all; None: with any separators
    ``alone``     written forms that need no word beside them, unless a word says that it is something else
    ``certain``   written forms that are a hit whatever stands beside them
    ``reach``     how many other words may stand between the word and the number, besides those that lead to it (``is``)
    """

    name: str
    shapes: tuple[str, ...]
    valid: Callable[[str], bool]
    words: str
    doubtful: str = ""
    written: re.Pattern[str] | None = None
    alone: re.Pattern[str] | None = None
    certain: re.Pattern[str] | None = None
    reach: int = 8
    family: Family = Family.GOVERNMENT

    @property
    def meanings(self) -> frozenset[str]:
        """What a word in the text has to say for the number to be a hit by its words."""
        return frozenset(
            (self.name, DOUBTFUL + self.name, ANY) if self.reach else (self.name, DOUBTFUL + self.name)
        )

    @property
    def token(self) -> str:
        """What stands in a text where such a number stood."""
        return f"[ID:{self.name}]"


ANY: Final = "any"
"""What a word says that names an identifier of a person, whichever it is."""

DOUBTFUL: Final = "?"
"""Before a kind's name: what a word says that names it only where a card stands in the same text."""

ANY_FORM: Final = re.compile(r".*", re.DOTALL)
"""However it is written."""
