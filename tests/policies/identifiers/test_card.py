"""Payment cards."""

from __future__ import annotations

import pytest

from policies.identifiers.card import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("4111111111111111", True),
        ("5555555555554444", True),
        ("378282246310005", True),
        ("30569309025904", True),
        ("6011111111111117", True),
        ("3530111333300000", True),
        ("2223003122003222", True),
        ("2204991234567899", True),
        ("4111111111111112", False),
        ("1111111111111117", False),
        ("9999999999999995", False),
        ("411111111111111", False),
        ("4444444444444444", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "5555555555554444",
        "3782 822463 10005",
        "order 4111 1111 1111 1111",
        "carte 6304000000000000",
        "tarjeta: 4111111111111111",
        "Kreditkarte 4111.1111.1111.1111",
        "4111111111111111",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",
        "order 4111111111111111",
        "6304000000000000",
        "DE89 3704 0044 0532 0130 00",
        "9400 1112 0255 5534 8123 45",
        "4111 1111 1111 1111 2222",
        "359999999999999",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
