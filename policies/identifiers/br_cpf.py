"""Brazil: CPF, nine digits and two check digits modulo eleven (Receita Federal)."""

from __future__ import annotations

import re
from typing import Final

from policies.identifiers.checks import all_same, weighted
from policies.identifiers.kind import Kind


def valid(digits: str) -> bool:
    """Both check digits are right; 111.111.111-11 and its like are not issued."""
    return not all_same(digits) and digits[9:] == _check(digits[:9]) + _check(digits[:10])


def _check(digits: str) -> str:
    return str(weighted(digits, range(len(digits) + 1, 1, -1)) * 10 % 11 % 10)


KIND: Final = Kind(
    name="br_cpf",
    shapes=("99999999999",),
    valid=valid,
    words="""cpf|c p f|numero cpf|cpf numero|cadastro de pessoas fisicas|cadastro de pessoa fisica|brazilian tax|
    brazilian tax number|brazilian id|taxpayer registry|tax id|numero fiscal|numero fiscal bresilien|
    numero fiscal brasileno|registro de personas fisicas|contribuyente|steuernummer|brasilianische steuernummer|
    cpf nummer""",
    alone=re.compile(r"\d{3}([. ])\d{3}\1\d{3} ?[-/] ?\d\d"),
)
