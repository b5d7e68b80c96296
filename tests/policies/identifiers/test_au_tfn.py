"""Australia: tax file number."""

from __future__ import annotations

import pytest

from policies.identifiers.au_tfn import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("123456782", True),
        ("37118629", True),
        ("123456789", False),
        ("37118628", False),
        ("000000000", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "TFN 123 456 782",
        "tax file number: 123456782",
        "my tfn is 37118629",
        "numéro fiscal 123456782",
        "australische Steuernummer 123-456-782",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "123 456 782",
        "123456782",
        "tfn 123456781",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
