"""Texts of which nobody knows whether they were sent: a person says so, with who and why on the record."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from sqlalchemy import Connection

from policies.message import Instant
from worker.acts import Operator, record_act
from worker.keyring import Keyring
from worker.store import outbox
from worker.store.engine import Store
from worker.store.outbox import OutboxState, Outgoing
from worker.store.retry import persistently


class Resolution(StrEnum):
    """What a person found out, or wants."""

    SENT = "sent"
    FAILED = "failed"
    SEND_AGAIN = "send_again"


class NotUnresolved(Exception):
    """Nothing under this id waits for a person to say what became of it."""


def unresolved(store: Store, tenant: str) -> list[Outgoing]:
    """What waits for a person, the oldest first."""
    with store.reading() as tx:
        return outbox.unresolved(tx, tenant)


def resolve(
    store: Store,
    keyring: Keyring,
    tenant: str,
    id_: str,
    resolution: Resolution,
    *,
    operator: Operator,
    clock: Callable[[], Instant],
) -> None:
    """End one unresolved text, or have it sent again. ``id_`` or its first digits. Raises NotUnresolved."""

    def transact() -> None:
        now = clock()
        with store.transaction() as tx:
            found = [row for row in outbox.unresolved(tx, tenant) if row.id.hex().startswith(id_)]
            if len(found) != 1 or not _applied(tx, tenant, found[0], resolution, now):
                raise NotUnresolved
            record_act(
                tx,
                keyring,
                tenant,
                action=f"resolved_{resolution}",
                about=found[0].key,
                operator=operator,
                now=now,
            )

    persistently(transact)


def _applied(tx: Connection, tenant: str, row: Outgoing, resolution: Resolution, now: Instant) -> bool:
    if resolution is Resolution.SEND_AGAIN:
        return outbox.send_again(tx, tenant, row, now)
    state = OutboxState.SENT if resolution is Resolution.SENT else OutboxState.FAILED
    return outbox.record(tx, tenant, row, state, now)
