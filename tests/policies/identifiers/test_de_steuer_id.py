"""Germany: tax id."""

from __future__ import annotations

import pytest

from policies.identifiers.de_steuer_id import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("86095742719", True),
        ("47036892816", True),
        ("65929970489", True),
        ("86095742718", False),
        ("06095742719", False),
        ("86059742719", False),
        ("11111111111", False),
        ("12345678903", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "86 095 742 719",
        "86095742719",
        "Steuer-ID: 86095742719",
        "IdNr 86/095/742/719",
        "identifiant fiscal 86.095.742.719",
        "identificación fiscal 86095742719",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "86095742718",
        "Bestellung 86095742719",
        "Tel. 86095742719",
        "+86095742719",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
