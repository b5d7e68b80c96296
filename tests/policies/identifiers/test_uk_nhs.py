"""United Kingdom: NHS number."""

from __future__ import annotations

import pytest

from policies.identifiers.uk_nhs import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("9434765919", True),
        ("4010232137", True),
        ("9434765918", False),
        ("9434765991", False),
        ("0000000000", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "NHS number 943 476 5919",
        "my nhs no. is 9434765919",
        "numéro NHS: 943-476-5919",
        "NHS-Nummer 9434765919",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "943 476 5919",
        "9434765919",
        "call 943 476 5919",
        "NHS number 9434765918",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
