"""Portugal: NIF, the tax number: nine digits, weights 9 to 2, eleven minus the remainder."""

from __future__ import annotations

from typing import Final

from policies.identifiers.checks import weighted
from policies.identifiers.kind import Kind


def valid(digits: str) -> bool:
    """The first digits are issued to people or bodies; the check digit is right (10 and 11 are written 0)."""
    if digits[0] not in "1235689" and digits[:2] not in _TWO:
        return False
    check = 11 - weighted(digits[:8], range(9, 1, -1)) % 11
    return int(digits[8]) == (0 if check > 9 else check)


_TWO: Final = frozenset("45 70 71 72 74 75 77 78 79".split())

KIND: Final = Kind(
    name="pt_nif",
    shapes=("999999999",),
    valid=valid,
    words="""nif|n i f|nipc|contribuinte|numero de contribuinte|numero contribuinte|n contribuinte|portuguese tax number|
    portuguese nif|tax number|tax id|taxpayer number|tin|identificacao fiscal|numero fiscal|
    numero de identification fiscale|identifiant fiscal|numero de identificacion fiscal|identificacion fiscal|
    steuernummer|portugiesische steuernummer|steuer id""",
)
