"""How much there was in windows of time: texts to a recipient, of a sender, over a network. Names are keyed hashes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Final

from sqlalchemy import Connection, bindparam, func, select

from worker.store.statements import Insert, delete_some, insert
from worker.store.tables import Table, TallyRow

tallies = Table.metadata.tables[str(TallyRow.__tablename__)]

TallyKey = tuple[str, bytes, int]
"""(kind, name, number of the window)."""

_SUM: Final = select(func.sum(tallies.c.count)).where(
    tallies.c.tenant == bindparam("of"),
    tallies.c.kind == bindparam("kind"),
    tallies.c.name == bindparam("name"),
    tallies.c.window >= bindparam("since"),
)


def add(tx: Connection, tenant: str, counts: Mapping[TallyKey, int]) -> None:
    """Add to the windows' counts."""
    rows = [
        {"tenant": tenant, "kind": kind, "name": name, "window": window, "count": count}
        for (kind, name, window), count in sorted(counts.items())
    ]
    if rows:
        tx.execute(_add(tx.dialect.name), rows)


@cache
def _add(dialect: str) -> Insert:
    statement = insert(dialect, tallies)
    return statement.on_conflict_do_update(
        index_elements=list(tallies.primary_key.columns),
        set_={"count": tallies.c.count + statement.excluded["count"]},
    )


def sums(tx: Connection, tenant: str, kind: str, names: Collection[bytes], since: int) -> dict[bytes, int]:
    """Name → how much there was from the window ``since`` on; 0 where there was nothing."""
    asked = {"of": tenant, "kind": kind, "since": since}
    return {name: int(tx.execute(_SUM, asked | {"name": name}).scalar() or 0) for name in sorted(set(names))}


def totals(tx: Connection, tenant: str, kind: str, since: int) -> dict[bytes, int]:
    """Every name of a kind with how much there was from the window ``since`` on."""
    wanted = (
        select(tallies.c.name, func.sum(tallies.c.count))
        .where(tallies.c.tenant == tenant, tallies.c.kind == kind, tallies.c.window >= since)
        .group_by(tallies.c.name)
    )
    return {name: int(total) for name, total in tx.execute(wanted)}


def purge(tx: Connection, tenant: str, kind: str, before: int, limit: int) -> int:
    """Forget at most so many counts of windows before that one; how many."""
    return delete_some(
        tx, tallies, (tallies.c.tenant == tenant, tallies.c.kind == kind, tallies.c.window < before), limit
    )
