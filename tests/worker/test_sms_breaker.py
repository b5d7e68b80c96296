"""Breakers open after failures in a row, let one call through to find out, and close when it works."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Refused, Sent, Unknown
from policies.event import Failure
from worker.sms.breaker import FAILURES, Breakers, BreakerState
from worker.sms.outcomes import COURSES, LONGEST_WAIT, Stops, after, read_courses, unreached
from worker.store.outbox import OutboxState

KEY: Final = "acme"
NOW: Final = 1_796_058_000_000_000


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened() -> tuple[Breakers[str], Time]:
    clock = Time()
    breakers: Breakers[str] = Breakers(clock)
    for _ in range(FAILURES):
        assert breakers.enter(KEY)
        breakers.failed(KEY)
    return breakers, clock


def test_failures_in_a_row_open_it_and_others_are_not_concerned() -> None:
    breakers, _ = opened()
    assert not breakers.enter(KEY)
    assert breakers.enter("other")
    assert breakers.states() == {KEY: BreakerState.OPEN}


def test_what_works_in_between_counts_anew() -> None:
    breakers: Breakers[str] = Breakers(Time())
    for _ in range(3 * FAILURES):
        breakers.failed(KEY)
        breakers.worked(KEY)
    assert breakers.enter(KEY)


def test_one_call_finds_out_and_the_pause_doubles() -> None:
    breakers, clock = opened()
    pauses = []
    for _ in range(10):
        pauses.append(breakers.seconds_left(KEY))
        clock.now += breakers.seconds_left(KEY)
        assert breakers.enter(KEY)
        assert not breakers.enter(KEY)
        assert breakers.states() == {KEY: BreakerState.HALF_OPEN}
        breakers.failed(KEY)
    assert pauses == [15, 30, 60, 120, 240, 480, 900, 900, 900, 900]
    clock.now += 900
    assert breakers.enter(KEY)
    assert breakers.worked(KEY)
    assert breakers.states() == {}


def test_a_probe_that_was_not_made_is_still_to_be_made() -> None:
    breakers, clock = opened()
    clock.now += 15
    assert breakers.enter(KEY)
    breakers.leave(KEY)
    assert breakers.enter(KEY)


def test_only_the_failure_that_opens_it_says_so() -> None:
    breakers: Breakers[str] = Breakers(Time())
    assert breakers.failed(KEY, at_once=True)
    assert not breakers.failed(KEY, at_once=True)


@given(st.lists(st.sampled_from(["enter", "failed", "worked", "leave", "wait"]), max_size=60))
def test_never_two_probes_at_once(moves: list[str]) -> None:
    """Between two probes somebody told how the first ended, or that it was not made."""
    breakers, clock = opened()
    probing = False
    for move in moves:
        match move:
            case "wait":
                clock.now += 1000
            case "enter":
                was_open = KEY in breakers.states()
                entered = breakers.enter(KEY)
                assert not (probing and entered and was_open)
                probing = probing or (entered and was_open)
            case "failed":
                breakers.failed(KEY)
                probing = False
            case "worked":
                breakers.worked(KEY)
                probing = False
            case _:
                breakers.leave(KEY)
                probing = False


# --- the table -------------------------------------------------------------------------------------------------------------


def test_every_failure_has_a_row() -> None:
    assert set(COURSES) == set(Failure)


def test_what_may_never_be_tried_again_is_not() -> None:
    never = {failure for failure, course in COURSES.items() if not course.waits}
    assert never == {Failure.OPTED_OUT, Failure.DEAD_NUMBER, Failure.FILTERED, Failure.REJECTED}


def test_whoever_is_stopped_is_told_to_somebody() -> None:
    assert all(course.alert for course in COURSES.values() if course.stops is not Stops.NOTHING)


@pytest.mark.parametrize(
    "text", ["[nonsense]", "[busy]\nwait = [1]", '[busy]\nstops = "world"', "[busy]\nwaits = [1.5]"]
)
def test_a_table_with_an_unknown_word_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_courses(text)


@given(
    st.sampled_from(Failure),
    st.integers(1, 20),
    st.none() | st.floats(0, 1e9, allow_nan=False),
    st.floats(0, 1),
)
def test_a_refused_text_waits_at_least_as_long_as_was_asked_for(
    failure: Failure, attempts: int, asked: float | None, draw: float
) -> None:
    """Later by a quarter at most; and it is final as soon as the row's waits are used up."""
    outcome = after(Refused(failure=failure, code=3, retry_after=asked), attempts, NOW, draw)
    waits = COURSES[failure].waits
    assert (outcome.failure, outcome.code) == (failure, 3)
    if attempts > len(waits):
        assert outcome.state is OutboxState.FAILED
        return
    least = max(waits[attempts - 1], min(asked or 0.0, LONGEST_WAIT))
    assert outcome.state is OutboxState.QUEUED
    assert least * 1_000_000 - 1 <= outcome.until - NOW <= least * 1_250_000 + 1


def test_an_unknown_answer_is_never_tried_again() -> None:
    assert after(Unknown(), 1, NOW, 0.5).state is OutboxState.UNKNOWN
    assert after(Sent(id="p"), 1, NOW, 0.5).state is OutboxState.SENT


def test_a_destination_of_our_own_making_stops_the_connector() -> None:
    outcome = unreached(1, NOW, 0.0, forbidden=True)
    assert (outcome.state, outcome.stops, outcome.alert) == (OutboxState.QUEUED, Stops.CONNECTOR, True)
    assert unreached(1, NOW, 0.0, forbidden=False).stops is Stops.NOTHING
