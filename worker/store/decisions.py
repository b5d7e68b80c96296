"""The decision chain in the database: append, and read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, select

from policies.message import Instant
from worker import chain
from worker.store.statements import insert_missing, insert_new, is_sqlite, run
from worker.store.tables import ChainRow, CommitRow, Table

commits = Table.metadata.tables[str(CommitRow.__tablename__)]
ends = Table.metadata.tables[str(ChainRow.__tablename__)]

_END: Final = f'SELECT "sequence", "head" FROM "{ends.name}" WHERE "tenant" = ?'  # noqa: S608 - our own name
_MOVE_END: Final = f'UPDATE "{ends.name}" SET "sequence" = ?, "head" = ? WHERE "tenant" = ?'  # noqa: S608


def append(
    tx: Connection, tenant: str, now: Instant, records: Sequence[chain.DecisionRecord]
) -> tuple[int, bytes]:
    """Append one commit's decisions; the new sequence number and head.

    The end of the chain stays locked until the transaction ends: replicas commit one after the other here,
    so this is the last thing that a transaction does.
    """
    locked_end = _END if is_sqlite(tx) else f"{_END} FOR UPDATE"
    end = run(tx, locked_end, (tenant,)).one_or_none()
    if end is None:
        insert_missing(tx, ends, [{"tenant": tenant, "sequence": 0, "head": chain.GENESIS}])
        end = run(tx, locked_end, (tenant,)).one()
    if not records:
        return end.sequence, end.head
    stored, root = chain.encode(records)
    sequence = end.sequence + 1
    head = chain.head(end.head, tenant, sequence, now, len(records), root)
    insert_new(tx, commits, [(tenant, sequence, now, len(records), root, head, stored)])
    run(tx, _MOVE_END, (sequence, head, tenant))
    return sequence, head


def read(tx: Connection, tenant: str) -> Iterator[chain.Commit]:
    """A tenant's commits in order."""
    statement = select(commits).where(commits.c.tenant == tenant).order_by(commits.c.sequence)
    with tx.execute(statement.execution_options(yield_per=500)) as found:
        for row in found.mappings():
            yield chain.Commit(**row)


def tenants(tx: Connection) -> list[str]:
    """Every tenant that has a chain."""
    return list(tx.execute(select(ends.c.tenant).order_by(ends.c.tenant)).scalars())


def end_of(tx: Connection, tenant: str) -> tuple[int, bytes]:
    """The chain's sequence number and head; (0, 32 zero bytes) for a tenant without decisions."""
    end = run(tx, _END, (tenant,)).one_or_none()
    return (0, chain.GENESIS) if end is None else (end.sequence, end.head)


def verify(tx: Connection, tenant: str) -> int | None:
    """The first commit of the tenant's chain that is missing or altered; None when the chain holds."""
    return chain.verify(read(tx, tenant), end_of(tx, tenant))
