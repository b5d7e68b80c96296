"""What follows from what a provider said: a table, and the one place where it is decided whether a text is tried again."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from importlib import resources
from types import MappingProxyType
from typing import Final

import msgspec

from connectors.contract import Refused, SendResult, Sent, Unknown
from policies.event import Failure
from policies.message import Instant
from worker.store.outbox import OutboxState

SECOND: Final = 1_000_000
LONGEST_WAIT: Final = 6 * 3600
"""What a provider's Retry-After may ask for, in seconds; more is cut off."""

UNREACHED_WAITS: Final = (5, 15, 60, 300, 600, 1800, 3600, 3600, 7200, 14400, 14400)
"""Seconds before each next try where the provider could not be reached: some twelve hours in all."""


class Stops(StrEnum):
    """What sends no more until it works again."""

    NOTHING = "nothing"
    SENDER = "sender"
    CONNECTOR = "connector"


class Course(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of outcomes.toml, which says what its columns mean."""

    waits: tuple[int, ...] = ()
    stops: Stops = Stops.NOTHING
    alert: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a row. ``until``: QUEUED again, and not before then. ``failure`` and ``code`` stand in the row."""

    state: OutboxState
    until: Instant = 0
    failure: Failure | None = None
    code: int = 0
    stops: Stops = Stops.NOTHING
    alert: bool = False


def read_courses(text: str) -> Mapping[Failure, Course]:
    """The table from TOML. Raises msgspec.ValidationError where it has another word or column than are known."""
    return MappingProxyType(msgspec.convert(tomllib.loads(text), dict[Failure, Course]))


COURSES: Final = read_courses(
    resources.files(__package__ or "worker.sms").joinpath("outcomes.toml").read_text(encoding="utf-8")
)
"""What follows from each failure."""


def after(result: SendResult, attempts: int, now: Instant, draw: float) -> Outcome:
    """What a provider's answer to the ``attempts``-th call means. ``draw`` from 0 to 1 spreads what is tried again."""
    match result:
        case Sent():
            return Outcome(state=OutboxState.SENT)
        case Unknown():
            return Outcome(state=OutboxState.UNKNOWN)
        case Refused():
            return _refused(result, attempts, now, draw)


def unreached(attempts: int, now: Instant, draw: float, *, forbidden: bool) -> Outcome:
    """Nothing was written to the provider: tried again for some hours, and then it has failed.

    ``forbidden``: not by its fault; the configuration leads where this process may not go.
    """
    outcome = _again(Course(waits=UNREACHED_WAITS), Failure.PROVIDER, attempts, now, draw)
    stops = Stops.CONNECTOR if forbidden else Stops.NOTHING
    return msgspec.structs.replace(outcome, stops=stops, alert=forbidden)


def _refused(refused: Refused, attempts: int, now: Instant, draw: float) -> Outcome:
    course = COURSES[refused.failure]
    outcome = _again(course, refused.failure, attempts, now, draw, refused.retry_after)
    return msgspec.structs.replace(outcome, code=refused.code, stops=course.stops, alert=course.alert)


def _again(
    course: Course,
    failure: Failure,
    attempts: int,
    now: Instant,
    draw: float,
    asked: float | None = None,
) -> Outcome:
    if attempts > len(course.waits):
        return Outcome(state=OutboxState.FAILED, failure=failure)
    wait = max(course.waits[attempts - 1], min(asked or 0.0, LONGEST_WAIT))
    # Later than asked for, never earlier: whoever was told to wait a minute waits at least that.
    until = now + int(wait * (1 + draw / 4) * SECOND)
    return Outcome(state=OutboxState.QUEUED, until=until, failure=failure)
