"""Poland: PESEL."""

from __future__ import annotations

import pytest

from policies.identifiers.pl_pesel import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("44051401359", True),
        ("02070803628", True),
        ("44051401358", False),
        ("44131401359", False),
        ("44053201359", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "PESEL 44051401359",
        "numer PESEL: 440514 01359",
        "my Polish ID is 44051401359",
        "numéro PESEL 44051401359",
        "PESEL-Nummer 44051401359",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "44051401359",
        "tel. 48512345678",
        "PESEL 44051401358",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
