"""Content that has to go, in bounded batches: each a transaction with its receipts and decision records.

What goes leaves its message's tombstone (State.ERASED): who sends it again meets that. What a legal hold covers stays as it
is where only its age asks for it to go, and is restricted where the platform does. After a crash at any point the next run
goes on: what has content and is due is the work that is left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from policies.lifecycle import Disposal, Duty, Fate, disposal
from policies.message import Instant, Private
from policies.retention import Retention, class_of, goes_with_agreement
from worker.audit.receipts import Destroyed
from worker.chain import DecisionRecord
from worker.holds.holding import Holds
from worker.retention.means import BATCH, Means, channel_of, record
from worker.settle import commitment
from worker.store import decisions, persons, retention
from worker.store.partitions import id_at, time_of
from worker.store.retention import Which

Judged = tuple[Any, Disposal]
"""A message's row and what becomes of its content."""

_EVERYTHING: Final = b"\xff" * 16
"""Later than any content."""


class Judge(Private, frozen=True, kw_only=True):
    """What asks for content to go or to stay, besides holds: its age, and the platforms once the agreement ``is_over``."""

    policy: Retention
    is_over: bool = False

    def duties(self, row: Any, now: Instant) -> frozenset[Duty]:
        """Of a message's content, from its row."""
        channel = channel_of(row.connector)
        asked = self.policy.duties(channel, class_of(row.kind), time_of(row.content), now)
        return asked | {Duty.PLATFORM_DELETION} if self.is_over and goes_with_agreement(channel) else asked

    def before(self, connector: str, kind: str, now: Instant) -> bytes:
        """No content of that connector and kind that comes after this one can have to go."""
        channel = channel_of(connector)
        if self.is_over and goes_with_agreement(channel):
            return _EVERYTHING
        return id_at(self.policy.oldest_kept(channel, class_of(kind), now))


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """Contents destroyed, restricted because of a hold, and past their ceiling but held."""

    contents: int = 0
    restricted: int = 0
    held: int = 0

    def __add__(self, other: Swept) -> Swept:
        return Swept(
            contents=self.contents + other.contents,
            restricted=self.restricted + other.restricted,
            held=self.held + other.held,
        )


def sweep(means: Means, tenant: str, judge: Judge, kind: str) -> Swept:
    """Take away whatever has to go now."""
    with means.store.reading() as tx:
        old = list(_old(tx, tenant, judge, means.clock()))
    return sum((_sweep(means, tenant, judge, kind, which) for which in old), Swept())


def count(tx: Connection, tenant: str, judge: Judge, now: Instant) -> Swept:
    """What ``sweep`` would take away now; nothing is changed."""
    total, holds = Swept(), Holds(tx, tenant)
    for which in _old(tx, tenant, judge, now):
        for page in _pages(partial(retention.contents_of, tx, tenant, which)):
            total += _counted(_judged(page, judge, holds, now))
    return total


def _old(tx: Connection, tenant: str, judge: Judge, now: Instant) -> Iterator[Which]:
    """The kinds of which something may be due. Only they are walked through."""
    for stock in retention.stock(tx, tenant):
        before = judge.before(stock.connector, stock.kind, now)
        if stock.oldest < before:
            yield Which(connector=stock.connector, kind=stock.kind, before=before)


def _sweep(means: Means, tenant: str, judge: Judge, kind: str, which: Which) -> Swept:
    """Looked for without a lock, so that nobody waits; then taken away, if it is there still."""

    def look(after: bytes, limit: int) -> Sequence[Any]:
        with means.store.reading() as tx:
            return retention.contents_of(tx, tenant, which, after, limit)

    total = Swept()
    for page in _pages(look):
        keys = sorted(row.key for row in page)
        total += means.transact(
            partial(_batch, means=means, tenant=tenant, judge=judge, kind=kind, keys=keys)
        )
    return total


def _pages(look: Callable[[bytes, int], Sequence[Any]]) -> Iterator[Sequence[Any]]:
    page = look(b"", BATCH)
    while page:
        yield page
        page = look(page[-1].content, BATCH) if len(page) == BATCH else ()


def _batch(
    tx: Connection, *, means: Means, tenant: str, judge: Judge, kind: str, keys: Sequence[bytes]
) -> Swept:
    now, holds = means.clock(), Holds(tx, tenant)
    judged = _judged(retention.lock_contents(tx, tenant, keys), judge, holds, now)
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
        found.append((row, disposal(judge.duties(row, now) | held)))
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
