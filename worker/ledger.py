"""The writer: everything that is waiting becomes one batch, one transaction, one fsync; then it is answered.

No inbox and no second queue: a platform that is not answered 200 sends again, and a batch that was committed
twice changes nothing the second time (policies/record.py).
"""

from __future__ import annotations

import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from policies.event import Unrecognised
from policies.message import Instant
from worker.inbound import Answer, Answers, Committed, Delivery, Governed, Posted, Settled
from worker.keyring import Keyring
from worker.settle import Settlement
from worker.store.engine import Store, StoreError
from worker.store.retry import persistently
from worker.store.statements import Raced
from worker.tails import Tails

MOST_EVENTS: Final = 2_000
"""A batch takes no further delivery once it holds this many events."""

_BYTES_PER_EVENT = 1_000
_ABOUT_DATA = frozenset({"22", "23", "54"})
"""Classes of PostgreSQL's errors: data exception, integrity, a limit such as that of an index entry."""

UNSTORABLE: Final = "unstorable"

MOST_FAULTS: Final = 3
"""So many faults of our own within ``FAULT_WINDOW`` (microseconds) are events' oddities; more are a bug."""
FAULT_WINDOW: Final = 60 * 1_000_000

Clock = Callable[[], Instant]
Waiting = tuple[Instant, Delivery | Posted]
Examine = Callable[[Posted], Delivery | None]
"""Looks into a request's body (worker/intake/admission.py); None when it is not JSON. Never raises."""

OnCommitted = Callable[[Sequence[Committed]], None]
OnFailed = Callable[[Exception, int], None]
"""Told of every batch that did not commit: the exception (its text may hold content: never log it), its size."""


class _Undone(Exception):
    """A transaction that was only tried."""


