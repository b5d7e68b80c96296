"""Texts on their way to a provider: durable before they are sent, claimed by one replica, in order within a pair.

A row moves QUEUED → CALLING → a final state; CALLING → QUEUED when the provider surely did not take it, CALLING → UNKNOWN
when nobody knows, UNKNOWN → UNRESOLVED when nobody told in time. A QUEUED, CALLING or UNKNOWN row holds back the later rows
of its pair. Instants are those of the database's clock.

Locks: ``claim``, ``expire_leases`` and ``age_unknown`` never wait for another transaction; all others take their rows in
the order of their keys.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy import exists as sql_exists
from sqlalchemy.exc import IntegrityError

from policies.event import DeliveryStatus, Failure
from policies.message import Instant, Private
from worker.store.statements import Raced, delete_some, insert_new, row_of, select_in
from worker.store.tables import OutboxRow, Table

outbox = Table.metadata.tables[str(OutboxRow.__tablename__)]


class OutboxState(IntEnum):
    """Where a text stands. ``STOPPED``: the last check refused it; ``UNRESOLVED``: whether it was sent is for a person."""

    QUEUED = 0
    CALLING = 1
    UNKNOWN = 2
    SENT = 3
    FAILED = 4
    EXPIRED = 5
    STOPPED = 6
    UNRESOLVED = 7
    CANCELLED = 8


UNFINISHED: Final = (OutboxState.QUEUED, OutboxState.CALLING, OutboxState.UNKNOWN)
"""The states that hold back later rows of the pair."""
PENDING: Final = (*UNFINISHED, OutboxState.UNRESOLVED)
"""The states in which what is to be sent is kept: something is still to be done, by us or by a person."""
FINISHED: Final = tuple(state for state in OutboxState if state not in PENDING)
"""The states that nothing leaves."""


class Outgoing(Private, frozen=True, kw_only=True):
    """A row of the outbox (worker/store/tables.py says what the columns are)."""

    key: bytes
    id: bytes
    pair: bytes
    conversation: bytes
    connector: str
    account: str
    purpose: str
    state: OutboxState = OutboxState.QUEUED
    not_before: Instant
    not_after: Instant | None = None
    attempts: int = 0
    epoch: int = 0
    lease_until: Instant = 0
    tried_at: Instant | None = None
    submitted_at: Instant
    changed_at: Instant
    failure: str = ""
    code: int = 0
    sealed: bytes | None


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows are in a state, and when the oldest of them was handed in."""

    count: int
    oldest: Instant


Told = tuple[DeliveryStatus, Failure | None, int]
"""What a receipt says: the status, why it failed, the provider's number."""

_other = outbox.alias("other")
_COLUMNS: Final = [outbox.c[name] for name in Outgoing.__struct_fields__]


