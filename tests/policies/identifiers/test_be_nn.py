"""Belgium: national number."""

from __future__ import annotations

import pytest

from policies.identifiers.be_nn import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("85073003328", True),
        ("17073003384", True),
        ("85471300075", True),
        ("85073003329", False),
        ("85133003328", False),
        ("85073203328", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "85.07.30-033.28",
        "85073003328",
        "numéro national 850730 033 28",
        "rijksregisternummer: 85 07 30 033 28",
        "Nationalregisternummer 85073003328",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "85073003329",
        "1-850-730-0332-8",
        "commande 85073003328",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
