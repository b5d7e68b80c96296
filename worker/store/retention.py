"""What is old, how much there is of it, and taking it away in bounded batches; offboardings; space that is returned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, func, select, update

from policies.message import Instant, Private
from policies.retention import Retention
from worker.store import cursors
from worker.store.decisions import commits
from worker.store.holds import holds, restricted
from worker.store.leases import leases
from worker.store.messages import messages
from worker.store.people import consents, conversations
from worker.store.seals import receipts
from worker.store.statements import delete_some, insert_missing, is_sqlite, select_in
from worker.store.tables import OffboardingRow
from worker.store.tables import Table as Tables

offboardings = Tables.metadata.tables[str(OffboardingRow.__tablename__)]

_POLICY: Final = "retention"
_CONTENT: Final = (
    messages.c.key,
    messages.c.connector,
    messages.c.kind,
    messages.c.conversation,
    messages.c.occurred_at,
    messages.c.content,
)
_decoder = msgspec.msgpack.Decoder(Retention)


class Offboarding(Private, frozen=True, kw_only=True):
    """The end of a tenant's agreement. ``step`` is a word of worker/retention/offboard.py."""

    ends_at: Instant
    kept_until: Instant
    step: str
    purged_at: Instant | None = None
    report: bytes | None = None


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """So many contents of a connector and kind of message, and the id of the oldest."""

    connector: str
    kind: str
    count: int
    oldest: bytes


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Contents of a connector and kind of message with ids before one."""

    connector: str
    kind: str
    before: bytes


# -- contents ------------------------------------------------------------------------------------------------


def contents_of(tx: Connection, tenant: str, which: Which, after: bytes, limit: int) -> Sequence[Any]:
    """The next messages of one kind that have content, by its id."""
    known = messages.c
    wanted = select(*_CONTENT).where(known.tenant == tenant, _has_content(), known.content > after)
    wanted = wanted.where(known.connector == which.connector, known.kind == which.kind)
    return tx.execute(wanted.where(known.content < which.before).order_by(known.content).limit(limit)).all()


def lock_contents(tx: Connection, tenant: str, keys: Sequence[bytes]) -> list[Any]:
    """The messages under these keys (in order) that have content still, locked until the transaction ends."""
    found = select_in(tx, messages.c.key, tenant, keys, lock=True)
    return [row for row in found if row.content is not None]


def stock(tx: Connection, tenant: str) -> list[Stock]:
    """What contents there are, by connector and kind."""
    by = (messages.c.connector, messages.c.kind)
    wanted = select(*by, func.count(), func.min(messages.c.content)).where(messages.c.tenant == tenant)
    rows = tx.execute(wanted.where(_has_content()).group_by(*by).order_by(*by))
    return [Stock(connector=row[0], kind=row[1], count=row[2], oldest=row[3]) for row in rows]


def _has_content() -> ColumnElement[bool]:
    return messages.c.content.is_not(None)


# -- persons -------------------------------------------------------------------------------------------------


def empty_conversations(
    tx: Connection, tenant: str, after: bytes, limit: int, *, among: Sequence[bytes] | None = None
) -> Sequence[Any]:
    """The next conversations of which no content is left, also none that a hold keeps.

    Rows of id, connector, when the last message was recorded (or the conversation opened), and whether its person allowed
    or withdrew anything.
    """
    own = conversations.c
    said = (messages.c.tenant == own.tenant, messages.c.conversation == own.id)
    last = select(func.max(messages.c.recorded_at)).where(*said).scalar_subquery()
    asked = select(consents.c.tenant).where(
        consents.c.tenant == own.tenant, consents.c.conversation == own.id
    )
    kept = select(restricted.c.key).where(
        restricted.c.tenant == own.tenant, restricted.c.conversation == own.id
    )
    wanted = (
        select(
            own.id,
            own.connector,
            func.coalesce(last, own.opened_at).label("last_at"),
            asked.exists().label("asked"),
        )
        .where(own.tenant == tenant, own.id > after)
        .where(~select(messages.c.key).where(*said, _has_content()).exists(), ~kept.exists())
        .order_by(own.id)
        .limit(limit)
    )
    return tx.execute(wanted if among is None else wanted.where(own.id.in_(among))).all()


# -- records -------------------------------------------------------------------------------------------------


def count_records(tx: Connection, tenant: str) -> dict[str, int]:
    """How many records without content there are: tombstones, persons, commits of the decision chain."""
    asked: dict[str, tuple[Table, ColumnElement[bool] | None]] = {
        "tombstones": (messages, messages.c.content.is_(None)),
        "persons": (conversations, None),
        "decision commits": (commits, None),
    }
    return {
        name: int(tx.execute(_counted(table, tenant, which)).scalar_one())
        for name, (table, which) in asked.items()
    }


def _counted(table: Table, tenant: str, which: ColumnElement[bool] | None) -> Any:
    wanted = select(func.count()).select_from(table).where(table.c.tenant == tenant)
    return wanted if which is None else wanted.where(which)


def forget_tombstones(tx: Connection, tenant: str, before: Instant, limit: int) -> int:
    """Remove at most so many messages without content that were recorded before that; how many."""
    old = (messages.c.tenant == tenant, messages.c.content.is_(None), messages.c.recorded_at < before)
    return delete_some(tx, messages, old, limit)


def has_holds(tx: Connection, tenant: str) -> bool:
    """Whether a legal hold is in force."""
    wanted = select(holds.c.id).where(holds.c.tenant == tenant, holds.c.lifted_at.is_(None)).limit(1)
    return tx.execute(wanted).first() is not None


def remove_some(tx: Connection, tenant: str, limit: int) -> int:
    """Remove at most so many rows of a tenant, whatever they are, but for its offboarding; how many. 0: none is left."""
    for table in Tables.metadata.sorted_tables:
        if table not in (offboardings, leases):
            gone = delete_some(tx, table, (table.c.tenant == tenant,), limit)
            if gone:
                return gone
    return 0


def receipts_of(tx: Connection, tenant: str, kind: str) -> Iterator[bytes]:
    """The deletion receipts of one kind, the oldest first."""
    wanted = select(receipts.c.receipt).where(receipts.c.tenant == tenant, receipts.c.kind == kind)
    yield from tx.execute(wanted.order_by(receipts.c.id).execution_options(yield_per=500)).scalars()


# -- offboardings --------------------------------------------------------------------------------------------


def find_offboarding(tx: Connection, tenant: str, *, lock: bool = False) -> Offboarding | None:
    """How far the end of a tenant's agreement is; None where nobody said that it ends."""
    wanted = select(offboardings).where(offboardings.c.tenant == tenant)
    row = tx.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    return (
        None
        if row is None
        else Offboarding(**{name: getattr(row, name) for name in Offboarding.__struct_fields__})
    )


