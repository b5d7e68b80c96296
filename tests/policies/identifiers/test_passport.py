"""Passports."""

from __future__ import annotations

import pytest

from policies.identifiers.passport import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("123456789", True),
        ("c01x00t47", True),
        ("12ab34567", True),
        ("20269999", True),
        ("000000000", False),
        ("abcdefg12", False),
        ("20260131", False),
        ("31012026", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "passport 123456789",
        "Passport No: AB 123456",
        "my passport number is X1234567",
        "passeport 12AB34567",
        "pasaporte AAA123456",
        "Reisepass C01X00T47",
        "123456789 is my passport number",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "123456789",
        "C01X00T47",
        "passport expires 20260131",
        "passport office phone 123456789",
        "the passport photos cost 12",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
