"""A tenant's standing with its platforms, and the counters of what became of its events."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, update

from policies.event import AccountChanged
from worker.store.statements import insert, insert_missing
from worker.store.tables import AccountStateRow, CounterRow, Table

account_states = Table.metadata.tables[str(AccountStateRow.__tablename__)]
counters = Table.metadata.tables[str(CounterRow.__tablename__)]

CounterKey = tuple[int, str, str, str, str]
"""(day, connector, event, disposition, reason)."""


def change_account(tx: Connection, tenant: str, connector: str, change: AccountChanged) -> None:
    """Record a change of standing; the latest event wins, of two at once the greater word."""
    where = {
        "tenant": tenant,
        "connector": connector,
        "account": change.account,
        "aspect": change.aspect.value,
        "subject": change.subject,
    }
    values = {"state": change.state.value, "detail": change.detail, "changed_at": change.occurred_at}
    insert_missing(tx, account_states, [{**where, **values}])
    at = account_states.c.changed_at
    newer = (at < change.occurred_at) | (
        (at == change.occurred_at) & (account_states.c.state < change.state.value)
    )
    same = [account_states.c[name] == value for name, value in where.items()]
    tx.execute(update(account_states).where(*same, newer).values(values))


def count(tx: Connection, tenant: str, counts: Mapping[CounterKey, int]) -> None:
    """Add to the counters of the day."""
    if not counts:
        return
    statement = insert(tx, counters)
    statement = statement.on_conflict_do_update(
        index_elements=list(counters.primary_key.columns),
        set_={"count": counters.c.count + statement.excluded.count},
    )
    names = ("day", "connector", "event", "disposition", "reason")
    rows = [
        {"tenant": tenant, **dict(zip(names, key, strict=True)), "count": number}
        for key, number in sorted(counts.items())
    ]
    tx.execute(statement, rows)
