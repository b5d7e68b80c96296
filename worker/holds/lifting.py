"""What is due when no hold keeps it any more: restricted content is destroyed, erasures that were kept back are done.

Each batch is a transaction of its own, with its receipts, its decision records and its lines in the journal. After a crash at any point the next run
finds what is left: what is restricted and not covered is the work that is to be done, whoever lifted what, and when.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec
from sqlalchemy import Connection

from policies.lifecycle import CLAUSES, Duty
from policies.message import Instant
from worker.audit.receipts import Destroyed, make_receipt
from worker.audit.signing import SigningKey
from worker.chain import DecisionRecord
from worker.crypto import derive
from worker.holds.holding import Holds
from worker.keyring import PSEUDONYM, Keyring
from worker.opening import Opened
from worker.rights.erase import Eraser
from worker.settle import commitment
from worker.store import decisions, seals
from worker.store import holds as store
from worker.store.checkpoint import empty
from worker.store.engine import Store
from worker.store.holds import NO_CONTENT, Restricted
from worker.store.retry import persistently
from worker.store.seals import Receipt

BATCH: Final = 500
"""Contents of one transaction: intake waits for no longer than that."""

KIND: Final = "lifted_hold"
"""The kind of a receipt, and the event of a decision record."""

Erase = Callable[[str, bytes], object]
"""Erases one conversation of a tenant, its key too; may be called again."""


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """How many contents were destroyed, and how many conversations erased."""

    destroyed: int = 0
    erased: int = 0


class _Batch(msgspec.Struct, frozen=True, kw_only=True):
    last: bytes | None
    destroyed: int
    due: frozenset[bytes]


class Lifting:
    """Completes what holds kept back, in one store."""

    def __init__(
        self,
        store_: Store,
        keyring: Keyring,
        signing: SigningKey,
        *,
        clock: Callable[[], Instant],
        erase: Erase,
    ) -> None:
        self._store = store_
        self._keyring = keyring
        self._signing = signing
        self._clock = clock
        self._erase = erase

    def run(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """For a schedule: complete what is due for every tenant until it has to stop; whether there was anything."""
        with self._store.reading() as tx:
            tenants = store.tenants_with_restrictions(tx)
        done = [self.complete(tenant) for tenant in tenants if not stop()]
        return any(one.destroyed or one.erased for one in done)

    def complete(self, tenant: str) -> Completed:
        """Destroy what no hold of the tenant covers any more, and erase whom none keeps."""
        destroyed, due, after = 0, set[bytes](), b""
        while True:
            batch = persistently(partial(self._batch, tenant, after))
            destroyed += batch.destroyed
            due |= batch.due
            if batch.last is None:
                break
            after = batch.last
        for conversation in sorted(due):
            self._erase(tenant, conversation)
        if destroyed or due:
            empty(self._store)  # what was destroyed stands in SQLite's log no longer
        return Completed(destroyed=destroyed, erased=len(due))

    def _batch(self, tenant: str, after: bytes) -> _Batch:
        now = self._clock()
        with self._store.transaction() as tx:
            rows = store.restricted_after(tx, tenant, after, BATCH)
            holds = Holds(tx, tenant)
            freed = [row for row in rows if row.content != NO_CONTENT and not _is_covered(holds, row)]
            waiting = {row.conversation for row in rows if row.content == NO_CONTENT}
            due = frozenset(one for one in waiting if not holds.keeps(one))
            if freed:
                self._destroy(tx, tenant, freed, now)
            holds.confirm()
        return _Batch(last=rows[-1].key if len(rows) == BATCH else None, destroyed=len(freed), due=due)

    def _destroy(self, tx: Connection, tenant: str, rows: Sequence[Restricted], now: Instant) -> None:
        store.destroy(tx, tenant, rows)
        receipts = [
            make_receipt(
                self._signing,
                tenant,
                Destroyed(kind=KIND, duty=duty, messages=[row.key for row in some], others=len(some)),
                now,
            )
            for duty, some in _by_duty(rows)
        ]
        seals.add_receipts(tx, tenant, receipts)
        decisions.append(tx, tenant, now, [self._record(tenant, one) for one in receipts])

    def _record(self, tenant: str, receipt: Receipt) -> DecisionRecord:
        salt = derive(self._keyring.tenant_key(tenant, PSEUDONYM), b"decisions")
        duty = Duty(msgspec.json.decode(receipt.receipt)["rule"])
        return DecisionRecord(
            connector="",
            account="",
            event=KIND,
            disposition="destroyed",
            policy="",
            subject=commitment(salt, receipt.id),
            reasons=((duty.value, "lifecycle", CLAUSES[duty]),),
        )


def lifting(opened: Opened, clock: Callable[[], Instant]) -> Lifting:
    """What completes the holds of these databases."""
    eraser = Eraser(opened.store, opened.keyring, clock)
    return Lifting(opened.store, opened.keyring, opened.signing, clock=clock, erase=eraser.conversation)


def _is_covered(holds: Holds, row: Restricted) -> bool:
    return holds.covers(row.conversation, row.occurred_at)


def _by_duty(rows: Sequence[Restricted]) -> list[tuple[Duty, list[Restricted]]]:
    found: dict[Duty, list[Restricted]] = defaultdict(list)
    for row in rows:
        found[Duty(row.why)].append(row)
    return sorted(found.items())
