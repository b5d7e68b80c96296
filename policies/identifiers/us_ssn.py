"""United States: Social Security number. No check digit; ranges that are never issued (SSA, POMS RM 10201.035)."""

from __future__ import annotations

import re
from typing import Final

from policies.identifiers.kind import Kind


def valid(digits: str) -> bool:
    """Area 001 to 899 but not 666, group and serial not zero."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return "000" < area < "900" and area != "666" and group != "00" and serial != "0000"


KIND: Final = Kind(
    name="us_ssn",
    shapes=("999999999",),
    valid=valid,
    words="""ssn|ssns|s s n|ss|ss#|social:|social #|social number|social no|my social|your social|his social|her social|social is|social security|social security number|social security no|social sec|soc sec|ss number|
    ss no|securite sociale|numero de securite sociale|seguro social|seguridad social|numero de seguro social|nss|
    sozialversicherung|sozialversicherungsnummer|sozialversicherungsnr|sozialversicherungs nr""",
    alone=re.compile(r"\d{3}-\d\d-\d{4}"),
)
