"""United Kingdom: NHS number (England, Wales), Modulus 11 check digit as in the NHS Data Dictionary."""

from __future__ import annotations

from typing import Final

from policies.identifiers.checks import all_same, weighted
from policies.identifiers.kind import Kind


def valid(digits: str) -> bool:
    """The weighted sum with the check digit divides by eleven."""
    return weighted(digits, range(10, 0, -1)) % 11 == 0 and not all_same(digits)


# In three groups it looks like an American telephone number: without a word it is none.
KIND: Final = Kind(
    name="uk_nhs",
    shapes=("9999999999",),
    valid=valid,
    words="""nhs|nhs number|nhs no|national health|national health service|health service number|numero nhs|
    numero de sante|service de sante|servicio de salud|servicio nacional de salud|gesundheitsdienst|nhs nummer|
    patient number""",
)
