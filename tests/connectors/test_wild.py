"""Opening untrusted values: each function keeps its promise for every value there is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import wild
from policies.message import Json

_scalars: st.SearchStrategy[Json] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**400, 10**600)
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{0,12})?", fullmatch=True)
    | st.datetimes(timezones=st.timezones() | st.none()).map(datetime.isoformat)
)
_values: st.SearchStrategy[Json] = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=6
)  # fmt: skip


def _label(value: Json) -> str:
    """Told apart by type too; an integer of six hundred digits has no repr that pytest would show."""
    return "huge" if isinstance(value, int) and value > 10**80 else repr(value)[:24]


@settings(max_examples=500, deadline=None)
@given(_values)
def test_every_function_returns_what_it_promises(value: Json) -> None:
    """None, nothing, or the thing itself; no value makes any of them raise."""
    assert isinstance(wild.mapping(value), dict)
    assert isinstance(wild.listing(value), list)
    assert all(isinstance(item, dict) for item in wild.objects(value))
    assert isinstance(wild.truth(value), bool)
    assert wild.text(value) is None or (wild.text(value) == value and value != "")
    identifier, integer, instant = wild.identifier(value), wild.integer(value), wild.instant(value)
    assert identifier is None or 0 < len(identifier) <= 513
    assert integer is None or (type(integer) is int and abs(integer) < 2**63)
    assert instant is None or (type(instant) is int and 946_684_800 <= instant / 1e6 < 4_102_444_800)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", "7"),
        ("  ", "  "),
        (7, "7"),
        (-7, "-7"),
        (2**80, str(2**80)),
        ("x" * 512, "x" * 512),
        ("x" * 513, None),
        (10**600, None),
        ("", None),
        (True, None),
        (7.0, None),
        (None, None),
        (["7"], None),
        ({}, None),
    ],
    ids=_label,
)
def test_an_identifier_is_a_string_or_an_integer(value: Json, expected: str | None) -> None:
    """Of at most 512 characters."""
    assert wild.identifier(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("330000000000001", "330000000000001"),
        (15550100777, "15550100777"),
        ("+1 (555) 010-0777", "+1 (555) 010-0777"),
        ("somebody@example.org", None),
        ("1 Robin", None),
        ("\u0661\u0662", None),
        ("7" * 34, None),
        ("7\n", None),
        (-7, None),
        ("", None),
        (["7"], None),
    ],
    ids=_label,
)
def test_a_numeric_id_is_no_text(value: Json, expected: str | None) -> None:
    """It stands in the store in the clear: nothing that somebody wrote fits in."""
    assert wild.numeric(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, 7),
        ("7", 7),
        ("-7", -7),
        (0, 0),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (-(2**63), None),
        (str(2**63), None),
        ("9" * 21, None),
        ("7.0", None),
        (7.0, None),
        (True, None),
        ("seven", None),
        ("", None),
        ("7\n", None),
        (None, None),
        ([7], None),
    ],
    ids=_label,
)
def test_an_integer_has_64_bits(value: Json, expected: int | None) -> None:
    """As a number or a string of digits."""
    assert wild.integer(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), ("true", True), ("TRUE", True), (False, False), ("false", False), (1, False), ("1", False),
     ("yes", False), (None, False), ([True], False), ({}, False)],
    ids=_label,
)  # fmt: skip
def test_truth_is_true_or_the_word(value: Json, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """And nothing that Python would take for true."""
    assert wild.truth(value) is expected


MOMENT = 1_789_200_000_123_456


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_789_200_000, 1_789_200_000_000_000),
        ("1789200000", 1_789_200_000_000_000),
        (1_789_200_000_123, 1_789_200_000_123_000),
        ("1789200000123", 1_789_200_000_123_000),
        (MOMENT, MOMENT),
        (str(MOMENT), MOMENT),
        ("1789200000.5", 1_789_200_000_500_000),
        (1_789_200_000.5, 1_789_200_000_500_000),
        ("2026-09-12T08:00:00Z", 1_789_200_000_000_000),
        ("2026-09-12T08:00:00+0000", 1_789_200_000_000_000),
        ("2026-09-12T10:00:00+02:00", 1_789_200_000_000_000),
        ("2026-09-12T08:00:00", 1_789_200_000_000_000),
        ("2026-09-12T08:00:00.123456Z", MOMENT),
        (0, None),
        ("0", None),
        (-1_789_200_000, None),
        (946_684_799, None),
        (946_684_800, 946_684_800_000_000),
        (4_102_444_799, 4_102_444_799_000_000),
        (4_102_444_800, None),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        ("tomorrow", None),
        ("1e9", None),
        ("", None),
        (None, None),
        ([1_789_200_000], None),
    ],
    ids=_label,
)
def test_every_way_to_write_an_instant(value: Json, expected: int | None) -> None:
    """Seconds, milliseconds, microseconds, ISO 8601; nothing outside this century."""
    assert wild.instant(value) == expected


@given(st.integers(946_684_800_000, 4_102_444_799_999))
def test_a_millisecond_is_the_same_instant_in_every_form(milliseconds: int) -> None:
    """As a number, as a string, and as ISO 8601, from 2000 to 2099."""
    written = datetime.fromtimestamp(milliseconds // 1000, UTC).replace(
        microsecond=milliseconds % 1000 * 1000
    )
    for value in (milliseconds, str(milliseconds), milliseconds * 1000, written.isoformat()):
        assert wild.instant(value) == milliseconds * 1000


@pytest.mark.parametrize(
    ("value", "listed", "objects"),
    [
        ([1, {}, None], [1, {}, None], [{}]),
        ({"a": 1}, [{"a": 1}], [{"a": 1}]),
        ([], [], []),
        ("x", [], []),
        (None, [], []),
        ([[{}]], [[{}]], []),
    ],
)
def test_a_lone_object_is_a_list_of_one(value: Json, listed: list[Json], objects: list[Json]) -> None:
    """Some senders leave the brackets out."""
    assert wild.listing(value) == listed
    assert list(wild.objects(value)) == objects
