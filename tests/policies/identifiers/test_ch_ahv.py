"""Switzerland: AHV number."""

from __future__ import annotations

import pytest

from policies.identifiers.ch_ahv import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("7569217076985", True),
        ("7561234567897", True),
        ("7569217076984", False),
        ("7579217076985", False),
        ("7569271076985", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "756.9217.0769.85",
        "7569217076985",
        "AHV-Nr. 756 9217 0769 85",
        "numéro AVS 756.9217.0769.85",
        "OASI number 7569217076985",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "756.9217.0769.84",
        "order 7569217076985",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
