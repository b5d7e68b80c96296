"""The decision chain in the database: append, and read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, select, update

from policies.message import Instant, Private
from worker import chain
from worker.store import shadow
from worker.store.statements import insert_missing, insert_new, is_sqlite, run
from worker.store.tables import ChainRow, CommitRow, Table

commits = Table.metadata.tables[str(CommitRow.__tablename__)]
ends = Table.metadata.tables[str(ChainRow.__tablename__)]

_END: Final = f'SELECT "sequence", "head", "erasures" FROM "{ends.name}" WHERE "tenant" = ?'  # noqa: S608 - our own name
_MOVE_END: Final = f'UPDATE "{ends.name}" SET "sequence" = ?, "head" = ? WHERE "tenant" = ?'  # noqa: S608


class End(Private, frozen=True, kw_only=True):
    """The end of a tenant's chain as whoever has locked it sees it; ``erasures``: so many conversations were erased."""

    sequence: int
    head: bytes
    erasures: int


def lock_end(tx: Connection, tenant: str) -> End:
    """Lock the end of the chain until the transaction ends: replicas commit one after the other from here on."""
    locked_end = _END if is_sqlite(tx) else f"{_END} FOR UPDATE"
    end = run(tx, locked_end, (tenant,)).one_or_none()
    if end is None:
        insert_missing(tx, ends, [{"tenant": tenant, "sequence": 0, "head": chain.GENESIS, "erasures": 0}])
        end = run(tx, locked_end, (tenant,)).one()
    return End(sequence=end.sequence, head=end.head, erasures=end.erasures)


def append(
    tx: Connection,
    tenant: str,
    now: Instant,
    records: Sequence[chain.DecisionRecord],
    end: End | None = None,
) -> tuple[int, bytes]:
    """Append one commit's decisions; the new sequence number and head. ``end``: as this transaction has locked it.

    The end of the chain stays locked until the transaction ends, so this is the last thing that a transaction does.
    """
    end = end or lock_end(tx, tenant)
    if not records:
        return end.sequence, end.head
    stored, root = chain.encode(records)
    sequence = end.sequence + 1
    head = chain.head(end.head, tenant, sequence, now, len(records), root)
    insert_new(tx, commits, [(tenant, sequence, now, len(records), root, head, stored)])
    run(tx, _MOVE_END, (sequence, head, tenant))
    return sequence, head


def count_erasures(tx: Connection, tenant: str, number: int) -> None:
    """So many conversations are erased by this transaction, which has locked the end of the chain."""
    counted = {"erasures": ends.c.erasures + number}
    tx.execute(update(ends).where(ends.c.tenant == tenant).values(counted))


def read(tx: Connection, tenant: str) -> Iterator[chain.Commit]:
    """A tenant's commits in order."""
    statement = select(commits).where(commits.c.tenant == tenant).order_by(commits.c.sequence)
    with tx.execute(statement.execution_options(yield_per=500)) as found:
        for row in found.mappings():
            yield chain.Commit(**row)


def tenants(tx: Connection) -> list[str]:
    """Every tenant that has a chain, without shadows."""
    wanted = select(ends.c.tenant).where(ends.c.tenant.not_like(shadow.ALL)).order_by(ends.c.tenant)
    return list(tx.execute(wanted).scalars())


def end_of(tx: Connection, tenant: str) -> tuple[int, bytes]:
    """The chain's sequence number and head; (0, 32 zero bytes) for a tenant without decisions."""
    end = run(tx, _END, (tenant,)).one_or_none()
    return (0, chain.GENESIS) if end is None else (end.sequence, end.head)


def verify(tx: Connection, tenant: str) -> int | None:
    """The first commit of the tenant's chain that is missing or altered; None when the chain holds."""
    return chain.verify(read(tx, tenant), end_of(tx, tenant))
