"""Spain: NIE."""

from __future__ import annotations

import pytest

from policies.identifiers.es_nie import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("x1234567l", True),
        ("y1234567x", True),
        ("z1234567r", True),
        ("x01234567l", True),
        ("x1234567a", False),
        ("a1234567l", False),
        ("x1243567l", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "X1234567L",
        "x-1234567-l",
        "NIE: Y 1234567 X",
        "mi nie es Z1234567R",
        "residence permit X1234567L",
        "titre de séjour X1234567L",
        "Aufenthaltstitel X01234567L",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "X1234567A",
        "AX1234567L",
        "pedido X1234567L",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
