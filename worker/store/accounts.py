"""A tenant's standing with its platforms, and the counters of what became of its events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, case, or_, select, tuple_

from policies.event import AccountChanged, AccountState
from policies.message import Instant
from policies.sms.standing import ABOUT_SENDING, MOVING, STOPPING, worst
from worker.store.statements import Insert, insert, run
from worker.store.tables import AccountStateRow, CounterRow, Table

account_states = Table.metadata.tables[str(AccountStateRow.__tablename__)]
counters = Table.metadata.tables[str(CounterRow.__tablename__)]

_KEY: Final = ", ".join(f'"{column.name}"' for column in counters.primary_key.columns)
_ADD: Final = (
    f'INSERT INTO "{counters.name}" ({_KEY}, "count") VALUES (?, ?, ?, ?, ?, ?, ?)'  # noqa: S608 - our own names
    f' ON CONFLICT ({_KEY}) DO UPDATE SET "count" = "{counters.name}"."count" + excluded."count"'
)

_NEWER_BY: Final = ("changed_at", "state", "detail")

CounterKey = tuple[int, str, str, str, str]
"""(day, connector, event, disposition, reason)."""


def change_accounts(tx: Connection, tenant: str, changes: Sequence[tuple[str, AccountChanged]]) -> None:
    """Record changes of standing, by connector; the latest event wins, of two at once the greater words.

    A notice is no standing: it never takes the place of one, however late it is.
    """
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
    if ordered:
        tx.execute(_replace(tx.dialect.name), ordered)


@cache
def _replace(dialect: str) -> Insert:
    statement = insert(dialect, account_states)
    known, told = (
        tuple_(_moves(row), *(row[name] for name in _NEWER_BY))
        for row in (account_states.c, statement.excluded)
    )
    return statement.on_conflict_do_update(
        index_elements=list(account_states.primary_key.columns),
        set_={name: statement.excluded[name] for name in _NEWER_BY},
        where=known < told,
    )


def _moves(row: Any) -> Any:
    # Not IN: its list cannot be bound for several rows at once.
    return case((or_(*(row["state"] == state.value for state in sorted(MOVING))), 1), else_=0)


Place = tuple[str, str]
"""Connector and account."""

_STOPPING: Final = [state.value for state in STOPPING]
_ABOUT_SENDING: Final = [aspect.value for aspect in ABOUT_SENDING]


class Standing(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Why an account, or all of a connector's (account ""), sends nothing, and since when."""

    tenant: str
    connector: str
    account: str
    aspect: str
    state: str
    detail: str
    changed_at: Instant


def stopped(tx: Connection, tenant: str | None = None, connectors: Collection[str] = ()) -> list[Standing]:
    """Everything that keeps accounts from sending, of a tenant or of all, of these connectors or of all."""
    known = account_states.c
    columns = [known[name] for name in Standing.__struct_fields__]
    wanted = select(*columns).where(known.state.in_(_STOPPING), known.aspect.in_(_ABOUT_SENDING))
    if tenant is not None:
        wanted = wanted.where(known.tenant == tenant)
    if connectors:
        wanted = wanted.where(known.connector.in_(sorted(connectors)))
    return sorted(Standing(**row) for row in tx.execute(wanted).mappings())


def standings(tx: Connection, tenant: str, places: Collection[Place]) -> dict[Place, AccountState]:
    """The standing of each of these. What names no account is about all of a connector's."""
    told: defaultdict[Place, set[AccountState]] = defaultdict(set)
    for one in stopped(tx, tenant, {connector for connector, _ in places}) if places else ():
        told[one.connector, one.account].add(AccountState(one.state))
    return {
        (connector, account): worst(told[connector, account] | told[connector, ""])
        for connector, account in places
    }


def count(tx: Connection, tenant: str, counts: Mapping[CounterKey, int]) -> None:
    """Add to the counters of the day."""
    if not counts:
        return
    run(tx, _ADD, [(tenant, *key, number) for key, number in sorted(counts.items())])
