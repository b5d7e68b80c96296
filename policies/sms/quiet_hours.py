"""When a text may go: in local hours, in every time zone that its number may be in, after a dated table with sources.

Quiet hours delay and never drop. They bind marketing; what a recipient asked for (a one-time password, an answer) goes
at once. Where a number's state is not known, all the states' rules hold together: the most restrictive known. Where its
zone is not certain (a toll-free number, an Australian mobile), the hours must be open in every zone that it may be in.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import phonenumbers
from phonenumbers import timezone

from policies.message import Instant
from policies.sms.numbers import parsed
from policies.sms.purpose import Purpose
from policies.verdict import ALLOW, Delay, Drop, Quarantine, ReasonCode, Verdict

HORIZON: Final = 14 * 24 * 60 * 60 * 1_000_000
"""How far ahead a common hour is looked for, in microseconds. A week repeats itself but for changes of clocks."""

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNKNOWN: Final = "Etc/Unknown"
_place: Final = re.compile(r"\*|[A-Z]{2}(?:-[A-Z]{2,3})?")
_span: Final = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


class Window(msgspec.Struct, frozen=True):
    """Minutes of the local day from which and until which a text may go; the last one does not count."""

    opens: int
    closes: int


Hours = tuple[Window | None, ...]
"""A window for each day from Monday to Sunday; None: not that day."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table. ``place`` is a country, a country and its state, or ``*`` for all that have no row."""

    place: str
    hours: Hours
    basis: str
    source: str
    since: str = ""
    note: str = ""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rules, and the day on which they were last looked at."""

    revision: date
    rules: tuple[Rule, ...]

    def hours(self, country: str | None, place: str | None = None) -> Hours:
        """What every rule of the country allows, or of the country and one state (``US-TX``) if it is known."""
        if place is not None:
            rules = [rule for rule in self.rules if rule.place in {place, place.partition("-")[0]}]
        else:
            rules = [rule for rule in self.rules if rule.place.partition("-")[0] == country]
        return _strictest(rules or [rule for rule in self.rules if rule.place == "*"])


def read_table(text: bytes) -> Table:
    """A table from TOML. Raises ValueError, which names no value, for anything that is not one."""
    try:
        document = tomllib.loads(text.decode())
        rules = tuple(_rule(row) for row in document.pop("rule"))
        revision = date.fromisoformat(document.pop("revision"))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError("not a table of quiet hours") from None
    if document or not any(rule.place == "*" for rule in rules):
        raise ValueError("not a table of quiet hours")
    return Table(revision=revision, rules=rules)


def zones(number: str) -> tuple[str, ...]:
    """Every time zone that an E.164 number may be in; none if nothing is known of it. Some 30 µs."""
    known = parsed(number)
    if known is None:
        return ()
    found = timezone.time_zones_for_number(known)
    if _UNKNOWN in found:
        # A range that the numbering plan does not name yet still lies in its country.
        found = timezone.time_zones_for_geographical_number(known)
    return tuple(zone for zone in found if zone != _UNKNOWN)


def next_allowed(
    instant: Instant,
    number: str,
    purpose: Purpose,
    table: Table,
    stored_zone: str | None = None,
    place: str | None = None,
) -> Instant | None:
    """The first instant, not before the given one, at which a text to the number may go.

    ``stored_zone`` (a contact's own) takes the place of the number's zones, ``place`` (``US-TX``) that of its country.
    None: no hour of two weeks suits every zone, or no zone is known; a person has to store one. Raises ValueError,
    which does not name it, for a stored zone that does not exist.
    """
    if purpose is not Purpose.MARKETING:
        return instant
    clocks = _clocks((stored_zone,) if stored_zone is not None else zones(number))
    hours = table.hours(_country(number), place)
    if not clocks or not any(hours):
        return None
    at = instant
    while at < instant + HORIZON:
        later = max(_opening(at, clock, hours) for clock in clocks)
        if later == at:
            return at
        at = later
    return None


def schedule(
    now: Instant,
    allowed: Instant | None,
    *,
    send_after: Instant | None = None,
    not_after: Instant | None = None,
) -> Verdict:
    """When it goes, given what ``next_allowed(max(now, send_after), …)`` said: at once, later, or not any more.

    A text that could go only after its ``not_after`` expires: late, it would be worse than none.
    """
    if not_after is not None and max(now, send_after or now, allowed or now) > not_after:
        return Drop(code=ReasonCode.SEND_EXPIRED)
    if allowed is None:
        return Quarantine(code=ReasonCode.ZONE_UNKNOWN)
    if allowed <= now:
        return ALLOW
    chosen = send_after is not None and allowed <= send_after
    return Delay(until=allowed, code=ReasonCode.SEND_AFTER if chosen else ReasonCode.QUIET_HOURS)


# --- clocks -----------------------------------------------------------------------------------------------------------------


@cache
def _clock(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        raise ValueError("no such time zone") from None


def _clocks(names: Iterable[str]) -> tuple[ZoneInfo, ...]:
    return tuple(map(_clock, names))


def _country(number: str) -> str | None:
    known = parsed(number)
    if known is None:
        return None
    code = known.country_code or 0
    return phonenumbers.region_code_for_number(known) or phonenumbers.region_code_for_country_code(code)


def _opening(at: Instant, clock: ZoneInfo, hours: Hours) -> Instant:
    """The first instant from this one on at which the hours are open by this clock."""
    if _open(at, clock, hours):
        return at
    today = _local(at, clock).date()
    for ahead in range(9):
        day = today + timedelta(days=ahead)
        window = hours[day.weekday()]
        if window is not None:
            for start in _starts(day, window.opens, clock):
                if start > at and _open(start, clock, hours):
                    return start
    return at + HORIZON


def _open(at: Instant, clock: ZoneInfo, hours: Hours) -> bool:
    local = _local(at, clock)
    window = hours[local.weekday()]
    return window is not None and window.opens <= local.hour * 60 + local.minute < window.closes


def _local(at: Instant, clock: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(microseconds=at)).astimezone(clock)


def _starts(day: date, minute: int, clock: ZoneInfo) -> Iterator[Instant]:
    """When a local time of day comes: twice where the clocks are set back over it."""
    for fold in (0, 1):
        local = datetime.combine(day, time(*divmod(minute, 60), fold=fold), clock)
        yield (local - _EPOCH) // timedelta(microseconds=1)


# --- the table --------------------------------------------------------------------------------------------------------------


def _strictest(rules: Iterable[Rule]) -> Hours:
    return tuple(_narrowest(day) for day in zip(*(rule.hours for rule in rules), strict=True))


def _narrowest(windows: tuple[Window | None, ...]) -> Window | None:
    every = [window for window in windows if window is not None]
    opens = max((window.opens for window in every), default=0)
    closes = min((window.closes for window in every), default=0)
    return Window(opens, closes) if len(every) == len(windows) and opens < closes else None


def _rule(row: Mapping[str, Any]) -> Rule:
    told = {key: row[key] for key in ("place", "basis", "source", "since", "note") if key in row}
    hours: list[Window | None] = [None] * 7
    for days, span in row.items():
        if days not in told:
            for day in _named(days):
                hours[day] = _window(span)
    rule = Rule(hours=tuple(hours), **told)
    if rule.since:
        date.fromisoformat(rule.since)
    if not _place.fullmatch(rule.place) or not rule.source:
        raise ValueError
    return rule


def _named(days: str) -> range:
    first, _, last = days.partition("-")
    return range(_DAYS.index(first), _DAYS.index(last or first) + 1)


def _window(span: str) -> Window:
    found = _span.fullmatch(span)
    if found is None:
        raise ValueError
    hour, minute, until_hour, until_minute = map(int, found.groups())
    window = Window(hour * 60 + minute, until_hour * 60 + until_minute)
    if not window.opens < window.closes <= 24 * 60 or max(minute, until_minute) > 59:
        raise ValueError
    return window


TABLE: Final = read_table(files(__package__).joinpath("quiet_hours.toml").read_bytes())
"""The table that is shipped."""
