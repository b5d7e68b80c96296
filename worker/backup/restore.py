"""Restoring: a store and a keyring that were empty hold what a backup held, less what was taken away since.

All or nothing. While it goes on a mark stands in the store, and no worker opens it; whatever fails, both are empty
again. A crash leaves the mark: the store is refused until a restore was run again, which begins anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, select
from sqlalchemy.exc import SQLAlchemyError

from policies.message import Instant, Private
from worker.acts import Operator, record_act
from worker.backup import journal
from worker.backup.container import BackupDamaged, Header, Kind, Reader, Row
from worker.backup.dump import tables_of
from worker.backup.examine import Examined, examine
from worker.backup.replay import replay
from worker.crypto import CryptoError, MasterKey
from worker.errors import ConfigurationError, Failed
from worker.keyring import Keyring, key_place
from worker.opening import RESTORING
from worker.store import cursors, decisions
from worker.store.cursors import SHARED
from worker.store.engine import Store, StoreError
from worker.store.journal import Erased, Line
from worker.store.leases import leases
from worker.store.outbox import UNFINISHED, OutboxState, outbox
from worker.store.statements import Raced, insert_new
from worker.store.tables import ConversationKeyRow, KeyringTable
from worker.store.tables import Table as StoreTable

RESTORED: Final = "restored"
RESTORED_WITH_LOSS: Final = "restored_with_loss"
"""Actions of acts: the second without a journal, so that what was deleted since the backup may be back."""

_DAY: Final = 86_400 * 1_000_000
_PASSING: Final = frozenset({leases.name, cursors.cursors.name})
"""Tables with rows that a worker without any tenant leaves behind."""

Gone = frozenset[tuple[str, bytes]]
"""Tenants and conversations that were erased."""


class Sources(Private, frozen=True, kw_only=True):
    """What is restored: both files, the master key that opens them, and every journal since.

    ``journals`` is empty where losing what was deleted since is accepted.
    """

    content: Path
    keyring: Path
    master: MasterKey
    journals: Sequence[Path]


class Plan(Private, frozen=True, kw_only=True):
    """Sources that were examined: whole, and of one another."""

    sources: Sources
    content: Examined
    keyring: Examined
    erased: Gone
    lines: int


class Target(Private, frozen=True, kw_only=True):
    """Where it is restored, and the master key under which its keys will be."""

    store: Store
    keyring: Keyring
    master: MasterKey


class Restored(Private, frozen=True, kw_only=True):
    """How many rows, keys and lines of the journals were taken up."""

    rows: int
    keys: int
    told: Counter[str]


def examine_sources(sources: Sources, horizon_days: int, now: Instant) -> Plan:
    """Read everything before anything is changed. Raises BackupDamaged, JournalDamaged or ConfigurationError."""
    content = examine(sources.content, sources.master, Kind.STORE)
    keyring = examine(sources.keyring, sources.master, Kind.KEYRING)
    if keyring.header.made_at < now - horizon_days * _DAY:
        raise ConfigurationError(
            f"{sources.keyring} is older than SLUICEGATE_KEYRING_HORIZON_DAYS ({horizon_days}): keys that were"
            " destroyed since would come back with it"
        )
    if content.heads.keys() - keyring.tenants:
        raise ConfigurationError(f"{sources.keyring} is not the keyring of the store in {sources.content}")
    erased, lines = _known_erasures(sources.journals, content.header)
    return Plan(sources=sources, content=content, keyring=keyring, erased=erased, lines=lines)


def restore(plan: Plan, target: Target, operator: Operator, now: Instant) -> Restored:
    """Raises ConfigurationError where it is not empty, BackupDamaged or Failed; then it is as it was."""
    _begin(target, now)
    with _undone_on_failure(target, now):
        keys = _load_keys(plan, target)
        rows = _load_rows(plan, target.store)
        lines = _told_since(plan.sources.journals, plan.content.header)
        told = replay(target.store, target.keyring, lines, now)
        _end(plan, target, operator, now)
    return Restored(rows=rows, keys=keys, told=told)


# -- the journals --------------------------------------------------------------------------------------------


def _known_erasures(paths: Sequence[Path], header: Header) -> tuple[Gone, int]:
    """Whose keys are not to be restored, and how many lines there are. Every line is checked."""
    known = header.journal
    if paths and known is not None and known.journal not in {_identity(path) for path in paths}:
        raise ConfigurationError(
            f"none of these is the journal that was kept when the backup was made ({known.journal}): give it, and"
            " every one that was begun since"
        )
    erased, lines = set[tuple[str, bytes]](), 0
    for line in _told_since(paths, header):
        lines += 1
        if isinstance(line, Erased):
            erased.add((line.tenant, line.conversation))
    return frozenset(erased), lines


def _told_since(paths: Sequence[Path], header: Header) -> Iterator[Line]:
    """Every line, also those that the backup knows: a transaction may have been on its way when it was made."""
    since = () if header.journal is None else (header.journal,)
    return chain.from_iterable(_read(path, lambda path: journal.read(path, since)) for path in paths)


def _identity(path: Path) -> str:
    return "".join(_read(path, lambda path: iter([journal.identity(path)])))


def _read(path: Path, reading: Callable[[Path], Iterator[Any]]) -> Iterator[Any]:
    try:
        yield from reading(path)
    except OSError:
        raise ConfigurationError(f"{path} cannot be read by this user") from None


# -- the databases -------------------------------------------------------------------------------------------


def _begin(target: Target, now: Instant) -> None:
    """Mark the store. Raises ConfigurationError unless both are empty, or what a restore that died has left."""
    with target.store.transaction() as tx, target.keyring.store.reading() as keys:
        if cursors.read(tx, SHARED, RESTORING) is None and (_any_rows(tx) or _any_keys(keys)):
            raise ConfigurationError(
                "there is something in this store or its keyring: a backup is restored into empty ones alone"
            )
    _clear(target, now)


def _clear(target: Target, now: Instant) -> None:
    """Empty both, but for the mark."""
    with target.store.transaction() as tx:
        _empty(tx, StoreTable.metadata.tables.values())
        cursors.move(tx, SHARED, RESTORING, b"", now)
    with target.keyring.store.transaction() as keys:
        _empty(keys, _key_tables())


def _end(plan: Plan, target: Target, operator: Operator, now: Instant) -> None:
    """It stands on the record of every tenant; and the mark goes, with which the store is in use again."""
    action = RESTORED if plan.sources.journals else RESTORED_WITH_LOSS
    about = bytes.fromhex(plan.content.header.id)
    with target.store.transaction() as tx:
        cursors.remove(tx, SHARED, RESTORING)
        for tenant in decisions.tenants(tx):
            record_act(tx, target.keyring, tenant, action=action, about=about, operator=operator, now=now)


@contextmanager
def _undone_on_failure(target: Target, now: Instant) -> Iterator[None]:
    """Where even that fails, the mark stays and the store is refused."""
    try:
        yield
    except BaseException as error:
        with suppress(SQLAlchemyError):
            _clear(target, now)
            with target.store.transaction() as tx:
                cursors.remove(tx, SHARED, RESTORING)
        if isinstance(error, (SQLAlchemyError, StoreError)):
            raise Failed("the database failed; nothing was restored") from None
        raise


def _load_keys(plan: Plan, target: Target) -> int:
    """Under the master key that is in use now, and none that was destroyed since."""
    opens, kept = plan.sources.master, 0
    tables = _checked_tables(plan.keyring.header, target.keyring.store)
    for name, rows in _rows(plan.sources.keyring, opens, plan.keyring.header):
        is_conversation = name == ConversationKeyRow.__tablename__
        wanted = [row for row in rows if not (is_conversation and (row[0], row[1]) in plan.erased)]
        with target.keyring.store.transaction() as keys:
            insert_new(keys, tables[name], [_rewrapped(row, opens, target.master) for row in wanted])
        kept += len(wanted)
    return kept


def _rewrapped(row: Row, opens: MasterKey, wraps: MasterKey) -> Row:
    tenant, name, wrapped = row
    place = key_place(tenant, name)
    try:
        return tenant, name, wraps.wrap(opens.unwrap(wrapped, place), place)
    except CryptoError:
        raise BackupDamaged("a key does not open under its master key") from None


def _load_rows(plan: Plan, store: Store) -> int:
    count = 0
    tables = _checked_tables(plan.content.header, store)
    with store.transaction() as tx:
        _take_all(tx)
        if _any_rows(tx):
            raise Failed("somebody has written into this store meanwhile: is a worker running on it?")
        for name, rows in _rows(plan.sources.content, plan.sources.master, plan.content.header):
            try:
                insert_new(tx, tables[name], _held_back(rows) if name == outbox.name else rows)
            except Raced:
                raise BackupDamaged(f"{plan.sources.content}: a row of {name} is in it twice") from None
            count += len(rows)
    return count


def _rows(path: Path, master: MasterKey, header: Header) -> Iterator[tuple[str, list[Row]]]:
    """The rows of the very file that was examined."""
    with path.open("rb") as file:
        reader = Reader(file, master)
        if reader.header.id != header.id:
            raise BackupDamaged(f"{path} has become another file meanwhile")
        yield from reader.rows()


def _held_back(rows: Sequence[Row]) -> list[Row]:
    """A text that was on its way may have been sent since: a person says what became of it."""
    state = outbox.columns.keys().index("state")
    return [
        (*row[:state], int(OutboxState.UNRESOLVED), *row[state + 1 :]) if row[state] in UNFINISHED else row
        for row in rows
    ]


def _checked_tables(header: Header, store: Store) -> dict[str, Table]:
    tables = tables_of(header.kind)
    columns = {name: list(table.columns.keys()) for name, table in tables.items()}
    if header.revision != store.revision() or {n: list(c) for n, c in header.tables.items()} != columns:
        raise ConfigurationError(
            f"this backup has schema {header.revision}, this version has {store.revision()}: restore it with the version"
            " that made it, then migrate"
        )
    return tables


def _take_all(tx: Connection) -> None:
    """Nobody else writes until the transaction ends. SQLite has one writer anyway."""
    if tx.dialect.name != "sqlite":
        names = ", ".join(f'"{name}"' for name in StoreTable.metadata.tables)
        tx.exec_driver_sql(f"LOCK TABLE {names} IN EXCLUSIVE MODE")


def _any_rows(tx: Connection) -> bool:
    tables = [table for name, table in StoreTable.metadata.tables.items() if name not in _PASSING]
    return any(_has_rows(tx, table) for table in tables)


def _any_keys(keys: Connection) -> bool:
    return any(_has_rows(keys, table) for table in _key_tables())


def _has_rows(tx: Connection, table: Table) -> bool:
    return tx.execute(select(1).select_from(table).limit(1)).first() is not None


def _key_tables() -> list[Table]:
    return [KeyringTable.metadata.tables[name] for name in tables_of(Kind.KEYRING)]


def _empty(tx: Connection, tables: Any) -> None:
    for table in tables:
        tx.execute(delete(table))