class Ledger:
    """One writer thread over one store. ``submit`` from any thread; answers come on the writer's thread."""

    def __init__(  # noqa: PLR0913 - what it works with, by name
        self,
        store: Store,
        keyring: Keyring,
        *,
        answers: Answers,
        committed: OnCommitted,
        failed: OnFailed,
        clock: Clock,
        examine: Examine = lambda _posted: None,
        between_batches: Callable[[], None] = lambda: None,
        capacity: int = 10_000,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._answers = answers
        self._committed = committed
        self._failed = failed
        self._clock = clock
        self._examine = examine
        self._between_batches = between_batches
        self._capacity = capacity
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._tails = Tails()
        self._waiting: Counter[str] = Counter()
        self._total = 0
        self._closed = False
        self._faults: deque[Instant] = deque(maxlen=MOST_FAULTS + 1)
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the writer runs."""
        return self._thread.is_alive()

    @property
    def depth(self) -> int:
        """Deliveries that wait or are being written."""
        return self._total

    def start(self) -> None:
        """Start the writer."""
        self._thread.start()

    def submit(self, delivery: Delivery | Posted) -> bool:
        """Take a delivery for the next batch. False: full, draining, or this tenant has its share in it."""
        tenant = delivery.tenant.id
        with self._lock:
            if self._closed or self._is_full(tenant):
                return False
            self._waiting[tenant] += 1
            self._total += 1
            self._queue.put((self._clock(), delivery))
        return True

    def stop(self, timeout: float) -> bool:
        """Take nothing more, write what waits, end. Whether everything was written within ``timeout`` seconds."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _is_full(self, tenant: str) -> bool:
        """One tenant may fill the queue alone, but not while others wait: then it has half."""
        own = self._waiting[tenant]
        return self._total >= self._capacity or (own < self._total and own >= self._capacity // 2)

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            if examined := self._look_into(batch):
                self._write(examined)
            self._tell(self._between_batches)

    def _next_batch(self) -> list[Waiting] | None:
        """All that waits, at least one delivery; None at the end."""
        first = self._queue.get()
        if first is None:
            return None
        batch, events = [first], _weight(first[1])
        while events < MOST_EVENTS:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                self._queue.put(None)
                break
            batch.append(item)
            events += _weight(item[1])
        return batch

    def _look_into(self, batch: list[Waiting]) -> list[tuple[Instant, Delivery]]:
        """What the requests say, governed; who did not send JSON is told so."""
        examined: list[tuple[Instant, Delivery]] = []
        for at, item in batch:
            try:
                delivery = self._examine(item) if isinstance(item, Posted) else item
            except Exception as error:  # noqa: BLE001 - one request must not take the others along
                self._failed(error, 1)
                self._finish([item], Answer.UNAVAILABLE)
                continue
            if delivery is None:
                self._finish([item], Answer.NOT_JSON)
            else:
                examined.append((at, delivery))
        return examined

    def _write(self, batch: list[tuple[Instant, Delivery]]) -> None:
        started = self._clock()
        deliveries = [delivery for _, delivery in batch]
        try:
            settlements = self._commit(deliveries)
        except Exception as error:  # noqa: BLE001 - the writer outlives whatever a batch holds
            self._recover(batch, error)
            return
        took = max(0, self._clock() - started)  # the clock may be set back at any moment
        self._finish(deliveries, Answer.COMMITTED)
        queued = {id(delivery): max(0, started - at) for at, delivery in batch}
        done = [
            Committed(
                delivery=delivery,
                settled=settled,
                sequence=sequence,
                head=head.hex(),
                queued=queued[id(delivery)],
                commit=took,
                batch=len(batch),
            )
            for delivery, settled, sequence, head in settlements
        ]
        self._tell(self._committed, done)

    def _recover(self, batch: list[tuple[Instant, Delivery]], error: Exception) -> None:
        """The store's fault: everybody is asked to come again. One event's fault: it alone is reduced.

        A fault that is neither the store's nor the data's is ours: once it is an odd event's, again and again it is a
        bug that would cost everything that comes, and platforms keep sending until it is mended.
        """
        self._failed(error, len(batch))
        if not _is_about_data(error):
            self._finish([delivery for _, delivery in batch], Answer.UNAVAILABLE)
        elif len(batch) > 1:
            for item in batch:
                self._write([item])
        elif _is_reduced(batch[0][1]) or (_is_ours(error) and self._is_a_habit()):
            self._finish([batch[0][1]], Answer.UNAVAILABLE)
        else:
            self._write([(batch[0][0], self._without_bad_events(batch[0][1]))])

    def _is_a_habit(self) -> bool:
        now = self._clock()
        self._faults.append(now)
        return len(self._faults) > MOST_FAULTS and self._faults[0] > now - FAULT_WINDOW

    def _without_bad_events(self, delivery: Delivery) -> Delivery:
        """Each event that cannot be stored alone as the bare fact; all of them where each can, and together they cannot."""
        bad = [not self._is_storable(delivery, item) for item in delivery.events]
        reduce = bad if any(bad) else [True] * len(bad)
        return replace(
            delivery,
            events=[
                _reduced(item) if is_bad else item
                for item, is_bad in zip(delivery.events, reduce, strict=True)
            ],
        )

    def _is_storable(self, delivery: Delivery, item: Governed) -> bool:
        """Tried, and undone."""
        try:
            persistently(partial(self._transact, [replace(delivery, events=[item])], undone=True))
        except _Undone:
            return True
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this event's
            return not _is_about_data(error)
        return True

    def _finish(self, deliveries: Sequence[Delivery | Posted], answer: Answer) -> None:
        with self._lock:
            self._waiting.subtract(delivery.tenant.id for delivery in deliveries)
            self._waiting += Counter()  # forget tenants with nothing waiting
            self._total -= len(deliveries)
        self._tell(self._answers, [(delivery, answer) for delivery in deliveries])

    def _tell(self, whom: Callable[..., None], *news: Any) -> None:
        """What becomes of the news is nothing to the writer."""
        try:
            whom(*news)
        except Exception as error:  # noqa: BLE001 - see above
            self._failed(error, 0)

    def _commit(self, deliveries: Sequence[Delivery]) -> list[tuple[Delivery, Sequence[Settled], int, bytes]]:
        """One transaction for all of them, tried again when replicas met on a row."""
        return persistently(partial(self._transact, deliveries))

    def _transact(
        self, deliveries: Sequence[Delivery], *, undone: bool = False
    ) -> list[tuple[Delivery, Sequence[Settled], int, bytes]]:
        now = self._clock()
        by_tenant: dict[str, list[Delivery]] = {}
        for delivery in deliveries:
            by_tenant.setdefault(delivery.tenant.id, []).append(delivery)
        with self._store.transaction() as tx:
            settlements = [
                Settlement(tx, self._keyring, by_tenant[tenant], now, self._tails.begin())
                for tenant in sorted(by_tenant)
            ]
            for settlement in settlements:
                settlement.apply()
            ends = [settlement.conclude() for settlement in settlements]
            if undone:
                raise _Undone
        for settlement in settlements:
            self._tails.keep(settlement.tails)
        return [
            (delivery, settled, sequence, head)
            for settlement, (sequence, head) in zip(settlements, ends, strict=True)
            for delivery, settled in zip(settlement.deliveries, settlement.settled, strict=True)
        ]


def _weight(item: Delivery | Posted) -> int:
    """About how many events it holds."""
    return len(item.events) if isinstance(item, Delivery) else 1 + len(item.body) // _BYTES_PER_EVENT


def _is_about_data(error: Exception) -> bool:
    """Whether another try would fail in the same way, whatever state the store is in."""
    if isinstance(error, (Raced, StoreError)):
        return False
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    if state is not None:
        return state[:2] in _ABOUT_DATA
    return isinstance(error, (IntegrityError, DataError)) or not isinstance(error, SQLAlchemyError)


def _is_ours(error: Exception) -> bool:
    return not isinstance(error, SQLAlchemyError)


def _reduced(item: Governed) -> Governed:
    """The bare fact that an event could not be stored."""
    return Governed(Unrecognised(account=item.event.account, shape="", why=UNSTORABLE), item.reasons)


def _is_reduced(delivery: Delivery) -> bool:
    return all(isinstance(i.event, Unrecognised) and i.event.why == UNSTORABLE for i in delivery.events)
