"""Canada: Social Insurance number, nine digits with Luhn's check digit."""

from __future__ import annotations

from typing import Final

from policies.identifiers.checks import all_same, luhn
from policies.identifiers.kind import Kind


def valid(digits: str) -> bool:
    """Luhn; 8 begins business numbers only."""
    return digits[0] != "8" and luhn(digits) and not all_same(digits)


# "sin" alone is Spanish for "without".
KIND: Final = Kind(
    name="ca_sin",
    shapes=("999999999",),
    valid=valid,
    words="""social insurance|social insurance number|social insurance no|sin number|sin no|sin num|my sin|your sin|
    his sin|her sin|the sin|sin is|sin card|canadian sin|canada sin|s i n|sin:|sin#|sin=|sin (|
    assurance sociale|numero d assurance sociale|numero assurance sociale|nas|
    seguro social|numero de seguro social|numero de seguridad social|sozialversicherung|sozialversicherungsnummer""",
)
