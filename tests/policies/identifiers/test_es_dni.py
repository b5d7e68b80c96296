"""Spain: DNI."""

from __future__ import annotations

import pytest

from policies.identifiers.es_dni import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("12345678z", True),
        ("00000000t", True),
        ("1234567l", True),
        ("12345678", True),
        ("12345678a", False),
        ("12345687z", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "12345678-Z",
        "12.345.678-Z",
        "DNI 12345678Z",
        "dni: 12345678",
        "NIF 12.345.678 Z",
        "12345678Z (DNI)",
        "Personalausweis 12345678Z",
        "carte d'identité 12345678Z",
        "identity card 12345678Z",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "12345678Z",
        "12345678",
        "pedido 12345678-Z",
        "dni 12345678A?x",
        "factura 12345678Z",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
