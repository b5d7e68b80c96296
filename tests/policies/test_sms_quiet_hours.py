"""Marketing waits for the hours of every zone that its number may be in; nothing else waits, and nothing is dropped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers.tzdata import TIMEZONE_DATA

from policies.message import Instant
from policies.sms.purpose import Purpose
from policies.sms.quiet_hours import HORIZON, TABLE, Window, next_allowed, read_table, schedule, zones
from policies.verdict import ALLOW, Delay, Drop, Quarantine, ReasonCode

NEW_YORK, LONDON, BERLIN, PARIS = "+12125550123", "+442079460123", "+4930123456", "+33612345678"
AUSTRALIAN_MOBILE, TOLL_FREE, NOWHERE = "+61412345678", "+18005550123", "+8001234567890"
MINUTE = 60_000_000

FEDERAL = read_table(b"""
revision = "2026-11-21"
[[rule]]
place = "US"
basis = "law"
source = "made up"
mon-sun = "08:00-21:00"
[[rule]]
place = "*"
basis = "chosen"
source = "made up"
mon-sun = "08:00-20:00"
""")


def at(text: str, zone: str = "UTC") -> Instant:
    """An instant from local time."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return (local - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("number", "zone", "now", "expected"),
    [
        # 2026-11-25 is a Wednesday. United States: weekdays 10 to 18, Saturday 10 to 17, Sunday 12 to 17.
        (NEW_YORK, "America/New_York", "2026-11-25 09:59:59", "2026-11-25 10:00"),
        (NEW_YORK, "America/New_York", "2026-11-25 10:00", "2026-11-25 10:00"),
        (NEW_YORK, "America/New_York", "2026-11-25 17:59:59", "2026-11-25 17:59:59"),
        (NEW_YORK, "America/New_York", "2026-11-25 18:00", "2026-11-26 10:00"),
        (NEW_YORK, "America/New_York", "2026-11-28 17:00", "2026-11-29 12:00"),
        (NEW_YORK, "America/New_York", "2026-11-29 20:00", "2026-11-30 10:00"),
        (LONDON, "Europe/London", "2026-11-25 07:00", "2026-11-25 08:00"),
        (LONDON, "Europe/London", "2026-11-25 20:00", "2026-11-26 08:00"),
        (PARIS, "Europe/Paris", "2026-11-28 21:00", "2026-11-30 08:00"),
        # The nights in which the clocks change: the hour is the wall's.
        (LONDON, "Europe/London", "2027-03-28 00:30", "2027-03-28 08:00"),
        (LONDON, "Europe/London", "2026-10-25 00:30", "2026-10-25 08:00"),
        (BERLIN, "Europe/Berlin", "2027-03-27 23:00", "2027-03-28 08:00"),
        (NEW_YORK, "America/New_York", "2027-03-13 22:00", "2027-03-14 12:00"),
    ],
)
def test_hours_are_the_recipients(number: str, zone: str, now: str, expected: str) -> None:
    """Local time, to the second; the last minute of a window does not count."""
    found = next_allowed(at(now, zone), number, Purpose.MARKETING, TABLE)
    assert found == at(expected, zone)


