"""Requests of persons, and how far each came. What identifies anybody in them is sealed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, select, update

from policies.message import Instant, Private
from worker.store.statements import insert_new, row_of
from worker.store.tables import RightsRequestRow, Table

requests = Table.metadata.tables[str(RightsRequestRow.__tablename__)]

FINISHED: Final = "COMPLETED"
"""The status that nothing leaves."""


class Kept(Private, frozen=True, kw_only=True):
    """A request as it is stored (worker/store/tables.py says what the columns are)."""

    id: bytes
    kind: str
    status: str
    source: str
    step: str
    received_at: Instant
    due_at: Instant
    completed_at: Instant | None = None
    sealed: bytes
    log: bytes | None = None

    @property
    def is_done(self) -> bool:
        """Whether it came to its end."""
        return self.completed_at is not None


def add(tx: Connection, tenant: str, kept: Kept) -> None:
    """Record a request that was looked for and not found. Raises Raced where another recorded it meanwhile."""
    insert_new(tx, requests, [row_of(requests, tenant, kept)])


def find(tx: Connection, tenant: str, id_: bytes) -> Kept | None:
    """The request under this id."""
    row = tx.execute(select(requests).where(requests.c.tenant == tenant, requests.c.id == id_)).one_or_none()
    return None if row is None else _kept(row)


def lock(tx: Connection, tenant: str, id_: bytes, step: str) -> Kept | None:
    """The request, locked until the transaction ends, if it is at this step still; None where another went on."""
    wanted = select(requests).where(requests.c.tenant == tenant, requests.c.id == id_)
    row = tx.execute(wanted.with_for_update()).one_or_none()
    return None if row is None or row.step != step else _kept(row)


def move(tx: Connection, tenant: str, id_: bytes, before: str, **values: Any) -> bool:
    """Change a request that is at this step. Whether it was."""
    there = (requests.c.tenant == tenant, requests.c.id == id_, requests.c.step == before)
    return tx.execute(update(requests).where(*there).values(**values)).rowcount == 1


def all_of(tx: Connection, tenant: str, limit: int = 1000) -> list[Kept]:
    """The last requests of a tenant, the first received first."""
    wanted = select(requests).where(requests.c.tenant == tenant)
    rows = tx.execute(wanted.order_by(requests.c.received_at.desc(), requests.c.id).limit(limit))
    return [_kept(row) for row in rows][::-1]


def of_kinds(tx: Connection, tenant: str, kinds: Sequence[str]) -> list[Kept]:
    """Every request of these kinds."""
    wanted = select(requests).where(requests.c.tenant == tenant, requests.c.kind.in_(kinds))
    return [_kept(row) for row in tx.execute(wanted.order_by(requests.c.received_at, requests.c.id))]


def done_before(tx: Connection, step: str, before: Instant, limit: int) -> list[tuple[str, Kept]]:
    """Requests at this step that were done before that instant, by tenant."""
    wanted = select(requests).where(requests.c.step == step, requests.c.completed_at < before)
    rows = tx.execute(wanted.order_by(requests.c.tenant, requests.c.id).limit(limit))
    return [(row.tenant, _kept(row)) for row in rows]


def unfinished(tx: Connection, tenant: str | None = None) -> list[tuple[str, Kept]]:
    """What is not done, of one tenant or of all, by tenant, the first due first."""
    wanted = select(requests).where(requests.c.status != FINISHED)
    if tenant is not None:
        wanted = wanted.where(requests.c.tenant == tenant)
    rows = tx.execute(wanted.order_by(requests.c.tenant, requests.c.due_at, requests.c.id))
    return [(row.tenant, _kept(row)) for row in rows]


def _kept(row: Any) -> Kept:
    return Kept(**{name: getattr(row, name) for name in Kept.__struct_fields__})
