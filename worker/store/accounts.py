"""A tenant's standing with its platforms, and the counters of what became of its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from policies.event import AccountChanged
from worker.store.statements import replace_older, run
from worker.store.tables import AccountStateRow, CounterRow, Table

account_states = Table.metadata.tables[str(AccountStateRow.__tablename__)]
counters = Table.metadata.tables[str(CounterRow.__tablename__)]

_KEY: Final = ", ".join(f'"{column.name}"' for column in counters.primary_key.columns)
_ADD: Final = (
    f'INSERT INTO "{counters.name}" ({_KEY}, "count") VALUES (?, ?, ?, ?, ?, ?, ?)'  # noqa: S608 - our own names
    f' ON CONFLICT ({_KEY}) DO UPDATE SET "count" = "{counters.name}"."count" + excluded."count"'
)

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
    run(tx, _ADD, [(tenant, *key, number) for key, number in sorted(counts.items())])