def _another(*where: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether there is another row of the pair. OFFSET 0 keeps PostgreSQL from joining whole tables for it."""
    same = (_other.c.tenant == outbox.c.tenant, _other.c.pair == outbox.c.pair)
    return sql_exists(select(_other.c.id).where(*same, *where).offset(literal_column("0")))


_FREE: Final = (
    outbox.c.tenant == bindparam("of"),
    outbox.c.state == OutboxState.QUEUED,
    ~_another(_other.c.state == OutboxState.QUEUED, _other.c.id < outbox.c.id),
    ~_another(_other.c.state == OutboxState.CALLING),
    ~_another(_other.c.state == OutboxState.UNKNOWN),
)
_CLAIM: Final = (
    select(*_COLUMNS)
    .where(
        *_FREE,
        outbox.c.not_before <= bindparam("now"),
        outbox.c.connector.not_in(bindparam("without", expanding=True)),
        outbox.c.account.not_in(bindparam("silent", expanding=True)),
    )
    .order_by(outbox.c.not_before, outbox.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=outbox)
)
_NEXT: Final = select(outbox.c.not_before).where(*_FREE).order_by(outbox.c.not_before).limit(1)
_ONE: Final = (outbox.c.tenant == bindparam("of"), outbox.c.key == bindparam("at"))


# -- in and out ----------------------------------------------------------------------------------------------


def enqueue(tx: Connection, tenant: str, rows: Sequence[Outgoing]) -> None:
    """Put texts into the outbox, under keys and ids that are new."""
    insert_new(tx, outbox, [row_of(outbox, tenant, row) for row in rows])


def find(tx: Connection, tenant: str, keys: Collection[bytes]) -> dict[bytes, Outgoing]:
    """The rows under these keys, for reading."""
    return {row.key: _outgoing(row) for row in select_in(tx, outbox.c.key, tenant, sorted(keys))}


def claim(
    tx: Connection,
    tenant: str,
    now: Instant,
    limit: int,
    *,
    without: Collection[str] = (),
    silent: Collection[str] = (),
) -> list[Outgoing]:
    """Due rows, each the first unfinished one of its pair, locked until the transaction ends; the longest due first.

    Not those of the connectors ``without`` and of the accounts ``silent``, which send nothing now. What another transaction
    has locked is left out, and so is what stands behind it: a locked row is unfinished to everybody else until its
    transaction has ended.
    """
    asked = {"of": tenant, "now": now, "most": limit, "without": sorted(without), "silent": sorted(silent)}
    return [_outgoing(row) for row in tx.execute(_CLAIM, asked)]


_BEGIN: Final = (
    update(outbox)
    .where(*_ONE, outbox.c.state == OutboxState.QUEUED)
    .values(
        state=OutboxState.CALLING,
        epoch=outbox.c.epoch + 1,
        attempts=outbox.c.attempts + 1,
        tried_at=bindparam("now"),
        changed_at=bindparam("now"),
        lease_until=bindparam("until"),
    )
)


def begin(
    tx: Connection, tenant: str, claims: Sequence[Outgoing], now: Instant, lease_until: Instant
) -> list[Outgoing]:
    """Record the intent to call the provider for claimed rows, in the transaction that claimed them; them, as they are now.

    Raises Raced where another replica began with a row of the same pair that was handed in meanwhile.
    """
    in_order = sorted(claims, key=lambda row: row.pair)
    rows = [{"of": tenant, "at": row.key, "now": now, "until": lease_until} for row in in_order]
    try:
        if rows:
            tx.execute(_BEGIN, rows)
    except IntegrityError:
        raise Raced from None
    return [
        msgspec.structs.replace(
            row,
            state=OutboxState.CALLING,
            epoch=row.epoch + 1,
            attempts=row.attempts + 1,
            tried_at=now,
            changed_at=now,
            lease_until=lease_until,
        )
        for row in claims
    ]


# -- what became of a row ------------------------------------------------------------------------------------


def postpone(
    tx: Connection,
    tenant: str,
    row: Outgoing,
    now: Instant,
    until: Instant,
    *,
    failure: Failure | None = None,
    code: int = 0,
) -> bool:
    """Back into the queue until then: before the call, or after one that surely had no effect. Whether it applied."""
    values = _values(OutboxState.QUEUED, now, failure, code) | {"not_before": until}
    return _move(tx, tenant, row, UNFINISHED, values)


def send_again(tx: Connection, tenant: str, row: Outgoing, now: Instant) -> bool:
    """A person knows that an UNRESOLVED text was not sent, or takes the risk that it was. Whether it applied."""
    values = _values(OutboxState.QUEUED, now, None, 0) | {"not_before": now}
    return _move(tx, tenant, row, (OutboxState.UNRESOLVED,), values)


def record(
    tx: Connection,
    tenant: str,
    row: Outgoing,
    state: OutboxState,
    now: Instant,
    *,
    failure: Failure | None = None,
    code: int = 0,
) -> bool:
    """What a call came to: SENT, FAILED or UNKNOWN. Whether it applied.

    Not where the row was claimed again since, or is final; an answer that is late, so that the row became UNKNOWN or
    UNRESOLVED meanwhile, still counts.
    """
    unclear = state is OutboxState.UNKNOWN
    before = (
        (OutboxState.CALLING,)
        if unclear
        else (OutboxState.CALLING, OutboxState.UNKNOWN, OutboxState.UNRESOLVED)
    )
    return _move(tx, tenant, row, before, _values(state, now, failure, code))


def _move(
    tx: Connection, tenant: str, row: Outgoing, before: Sequence[OutboxState], values: Mapping[str, Any]
) -> bool:
    still = (outbox.c.tenant == tenant, outbox.c.key == row.key, outbox.c.epoch == row.epoch)
    return tx.execute(update(outbox).where(*still, outbox.c.state.in_(before)).values(values)).rowcount == 1


def finish(
    tx: Connection,
    tenant: str,
    keys: Collection[bytes],
    state: OutboxState,
    now: Instant,
    *,
    failure: Failure | None = None,
) -> set[bytes]:
    """End rows that were never called or surely had no effect: EXPIRED, STOPPED, CANCELLED, FAILED. The keys that moved."""
    rows = select_in(tx, outbox.c.key, tenant, sorted(set(keys)), lock=True)
    ending = [row.key for row in rows if row.state == OutboxState.QUEUED]
    _write(tx, tenant, {key: _values(state, now, failure, 0) for key in ending})
    return set(ending)


def resolve_by_receipt(
    tx: Connection, tenant: str, told: Mapping[bytes, Told], now: Instant
) -> dict[bytes, OutboxState]:
    """What receipts say about rows, by key: UNKNOWN and UNRESOLVED become SENT or FAILED. The rows that moved.

    That the provider has the text also ends a row that is being called, or waits to be tried again: it must not be sent
    twice. That it failed does not: that may be about an earlier attempt. A person's word about an UNRESOLVED row counts
    like a receipt.
    """
    moved: dict[bytes, dict[str, Any]] = {}
    for row in select_in(tx, outbox.c.key, tenant, sorted(told), lock=True):
        status, failure, code = told[row.key]
        state = _resolved(OutboxState(row.state), status)
        if state is not None:
            moved[row.key] = _values(state, now, failure, code)
    _write(tx, tenant, moved)
    return {key: values["state"] for key, values in moved.items()}


def _resolved(before: OutboxState, status: DeliveryStatus) -> OutboxState | None:
    if before not in PENDING or status is DeliveryStatus.UNKNOWN:
        return None
    if status is not DeliveryStatus.FAILED:
        return OutboxState.SENT
    return OutboxState.FAILED if before in {OutboxState.UNKNOWN, OutboxState.UNRESOLVED} else None


def expire_leases(tx: Connection, tenant: str, now: Instant) -> list[Outgoing]:
    """Calls whose lease has ended become UNKNOWN, never QUEUED: they may have had an effect. Those rows."""
    late = (outbox.c.state == OutboxState.CALLING, outbox.c.lease_until < now)
    return _advance(tx, tenant, late, OutboxState.UNKNOWN, now)


def age_unknown(tx: Connection, tenant: str, before: Instant, now: Instant) -> list[Outgoing]:
    """What was last tried before that instant and is UNKNOWN still becomes UNRESOLVED, for a person. Those rows."""
    old = (outbox.c.state == OutboxState.UNKNOWN, outbox.c.tried_at < before)
    return _advance(tx, tenant, old, OutboxState.UNRESOLVED, now)


def _advance(
    tx: Connection, tenant: str, where: Sequence[ColumnElement[bool]], state: OutboxState, now: Instant
) -> list[Outgoing]:
    wanted = select(*_COLUMNS).where(outbox.c.tenant == tenant, *where).with_for_update(skip_locked=True)
    rows = [_outgoing(row) for row in tx.execute(wanted)]
    _write(tx, tenant, {row.key: {"state": state, "changed_at": now} for row in rows})
    return [msgspec.structs.replace(row, state=state, changed_at=now) for row in rows]


def _values(state: OutboxState, now: Instant, failure: Failure | None, code: int) -> dict[str, Any]:
    values = {"state": state, "changed_at": now, "failure": failure.value if failure else "", "code": code}
    return values if state in PENDING else values | {"sealed": None}


def _write(tx: Connection, tenant: str, changes: Mapping[bytes, Mapping[str, Any]]) -> None:
    for key, values in sorted(changes.items()):
        tx.execute(update(outbox).where(*_ONE).values(values), {"of": tenant, "at": key})


# -- looking -------------------------------------------------------------------------------------------------


def unresolved(tx: Connection, tenant: str, limit: int = 1000) -> list[Outgoing]:
    """What a person has to look at, the oldest first."""
    where = (outbox.c.tenant == tenant, outbox.c.state == OutboxState.UNRESOLVED)
    return [
        _outgoing(row)
        for row in tx.execute(select(*_COLUMNS).where(*where).order_by(outbox.c.id).limit(limit))
    ]


def unknown(tx: Connection, tenant: str, limit: int = 1000) -> list[Outgoing]:
    """What nobody knows yet, the oldest first: for asking providers that can be asked."""
    where = (outbox.c.tenant == tenant, outbox.c.state == OutboxState.UNKNOWN)
    return [
        _outgoing(row)
        for row in tx.execute(select(*_COLUMNS).where(*where).order_by(outbox.c.id).limit(limit))
    ]


def backlog(tx: Connection, tenant: str) -> dict[OutboxState, Backlog]:
    """What is pending by state, for metrics and ``/status``: states without rows are left out."""
    wanted = (
        select(outbox.c.state, func.count(), func.min(outbox.c.submitted_at))
        .where(outbox.c.tenant == tenant, outbox.c.state.in_(PENDING))
        .group_by(outbox.c.state)
    )
    return {
        OutboxState(state): Backlog(count=count, oldest=oldest) for state, count, oldest in tx.execute(wanted)
    }


def due_next(tx: Connection, tenant: str) -> Instant | None:
    """When there is something to do next: the first row that may be claimed, or the first lease that ends; None: nothing."""
    leases = select(func.min(outbox.c.lease_until)).where(
        outbox.c.tenant == tenant, outbox.c.state == OutboxState.CALLING
    )
    instants = (tx.execute(_NEXT, {"of": tenant}).scalar(), tx.execute(leases).scalar())
    return min((instant for instant in instants if instant is not None), default=None)


def tenants_with_work(tx: Connection) -> list[str]:
    """The tenants that have unfinished rows. Looks once at each tenant, not at each row."""
    first = select(func.min(outbox.c.tenant).label("tenant")).cte("tenants", recursive=True)
    after = select(func.min(outbox.c.tenant)).where(outbox.c.tenant > first.c.tenant).scalar_subquery()
    tenants = first.union_all(select(after).where(first.c.tenant.is_not(None)))
    busy = or_(*(_has(tenants.c.tenant, state) for state in UNFINISHED))
    return list(tx.execute(select(tenants.c.tenant).where(busy).order_by(tenants.c.tenant)).scalars())


def _has(tenant: ColumnElement[str], state: OutboxState) -> ColumnElement[bool]:
    some = select(_other.c.tenant).where(_other.c.tenant == tenant, _other.c.state == state)
    return sql_exists(some.offset(literal_column("0")))


def purge(tx: Connection, tenant: str, before: Instant, limit: int) -> int:
    """Remove at most so many rows that were finished before that instant; how many."""
    # not_before is what the index knows, and rarely later than the end.
    old = (outbox.c.state.in_(FINISHED), outbox.c.not_before < before, outbox.c.changed_at < before)
    return delete_some(tx, outbox, (outbox.c.tenant == tenant, *old), limit)


def _outgoing(row: Any) -> Outgoing:
    values = {name: getattr(row, name) for name in Outgoing.__struct_fields__}
    return Outgoing(**values | {"state": OutboxState(row.state)})
