"""What intake keeps of its rate while very many messages are purged, in the same process, as a worker does it.

    python -m tests.bench.retention [MESSAGES [SECONDS]]

Senders keep the writer busy all the time, without a purge and with one in turns, until so many seconds were purged or
nothing is left. Wanted: at least 0.8 of the rate without.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
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
from worker.retention.means import rest
from worker.retention.run import run_due
from worker.runtime import wall_clock
from worker.store import partitions
from worker.store.checkpoint import Checkpointer
from worker.tenants.loading import Tenant

MESSAGES: Final = 1_000_000
SECONDS: Final = 60.0
WINDOW: Final = 10.0
WANTED: Final = 0.8
_WAITING: Final = 256
_YEAR: Final = 366 * 86_400 * 1_000_000


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """Messages a second without a purge and while one ran, and for how long it ran."""

    without: float
    purging: float
    seconds: float


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


class Turns:
    """Lets a purge go on for a while, then wait as long: what else the machine does concerns both alike."""

    def __init__(self, replica: Replica, seconds: float) -> None:
        self.rounds: list[Round] = []
        self._replica = replica
        self._seconds = seconds
        self._begin()

    def pause(self, took: float) -> None:
        """After each batch."""
        rest(took)
        purging = time.monotonic() - self._begun
        if purging > WINDOW:
            rate = len(self._replica.committed) / purging
            self._replica.committed.clear()
            time.sleep(WINDOW)
            without = len(self._replica.committed) / WINDOW
            self.rounds.append(Round(without=without, purging=rate, seconds=purging))
            self._begin()

    def over(self) -> bool:
        """Whether it purged for long enough."""
        return sum(one.seconds for one in self.rounds) > self._seconds

    def _begin(self) -> None:
        self._begun = time.monotonic()
        self._replica.committed.clear()


def main() -> int:
    """Measure, print, and tell whether it was within its bounds."""
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    with TemporaryDirectory() as directory:
        databases = Databases.below(Path(directory) / "store")
        databases.migrate()
        fill(databases.store_url.removeprefix("sqlite:///"), messages)
        return _measure(databases, Path(directory) / "signing.key", messages, seconds)


def _measure(databases: Databases, key: Path, messages: int, seconds: float) -> int:
    replica = Replica(databases, clock=_in_a_year, capacity=_WAITING)
    of = msgspec.structs.replace(tenant(TENANT), retention=_a_year())
    turns = Turns(replica, seconds)
    with _serving(replica) as ledger:
        senders = Senders(ledger, of)
        senders.start()
        time.sleep(WINDOW)  # until everything is warm
        signing = SigningKey.generate(key)
        run_due(
            replica.store,
            replica.keyring,
            [of],
            _in_a_year,
            signing=signing,
            pause=turns.pause,
            stop=turns.over,
        )
        senders.stop()
    left = _left(replica, of)
    replica.close()
    return _verdict(turns.rounds, messages - left)


def _verdict(rounds: Sequence[Round], purged: int) -> int:
    seconds = sum(one.seconds for one in rounds)
    without = sum(one.without for one in rounds) / len(rounds)
    purging = sum(one.purging * one.seconds for one in rounds) / seconds
    share = purging / without
    for one in rounds:
        print(f"intake without {one.without:7.0f}/s  purging {one.purging:7.0f}/s")
    print(f"share {share:.2f}; purged {purged} contents in {seconds:.0f} s: {purged / seconds:.0f}/s")
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


def _left(replica: Replica, of: Tenant) -> int:
    """How many of what was filled in have content."""
    with replica.store.reading() as tx:
        wanted = "SELECT count(*) FROM message WHERE tenant = ? AND content < ? AND state = 1"
        return int(
            tx.exec_driver_sql(wanted, (of.id, partitions.id_at(wall_clock() + _YEAR // 2))).scalar_one()
        )


if __name__ == "__main__":
    sys.exit(main())
