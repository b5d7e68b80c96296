"""United States: taxpayer number."""

from __future__ import annotations

import pytest

from policies.identifiers.us_itin import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("911701234", True),
        ("999881234", True),
        ("900501234", True),
        ("811701234", False),
        ("911491234", False),
        ("911661234", False),
        ("911891234", False),
        ("911931234", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "911-70-1234",
        "ITIN 911701234",
        "taxpayer identification number: 911 70 1234",
        "numéro de contribuable 911701234",
        "número de contribuyente 911701234",
        "Steuernummer 911701234",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "911701234",
        "invoice 911-70-1234",
        "itin 811701234",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
