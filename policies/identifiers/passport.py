"""Passports: every country has its own pattern and few have a check digit outside the machine-readable lines.

So one needs a word beside it. Shapes of issuing states' numbers; Germany and the Netherlands mix letters and digits.
"""

from __future__ import annotations

import re
from itertools import product
from typing import Final

from policies.identifiers.checks import looks_like_a_date
from policies.identifiers.kind import Kind


def valid(code: str) -> bool:
    """At least four digits, not all of them zero; eight digits that are a date are when it was issued or expires."""
    digits = [letter for letter in code if letter.isdecimal()]
    return len(digits) >= 4 and set(digits) != {"0"} and not looks_like_a_date(code)


_MIXED: Final = (
    *("A" + "".join(rest) for rest in product("9A", repeat=8)),  # Germany
    *("AA" + "".join(rest) + "9" for rest in product("9A", repeat=6)),  # Netherlands
)
_PLAIN: Final = "999999999 99999999 A9999999 A99999999 A999999 AA999999 AA9999999 AAA999999 99AA99999"

KIND: Final = Kind(
    name="passport",
    shapes=tuple(dict.fromkeys((*_PLAIN.split(), *(shape for shape in _MIXED if shape.count("9") >= 4)))),
    valid=valid,
    words="""passport|passports|passport number|passport no|passport nr|passport num|passport id|passeport|
    numero de passeport|n de passeport|passeport numero|passeport no|pasaporte|numero de pasaporte|pasaporte numero|
    pasaporte no|pasaporte nro|reisepass|reisepassnummer|reisepassnr|reisepass nr|mein pass|ihr pass|meines passes|passnummer|passnr|pass nr|pass nummer|
    passaporto|numero di passaporto|paspoort|paspoortnummer|paszport|numer paszportu|passaporte""",
    written=re.compile(
        r"[a-z0-9]+|[a-z]{1,3}[ -]\d+|[a-z]?\d{2,3}([ -])\d{3}\1\d{3}|(?:[a-z0-9][ .\-_]){6,9}[a-z0-9]"
    ),
)
