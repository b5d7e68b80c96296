"""Brazil: CPF."""

from __future__ import annotations

import pytest

from policies.identifiers.br_cpf import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("11144477735", True),
        ("52998224725", True),
        ("11144477736", False),
        ("11111111111", False),
        ("11144477753", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "111.444.777-35",
        "CPF 11144477735",
        "meu cpf é 111 444 777 35",
        "Brazilian tax number: 52998224725",
        "CPF-Nummer 529.982.247-25",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "11144477735",
        "111.444.777-36",
        "pedido 111.444.777-35",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
