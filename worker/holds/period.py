"""A period as an operator writes it: days or instants, in UTC where no zone is named."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from policies.message import Instant

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def since(text: str) -> Instant:
    """The beginning: of the day, or that instant. Raises ValueError."""
    return _instant(_moment(text))


def until(text: str) -> Instant:
    """The first instant beyond the end: a day belongs to the period, an instant does not. Raises ValueError."""
    whole_day = _DAY.fullmatch(text.strip()) is not None
    return _instant(_moment(text) + timedelta(days=whole_day))


def length(text: str) -> Instant:
    """A length such as ``30d`` or ``12h`` in microseconds. Raises ValueError."""
    found = re.fullmatch(r"([1-9]\d{0,4})([dh])", text.strip())
    if found is None:
        raise ValueError("a length is a number of days or hours, such as 30d or 12h")
    unit = timedelta(days=1) if found[2] == "d" else timedelta(hours=1)
    return int(found[1]) * (unit // _MICROSECOND)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.strip())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _instant(moment: datetime) -> Instant:
    return (moment - _EPOCH) // _MICROSECOND
