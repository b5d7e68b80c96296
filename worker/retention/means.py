"""What retention works with, and how it takes no more of the writer than others can spare."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from sqlalchemy import Connection

from connectors.registry import CONNECTORS
from policies.lifecycle import CLAUSES, Duty
from policies.message import Instant, Private
from worker.audit.receipts import Destroyed, make_receipt
from worker.audit.signing import SigningKey
from worker.chain import DecisionRecord
from worker.crypto import derive
from worker.keyring import PSEUDONYM, Keyring
from worker.settle import commitment
from worker.store import decisions, seals
from worker.store.decisions import End
from worker.store.engine import Store
from worker.store.retry import persistently

BATCH: Final = 500
"""Rows of one transaction: intake waits for no longer than that."""

_REST: Final = 3.0
"""How much longer than a batch the pause after it is."""
_LONGEST_REST: Final = 2.0

T = TypeVar("T")


def rest(seconds: float) -> None:
    """Leave the writer to intake, after a batch that took so long."""
    time.sleep(min(_REST * seconds, _LONGEST_REST))


class Stopped(Exception):
    """Somebody asked to stop: what is left is done the next time."""


class Means(Private, frozen=True, kw_only=True):
    """Databases, key that signs, clock. ``rest`` is called between two batches with the seconds that one took.

    ``stop`` is asked before each: when it says so, ``Stopped`` is raised.
    """

    store: Store
    keyring: Keyring
    signing: SigningKey
    clock: Callable[[], Instant]
    rest: Callable[[float], None] = rest
    stop: Callable[[], bool] = lambda: False

    def transact(self, work: Callable[[Connection], T]) -> T:
        """One batch: a transaction, tried again where replicas met, and a pause."""
        if self.stop():
            raise Stopped
        done, took = persistently(lambda: self._once(work))
        self.rest(took)
        return done

    def until_done(self, work: Callable[[Connection], int], limit: int = BATCH) -> int:
        """Batches until one finds less than so many; how many there were in all."""
        total = 0
        while True:
            number = self.transact(work)
            total += number
            if number < limit:
                return total

    def _once(self, work: Callable[[Connection], T]) -> tuple[T, float]:
        """What it returns, and how long others had to wait for it: not how long it waited for them."""
        with self.store.transaction() as tx:
            started = time.monotonic()
            done = work(tx)
        return done, time.monotonic() - started

    def salt(self, tenant: str) -> bytes:
        """The salt of commitments that belong to no conversation."""
        return derive(self.keyring.tenant_key(tenant, PSEUDONYM), b"decisions")

    def tell(
        self,
        tx: Connection,
        tenant: str,
        destroyed: Sequence[Destroyed],
        others: Sequence[DecisionRecord],
        now: Instant,
        end: End,
    ) -> tuple[int, bytes]:
        """A signed receipt of each and decision records, in the transaction that destroys, as the last thing in it."""
        salt = self.salt(tenant)
        receipts = [make_receipt(self.signing, tenant, one, now) for one in destroyed]
        seals.add_receipts(tx, tenant, receipts)
        told = [
            record(one.kind, "destroyed", one.duty, commitment(salt, receipt.id))
            for one, receipt in zip(destroyed, receipts, strict=True)
        ]
        return decisions.append(tx, tenant, now, [*told, *others], end)


def record(event: str, disposition: str, duty: Duty, subject: bytes) -> DecisionRecord:
    """A decision record of what a duty asked for."""
    reasons = ((duty.value, "lifecycle", CLAUSES[duty]),)
    return DecisionRecord(
        connector="",
        account="",
        event=event,
        disposition=disposition,
        policy="",
        subject=subject,
        reasons=reasons,
    )


def channel_of(connector: str) -> str:
    """The channel of a connector, "" for one that this version does not know any more."""
    known = CONNECTORS.get(connector)
    return known.channel.value if known is not None else ""
