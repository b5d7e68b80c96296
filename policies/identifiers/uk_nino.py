"""United Kingdom: National Insurance number (HMRC, NIM39110): two letters, six digits, A to D."""

from __future__ import annotations

import re
from typing import Final

from policies.identifiers.kind import Kind


def valid(code: str) -> bool:
    """The prefix is one that is issued; the suffix, where it is told, A to D."""
    issued = code[0] not in "dfiquv" and code[1] not in "dfiqouv" and code[:2] not in _NEVER
    return (issued or code[:2] == _EXAMPLE) and code[8:] in {"", "a", "b", "c", "d"}


_EXAMPLE: Final = "qq"
"""Never issued, and on every form as the example: where it stands, a real one may stand next."""

_NEVER: Final = frozenset("bg gb kn nk nt tn zz".split())

KIND: Final = Kind(
    name="uk_nino",
    shapes=("AA999999A", "AA999999"),
    valid=valid,
    words="""nino|ni number|ni no|ni num|ni nr|nin|national insurance|national insurance number|national insurance no|
    nat ins|assurance nationale|numero d assurance nationale|seguro nacional|numero de seguro nacional|
    nationale versicherungsnummer|sozialversicherung|sozialversicherungsnummer|versicherungsnummer""",
    written=re.compile(r"[a-z]{2}[ .\-/_]{0,3}\d[\d .\-/_]{4,17}\d[ .\-/_]{0,3}[a-z]?"),
    alone=re.compile(r"[a-z]{2}([ .-]?)\d\d\1\d\d\1\d\d\1[a-d]"),
)
