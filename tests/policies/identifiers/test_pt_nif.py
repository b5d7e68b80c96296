"""Portugal: NIF."""

from __future__ import annotations

import pytest

from policies.identifiers.pt_nif import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("123456789", True),
        ("501964843", True),
        ("123456788", False),
        ("423456789", False),
        ("501946843", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "NIF 123456789",
        "número de contribuinte: 123 456 789",
        "Portuguese tax number 123456789",
        "numéro fiscal 501964843",
        "Steuernummer 123456789",
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
        "tel 123456789",
        "NIF 123456788",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
