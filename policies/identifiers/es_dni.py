"""Spain: DNI, eight digits and the letter of their remainder by 23 (Real Decreto 1553/2005)."""

from __future__ import annotations

import re
from typing import Final

from policies.identifiers.checks import looks_like_a_date
from policies.identifiers.kind import Kind

LETTERS: Final = "trwagmyfpdxbnjzsqvhlcke"
"""The letter for each remainder."""


def valid(code: str) -> bool:
    """The letter is right; without one, any eight digits can be a DNI, but for a date."""
    if not code[-1].isalpha():
        return not looks_like_a_date(code)
    return LETTERS[int(code[:-1]) % 23] == code[-1]


KIND: Final = Kind(
    name="es_dni",
    shapes=("99999999A", "9999999A", "99999999"),
    valid=valid,
    words="""dni|d n i|dnis|nif|n i f|documento nacional|documento nacional de identidad|documento de identidad|
    carnet de identidad|numero de identidad|spanish id|spanish national id|national id|national identity|identity card|
    identity card number|id card|id card number|carte d identite|numero d identite|piece d identite|identite espagnole|
    personalausweis|personalausweisnummer|ausweisnummer|ausweis|ausweisnr|spanische steuernummer""",
    alone=re.compile(r"\d{8} ?- ?[a-z]|\d{2}[. ]\d{3}[. ]\d{3}[ -]{0,3}[a-z]"),
)
