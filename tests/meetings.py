"""Two transactions that meet on a row: for tests of what the second one does, on a store that has row locks."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection

from worker.store.engine import Store

_SECONDS = 10
_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)

T = TypeVar("T")
U = TypeVar("U")


def one_after_the_other(
    store: Store, first: Callable[[Connection], T], second: Callable[[Connection], U]
) -> tuple[T, U]:
    """Run ``second`` while ``first`` has done its work and is not committed, commit when it waits; what both returned."""
    with ThreadPoolExecutor(1) as another:
        with store.transaction() as tx:
            before = first(tx)
            after = another.submit(in_a_transaction, store, second)
            until_somebody_waits(store)
        return before, after.result()


def in_a_transaction(store: Store, work: Callable[[Connection], T]) -> T:
    """What the work returns, committed."""
    with store.transaction() as tx:
        return work(tx)


def until_somebody_waits(store: Store) -> None:
    """Return when another session has run into a lock."""
    deadline = time.monotonic() + _SECONDS
    waiting = 0
    while not waiting:
        with store.reading() as tx:
            waiting = tx.exec_driver_sql(_WAITING).scalar_one()
        assert time.monotonic() < deadline
        time.sleep(0.002)
