"""Mexico: CURP."""

from __future__ import annotations

import pytest

from policies.identifiers.mx_curp import KIND
from tests.policies.identifiers.cases import kept


@pytest.mark.parametrize(
    ("plain", "valid"),
    [
        ("hegg560427mvzrrl04", True),
        ("boxw310820hnerxn09", True),
        ("hegg560427mvzrrl05", False),
        ("hegg561327mvzrrl04", False),
        ("hegg560427avzrrl04", False),
        ("hegg560427mxxrrl04", False),
    ],
)
def test_valid(plain: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    """By its own rules, without separators."""
    assert KIND.valid(plain) is valid


@pytest.mark.parametrize(
    "text",
    [
        "HEGG560427MVZRRL04",
        "hegg 560427 mvzrrl 04",
        "CURP: BOXW310820HNERXN09",
        "factura para BOXW310820HNERXN09",
    ],
)
def test_found(text: str) -> None:
    """The number goes, and the token says the kind; whatever stands around it stays."""
    assert kept(text).count(KIND.token) == 1
    assert not any(map(str.isdigit, kept(text)))


@pytest.mark.parametrize(
    "text",
    [
        "HEGG560427MVZRRL05",
        "XHEGG560427MVZRRL04",
    ],
)
def test_left_alone(text: str) -> None:
    """Other numbers, wrong check digits, and numbers that need a word beside them and have none."""
    assert kept(text) == text
