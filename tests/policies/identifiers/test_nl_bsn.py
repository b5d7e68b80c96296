"""Netherlands: burgerservicenummer."""

from __future__ import annotations

import pytest

from policies.identifiers.nl_bsn import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("111222333", True),
        ("123456782", True),
        ("10000008", True),
        ("111222334", False),
        ("123456728", False),
        ("000000000", False),
        ("111111111", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "BSN 111222333",
        "burgerservicenummer: 1112.22.333",
        "mijn bsn is 111 222 333",
        "citizen service number 123456782",
        "bsn 10000008",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "111222333",
        "1112.22.333",
        "order 111222333",
        "BSN 111222334",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
