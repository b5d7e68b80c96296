"""What operators did, when and about what. Append-only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from policies.message import Instant, Private
from worker.store.statements import insert_new, row_of
from worker.store.tables import ActRow, Table

acts = Table.metadata.tables[str(ActRow.__tablename__)]


class Act(Private, frozen=True, kw_only=True):
    """One act: ``id`` is a UUIDv7, ``action`` a word of our own, ``about`` a key or id, ``sealed`` says who and why."""

    id: bytes
    action: str
    about: bytes
    done_at: Instant
    sealed: bytes


def append(tx: Connection, tenant: str, new: Sequence[Act]) -> None:
    """Remember what was done, in the transaction that does it."""
    insert_new(tx, acts, [row_of(acts, tenant, one) for one in new])


def latest(tx: Connection, tenant: str, limit: int = 1000, *, about: bytes | None = None) -> list[Act]:
    """The last acts, or the last about one thing, in the order in which they were done."""
    wanted = select(acts).where(acts.c.tenant == tenant).order_by(acts.c.id.desc()).limit(limit)
    if about is not None:
        wanted = wanted.where(acts.c.about == about)
    return [_act(row) for row in tx.execute(wanted)][::-1]


def _act(row: Any) -> Act:
    return Act(**{name: getattr(row, name) for name in Act.__struct_fields__})