def begin_offboarding(tx: Connection, tenant: str, new: Offboarding, policy: Retention, now: Instant) -> None:
    """Write down that the agreement ends, and what the tenant's file said of keeping: the file may be gone later."""
    insert_missing(tx, offboardings, [{"tenant": tenant, **msgspec.structs.asdict(new)}])
    cursors.move(tx, tenant, _POLICY, msgspec.msgpack.encode(policy), now)


def kept_policy(tx: Connection, tenant: str) -> Retention:
    """What the tenant's file said of keeping when it was offboarded."""
    kept = cursors.read(tx, tenant, _POLICY)
    return Retention() if kept is None else _decoder.decode(kept.value)


def move_offboarding(tx: Connection, tenant: str, before: str, **values: Any) -> bool:
    """Change an offboarding that is at this step. Whether it was."""
    which = (offboardings.c.tenant == tenant, offboardings.c.step == before)
    return tx.execute(update(offboardings).where(*which).values(**values)).rowcount == 1


def all_offboardings(tx: Connection) -> dict[str, Offboarding]:
    """Every tenant whose agreement ends or ended."""
    names = Offboarding.__struct_fields__
    rows = tx.execute(select(offboardings).order_by(offboardings.c.tenant))
    return {row.tenant: Offboarding(**{name: getattr(row, name) for name in names}) for row in rows}


# -- space ---------------------------------------------------------------------------------------------------


def free_pages(tx: Connection) -> int:
    """How many pages of SQLite's file hold nothing; 0 on PostgreSQL."""
    return int(tx.exec_driver_sql("PRAGMA freelist_count").scalar_one()) if is_sqlite(tx) else 0


def return_pages(tx: Connection, number: int) -> None:
    """Cut so many empty pages off SQLite's file; one by one: Python's driver stops after the first of several."""
    for _ in range(number):
        tx.exec_driver_sql("PRAGMA incremental_vacuum(1)")
