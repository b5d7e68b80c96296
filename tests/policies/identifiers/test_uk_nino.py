"""United Kingdom: National Insurance number."""

from __future__ import annotations

import pytest

from policies.identifiers.uk_nino import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("ab123456c", True),
        ("ab123456", True),
        ("qq123456c", True),
        ("jy000000d", True),
        ("bg123456a", False),
        ("do123456a", False),
        ("ab123456e", False),
        ("fa123456a", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "AB123456C",
        "AB 12 34 56 C",
        "ab-12-34-56-c",
        "NI number AB123456",
        "national insurance: JY 12 34 56",
        "numéro d’assurance nationale AB123456C",
        "QQ 12 34 56 C",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "BG123456A",
        "AB123456",
        "order AB123456C",
        "AB123456CD",
        "XAB123456C",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
