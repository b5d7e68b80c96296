"""Texts that were judged and wait for a person, together with their near-duplicates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import IntEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, func, or_, select, update

from policies.message import Instant, Private
from worker.store.statements import delete_some, insert_new, row_of, select_in
from worker.store.tables import ReviewRow, Table

reviews = Table.metadata.tables[str(ReviewRow.__tablename__)]


class ReviewState(IntEnum):
    """What a person decided."""

    WAITING = 0
    RELEASED = 1
    REJECTED = 2


class Review(Private, frozen=True, kw_only=True):
    """A row of the review (worker/store/tables.py says what the columns are). ``codes``: words, a space between."""

    key: bytes
    id: bytes
    cluster: bytes
    conversation: bytes
    connector: str
    account: str
    state: ReviewState = ReviewState.WAITING
    score: int
    codes: str
    entered_at: Instant
    decided_at: Instant | None = None
    sealed: bytes | None


class Cluster(Private, frozen=True, kw_only=True):
    """Near-duplicates that wait: how many, since when, why (every code of theirs, in order), the highest score."""

    cluster: bytes
    count: int
    oldest: Instant
    codes: tuple[str, ...]
    score: int


_LONGEST: Final = b"\xff" * 32
_DECIDE: Final = (
    update(reviews)
    .where(reviews.c.tenant == bindparam("of"), reviews.c.key == bindparam("at"))
    .values(state=bindparam("decided"), decided_at=bindparam("now"), sealed=None)
)


def add(tx: Connection, tenant: str, new: Sequence[Review]) -> None:
    """Put texts before a person, under keys and ids that are new."""
    insert_new(tx, reviews, [row_of(reviews, tenant, one) for one in new])


def clusters(tx: Connection, tenant: str, limit: int = 1000) -> list[Cluster]:
    """What waits, by cluster, the longest waiting first."""
    waiting = (reviews.c.tenant == tenant, reviews.c.state == ReviewState.WAITING)
    oldest = func.min(reviews.c.entered_at)
    wanted = (
        select(reviews.c.cluster, func.count(), oldest, func.max(reviews.c.score))
        .where(*waiting)
        .group_by(reviews.c.cluster)
        .order_by(oldest, reviews.c.cluster)
        .limit(limit)
    )
    found = tx.execute(wanted).all()
    codes: dict[bytes, set[str]] = {cluster: set() for cluster, *_ in found}
    for cluster, some in tx.execute(select(reviews.c.cluster, reviews.c.codes).where(*waiting).distinct()):
        codes.get(cluster, set()).update(some.split())
    return [
        Cluster(cluster=which, count=count, oldest=since, codes=tuple(sorted(codes[which])), score=top)
        for which, count, since, top in found
    ]


def find(tx: Connection, tenant: str, prefix: str, limit: int = 1000, *, lock: bool = False) -> list[Review]:
    """The texts whose cluster's or own id begins with these hexadecimal digits, in the order in which they were handed in.

    Raises ValueError for what is no hexadecimal.
    """
    low, high = (
        bytes.fromhex(prefix + "0" * (len(prefix) % 2)),
        bytes.fromhex(prefix + "f" * (len(prefix) % 2)),
    )
    begins = or_(*(_between(column, low, high + _LONGEST) for column in (reviews.c.id, reviews.c.cluster)))
    wanted = select(reviews).where(reviews.c.tenant == tenant, begins).order_by(reviews.c.id).limit(limit)
    return [_review(row) for row in tx.execute(wanted.with_for_update() if lock else wanted)]


def _between(column: ColumnElement[bytes], low: bytes, high: bytes) -> ColumnElement[bool]:
    return column.between(low, high)


def by_key(tx: Connection, tenant: str, keys: Collection[bytes]) -> dict[bytes, Review]:
    """Message key → its review, for those that have one."""
    return {row.key: _review(row) for row in select_in(tx, reviews.c.key, tenant, sorted(set(keys)))}


def decide(
    tx: Connection, tenant: str, keys: Collection[bytes], state: ReviewState, now: Instant
) -> list[Review]:
    """Release or reject what still waits, once. Those that moved, as they were: what they held is gone from the store."""
    rows = [_review(row) for row in select_in(tx, reviews.c.key, tenant, sorted(set(keys)), lock=True)]
    moving = [one for one in rows if one.state is ReviewState.WAITING]
    if moving:
        tx.execute(_DECIDE, [{"of": tenant, "at": one.key, "decided": state, "now": now} for one in moving])
    return moving


def counts(tx: Connection, tenant: str) -> dict[ReviewState, int]:
    """How many are in each state."""
    wanted = select(reviews.c.state, func.count()).where(reviews.c.tenant == tenant).group_by(reviews.c.state)
    found = {row[0]: row[1] for row in tx.execute(wanted)}
    return {state: found.get(state, 0) for state in ReviewState}


def purge(tx: Connection, tenant: str, before: Instant, limit: int) -> int:
    """Forget at most so many that were decided before that instant; how many."""
    return delete_some(tx, reviews, (reviews.c.tenant == tenant, reviews.c.decided_at < before), limit)


def _review(row: Any) -> Review:
    values = {name: getattr(row, name) for name in Review.__struct_fields__}
    return Review(**values | {"state": ReviewState(row.state)})
