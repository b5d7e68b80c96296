"""What proves the possession of a card."""

from __future__ import annotations

import pytest

from policies.identifiers.cvv import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("123", True),
        ("1234", True),
        ("12", False),
        ("12345", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "cvv 123",
        "CVC: 1234",
        "my cvv2 is 123",
        "123 is the CVV",
        "cryptogramme 123",
        "Kartenprüfnummer 123",
        "código de seguridad de la tarjeta: 123",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert sum(map(str.isdigit, kept(text).replace("cvv2", ""))) == 0


@pytest.mark.parametrize(
    "text",
    [
        "123",
        "your security code is 1234",
        "it costs 123 at the cvs",
        "the cvv is on the back, that is 300 euros",
        "the code is 123",
        "order 1234",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
