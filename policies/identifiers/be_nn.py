"""Belgium: national number (rijksregisternummer, numéro national): date, order, 97 minus n mod 97; 2 before n from 2000."""

from __future__ import annotations

import re
from typing import Final

from policies.identifiers.checks import is_day
from policies.identifiers.kind import Kind


def valid(digits: str) -> bool:
    """Month and day may be unknown (0); the bis number of a foreigner adds 20 or 40 to the month."""
    month, day, key = int(digits[2:4]), int(digits[4:6]), int(digits[9:])
    if month >= 20:
        month -= 40 if month >= 40 else 20
    if not (is_day(month, day) or (month <= 12 and 0 in (month, day) and day <= 31)):
        return False
    return key in (97 - int(digits[:9]) % 97, 97 - int("2" + digits[:9]) % 97)


KIND: Final = Kind(
    name="be_nn",
    shapes=("99999999999",),
    valid=valid,
    words="""rijksregisternummer|rijksregister|insz|niss|inss|registre national|numero de registre national|
    numero national|numero du registre national|national number|national register|national register number|
    belgian national number|numero nacional|registro nacional|nationalregister|nationalregisternummer|nationalnummer""",
    alone=re.compile(r"\d\d([. -]?)\d\d\1\d\d[ .-]?\d{3}[ .-]?\d\d"),
)
