"""What intake keeps of its rate while very many messages are purged, in the same process, as a worker does it.

    python -m tests.bench.retention [MESSAGES [SECONDS]]

Senders keep the writer busy all the time: before, during and after a purge that ends after so many seconds where it takes
longer. Wanted: at least 0.8 of the rate without one, and bounded batches.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from policies.retention import ANY, ContentClass, Limits, Retention, Span
from tests.bench.contenders import TENANT
from tests.bench.worker_under_test import fill
from tests.databases import Databases
from tests.flows.harness import Replica, delivery, message, tenant
from worker.audit.signing import SigningKey
from worker.ledger import Ledger
from worker.retention.run import Tended, run_due
from worker.runtime import wall_clock
from worker.store.checkpoint import Checkpointer
from worker.tenants.loading import Tenant

MESSAGES: Final = 1_000_000
SECONDS: Final = 60.0
BASE_SECONDS: Final = 10.0
WANTED: Final = 0.8
_WAITING: Final = 256
_YEAR: Final = 366 * 86_400 * 1_000_000


class Senders:
    """Hand in single messages as fast as the writer takes them."""

    def __init__(self, ledger: Ledger, of: Tenant) -> None:
        self._ledger = ledger
        self._of = of
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        for number in count():
            one = delivery(self._of, message(f"wamid.{number}", "I ordered a blue suitcase three weeks ago"))
            while not self._ledger.submit(one):
                if self._stop.wait(0.0005):
                    return
            if self._stop.is_set():
                return


def main() -> int:
    """Measure, print, and tell whether it was within its bounds."""
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    with TemporaryDirectory() as directory:
        databases = Databases.below(Path(directory) / "store")
        databases.migrate()
        fill(databases.store_url.removeprefix("sqlite:///"), messages)
        return _measure(databases, Path(directory) / "signing.key", seconds)


def _measure(databases: Databases, key: Path, seconds: float) -> int:
    replica = Replica(databases, clock=_in_a_year, capacity=_WAITING)
    of = msgspec.structs.replace(tenant(TENANT), retention=_a_year())
    with _serving(replica) as ledger:
        senders = Senders(ledger, of)
        senders.start()
        _rate(replica, 2.0)
        before = _rate(replica, BASE_SECONDS)
        done, during, took = _purged(replica, of, SigningKey.generate(key), seconds)
        after = _rate(replica, BASE_SECONDS)
        senders.stop()
    replica.close()
    share = during / ((before + after) / 2)
    print(f"intake before {before:7.0f}/s  during {during:7.0f}/s  after {after:7.0f}/s  share {share:.2f}")
    print(f"purged {done.contents} contents in {took:.0f} s: {done.contents / took:.0f}/s")
    return 0 if share >= WANTED else 1


def _in_a_year() -> int:
    return wall_clock() + _YEAR


def _a_year() -> Retention:
    every = dict.fromkeys(ContentClass, Limits(ceiling=Span(months=12)))
    return Retention(limits={ANY: every})


@contextmanager
def _serving(replica: Replica) -> Iterator[Ledger]:
    checkpointer = Checkpointer(replica.store)
    ledger = replica.ledger(answers=lambda _: None, between_batches=checkpointer.between_batches)
    checkpointer.start()
    ledger.start()
    try:
        yield ledger
    finally:
        ledger.stop(60)
        checkpointer.stop()


def _rate(replica: Replica, seconds: float) -> float:
    replica.committed.clear()
    time.sleep(seconds)
    return len(replica.committed) / seconds


def _purged(replica: Replica, of: Tenant, key: SigningKey, seconds: float) -> tuple[Tended, float, float]:
    """What was purged, how fast intake was meanwhile, how long it took. By this clock what was filled in is a year old."""
    begun = time.monotonic()
    told: list[Tended] = []
    replica.committed.clear()
    run_due(
        replica.store,
        replica.keyring,
        [of],
        _in_a_year,
        signing=key,
        tell=told.append,
        stop=lambda: time.monotonic() - begun > seconds,
    )
    took = time.monotonic() - begun
    rate = len(replica.committed) / took
    return told[0] if told else Tended(tenant=of.id, contents=_receipts(replica, of)), rate, took


def _receipts(replica: Replica, of: Tenant) -> int:
    """How many were purged before it was stopped."""
    with replica.store.reading() as tx:
        wanted = "SELECT count(*) FROM message WHERE tenant = ? AND state = 3"
        return int(tx.exec_driver_sql(wanted, (of.id,)).scalar_one())


if __name__ == "__main__":
    sys.exit(main())
