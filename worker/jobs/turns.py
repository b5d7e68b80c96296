"""Whose turn it is: a shared job is run by one replica at a time, and by one of them in every interval.

Both are rows of the database and by its clock: the lease says who runs it, the cursor when it ran last and how it ended.
A runner that dies leaves a lease that ends by itself. One that is held up for longer than its lease stops at its next
look: others may have begun. What must happen once is guarded by rows of its own all the same (worker/store/leases.py).
"""

from __future__ import annotations

import secrets
import threading
import time
from types import TracebackType
from typing import Final, Self

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from policies.message import Instant
from worker.store import cursors, leases
from worker.store.cursors import SHARED
from worker.store.engine import Store
from worker.store.statements import clock

LEASE_SECONDS: Final = 60.0
"""So long after its runner died somebody else may begin."""

AGAIN_SECONDS: Final = 300.0
"""A run that failed is repeated after so long, or after the job's own interval where that is shorter."""

_SECOND: Final = 1_000_000
_HOLDER_BYTES = 4
_RENEWALS = 4
_MARGIN = 0.1


class Ran(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The last run of a job: how it ended (a word of worker.jobs.Outcome), who ran it, for how long (microseconds)."""

    outcome: str
    holder: bytes
    duration: int
    failed: bool = False


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the database says of a job: its last run and when that ended, who runs it now (b"" for nobody)."""

    ran: Ran | None = None
    ran_at: Instant = 0
    holder: bytes = b""


_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(Ran)


class Turns:
    """The turns of one process. ``holder`` is random: it says which of the replicas it is, and nothing about it."""

    def __init__(self, store: Store, lease_seconds: float = LEASE_SECONDS) -> None:
        self.holder = secrets.token_bytes(_HOLDER_BYTES)
        self._store = store
        self._length = lease_seconds

    def look(self, name: str) -> Seen:
        """What there is to know of a job."""
        with self._store.reading() as tx:
            return _seen(tx, name)

    def take(self, name: str, seconds: float) -> Turn | None:
        """The turn, where the job is due and nobody else has it."""
        with self._store.reading() as tx:
            if not _is_due(tx, name, seconds):
                return None
        before = time.monotonic()
        with self._store.transaction() as tx:
            if not leases.take(tx, SHARED, _lease(name), self.holder, round(self._length * _SECOND)):
                return None
            # Somebody else may have run it between the look and the lease.
            if not _is_due(tx, name, seconds):
                leases.release(tx, SHARED, _lease(name), self.holder)
                return None
        return Turn(self._store, name, self.holder, self._length, before)


class Turn:
    """A lease that is renewed while its job runs; to be used in a ``with``."""

    def __init__(self, store: Store, name: str, holder: bytes, length: float, since: float) -> None:
        self._store = store
        self._name = name
        self._holder = holder
        self._length = length
        self._until = since + length * (1 - _MARGIN)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease-{name}", daemon=True)

    @property
    def is_lost(self) -> bool:
        """Whether others may have begun: the job has to stop."""
        return time.monotonic() >= self._until

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rest()

    def end(self, ran: Ran) -> bool:
        """Note the run, and let others begin. False, and nothing is noted, where the lease was lost."""
        self._rest()
        with self._store.transaction() as tx:
            if not self._renewed(tx):
                return False
            cursors.move(tx, SHARED, _cursor(self._name), _encode(ran), clock(tx))
            leases.release(tx, SHARED, _lease(self._name), self._holder)
        return True

    def give_up(self) -> None:
        """Let others begin; the run is not noted."""
        self._rest()
        with self._store.transaction() as tx:
            leases.release(tx, SHARED, _lease(self._name), self._holder)

    def _rest(self) -> None:
        """Renew no more."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _keep(self) -> None:
        while not self._over.wait(self._length / _RENEWALS):
            before = time.monotonic()
            try:
                with self._store.transaction() as tx:
                    kept = self._renewed(tx)
            except SQLAlchemyError:
                continue  # the lease that there is ends by itself, and ``is_lost`` with it
            if not kept:
                self._until = before
                return
            self._until = before + self._length * (1 - _MARGIN)

    def _renewed(self, tx: Connection) -> bool:
        return leases.renew(tx, SHARED, _lease(self._name), self._holder, round(self._length * _SECOND))


def _is_due(tx: Connection, name: str, seconds: float) -> bool:
    """Also when the last run lies ahead: then the clock was set back."""
    seen = _seen(tx, name)
    if seen.ran is None:
        return True
    wait = min(seconds, AGAIN_SECONDS) if seen.ran.failed else seconds
    return not 0 <= clock(tx) - seen.ran_at < round(wait * _SECOND)


def _seen(tx: Connection, name: str) -> Seen:
    last = cursors.read(tx, SHARED, _cursor(name))
    holder = leases.holder(tx, SHARED, _lease(name))
    if last is None:
        return Seen(holder=holder)
    try:
        return Seen(ran=_decoder.decode(last.value), ran_at=last.moved_at, holder=holder)
    except msgspec.MsgspecError:  # of another version: it is run again
        return Seen(holder=holder)


def _lease(name: str) -> str:
    return f"job:{name}"


_cursor = _lease
