"""Spain: NIE, the foreigners' number: X, Y or Z for 0, 1 or 2, seven digits, and the letter of the DNI."""

from __future__ import annotations

from typing import Final

from policies.identifiers.es_dni import LETTERS
from policies.identifiers.kind import ANY_FORM, Kind


def valid(code: str) -> bool:
    """The letter is right. Old cards have a zero more."""
    if code[0] not in "xyz":
        return False
    return LETTERS[int(str("xyz".index(code[0])) + code[1:-1]) % 23] == code[-1]


KIND: Final = Kind(
    name="es_nie",
    shapes=("A9999999A", "A99999999A"),
    valid=valid,
    words="""nie|n i e|numero de extranjero|identidad de extranjero|numero de identidad de extranjero|
    tarjeta de residencia|permiso de residencia|residencia|tie|dni|nif|foreigner number|foreigner id|foreigners number|
    residence permit|residence card|carte de sejour|titre de sejour|numero d etranger|auslandernummer|
    aufenthaltstitel|aufenthaltskarte""",
    alone=ANY_FORM,
)
