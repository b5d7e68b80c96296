"""Italy: codice fiscale (D.M. 23 December 1976): sixteen letters and digits, the last of which checks the others.

Where two people would have the same one, digits are replaced by letters (omocodia), from the right on.
"""

from __future__ import annotations

from itertools import product
from typing import Final

from policies.identifiers.checks import is_day
from policies.identifiers.kind import ANY_FORM, Kind


def valid(code: str) -> bool:
    """The check letter, the month's letter and the day are right; women's days are 40 more."""
    plain = "".join(_digit(letter) if at in _PLACES else letter for at, letter in enumerate(code))
    month, day = plain[8], plain[9:11]
    if month not in _MONTHS or not (plain[6:8] + day).isdecimal():
        return False
    return is_day(_MONTHS.index(month) + 1, int(day) % 40) and int(day) <= 71 and _check(code) == code[15]


def _check(code: str) -> str:
    odd = sum(_ODD[_value(letter)] for letter in code[0:15:2])
    even = sum(_value(letter) for letter in code[1:15:2])
    return chr(ord("a") + (odd + even) % 26)


def _value(letter: str) -> int:
    return int(letter) if letter.isdecimal() else ord(letter) - ord("a")


def _digit(letter: str) -> str:
    return str(_OMOCODIA.index(letter)) if letter in _OMOCODIA else letter


_OMOCODIA: Final = "lmnpqrstuv"
_MONTHS: Final = "abcdehlmprst"
_PLACES: Final = (6, 7, 9, 10, 12, 13, 14)
# What 0 or A, 1 or B … count for in an odd place.
_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)

KIND: Final = Kind(
    name="it_codice_fiscale",
    shapes=tuple(
        "AAAAAA{}{}A{}{}A{}{}{}A".format(*places) for places in product("9A", repeat=7) if "9" in places
    ),
    valid=valid,
    words="""codice fiscale|cod fiscale|cod fisc|c f|cf|fiscal code|italian tax code|tax code|code fiscal|
    codigo fiscal|steuernummer|italienische steuernummer""",
    certain=ANY_FORM,
)
