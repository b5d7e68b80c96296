"""Space that deleted content leaves: returned in small steps, so that nobody waits for it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from worker.retention.means import Means
from worker.store import checkpoint, partitions, retention

PAGES: Final = 256
"""Pages of SQLite's file that one step cuts off: 1 MB."""

_LOG_SECONDS: Final = 0.1
_TRIES: Final = 10


def give_back(means: Means) -> bool:
    """Cut empty pages off SQLite's file and all of its log; make and drop months on PostgreSQL.

    False where somebody read all the time, so that the log still holds what was deleted: the next run tries again.
    """
    now = means.clock()
    partitions.make_ahead(means.store, now)
    partitions.drop_empty(means.store, now)
    if not means.store.is_sqlite:
        return True
    with means.store.reading() as tx:
        steps = retention.free_pages(tx) // PAGES + 1
    for _ in range(steps):
        if not means.transact(_step):
            break
    return any(_emptied(means) for _ in range(_TRIES))


def _step(tx: Connection) -> bool:
    """Whether there was anything to cut off."""
    free = retention.free_pages(tx)
    retention.return_pages(tx, min(free, PAGES))
    return free > 0


def _emptied(means: Means) -> bool:
    emptied = checkpoint.empty(means.store, _LOG_SECONDS)
    means.rest(0.0 if emptied else _LOG_SECONDS / 10)
    return emptied
