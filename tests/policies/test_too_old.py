"""Replayed deliveries are refused by their own age (SM-9, PP-6)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.rules import too_old
from policies.rules.too_old import DAY
from policies.verdict import ALLOW, Drop, ReasonCode, Verdict
from tests.policies.strategies import NOW, known, message

DROP = Drop(code=ReasonCode.TOO_OLD)


@pytest.mark.parametrize(
    ("age", "days", "verdict"),
    [
        (0, 1, ALLOW),
        (DAY, 1, ALLOW),
        (DAY + 1, 1, DROP),
        (DAY - 1, 1, ALLOW),
        (30 * DAY, 30, ALLOW),
        (30 * DAY + 1, 30, DROP),
        (-5 * DAY, 1, ALLOW),
        (3650 * DAY + 1, 3650, DROP),
    ],
)
def test_too_old(age: int, days: int, verdict: Verdict) -> None:
    """To the microsecond; a clock that runs ahead makes nothing old."""
    assert too_old.check(message(occurred_at=NOW - age), known(oldest_days=days)) == verdict


def test_a_day_is_counted_in_microseconds() -> None:
    """As all instants are."""
    assert DAY == 86_400_000_000


@settings(max_examples=40)
@given(st.integers(0, 4000 * DAY), st.integers(0, 4000 * DAY), st.integers(1, 3650))
def test_age_is_all_that_counts(one: int, other: int, days: int) -> None:
    """Whatever is refused at some age is refused at any higher one."""
    younger, older = sorted((one, other))
    facts = known(oldest_days=days)
    if too_old.check(message(occurred_at=NOW - younger), facts) == DROP:
        assert too_old.check(message(occurred_at=NOW - older), facts) == DROP
