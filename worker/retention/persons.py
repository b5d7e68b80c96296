"""Persons of whom nothing is left: after the longest ceiling their identifiers go, and the conversation's key with them.

Whoever allowed or withdrew something stays known for as long as the agreement lasts: an opt-out must be honoured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from policies.lifecycle import Duty
from policies.message import Instant
from policies.retention import FOREVER, Retention, goes_with_agreement
from worker.audit.receipts import Destroyed
from worker.holds.holding import Holds
from worker.retention.means import Means, channel_of
from worker.store import decisions, persons, retention
from worker.store.partitions import id_at

PAGE: Final = 500
SOME: Final = 50
"""So many conversations at a time: their tenant's chain is locked meanwhile."""

ORPHANED: Final[Instant] = 24 * 3_600 * 1_000_000
"""A key of that age without a conversation is nobody's: its erasure was cut off. A new one may be about to get one."""

Due = Callable[[Any, Instant], Duty | None]
"""What asks for an empty conversation to go, from its row and the time; None: nothing."""


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """Persons forgotten, keys destroyed."""

    persons: int = 0
    keys: int = 0


def by_age(policy: Retention, row: Any, now: Instant) -> Duty | None:
    """After the longest ceiling of the channel."""
    if row.asked:
        return None
    goes_at = policy.person_goes_at(channel_of(row.connector), row.last_at)
    return Duty.RETENTION_CEILING if goes_at < FOREVER and now >= goes_at else None


def by_end(policy: Retention, row: Any, now: Instant) -> Duty | None:
    """At once, where the platform's terms let nothing be kept after the agreement."""
    return (
        Duty.PLATFORM_DELETION if goes_with_agreement(channel_of(row.connector)) else by_age(policy, row, now)
    )


def forget(means: Means, tenant: str, due: Due, kind: str) -> Forgotten:
    """Forget whoever is due, and destroy the keys of everybody who is gone."""
    number, after = 0, b""
    while True:
        with means.store.reading() as tx:
            page = retention.empty_conversations(tx, tenant, after, PAGE)
        ids = [row.id for row in page if due(row, means.clock()) is not None]
        for start in range(0, len(ids), SOME):
            number += _forgotten(means, tenant, due, kind, ids[start : start + SOME])
        if len(page) < PAGE:
            return Forgotten(persons=number, keys=destroy_orphans(means, tenant) + number)
        after = page[-1].id


def count(tx: Connection, tenant: str, due: Due, now: Instant) -> int:
    """How many conversations without content are due now."""
    number, after, page = 0, b"", None
    while page is None or len(page) == PAGE:
        page = retention.empty_conversations(tx, tenant, after, PAGE)
        number += sum(due(row, now) is not None for row in page)
        after = page[-1].id if page else after
    return number


def destroy_orphans(means: Means, tenant: str) -> int:
    """Destroy old keys whose conversation is not there: a crash came between the two. How many."""
    gone, after = 0, b""
    while True:
        held = means.keyring.conversations(tenant, after, id_at(means.clock() - ORPHANED), PAGE)
        with means.store.reading() as tx:
            alive = {row.id for row in persons.conversation_rows(tx, tenant, held)}
        gone += means.keyring.destroy(tenant, set(held) - alive)
        if len(held) < PAGE:
            return gone
        after = held[-1]


def _forgotten(means: Means, tenant: str, due: Due, kind: str, ids: Sequence[bytes]) -> int:
    gone = means.transact(partial(_remove, means=means, tenant=tenant, due=due, kind=kind, ids=ids))
    # Only now: as long as the conversation was there, somebody could have sealed something with its key.
    means.keyring.destroy(tenant, gone)
    return len(gone)


def _remove(
    tx: Connection, *, means: Means, tenant: str, due: Due, kind: str, ids: Sequence[bytes]
) -> list[bytes]:
    # Whoever has written to one of them came to the end of the chain before us, and is seen; who comes after us looks
    # again (worker/settle.py).
    end = decisions.lock_end(tx, tenant)
    now, holds = means.clock(), Holds(tx, tenant)
    rows = retention.empty_conversations(tx, tenant, b"", len(ids), among=ids)
    going = {row.id: duty for row in rows if (duty := due(row, now)) is not None and not holds.keeps(row.id)}
    for id_ in going:
        persons.remove(tx, tenant, id_)
    if going:
        decisions.count_erasures(tx, tenant, len(going))
        told = [
            Destroyed(kind=kind, duty=duty, conversations=some, keys=some)
            for duty in sorted(set(going.values()))
            if (some := [id_ for id_, one in going.items() if one is duty])
        ]
        means.tell(tx, tenant, told, [], now, end)
    return list(going)