@pytest.mark.parametrize(
    ("number", "now", "place", "zone", "expected"),
    [
        # A known state takes the place of all states; a stored zone that of the number's.
        (NEW_YORK, "2026-11-29 14:30", "US-TX", None, "2026-11-29 17:00"),
        (NEW_YORK, "2026-11-25 14:00", "US-TX", None, "2026-11-25 14:00"),
        (NEW_YORK, "2026-11-26 01:30", "US-NY", None, "2026-11-26 01:30"),
        (NEW_YORK, "2026-11-25 15:30", None, "America/Los_Angeles", "2026-11-25 18:00"),
        (TOLL_FREE, "2026-11-25 15:30", None, "America/Chicago", "2026-11-25 16:00"),
        # Eight zones from Perth (UTC+8) over Christmas and Cocos islands to Lord Howe (UTC+11 in summer).
        (AUSTRALIAN_MOBILE, "2026-11-25 20:00", None, None, "2026-11-26 01:30"),
        (AUSTRALIAN_MOBILE, "2026-11-25 02:00", None, None, "2026-11-25 02:00"),
        (AUSTRALIAN_MOBILE, "2026-11-25 09:00", None, None, "2026-11-26 01:30"),
        # From Guam to Pago Pago no hour is common; of an unassigned code nothing is known.
        (TOLL_FREE, "2026-11-25 15:30", None, None, None),
        (NOWHERE, "2026-11-25 15:30", None, None, None),
        ("not a number", "2026-11-25 15:30", None, None, None),
    ],
)
def test_places_and_zones(
    number: str, now: str, place: str | None, zone: str | None, expected: str | None
) -> None:
    """All zones that a number may be in have to be open; where that is never, a person is asked."""
    found = next_allowed(at(now), number, Purpose.MARKETING, TABLE, stored_zone=zone, place=place)
    assert found == (expected and at(expected))


def test_what_is_known_of_no_state_obeys_all_states() -> None:
    """The most restrictive known: Kentucky's morning, Rhode Island's evening, Texas's Sunday."""
    assert TABLE.hours("US") == (*(Window(600, 1080),) * 5, Window(600, 1020), Window(720, 1020))
    assert TABLE.hours("US", "US-KY")[0] == Window(600, 1260)
    assert TABLE.hours("ZW") == TABLE.hours(None)


_instants = st.integers(at("2020-01-01"), at("2035-01-01"))
_numbers = st.sampled_from((NEW_YORK, LONDON, BERLIN, PARIS, AUSTRALIAN_MOBILE, TOLL_FREE, "+34612345678"))
_zones = st.none() | st.sampled_from(sorted({zone for found in TIMEZONE_DATA.values() for zone in found}))


