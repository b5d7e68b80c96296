"""Italy: codice fiscale."""

from __future__ import annotations

import pytest

from policies.identifiers.it_codice_fiscale import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("rssmra85t10a562s", True),
        ("rssmra85t50a562w", True),
        ("rssmra85t10a56nh", True),
        ("rssmra85t10a562t", False),
        ("rssmra85f10a562s", False),
        ("rssmra85t32a562s", False),
        ("rssmra85t72a562s", False),
        ("rssrma85t10a562s", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "RSSMRA85T10A562S",
        "rss mra 85t10 a562s",
        "invoice to RSSMRA85T10A562S",
        "codice fiscale: RSSMRA 85T10 A562S",
        "RSSMRA85T10A56NH",
        "Steuernummer RSSMRA85T10A562S",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "RSSMRA85T10A562T",
        "XRSSMRA85T10A562S",
        "RSSMRA85T10A562S1",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
