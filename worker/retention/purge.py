"""Content that has to go, in bounded batches: each a transaction with its receipts and decision records.

What goes leaves its message's tombstone (State.ERASED): who sends it again meets that. What a legal hold covers stays as it
is where only its age asks for it to go, and is restricted where the platform does. After a crash at any point the next run
goes on: what has content and is due is the work that is left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from policies.lifecycle import Disposal, Duty, Fate, disposal
from policies.message import Instant
from policies.retention import Retention, class_of, goes_with_agreement
from worker.audit.receipts import Destroyed
from worker.chain import DecisionRecord
from worker.holds.holding import Holds
from worker.retention.means import BATCH, Means, channel_of, record
from worker.settle import commitment
from worker.store import decisions, persons, retention
from worker.store.partitions import id_at, time_of

Judge = Callable[[Any, Instant], frozenset[Duty]]
"""What asks for a content to go or to stay, besides holds: from its message's row and the time."""

Judged = tuple[Any, Disposal]
"""A message's row and what becomes of its content."""

EVERYTHING: Final = b"\xff" * 16
"""Later than any content."""


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """Contents destroyed, restricted because of a hold, and past their ceiling but held. ``last``: where to go on."""

    contents: int = 0
    restricted: int = 0
    held: int = 0
    last: bytes | None = None

    def __add__(self, other: Swept) -> Swept:
        return Swept(
            contents=self.contents + other.contents,
            restricted=self.restricted + other.restricted,
            held=self.held + other.held,
            last=other.last,
        )


def by_age(policy: Retention, row: Any, now: Instant) -> frozenset[Duty]:
    """What floors and ceilings ask for."""
    return policy.duties(channel_of(row.connector), class_of(row.kind), time_of(row.content), now)


def by_end(policy: Retention, row: Any, now: Instant) -> frozenset[Duty]:
    """The same, and what the platforms ask for when the agreement has ended."""
    asked = by_age(policy, row, now)
    return asked | {Duty.PLATFORM_DELETION} if goes_with_agreement(channel_of(row.connector)) else asked


def sweep(means: Means, tenant: str, judge: Judge, kind: str, before: Instant | None) -> Swept:
    """Take away whatever has to go of what was recorded before that instant (None: at any time)."""
    total, bound = Swept(last=b""), EVERYTHING if before is None else id_at(before)
    while total.last is not None:
        total += means.transact(
            partial(
                _batch, means=means, tenant=tenant, judge=judge, kind=kind, after=total.last, before=bound
            )
        )
    return total


def count(tx: Connection, tenant: str, judge: Judge, before: Instant | None, now: Instant) -> Swept:
    """What ``sweep`` would take away now; nothing is changed."""
    total, bound, holds = Swept(last=b""), EVERYTHING if before is None else id_at(before), Holds(tx, tenant)
    while total.last is not None:
        rows = retention.contents_between(tx, tenant, total.last, bound, BATCH, lock=False)
        total += _counted(_judged(rows, judge, holds, now))
    return total


def _batch(
    tx: Connection, *, means: Means, tenant: str, judge: Judge, kind: str, after: bytes, before: bytes
) -> Swept:
    now, holds = means.clock(), Holds(tx, tenant)
    judged = _judged(retention.contents_between(tx, tenant, after, before, BATCH), judge, holds, now)
    found = _counted(judged)
    if found.contents or found.restricted:
        _take_away(tx, tenant, judged, holds, now)
        end = decisions.lock_end(tx, tenant)
        holds.confirm()
        means.tell(tx, tenant, _destroyed(kind, judged), _restrictions(means, tenant, kind, judged), now, end)
    return found


def _judged(rows: Sequence[Any], judge: Judge, holds: Holds, now: Instant) -> list[Judged]:
    found = []
    for row in rows:
        held = {Duty.LEGAL_HOLD} if holds.covers(row.conversation, row.occurred_at) else set()
        found.append((row, disposal(judge(row, now) | held)))
    return found


def _counted(judged: Sequence[Judged]) -> Swept:
    fates = [one.fate for _, one in judged]
    return Swept(
        contents=fates.count(Fate.PURGE),
        restricted=fates.count(Fate.RESTRICT),
        held=sum(
            one.fate is Fate.KEEP and one.because is Duty.LEGAL_HOLD and bool(one.overruled)
            for _, one in judged
        ),
        last=judged[-1][0].content if len(judged) == BATCH else None,
    )


def _take_away(tx: Connection, tenant: str, judged: Sequence[Judged], holds: Holds, now: Instant) -> None:
    going = [row for row, one in judged if one.fate is Fate.PURGE]
    hidden = [row for row, one in judged if one.fate is Fate.RESTRICT]
    kept = [(row.key, row.content, row.conversation, row.occurred_at) for row in hidden]
    holds.restrict(kept, Duty.PLATFORM_DELETION, now)
    persons.erase_messages(tx, tenant, sorted(row.key for row in (*going, *hidden)), now)
    persons.erase_contents(tx, tenant, [row.content for row in going])


def _destroyed(kind: str, judged: Sequence[Judged]) -> list[Destroyed]:
    """What one batch destroyed, by the duty that asked for it."""
    by_duty: dict[Duty, list[bytes]] = defaultdict(list)
    for row, one in judged:
        if one.fate is Fate.PURGE and one.because is not None:
            by_duty[one.because].append(row.key)
    return [Destroyed(kind=kind, duty=duty, messages=keys) for duty, keys in sorted(by_duty.items())]


def _restrictions(means: Means, tenant: str, kind: str, judged: Sequence[Judged]) -> list[DecisionRecord]:
    salt = means.salt(tenant)
    return [
        record(kind, Fate.RESTRICT, Duty.LEGAL_HOLD, commitment(salt, row.key))
        for row, one in judged
        if one.fate is Fate.RESTRICT
    ]
