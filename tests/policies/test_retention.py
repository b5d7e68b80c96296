"""What is kept until when: calendars, leap days, zones, clocks that change; ceilings and floors against one another."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.lifecycle import Duty, Fate, disposal
from policies.message import Channel, MessageKind
from policies.retention import (
    ANY,
    FOREVER,
    Agreement,
    ContentClass,
    Limits,
    Retention,
    Span,
    class_of,
    goes_with_agreement,
)

DAY: Final = 86_400 * 1_000_000
ZONES: Final = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Kiritimati",
    "America/Sao_Paulo",
    "Asia/Kolkata",
)
zones = st.sampled_from(ZONES)
days = st.dates(date(1999, 1, 1), date(2120, 12, 31))
instants = st.integers(0, 4_000_000_000_000_000)
spans = st.one_of(
    st.integers(1, 4000).map(lambda n: Span(days=n)), st.integers(1, 130).map(lambda n: Span(months=n))
)


def at(text: str) -> int:
    """An instant, written in ISO 8601."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000)


@pytest.mark.parametrize(
    ("ends", "zone", "ended_at", "kept_until"),
    [
        ("2027-12-31", "UTC", "2028-01-01T00:00Z", "2029-01-01T00:00Z"),
        ("2027-06-30", "UTC", "2027-07-01T00:00Z", "2028-07-01T00:00Z"),
        ("2028-02-29", "UTC", "2028-03-01T00:00Z", "2029-03-01T00:00Z"),
        ("2028-02-28", "UTC", "2028-02-29T00:00Z", "2029-03-01T00:00Z"),
        ("2027-02-28", "UTC", "2027-03-01T00:00Z", "2028-02-29T00:00Z"),
        ("2027-12-31", "Europe/Berlin", "2027-12-31T23:00Z", "2028-12-31T23:00Z"),
        ("2027-12-31", "Pacific/Kiritimati", "2027-12-31T10:00Z", "2028-12-31T10:00Z"),
        ("2027-12-31", "America/New_York", "2028-01-01T05:00Z", "2029-01-01T05:00Z"),
        # The clocks change between the end and the year's end.
        ("2027-03-27", "Europe/Berlin", "2027-03-27T23:00Z", "2028-03-27T22:00Z"),
        # A day that begins at one o'clock, because the clocks went forward at midnight.
        ("2017-10-14", "America/Sao_Paulo", "2017-10-15T03:00Z", "2018-10-15T03:00Z"),
        # Midnight comes twice: the second counts.
        ("2023-11-04", "America/Havana", "2023-11-05T05:00Z", "2024-11-05T05:00Z"),
    ],
)
def test_a_calendar_year_after_the_last_day(ends: str, zone: str, ended_at: str, kept_until: str) -> None:
    agreement = Agreement(ends=date.fromisoformat(ends), zone=zone)
    assert (agreement.ended_at, agreement.kept_until) == (at(ended_at), at(kept_until))


@given(days, zones)
def test_the_year_is_whole_and_ends_with_a_day(ends: date, zone: str) -> None:
    """At least 365 days but for what clocks gain, at most 366 and what they lose; never before the anniversary is over."""
    agreement = Agreement(ends=ends, zone=zone)
    length = timedelta(microseconds=agreement.kept_until - agreement.ended_at)
    assert timedelta(days=365, hours=-2) <= length <= timedelta(days=366, hours=26)
    until = datetime.fromtimestamp(agreement.kept_until / 1e6, UTC).astimezone(ZoneInfo(zone))
    assert until.date() > ends
    assert (until.year, until.hour) >= (ends.year + 1, 0)
    assert until.hour in {0, 1}


@given(days, days, zones)
def test_who_ends_later_is_kept_longer(one: date, other: date, zone: str) -> None:
    first, second = sorted((one, other))
    assert Agreement(ends=first, zone=zone).kept_until <= Agreement(ends=second, zone=zone).kept_until


@pytest.mark.parametrize(
    ("span", "recorded", "goes"),
    [
        ("1 day", "2027-03-01T10:00Z", "2027-03-02T10:00Z"),
        ("90 days", "2027-12-01T00:00Z", "2028-02-29T00:00Z"),
        ("1 month", "2027-01-31T12:00Z", "2027-02-28T12:00Z"),
        ("1 month", "2028-01-31T12:00Z", "2028-02-29T12:00Z"),
        ("24 months", "2028-02-29T12:00Z", "2030-02-28T12:00Z"),
        ("48 months", "2028-02-29T12:00Z", "2032-02-29T12:00Z"),
    ],
)
def test_lengths_are_those_of_the_calendar(span: str, recorded: str, goes: str) -> None:
    kept = Retention(limits={ANY: {ContentClass.TEXT: Limits(ceiling=Span.of(span))}})
    assert kept.goes_at("whatsapp", ContentClass.TEXT, at(recorded)) == at(goes)
    assert str(Span.of(span)) == span


def test_days_are_those_of_the_agreement_s_zone() -> None:
    """A month is over an hour earlier where the clocks went forward in between."""
    agreement = Agreement(ends=date(2050, 1, 1), zone="Europe/Berlin")
    limits = {ANY: {ContentClass.TEXT: Limits(ceiling=Span(months=1))}}
    kept = Retention(agreement=agreement, limits=limits)
    assert kept.goes_at("x", ContentClass.TEXT, at("2027-03-10T12:00Z")) == at("2027-04-10T11:00Z")


