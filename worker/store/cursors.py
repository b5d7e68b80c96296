"""How far something that goes on in steps has come: one value under a name, and when it was last moved."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select

from policies.message import Instant
from worker.store.statements import Insert, insert
from worker.store.tables import CursorRow, Table

cursors = Table.metadata.tables[str(CursorRow.__tablename__)]

SHARED: Final = ""
"""The tenant of what concerns all."""

_NAMES: Final = ("tenant", "name", "value", "moved_at")
_MINE: Final = (cursors.c.tenant == bindparam("of"), cursors.c.name == bindparam("at"))
_READ: Final = select(cursors.c.value, cursors.c.moved_at).where(*_MINE)
_REMOVE: Final = delete(cursors).where(*_MINE)


class Cursor(NamedTuple):
    """A value, and when it was put there."""

    value: bytes
    moved_at: Instant


def read(tx: Connection, tenant: str, name: str) -> Cursor | None:
    """Where it stands; None where nobody began."""
    row = tx.execute(_READ, {"of": tenant, "at": name}).one_or_none()
    return None if row is None else Cursor(row.value, row.moved_at)


def move(tx: Connection, tenant: str, name: str, value: bytes, now: Instant) -> None:
    """Put it there."""
    row = {"tenant": tenant, "name": name, "value": value, "moved_at": now}
    tx.execute(_move(tx.dialect.name), row)


def remove(tx: Connection, tenant: str, name: str) -> None:
    """Begin anew the next time."""
    tx.execute(_REMOVE, {"of": tenant, "at": name})


def latest(tx: Connection, name: str) -> Iterator[tuple[str, Cursor]]:
    """Where it stands for every tenant that began."""
    wanted = select(cursors).where(cursors.c.name == name).order_by(cursors.c.tenant)
    for row in tx.execute(wanted):
        yield row.tenant, Cursor(row.value, row.moved_at)


@cache
def _move(dialect: str) -> Insert:
    statement = insert(dialect, cursors).values({name: bindparam(name) for name in _NAMES})
    told = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=list(cursors.primary_key.columns),
        set_={"value": told.value, "moved_at": told.moved_at},
    )
