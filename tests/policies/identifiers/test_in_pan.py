"""India: permanent account number."""

from __future__ import annotations

import pytest

from policies.identifiers.in_pan import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("afzpk7190k", True),
        ("abcce1234f", True),
        ("afzzk7190k", False),
        ("afzpk0000k", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "PAN AFZPK7190K",
        "my pan card is afzpk 7190 k",
        "income tax number: AFZPK7190K",
        "numéro PAN AFZPK7190K",
        "PAN-Karte AFZPK7190K",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "AFZPK7190K",
        "booking AFZPK7190K",
        "PAN AFZZK7190K",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
