"""Shares of the committed rate are exact, and a tenth of it is flagged."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.sms.traffic import Rate, assess, carrier_prefix

HUNDRED_A_MINUTE = Rate(messages=100, seconds=60)


@pytest.mark.parametrize(
    ("counts", "seconds", "flagged", "tenant"),
    [
        ({}, 60, [], False),
        ({"a": 9, "b": 0}, 60, [], False),
        ({"a": 9, "b": 10}, 60, ["b"], False),
        ({"a": 11, "b": 10}, 60, ["a", "b"], False),
        ({"a": 10}, 61, [], False),
        ({"a": 100}, 60, ["a"], False),
        ({"a": 101}, 60, ["a"], True),
        ({"a": 5, "b": 96}, 60, ["b"], True),
        ({"a": 1}, 6, ["a"], False),
        ({str(network): 9 for network in range(12)}, 60, [], True),
    ],
)
def test_a_tenth_is_flagged(counts: dict[str, int], seconds: int, flagged: list[str], tenant: bool) -> None:  # noqa: FBT001
    """Of what was committed for the window, not of what was sent; the tenant as a whole above all of it."""
    found = assess(counts, seconds, HUNDRED_A_MINUTE)
    assert [share.network for share in found.flagged] == flagged
    assert found.tenant.flagged is tenant


@settings(max_examples=80)
@given(
    st.dictionaries(st.text(max_size=3), st.integers(0, 10**9), max_size=6),
    st.integers(1, 10**6),
    st.builds(Rate, messages=st.integers(1, 10**9), seconds=st.integers(1, 10**6)),
)
def test_shares_add_up(counts: dict[str, int], seconds: int, committed: Rate) -> None:
    """Without rounding: networks to the tenant, and a share back to its count."""
    found = assess(counts, seconds, committed)
    assert sum((share.share for share in found.networks), Fraction()) == found.tenant.share
    assert found.tenant.messages == sum(counts.values())
    for share in found.networks:
        assert share.share * committed.messages * seconds == counts[share.network] * committed.seconds
        assert share.flagged is (10 * share.messages * committed.seconds >= committed.messages * seconds)
    assert [share.messages for share in found.networks] == sorted(counts.values(), reverse=True)


@pytest.mark.parametrize(
    ("number", "prefix"),
    [
        ("+12125550123", "+1212555"),
        ("+491701234567", "+49170"),
        ("+33612345678", "+33612"),
        ("+390612345678", "+39061"),
        ("12125550123", ""),
        ("+99912345678", ""),
        ("", ""),
    ],
)
def test_carrier_prefix(number: str, prefix: str) -> None:
    """What stands for a network that nobody has named."""
    assert carrier_prefix(number) == prefix


def test_what_is_no_rate_is_refused() -> None:
    """Nothing is a tenth of nothing."""
    for messages, seconds in ((0, 60), (100, 0), (-1, 1)):
        with pytest.raises(ValueError, match="at least one"):
            Rate(messages=messages, seconds=seconds)
    for counts, window in (({"a": -1}, 60), ({"a": 1}, 0)):
        with pytest.raises(ValueError, match="below nothing"):
            assess(counts, window, HUNDRED_A_MINUTE)
