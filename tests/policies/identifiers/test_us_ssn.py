"""United States: Social Security number."""

from __future__ import annotations

import pytest

from policies.identifiers.us_ssn import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("536904399", True),
        ("001010001", True),
        ("899999999", True),
        ("000123456", False),
        ("666123456", False),
        ("900123456", False),
        ("536004399", False),
        ("536900000", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "536-90-4399",
        "my SSN is 536904399",
        "SSN: 536 90 4399",
        "social security number 536.90.4399",
        "mi seguro social es 536904399",
        "ma sécurité sociale: 536-90-4399",
        "Sozialversicherungsnummer 536904399",
        "536904399 is my ssn",
        "ssn536904399",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "536904399",
        "536 90 4399",
        "order 536-90-4399",
        "ref: 536-90-4399",
        "536-90-4399-1",
        "1-536-90-4399",
        "ssn 000-12-3456",
        "(536) 904-3991",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
