"""Germany: "steuerliche Identifikationsnummer" (§ 139b AO): eleven digits, MOD 11,10, one digit of ten stands twice."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from policies.identifiers.checks import mod_11_10
from policies.identifiers.kind import Kind


def valid(digits: str) -> bool:
    """Of the first ten, exactly one digit stands twice or (since 2016) three times."""
    if digits[0] == "0" or not mod_11_10(digits):
        return False
    repeated = [count for count in Counter(digits[:10]).values() if count > 1]
    return repeated in ([2], [3])


KIND: Final = Kind(
    name="de_steuer_id",
    shapes=("99999999999",),
    valid=valid,
    words="""steuer id|steuerid|steuer idnr|steueridnr|idnr|id nr|steuer identifikationsnummer|steueridentifikationsnummer|
    steuerliche identifikationsnummer|identifikationsnummer|steuernummer|steuernr|steuer nr|steuer nummer|
    tax id|tax number|tax identification|tax identification number|german tax|tin|
    identifiant fiscal|numero fiscal|numero d identification fiscale|identificacion fiscal|numero de identificacion fiscal""",
    alone=re.compile(r"\d\d([ .\-/]?)\d{3}\1\d{3}\1\d{3}"),
)
