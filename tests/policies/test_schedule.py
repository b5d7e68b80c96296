"""When a text may go (VT-1, VT-1.3, VT-1.5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policies.rules import schedule
from policies.sms.purpose import Purpose
from policies.verdict import ALLOW, Delay, Drop, Quarantine, ReasonCode, Verdict
from tests.policies.texts import HOUR, MONDAY_NOON, RECIPIENT, purposes, sending, text

R = ReasonCode
MARKETING = Purpose.MARKETING
MIDNIGHT = MONDAY_NOON + 12 * HOUR
"""In Washington; all states' hours are open again at ten."""
TOLL_FREE = "+18005550123"


@pytest.mark.parametrize(
    ("now", "known", "verdict"),
    [
        (MONDAY_NOON, {"purpose": MARKETING}, ALLOW),
        (MIDNIGHT, {}, ALLOW),
        (MIDNIGHT, {"purpose": Purpose.CONVERSATIONAL}, ALLOW),
        (MIDNIGHT, {"purpose": MARKETING}, Delay(until=MIDNIGHT + 10 * HOUR, code=R.QUIET_HOURS)),
        # A person's release does not make it day.
        (
            MIDNIGHT,
            {"purpose": MARKETING, "reviewed": True},
            Delay(until=MIDNIGHT + 10 * HOUR, code=R.QUIET_HOURS),
        ),
        (MIDNIGHT, {"purpose": MARKETING, "answers_opt_out": True}, ALLOW),
        (MIDNIGHT, {"purpose": MARKETING, "stored_zone": "Asia/Tokyo"}, ALLOW),
        (MIDNIGHT, {"purpose": MARKETING, "not_after": MIDNIGHT + HOUR}, Drop(code=R.SEND_EXPIRED)),
        (MONDAY_NOON, {"not_after": MONDAY_NOON - 1}, Drop(code=R.SEND_EXPIRED)),
        (MONDAY_NOON, {"not_after": MONDAY_NOON}, ALLOW),
        (MONDAY_NOON, {"send_after": MONDAY_NOON - HOUR}, ALLOW),
        (
            MONDAY_NOON,
            {"send_after": MONDAY_NOON + HOUR},
            Delay(until=MONDAY_NOON + HOUR, code=R.SEND_AFTER),
        ),
        (
            MONDAY_NOON,
            {"purpose": MARKETING, "send_after": MIDNIGHT},
            Delay(until=MIDNIGHT + 10 * HOUR, code=R.QUIET_HOURS),
        ),
    ],
)
def test_schedule(now: int, known: dict[str, Any], verdict: Verdict) -> None:
    """Only marketing waits for hours; what its submitter wants holds for every text."""
    assert schedule.check(text(), sending(now, **known)) == verdict


def test_where_no_hour_suits_a_person_is_asked() -> None:
    """A toll-free number may be anywhere, until a zone is stored."""
    judged = text(recipient=TOLL_FREE)
    assert schedule.check(judged, sending(purpose=MARKETING)) == Quarantine(code=R.ZONE_UNKNOWN)
    stored = sending(purpose=MARKETING, stored_zone="America/New_York")
    assert schedule.check(judged, stored) is ALLOW


moments = st.integers(MONDAY_NOON - 400 * HOUR, MONDAY_NOON + 400 * HOUR)


@settings(max_examples=80, deadline=None)
@given(moments, purposes, st.none() | moments, st.none() | moments, st.booleans())
def test_it_goes_within_its_times(
    now: int,
    purpose: Purpose,
    send_after: int | None,
    not_after: int | None,
    reviewed: bool,  # noqa: FBT001
) -> None:
    """Never before its send-after, never after its do-not-send-after; and when its time has come it may go."""
    known = {"purpose": purpose, "send_after": send_after, "not_after": not_after, "reviewed": reviewed}
    verdict = schedule.check(text(recipient=RECIPIENT), sending(now, **known))
    goes = verdict.until if isinstance(verdict, Delay) else now
    assume(not isinstance(verdict, Drop))
    assert (send_after or now) <= goes <= (not_after or goes)
    assert schedule.check(text(), sending(goes, **known)) is ALLOW
