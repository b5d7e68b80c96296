"""When a request is due: by calendar, each source by its own rule; and what is due soon, or overdue."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy import Connection

from policies.message import Instant, Private
from worker.rights.outcome import Status
from worker.store import rights

HOUR: Final = 3_600 * 1_000_000
DAY: Final = 24 * HOUR
HELD: Final = "held"
"""The step of a request that only a legal hold keeps from its end: that is no delay."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Source(StrEnum):
    """How a request came: it says within what time it has to be done."""

    PERSON = "person"
    API = "api"
    X = "x"
    META_CALLBACK = "meta_callback"
    EXCLUSION = "exclusion"


class Deadlines(Private, frozen=True, kw_only=True):
    """A month by GDPR art. 12(3); 24 hours by X's policy. ``warning_days``: so long before it is due, or half of the time."""

    months: int = 1
    x_hours: int = 24
    warning_days: int = 7

    def due(self, source: Source, received_at: Instant) -> Instant:
        """The last instant at which it is in time."""
        if source is Source.X:
            return received_at + self.x_hours * HOUR
        return months_later(received_at, self.months)

    def warns_at(self, received_at: Instant, due_at: Instant) -> Instant:
        """From when on it is due soon."""
        return max(due_at - self.warning_days * DAY, received_at + (due_at - received_at) // 2)


class Urgency(StrEnum):
    """What a log line says of a request."""

    DUE_SOON = "due_soon"
    OVERDUE = "overdue"


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is not done and should be."""

    tenant: str
    id: bytes
    kind: str
    source: str
    due_at: Instant
    urgency: Urgency


def due(tx: Connection, now: Instant, deadlines: Deadlines, tenant: str | None = None) -> list[Due]:
    """What is due soon or overdue, of one tenant or of all, the first due first within each."""
    found = []
    for of, kept in rights.unfinished(tx, tenant):
        urgency = urgency_of(kept, now, deadlines)
        if urgency is not None:
            found.append(
                Due(
                    tenant=of,
                    id=kept.id,
                    kind=kept.kind,
                    source=kept.source,
                    due_at=kept.due_at,
                    urgency=urgency,
                )
            )
    return found


def urgency_of(kept: rights.Kept, now: Instant, deadlines: Deadlines) -> Urgency | None:
    """Whether a request has to be looked at, and how soon. One that waits for a hold to be lifted has not."""
    if kept.status == Status.COMPLETED or kept.step == HELD:
        return None
    if now > kept.due_at:
        return Urgency.OVERDUE
    return Urgency.DUE_SOON if now >= deadlines.warns_at(kept.received_at, kept.due_at) else None


def months_later(moment: Instant, months: int) -> Instant:
    """The same time of the same day so many months later (UTC); the last day of a month that has no such day."""
    seconds, rest = divmod(moment, 1_000_000)
    at = _EPOCH + timedelta(seconds=seconds)
    years, month = divmod(at.month - 1 + months, 12)
    year, month = at.year + years, month + 1
    later = at.replace(year=year, month=month, day=min(at.day, monthrange(year, month)[1]))
    return (later - _EPOCH) // timedelta(seconds=1) * 1_000_000 + rest
