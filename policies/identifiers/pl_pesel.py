"""Poland: PESEL, a date of birth whose month tells the century, an order, and a check digit (weights 1, 3, 7, 9)."""

from __future__ import annotations

from typing import Final

from policies.identifiers.checks import is_day, weighted
from policies.identifiers.kind import Kind


def valid(digits: str) -> bool:
    """The date exists and ten divides the weighted sum."""
    month, day = int(digits[2:4]) % 20, int(digits[4:6])
    return is_day(month, day) and weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


KIND: Final = Kind(
    name="pl_pesel",
    shapes=("99999999999",),
    valid=valid,
    words="""pesel|pesel number|numer pesel|nr pesel|polish id|polish id number|polish national id|
    national identification number|numero pesel|numero polonais|identifiant polonais|identificacion polaca|
    pesel nummer|polnische identifikationsnummer|polnische id""",
)
