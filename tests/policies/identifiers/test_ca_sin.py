"""Canada: Social Insurance number."""

from __future__ import annotations

import pytest

from policies.identifiers.ca_sin import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("046454286", True),
        ("130692544", True),
        ("046454287", False),
        ("846454286", False),
        ("111111111", False),
        ("046454268", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "my SIN is 046 454 286",
        "SIN number 046454286",
        "social insurance number: 046-454-286",
        "numéro d'assurance sociale 046 454 286",
        "NAS: 046454286",
        "número de seguro social 046454286",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "046 454 286",
        "046-454-286",
        "pedido sin 046454286",
        "SIN number 046454287",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
