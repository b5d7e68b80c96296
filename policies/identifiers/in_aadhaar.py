"""India: Aadhaar, twelve digits with Verhoeff's check digit (UIDAI); the first is 2 to 9, and it is no palindrome."""

from __future__ import annotations

from typing import Final

from policies.identifiers.checks import verhoeff
from policies.identifiers.kind import Kind


def valid(digits: str) -> bool:
    """One in twelve of all strings that look like one."""
    return digits[0] in "23456789" and verhoeff(digits) and digits != digits[::-1]


KIND: Final = Kind(
    name="in_aadhaar",
    shapes=("999999999999",),
    valid=valid,
    words="""aadhaar|aadhar|adhaar|adhar|aadhaar number|aadhaar card|aadhar card|uidai|uid number|uid no|uid card|
    indian id|numero aadhaar|carte aadhaar|tarjeta aadhaar|aadhaar nummer|aadhaar karte""",
)
