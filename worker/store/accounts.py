"""A tenant's standing with its platforms, and the counters of what became of its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from sqlalchemy import Connection

from policies.event import AccountChanged
from worker.store.statements import Insert, insert, replace_older
from worker.store.tables import AccountStateRow, CounterRow, Table

account_states = Table.metadata.tables[str(AccountStateRow.__tablename__)]
counters = Table.metadata.tables[str(CounterRow.__tablename__)]

CounterKey = tuple[int, str, str, str, str]
"""(day, connector, event, disposition, reason)."""


def change_accounts(tx: Connection, tenant: str, changes: Sequence[tuple[str, AccountChanged]]) -> None:
    """Record changes of standing, by connector; the latest event wins, of two at once the greater words."""
    rows = [
        {
            "tenant": tenant,
            "connector": connector,
            "account": change.account,
            "aspect": change.aspect.value,
            "subject": change.subject,
            "changed_at": change.occurred_at,
            "state": change.state.value,
            "detail": change.detail,
        }
        for connector, change in changes
    ]
    ordered = sorted(rows, key=lambda row: tuple(row.values()))
    replace_older(tx, account_states, ordered, ("changed_at", "state", "detail"))


def count(tx: Connection, tenant: str, counts: Mapping[CounterKey, int]) -> None:
    """Add to the counters of the day."""
    if not counts:
        return
    names = ("day", "connector", "event", "disposition", "reason")
    rows = [
        {"tenant": tenant, **dict(zip(names, key, strict=True)), "count": number}
        for key, number in sorted(counts.items())
    ]
    tx.execute(_add(tx.dialect.name), rows)


@cache
def _add(dialect: str) -> Insert:
    statement = insert(dialect, counters)
    return statement.on_conflict_do_update(
        index_elements=list(counters.primary_key.columns),
        set_={"count": counters.c.count + statement.excluded.count},
    )
