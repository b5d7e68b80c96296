"""Moving SQLite's write-ahead log into the database file, away from the writer.

Left to the writer, every checkpoint stalls a batch for tens of milliseconds, more as the file grows. Here a
thread of its own copies and syncs all the time; the writer only finishes, between two batches, what little
is left, so that the log starts again from its beginning instead of growing for ever.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from typing import Final

from worker.store.engine import Store

INTERVAL_SECONDS: Final = 0.2
MOST_FRAMES: Final = 8_000
"""Pages in the log beyond which the writer is asked to finish a pass: 32 MB."""


class Checkpointer:
    """Keeps the write-ahead log of one embedded database short. Does nothing for PostgreSQL."""

    def __init__(self, store: Store) -> None:
        self._path = store.path
        self._due = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)
        self._writers: sqlite3.Connection | None = None

    def start(self) -> None:
        """Start copying in the background."""
        if self._path is not None:
            self._thread.start()

    def stop(self) -> None:
        """End the thread, after what it is doing. When the writer has ended: its connection is closed too."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._writers is not None:
            self._writers.close()
            self._writers = None

    def between_batches(self) -> None:
        """On the writer's thread, outside a transaction: finish the pass when the log has grown long."""
        if self._path is None or not self._due:
            return
        if self._writers is None:
            self._writers = _connect(str(self._path))
        self._due = False
        _pass(self._writers)

    def _run(self) -> None:
        connection = _connect(str(self._path))
        # Never closed while SQLite has the file open: closing any descriptor of it drops this process's locks.
        descriptor = os.open(str(self._path), os.O_RDWR)
        while not self._stopping.wait(INTERVAL_SECONDS):
            try:
                if _pass(connection) > MOST_FRAMES:
                    os.fdatasync(descriptor)
                    _pass(connection)
                    self._due = True
                # SQLite syncs the file only when a pass reaches the end of the log: by then little is left to sync.
                os.fdatasync(descriptor)
            except (sqlite3.Error, OSError):
                continue  # a full disk: the writer meets it too, and says so
        connection.close()


def _connect(path: str, seconds: float = 0) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=seconds)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")
    return connection


def _pass(connection: sqlite3.Connection) -> int:
    """Copy what can be copied without waiting for anybody; how many pages the log holds."""
    row = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(row[1])


def empty(store: Store, seconds: float = 10.0) -> bool:
    """Move all of the log into the file and cut it off, so that nothing that was deleted stands in it any more.

    Whether that came about; whoever reads for longer than ``seconds`` is in its way. True for PostgreSQL, which has its
    own log and recycles it by itself.
    """
    if store.path is None:
        return True
    connection = _connect(str(store.path), seconds)
    try:
        return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        connection.close()
