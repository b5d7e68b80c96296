"""The master key in parts: enough of them give it back, fewer say nothing, a slip of the pen is told."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.backup.escrow import _at_zero, _inverse, _times, combine, read_part, split
from worker.errors import ConfigurationError

KEY = bytes(range(32))


def test_the_field_is_that_of_aes() -> None:
    """The examples of FIPS 197, 4.2; every element but zero has an inverse."""
    assert (_times(0x57, 0x83), _times(0x57, 0x13)) == (0xC1, 0xFE)
    assert all(_times(value, _inverse(value)) == 1 for value in range(1, 256))


@settings(max_examples=25)
@given(st.binary(min_size=32, max_size=32), st.integers(2, 6), st.integers(0, 4), st.randoms())
def test_any_parts_that_are_enough_give_the_key_back(
    key: bytes, needed: int, more: int, random: object
) -> None:
    """In any order, with more of them than are needed, some of them twice."""
    parts = split(key, needed, needed + more)
    for some in itertools.islice(itertools.combinations(parts, needed), 4):
        assert combine(some[::-1]) == key
        assert combine([read_part(part.line) for part in some]) == key
    assert combine([*parts, parts[0]]) == key


@given(st.binary(min_size=32, max_size=32))
def test_fewer_parts_are_not_enough(key: bytes) -> None:
    """Also when one is given twice."""
    parts = split(key, 3, 5)
    for some in ([parts[0]], parts[:2], [parts[1]] * 3):
        with pytest.raises(ConfigurationError, match="3 different parts"):
            combine(some)


def test_fewer_parts_fit_every_key_equally_well() -> None:
    """Given two of three points, each value of a byte is as possible as any other: there is a third that gives it."""
    points = [(1, 77), (2, 200)]
    assert {_at_zero([*points, (3, y)]) for y in range(256)} == set(range(256))


def test_parts_of_two_sets_are_not_mixed() -> None:
    """Of the same key too."""
    one, other = split(KEY, 2, 3), split(KEY, 2, 3)
    with pytest.raises(ConfigurationError, match="not of one set"):
        combine([one[0], other[1]])


@given(st.data())
def test_a_wrong_character_is_told(data: st.DataObject) -> None:
    """Wherever it is; spaces and line breaks are nobody's fault."""
    line = split(KEY, 2, 3)[0].line
    assert read_part("  " + line.replace(" ", " \n ") + "\n").line == line
    at = data.draw(st.integers(0, len(line) - 1))
    wrong = data.draw(st.characters(codec="ascii").filter(lambda one: one != line[at] and not one.isspace()))
    with pytest.raises(ConfigurationError) as refused:
        read_part(line[:at] + wrong + line[at + 1 :])
    assert line[120:160] not in str(refused.value)


@pytest.mark.parametrize(("needed", "of"), [(1, 3), (4, 3), (0, 0), (2, 256)])
def test_parts_that_make_no_sense(needed: int, of: int) -> None:
    """One that is enough alone is a copy; more than there are can never be had."""
    with pytest.raises(ConfigurationError):
        split(KEY, needed, of)
