"""United States: individual taxpayer identification number (IRS Publication 1915). No check digit; nine, then a group."""

from __future__ import annotations

import re
from typing import Final

from policies.identifiers.kind import Kind


def valid(digits: str) -> bool:
    """Begins with 9; the fourth and fifth digits are 50 to 65, 70 to 88, 90 to 92 or 94 to 99."""
    return digits[0] == "9" and int(digits[3:5]) in _GROUPS


_GROUPS: Final = frozenset((*range(50, 66), *range(70, 89), *range(90, 93), *range(94, 100)))

KIND: Final = Kind(
    name="us_itin",
    shapes=("999999999",),
    valid=valid,
    words="""itin|itins|individual taxpayer|taxpayer id|taxpayer identification|taxpayer identification number|
    taxpayer number|tax id|tin|numero de contribuable|numero fiscal|numero de contribuyente|numero itin|
    identificacion del contribuyente|steuernummer|steuer id""",
    alone=re.compile(r"\d{3}-\d\d-\d{4}"),
)
