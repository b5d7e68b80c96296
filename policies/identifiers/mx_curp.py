"""Mexico: CURP, eighteen letters and digits (RENAPO): name, date of birth, sex, state, and a check digit."""

from __future__ import annotations

from typing import Final

from policies.identifiers.checks import is_day
from policies.identifiers.kind import ANY_FORM, Kind


def valid(code: str) -> bool:
    """Date, sex, state and check digit are right."""
    return (
        is_day(int(code[6:8]), int(code[8:10]))
        and code[10] in "hmx"
        and code[11:13] in _STATES
        and int(code[17]) == -_sum(code[:17]) % 10
    )


def _sum(code: str) -> int:
    return sum(_ALPHABET.index(letter) * (18 - at) for at, letter in enumerate(code))


_ALPHABET: Final = "0123456789abcdefghijklmnñopqrstuvwxyz"
_STATES: Final = frozenset(
    "as bc bs cc cl cm cs ch df dg gt gr hg jc mc mn ms nt nl oc pl qt qr sp sl sr tc ts tl vz yn zs ne".split()
)

KIND: Final = Kind(
    name="mx_curp",
    shapes=("AAAA999999AAAAAA99", "AAAA999999AAAAAAA9"),
    valid=valid,
    words="""curp|clave unica|clave unica de registro|registro de poblacion|mexican id|mexican population registry|
    population registry code|code curp|identifiant mexicain|mexikanische id|curp nummer""",
    certain=ANY_FORM,
)
