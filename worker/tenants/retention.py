"""Reading ``[agreement]`` and ``[retention]`` of a tenant's file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache
from typing import Any, Final
from zoneinfo import available_timezones

from policies.message import Channel
from policies.retention import ANY, Agreement, ContentClass, Limits, Retention, Span
from worker.tenants.texts import Wrong

_CHANNELS: Final = (ANY, *Channel)
_BOUNDS: Final = ("floor", "ceiling")
_LAST_YEAR: Final = 9000
_zones = cache(available_timezones)


def read_retention(agreement: Any, retention: Any, wrong: Wrong) -> Retention:
    """Both tables (``agreement`` None where there is none). What cannot be read is told and left out."""
    told = Retention(
        agreement=None if agreement is None else _agreement(agreement, wrong),
        limits=_by(retention, _CHANNELS, "retention", wrong, _classes),
    )
    for channel in told.limits:
        for class_ in ContentClass:
            if not told.limits_of(channel, class_).agree:
                wrong(f"retention.{channel}.{class_}", "a floor that is not above the ceiling")
    return told


def _agreement(given: Any, wrong: Wrong) -> Agreement | None:
    if not isinstance(given, dict) or not given.keys() <= {"ends", "zone"}:
        wrong("agreement", "a table [agreement] with ends and zone")
        return None
    ends, zone = given.get("ends"), given.get("zone", "UTC")
    if not isinstance(ends, date) or isinstance(ends, datetime) or ends.year > _LAST_YEAR:
        wrong("agreement.ends", "the last day, such as 2027-12-31")
        return None
    if not isinstance(zone, str) or zone not in _zones():
        wrong("agreement.zone", "a time zone, such as Europe/Berlin")
        return None
    return Agreement(ends=ends, zone=zone)


def _by(
    given: Any, known: tuple[str, ...], path: str, wrong: Wrong, read: Callable[[Any, str, Wrong], Any]
) -> dict[Any, Any]:
    """A table whose keys are known words, each value read."""
    if not isinstance(given, dict):
        wrong(path, f"a table [{path}]")
        return {}
    if not given.keys() <= set(known):
        wrong(path, f"keys that are among: {', '.join(known)}")
    return {key: read(given[key], f"{path}.{key}", wrong) for key in known if key in given}


def _classes(given: Any, path: str, wrong: Wrong) -> Mapping[ContentClass, Limits]:
    found = _by(given, tuple(ContentClass), path, wrong, _limits)
    return {ContentClass(name): limits for name, limits in found.items()}


def _limits(given: Any, path: str, wrong: Wrong) -> Limits:
    return Limits(**_by(given, _BOUNDS, path, wrong, _span))


def _span(given: Any, path: str, wrong: Wrong) -> Span | None:
    try:
        return Span.of(given if isinstance(given, str) else "")
    except ValueError as error:
        wrong(path, str(error))
        return None
