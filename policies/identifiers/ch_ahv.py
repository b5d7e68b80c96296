"""Switzerland: AHV, AVS number (OASI): country code 756, then as an EAN-13 with its check digit."""

from __future__ import annotations

from typing import Final

from policies.identifiers.checks import weighted
from policies.identifiers.kind import ANY_FORM, Kind


def valid(digits: str) -> bool:
    """Switzerland's prefix, and ten divides the sum with weights 1 and 3."""
    return digits.startswith("756") and weighted(digits, (1, 3) * 6 + (1,)) % 10 == 0


KIND: Final = Kind(
    name="ch_ahv",
    shapes=("9999999999999",),
    valid=valid,
    words="""ahv|ahv nummer|ahv nr|ahvn13|ahvn|avs|numero avs|no avs|oasi|oasi number|swiss social security|navs13|
    social security|securite sociale|seguridad social|seguro social|versichertennummer|sozialversicherung|
    sozialversicherungsnummer""",
    alone=ANY_FORM,
)
