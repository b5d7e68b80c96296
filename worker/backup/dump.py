"""Making a backup while the worker runs: everything that was committed at one moment, in files of mode 0600."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from sqlalchemy import Connection, Table, select

from policies.message import Instant
from worker.backup.container import Header, Kind, Row, Writer
from worker.backup.journal import Position
from worker.crypto import MasterKey, sync_directory
from worker.directory import new_id
from worker.errors import ConfigurationError, Failed
from worker.keyring import Keyring
from worker.store.engine import Store
from worker.store.shadow import is_shadow
from worker.store.tables import (
    CommitRow,
    ConversationKeyRow,
    KeyringCheckRow,
    KeyringTable,
    LeaseRow,
    TenantKeyRow,
)
from worker.store.tables import Table as StoreTable

_LEFT_OUT: Final = frozenset({str(LeaseRow.__tablename__), str(KeyringCheckRow.__tablename__)})
_IN_ORDER: Final = frozenset(
    {str(one.__tablename__) for one in (CommitRow, TenantKeyRow, ConversationKeyRow)}
)
"""Tables that whoever verifies a backup, or goes on after a crash, wants in the order of their keys."""

_ROWS: Final = 500

Made = tuple[Header, str, int]
"""A backup's header, the SHA-256 of its file, its rows."""


def tables_of(kind: Kind) -> dict[str, Table]:
    """What is backed up. Leases are those of processes that are gone when a backup is restored."""
    metadata = (StoreTable if kind is Kind.STORE else KeyringTable).metadata
    return {name: table for name, table in metadata.tables.items() if name not in _LEFT_OUT}


def back_up_store(
    store: Store, master: MasterKey, path: Path, now: Instant, journal: Callable[[], Position | None]
) -> Made:
    """Everything but keys and leases. Raises ConfigurationError or Failed; then there is no file."""
    return _back_up(Kind.STORE, store, master, path, now, journal())


def back_up_keyring(keyring: Keyring, master: MasterKey, path: Path, now: Instant) -> Made:
    """The keys as they are now, wrapped as they are; sealed once more."""
    return _back_up(Kind.KEYRING, keyring.store, master, path, now, None)


def _back_up(
    kind: Kind, store: Store, master: MasterKey, path: Path, now: Instant, journal: Position | None
) -> Made:
    tables = tables_of(kind)
    header = Header(
        kind=kind,
        id=new_id(now).hex(),
        made_at=now,
        revision=store.revision() or "",
        master="",
        wrapped=b"",
        tables={name: list(table.columns.keys()) for name, table in tables.items()},
        journal=journal,
    )
    with _new_file(path) as file:
        writer = Writer(file, master, header)
        with store.reading() as tx:
            for name, table in tables.items():
                writer.add(name, _rows_of(tx, table))
        writer.finish()
    return writer.header, writer.sha256.hexdigest(), sum(part.rows for part in writer.manifest.values())


def _rows_of(tx: Connection, table: Table) -> Iterator[Row]:
    wanted = select(*table.columns)
    if table.name in _IN_ORDER:
        wanted = wanted.order_by(*table.primary_key.columns)
    with tx.execute(wanted.execution_options(yield_per=_ROWS)) as found:
        for row in found:
            if not is_shadow(row.tenant):
                yield tuple(row)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that has its name only when it is whole and on disk; nothing is left of one that is not."""
    if path.exists():
        raise ConfigurationError(f"{path} is there already: a backup never takes another one's place")
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        raise ConfigurationError(f"{path} cannot be written by this user") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        sync_directory(path.absolute().parent)
    except OSError:
        raise Failed(f"{path} could not be written: is its disk full?") from None
    finally:
        part.unlink(missing_ok=True)
