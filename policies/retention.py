"""What is kept until when: floors and ceilings by channel and class of content, and the year after an agreement (VT-5).

Ages count from when something was recorded here, whatever a platform says of its time. Days, months and years are those of
the calendar in the agreement's time zone, UTC where it names none; where a moment exists twice, or not at all, because
clocks change, the later one counts: what must be kept "at least" is never kept a little less.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from policies.lifecycle import Duty
from policies.message import Channel, Instant, MessageKind, Private

ANY: Final = "any"
"""In the place of a channel: all that say nothing of their own."""

FOREVER: Final[Instant] = 1 << 62
"""Later than any calendar."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_SATURDAY: Final = 5
_SLACK: Final[Instant] = 4 * 86_400 * 1_000_000
_span: Final = re.compile(r"([1-9][0-9]{0,4}) (day|month)s?")


class ContentClass(StrEnum):
    """Classes of content that may be kept for different times. ``PERSONAL``: places and cards of contacts."""

    TEXT = "text"
    MEDIA = "media"
    PERSONAL = "personal"


_CLASSES: Final[Mapping[str, ContentClass]] = {
    MessageKind.MEDIA: ContentClass.MEDIA,
    MessageKind.STORY_MENTION: ContentClass.MEDIA,
    MessageKind.LOCATION: ContentClass.PERSONAL,
    MessageKind.CONTACTS: ContentClass.PERSONAL,
}


def class_of(kind: str) -> ContentClass:
    """The class of what a message of this kind says."""
    return _CLASSES.get(kind, ContentClass.TEXT)


def business_days_later(day: date, number: int) -> date:
    """So many days later, Saturdays and Sundays not counted; who knows the holidays may take longer."""
    while number:
        day += _DAY
        number -= day.weekday() < _SATURDAY
    return day


def goes_with_agreement(channel: str) -> bool:
    """Whether the platform's terms let nothing be kept after the end: X (SM-10) and Meta (SM-1, SM-3, SM-5), not texts."""
    return channel != Channel.SMS


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A length of time on the calendar."""

    months: int = 0
    days: int = 0

    @classmethod
    def of(cls, written: str) -> Span:
        """``"90 days"``, ``"24 months"``. Raises ValueError."""
        match = _span.fullmatch(written)
        if match is None:
            raise ValueError('a length such as "90 days" or "24 months"')
        number = int(match[1])
        return cls(months=number) if match[2] == "month" else cls(days=number)

    def __str__(self) -> str:
        number, word = (self.months, "month") if self.months else (self.days, "day")
        return f"{number} {word}{'' if number == 1 else 's'}"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long at least, and at most; None: nothing is said."""

    floor: Span | None = None
    ceiling: Span | None = None

    @property
    def agree(self) -> bool:
        """Whether the floor is not above the ceiling, months counted as long as they may be."""
        return not (self.floor and self.ceiling) or _days(self.floor) <= _days(self.ceiling)


class Agreement(Private, frozen=True, kw_only=True):
    """A tenant's agreement: the last day of it, and the time zone that its days are of."""

    ends: date
    zone: str = "UTC"

    @property
    def ended_at(self) -> Instant:
        """The first moment after it."""
        return _midnight(self.ends + _DAY, ZoneInfo(self.zone))

    @property
    def kept_until(self) -> Instant:
        """VT-5: one calendar year after it ended. Of 29 February, the year is over when 28 February is."""
        return _midnight(_months_later(self.ends, 12) + _DAY, ZoneInfo(self.zone))


class Retention(Private, frozen=True, kw_only=True):
    """What a tenant's file says of keeping: by channel (or ``any``) and class of content."""

    agreement: Agreement | None = None
    limits: Mapping[str, Mapping[ContentClass, Limits]] = {}

    def limits_of(self, channel: str, class_: ContentClass) -> Limits:
        """What holds for this class on this channel: its own word, or else that for any channel."""
        own = self.limits.get(channel, {}).get(class_, Limits())
        usual = self.limits.get(ANY, {}).get(class_, Limits())
        return Limits(floor=own.floor or usual.floor, ceiling=own.ceiling or usual.ceiling)

    def duties(
        self, channel: str, class_: ContentClass, recorded_at: Instant, now: Instant
    ) -> frozenset[Duty]:
        """What age alone asks for of a content, for ``policies.lifecycle.disposal``."""
        limits = self.limits_of(channel, class_)
        is_young = limits.floor is not None and now < self._after(recorded_at, limits.floor)
        is_old = now >= self._ceiling(limits, recorded_at)
        asked = ((Duty.RETENTION_FLOOR, is_young), (Duty.RETENTION_CEILING, is_old))
        return frozenset(duty for duty, is_asked in asked if is_asked)

    def goes_at(self, channel: str, class_: ContentClass, recorded_at: Instant) -> Instant:
        """When age lets a content go; FOREVER where nothing does."""
        limits = self.limits_of(channel, class_)
        floor = self._after(recorded_at, limits.floor) if limits.floor else recorded_at
        return max(floor, self._ceiling(limits, recorded_at))

    def records_go_at(self, recorded_at: Instant) -> Instant:
        """When what has no content may go: what belongs to an agreement that ended, a calendar year later; else FOREVER."""
        ended = self.agreement is not None and recorded_at < self.agreement.ended_at
        return self.agreement.kept_until if self.agreement is not None and ended else FOREVER

    def person_goes_at(self, channel: str, last_at: Instant) -> Instant:
        """When a person of whom nothing is left is forgotten: after the longest ceiling; FOREVER where a class has none."""
        every = [self.limits_of(channel, class_) for class_ in ContentClass]
        return max(self._ceiling(limits, last_at) for limits in every)

    def oldest_kept(self, channel: str, class_: ContentClass, now: Instant) -> Instant:
        """Such content that was recorded then or later is too young to go; 0 where none can."""
        ceiling, agreement = self.limits_of(channel, class_).ceiling, self.agreement
        bounds = [_shifted(now, -ceiling.months, -ceiling.days, self._zone) + _SLACK] if ceiling else []
        if agreement is not None and now >= agreement.kept_until:
            bounds.append(agreement.ended_at)
        return max(bounds, default=0)

    def _ceiling(self, limits: Limits, recorded_at: Instant) -> Instant:
        ceiling = self._after(recorded_at, limits.ceiling) if limits.ceiling else FOREVER
        return min(ceiling, self.records_go_at(recorded_at))

    def _after(self, at: Instant, span: Span) -> Instant:
        return _shifted(at, span.months, span.days, self._zone)

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.agreement.zone if self.agreement is not None else "UTC")


def _shifted(at: Instant, months: int, days: int, zone: ZoneInfo) -> Instant:
    """The same local time so much later; of a day that the month has not, the month's last."""
    try:
        local = (_EPOCH + timedelta(microseconds=at)).astimezone(zone)
        day = _months_later(local.date(), months) + timedelta(days=days)
        return _instant(datetime.combine(day, local.time()), zone)
    except (OverflowError, ValueError):  # beyond the calendar
        return FOREVER if months + days >= 0 else 0


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _midnight(day: date, zone: ZoneInfo) -> Instant:
    return _instant(datetime.combine(day, time()), zone)


def _instant(local: datetime, zone: ZoneInfo) -> Instant:
    """The later of the moments that a local time may mean."""
    return max((local.replace(tzinfo=zone, fold=fold) - _EPOCH) // _MICROSECOND for fold in (0, 1))


def _days(span: Span) -> int:
    return span.months * 31 + span.days
