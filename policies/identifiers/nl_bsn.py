"""Netherlands: burgerservicenummer, eight or nine digits that pass the "elfproef" (last weight minus 1)."""

from __future__ import annotations

from typing import Final

from policies.identifiers.checks import all_same, weighted
from policies.identifiers.kind import Kind


def valid(digits: str) -> bool:
    """Eleven divides the weighted sum. With eight digits the leading zero is left out."""
    nine = digits.zfill(9)
    return weighted(nine, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and not all_same(digits)


KIND: Final = Kind(
    name="nl_bsn",
    shapes=("999999999", "99999999"),
    valid=valid,
    words="""bsn|b s n|bsn nummer|burgerservicenummer|burger service nummer|sofinummer|sofi nummer|sofi|
    citizen service number|dutch citizen number|dutch tax number|numero de service citoyen|numero bsn|
    numero de servicio ciudadano|burgerservice|burgernummer|burger nummer|niederlandische burgernummer""",
)
