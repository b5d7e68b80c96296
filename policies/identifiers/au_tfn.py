"""Australia: tax file number, nine digits (or eight, of old), whose weighted sum divides by eleven."""

from __future__ import annotations

from typing import Final

from policies.identifiers.checks import all_same, weighted
from policies.identifiers.kind import Kind


def valid(digits: str) -> bool:
    """Eleven divides the weighted sum."""
    weights = (1, 4, 3, 7, 5, 8, 6, 9, 10) if len(digits) == 9 else (10, 7, 8, 4, 6, 3, 5, 1)
    return weighted(digits, weights) % 11 == 0 and not all_same(digits)


KIND: Final = Kind(
    name="au_tfn",
    shapes=("999999999", "99999999"),
    valid=valid,
    words="""tfn|t f n|tax file|tax file number|tax file no|australian tax number|tax number|tax id|
    numero fiscal|numero fiscal australien|numero de dossier fiscal|numero de archivo fiscal|numero fiscal australiano|
    australische steuernummer|steuernummer|steuerdateinummer""",
)