def _wall_is_open(instant: Instant, number: str, zone: str | None) -> bool:
    """Asked anew, minute by minute of the wall, without the code under test."""
    country = {"+1": "US", "+44": "GB", "+49": "DE", "+33": "FR", "+61": "AU"}
    mine = next((of for prefix, of in country.items() if number.startswith(prefix)), None)
    rules = [rule for rule in TABLE.rules if rule.place[:2] == mine] or [TABLE.rules[-1]]
    for name in [zone] if zone else zones(number):
        local = datetime.fromtimestamp(instant // 1_000_000, ZoneInfo(name))
        for rule in rules:
            window = rule.hours[local.weekday()]
            if window is None or not window.opens <= local.hour * 60 + local.minute < window.closes:
                return False
    return True


@settings(max_examples=60, deadline=None)
@given(_instants, _numbers, _zones)
def test_the_answer_is_open_and_the_first(instant: Instant, number: str, zone: str | None) -> None:
    """Never early, never at a forbidden hour, and no open quarter of an hour before it."""
    found = next_allowed(instant, number, Purpose.MARKETING, TABLE, stored_zone=zone)
    if found is None:
        assert number == TOLL_FREE
        return
    assert instant <= found < instant + HORIZON
    assert _wall_is_open(found, number, zone)
    for step in range(1, 6):
        earlier = found - step * 15 * MINUTE
        assert earlier < instant or not _wall_is_open(earlier, number, zone)
    assert next_allowed(found, number, Purpose.MARKETING, TABLE, stored_zone=zone) == found


@settings(max_examples=60)
@given(
    _instants, _numbers | st.just(NOWHERE), st.sampled_from((Purpose.TRANSACTIONAL, Purpose.CONVERSATIONAL))
)
def test_only_marketing_waits(instant: Instant, number: str, purpose: Purpose) -> None:
    """A one-time password at four in the morning is wanted at four in the morning."""
    assert next_allowed(instant, number, purpose, TABLE) == instant


def test_every_zone_that_a_number_may_be_in_exists() -> None:
    """The numbering data and the zone data come from different hands."""
    names = {zone for found in TIMEZONE_DATA.values() for zone in found} - {"Etc/Unknown"}
    assert len(names) > 200
    assert [name for name in names if ZoneInfo(name).utcoffset(datetime(2026, 1, 1)) is None] == []  # noqa: DTZ001


@pytest.mark.parametrize(
    ("allowed", "send_after", "not_after", "expected"),
    [
        (100, None, None, ALLOW),
        (100, None, 100, ALLOW),
        (200, None, None, Delay(until=200, code=ReasonCode.QUIET_HOURS)),
        (200, None, 200, Delay(until=200, code=ReasonCode.QUIET_HOURS)),
        (200, None, 199, Drop(code=ReasonCode.SEND_EXPIRED)),
        (200, 200, None, Delay(until=200, code=ReasonCode.SEND_AFTER)),
        (300, 200, None, Delay(until=300, code=ReasonCode.QUIET_HOURS)),
        (300, 200, 250, Drop(code=ReasonCode.SEND_EXPIRED)),
        (100, None, 99, Drop(code=ReasonCode.SEND_EXPIRED)),
        (None, None, None, Quarantine(code=ReasonCode.ZONE_UNKNOWN)),
        (None, None, 99, Drop(code=ReasonCode.SEND_EXPIRED)),
    ],
)
def test_schedule(
    allowed: int | None, send_after: int | None, not_after: int | None, expected: object
) -> None:
    """It is a hundred o'clock: at once, later and why, or not any more."""
    assert schedule(100, allowed, send_after=send_after, not_after=not_after) == expected


def test_an_hour_that_comes_twice_opens_at_its_first() -> None:
    """Half past one, in the night in which two o'clock becomes one o'clock."""
    table = read_table(_toml('mon-sun = "01:30-01:45"'))
    night = at("2026-10-25 00:10", "Europe/London")
    first = next_allowed(night, LONDON, Purpose.MARKETING, table)
    assert first == at("2026-10-25 00:30")
    assert next_allowed(first + 20 * MINUTE, LONDON, Purpose.MARKETING, table) == at("2026-10-25 01:30")


def _toml(hours: str, place: str = "*") -> bytes:
    head = f'revision = "2026-01-01"\n[[rule]]\nplace = "{place}"\nbasis = "chosen"\nsource = "made up"\n'
    return (head + hours).encode()


@pytest.mark.parametrize(
    "text",
    [
        b"\xff",
        b"",
        b"revision = 1",
        _toml('mon-sun = "9-5"'),
        _toml('mon-sun = "20:00-08:00"'),
        _toml('mon-sun = "08:00-24:01"'),
        _toml('mon-sun = "08:60-09:00"'),
        _toml('someday = "08:00-20:00"'),
        _toml("mon = 8"),
        _toml('mon = "08:00-20:00"', "usa"),
        _toml('mon = "08:00-20:00"', "US"),
        _toml('mon = "08:00-20:00"\nsince = "then"'),
        _toml('mon = "08:00-20:00"').replace(b"made up", b""),
        b"secret = 1\n" + _toml('mon = "08:00-20:00"'),
    ],
)
def test_a_table_that_is_none_is_refused_in_silence(text: bytes) -> None:
    """Whole or not at all, and the error says nothing of what stood there."""
    with pytest.raises(ValueError, match=r"^not a table of quiet hours$") as refused:
        read_table(text)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_zone_that_does_not_exist_is_refused_in_silence() -> None:
    """Without its name."""
    for zone in ("Mars/Olympus", "../etc/passwd", "", "Europe"):
        with pytest.raises(ValueError, match=r"^no such time zone$"):
            next_allowed(0, LONDON, Purpose.MARKETING, FEDERAL, stored_zone=zone)