@pytest.mark.parametrize(
    "written", ["", "0 days", "-1 days", "1", "1 year", "days", "1.5 months", "99999999 days", "1  day"]
)
def test_what_is_no_length(written: str) -> None:
    with pytest.raises(ValueError, match="a length such as"):
        Span.of(written)


def test_a_channel_s_own_word_stands_before_that_for_any() -> None:
    """Each bound alone."""
    text = ContentClass.TEXT
    kept = Retention(
        limits={
            ANY: {text: Limits(floor=Span(days=3), ceiling=Span(months=24))},
            "sms": {text: Limits(ceiling=Span(months=6))},
        }
    )
    assert kept.limits_of("sms", text) == Limits(floor=Span(days=3), ceiling=Span(months=6))
    assert kept.limits_of("x", text) == Limits(floor=Span(days=3), ceiling=Span(months=24))
    assert kept.limits_of("x", ContentClass.MEDIA) == Limits()


@given(instants, instants, spans, st.none() | spans, zones)
def test_a_content_goes_when_duties_say_so_and_never_comes_back(
    recorded: int, now: int, ceiling: Span, floor: Span | None, zone: str
) -> None:
    """``goes_at`` and ``disposal`` tell the same; a clock that was set back keeps longer and never takes more."""
    limits = {ANY: {ContentClass.TEXT: Limits(floor=floor, ceiling=ceiling)}}
    kept = Retention(agreement=Agreement(ends=date(2090, 1, 1), zone=zone), limits=limits)
    goes_at = kept.goes_at("x", ContentClass.TEXT, recorded)
    fate = disposal(kept.duties("x", ContentClass.TEXT, recorded, now)).fate
    assert (fate is Fate.PURGE) == (now >= goes_at)
    assert disposal(kept.duties("x", ContentClass.TEXT, recorded, goes_at)).fate is Fate.PURGE
    earlier = disposal(kept.duties("x", ContentClass.TEXT, recorded, goes_at - 1)).fate
    assert earlier is Fate.KEEP


@given(instants, spans, instants, zones)
def test_whatever_goes_is_older_than_the_oldest_that_certainly_stays(
    recorded: int, ceiling: Span, now: int, zone: str
) -> None:
    """Who looks only at what is older than ``oldest_kept`` overlooks nothing."""
    agreement = Agreement(ends=date(2031, 5, 5), zone=zone)
    kept = Retention(agreement=agreement, limits={"x": {ContentClass.MEDIA: Limits(ceiling=ceiling)}})
    if recorded >= kept.oldest_kept("x", ContentClass.MEDIA, now):
        assert disposal(kept.duties("x", ContentClass.MEDIA, recorded, now)).fate is Fate.KEEP


@given(days, zones, instants, instants)
def test_records_stay_until_the_year_is_over(ends: date, zone: str, recorded: int, now: int) -> None:
    """VT-5. What was recorded after the end belongs to another agreement."""
    agreement = Agreement(ends=ends, zone=zone)
    kept = Retention(agreement=agreement)
    until = kept.records_go_at(recorded)
    assert until == (agreement.kept_until if recorded < agreement.ended_at else FOREVER)
    duties = kept.duties("x", ContentClass.TEXT, recorded, now)
    assert duties == ({Duty.RETENTION_CEILING} if now >= until else set())


def test_without_a_word_everything_stays() -> None:
    kept = Retention()
    assert kept.oldest_kept("x", ContentClass.TEXT, 4_000_000_000_000_000) == 0
    assert kept.goes_at("x", ContentClass.TEXT, 0) == kept.records_go_at(0) == FOREVER
    assert kept.person_goes_at("x", 0) == FOREVER


def test_a_person_stays_as_long_as_the_longest_class_of_content() -> None:
    limits = {
        ContentClass.TEXT: Limits(ceiling=Span(days=10)),
        ContentClass.MEDIA: Limits(ceiling=Span(days=5)),
        ContentClass.PERSONAL: Limits(ceiling=Span(days=7)),
    }
    assert Retention(limits={ANY: limits}).person_goes_at("x", 0) == 10 * DAY
    assert Retention(limits={ANY: {**limits, ContentClass.MEDIA: Limits()}}).person_goes_at("x", 0) == FOREVER


def test_beyond_the_calendar() -> None:
    """No length is too long, no time too late."""
    kept = Retention(limits={ANY: {ContentClass.TEXT: Limits(ceiling=Span(months=99_999))}})
    assert kept.goes_at("x", ContentClass.TEXT, 1_790_000_000_000_000) == FOREVER
    assert kept.duties("x", ContentClass.TEXT, FOREVER, 0) == set()
    assert kept.oldest_kept("x", ContentClass.TEXT, 1_790_000_000_000_000) <= 4 * DAY


def test_every_kind_has_a_class_and_every_channel_its_word() -> None:
    assert {class_of(kind) for kind in MessageKind} == set(ContentClass)
    assert class_of("of tomorrow") is ContentClass.TEXT
    assert [channel for channel in Channel if not goes_with_agreement(channel)] == [Channel.SMS]


@given(spans, spans)
def test_a_floor_above_its_ceiling_is_told(floor: Span, ceiling: Span) -> None:
    """Whatever months they are counted from, what passes never contradicts itself by a month or more."""
    longest = floor.months * 31 + floor.days
    assert Limits(floor=floor, ceiling=ceiling).agree == (longest <= ceiling.months * 31 + ceiling.days)
