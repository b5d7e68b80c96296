"""India: Aadhaar."""

from __future__ import annotations

import pytest

from policies.identifiers.in_aadhaar import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("234123412346", True),
        ("234123412347", False),
        ("134123412346", False),
        ("243123412346", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "Aadhaar 2341 2341 2346",
        "my aadhar card number: 234123412346",
        "carte Aadhaar 2341-2341-2346",
        "tarjeta aadhaar 2341 2341 2346",
        "Aadhaar-Nummer 234123412346",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "2341 2341 2346",
        "234123412346",
        "Aadhaar 2341 2341 2347",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
