"""How much there was in windows of time: texts to a recipient, of a sender, over a network. Names are keyed hashes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection

from worker.store.statements import add_up, delete_some, select_each
from worker.store.tables import Table, TallyRow

tallies = Table.metadata.tables[str(TallyRow.__tablename__)]

TallyKey = tuple[str, bytes, int]
"""(kind, name, number of the window)."""

# "+ 0": without statistics PostgreSQL would look through a whole kind by its windows rather than for the name.
_SUM: Final = (
    f'SELECT sum("count") FROM "{tallies.name}"'  # noqa: S608 - our own name
    ' WHERE "tenant" = :of AND "kind" = :kind AND "name" = :k0 AND "window" + 0 >= :since'
)


def add(tx: Connection, tenant: str, counts: Mapping[TallyKey, int]) -> None:
    """Add to the windows' counts."""
    add_up(tx, tallies, [(tenant, *key, count) for key, count in sorted(counts.items())])


def sums(tx: Connection, tenant: str, kind: str, names: Collection[bytes], since: int) -> dict[bytes, int]:
    """Name → how much there was from the window ``since`` on; 0 where there was nothing."""
    asked = sorted(set(names))
    values = {"of": tenant, "kind": kind, "since": since}
    found = select_each(tx, _SUM, [(name,) for name in asked], values)
    return {asked[number]: int(total or 0) for number, total in found}


def purge(tx: Connection, tenant: str, kind: str, before: int, limit: int) -> int:
    """Forget at most so many counts of windows before that one; how many."""
    return delete_some(
        tx, tallies, (tallies.c.tenant == tenant, tallies.c.kind == kind, tallies.c.window < before), limit
    )
