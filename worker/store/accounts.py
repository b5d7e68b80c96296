"""A tenant's standing with its platforms, and the counters of what became of its events."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from sqlalchemy import Connection, tuple_, update

from policies.event import AccountChanged
from worker.store.statements import Insert, insert, insert_missing
from worker.store.tables import AccountStateRow, CounterRow, Table

account_states = Table.metadata.tables[str(AccountStateRow.__tablename__)]
counters = Table.metadata.tables[str(CounterRow.__tablename__)]

CounterKey = tuple[int, str, str, str, str]
"""(day, connector, event, disposition, reason)."""


def change_account(tx: Connection, tenant: str, connector: str, change: AccountChanged) -> None:
    """Record a change of standing; the latest event wins, of two at once the greater words."""
    where = {
        "tenant": tenant,
        "connector": connector,
        "account": change.account,
        "aspect": change.aspect.value,
        "subject": change.subject,
    }
    values = {"state": change.state.value, "detail": change.detail, "changed_at": change.occurred_at}
    insert_missing(tx, account_states, [{**where, **values}])
    known = account_states.c
    newer = tuple_(known.changed_at, known.state, known.detail) < tuple_(
        *(values[name] for name in ("changed_at", "state", "detail"))
    )
    same = [account_states.c[name] == value for name, value in where.items()]
    tx.execute(update(account_states).where(*same, newer).values(values))


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
