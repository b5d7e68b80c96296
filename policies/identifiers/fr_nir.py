"""France: NIR, the "numéro de sécurité sociale" (INSEE): sex, year, month, place, order; key 97 minus n mod 97."""

from __future__ import annotations

import re
from typing import Final

from policies.identifiers.kind import Kind


def valid(code: str) -> bool:
    """Thirteen characters, and two of the key where it is told. Corsica writes 2A and 2B."""
    if code[0] not in "123478" or int(code[3:5]) not in _MONTHS or code[5:7] == "00":
        return False
    if code[6].isalpha() and (code[5] != "2" or code[6] not in "ab"):
        return False
    number = int(code[:13].replace("a", "0").replace("b", "0"))
    number -= {"a": 1_000_000, "b": 2_000_000}.get(code[6], 0)
    return not code[13:] or 97 - number % 97 == int(code[13:])


# 20 to 42 and from 50 on: the month of birth is not known.
_MONTHS: Final = frozenset((*range(1, 13), *range(20, 43), *range(50, 100)))

KIND: Final = Kind(
    name="fr_nir",
    shapes=("999999999999999", "999999A99999999", "9999999999999", "999999A999999"),
    valid=valid,
    words="""nir|insee|numero insee|secu|num secu|numero secu|numero de secu|securite sociale|numero de securite sociale|
    n de securite sociale|no de securite sociale|carte vitale|vitale|assure social|nss|social security|
    social security number|french social security|seguridad social|seguro social|numero de seguridad social|
    sozialversicherung|sozialversicherungsnummer|versicherungsnummer""",
    alone=re.compile(
        r"[1278]([ .-]?)\d\d\1\d\d\1\d[\dab]\1\d{3}\1\d{3}[ .\-/]{0,3}\d\d|[1278]\d{5}[ab]\d{8}"
    ),
)
