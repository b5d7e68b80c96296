"""France: NIR."""

from __future__ import annotations

import pytest

from policies.identifiers.fr_nir import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("255081416802538", True),
        ("2550814168025", True),
        ("180012a123456", True),
        ("255081416802539", False),
        ("255131416802538", False),
        ("955081416802538", False),
        ("255080016802538", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "2 55 08 14 168 025 38",
        "255081416802538",
        "numéro de sécu: 2550814168025",
        "sécurité sociale 2.55.08.14.168.025.38",
        "social security number 255081416802538",
        "Sozialversicherungsnummer 255081416802538",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "2550814168025",
        "255081416802539",
        "commande 255081416802538",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
