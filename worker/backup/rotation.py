"""Another master key, while workers run: every key is wrapped anew in bounded steps that anybody may go on with.

The key file says how far it is (worker/crypto.MasterKeys): ``next`` stands beside the current key while it is handed to
all workers; then it becomes the current one and the other the ``previous``, which still opens; when nothing is under that
any more, it goes into a file of its own, for backups of its time. At every step each key that exists can be opened by
whoever has the file. A key that is destroyed meanwhile stays so: only what is still there as it was read is replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Table, and_, or_, select, update

from worker.crypto import CryptoError, MasterKey, MasterKeys, fingerprint, new_key
from worker.errors import ConfigurationError, Failed
from worker.keyring import CHECK_PLACE, Keyring, key_place
from worker.store.tables import ConversationKeyRow, KeyringCheckRow, KeyringTable, TenantKeyRow

BATCH: Final = 500
"""Keys of one transaction."""

_PASSES: Final = 5
_check = KeyringTable.metadata.tables[str(KeyringCheckRow.__tablename__)]
_KEYS: Final = [
    KeyringTable.metadata.tables[str(one.__tablename__)] for one in (TenantKeyRow, ConversationKeyRow)
]


def stage(path: Path) -> str:
    """Put a new key beside the current one; its fingerprint. Nothing is wrapped by it yet. May be called again."""
    keys = _read(path)
    if keys.previous is not None:
        raise ConfigurationError(
            "the key before this one is still in use: `sluicegate keys rewrap` finishes with it"
        )
    if keys.next is None:
        keys = msgspec.structs.replace(keys, next=new_key())
        _write(keys, path)
    return fingerprint(keys.next or b"")


def promote(path: Path) -> None:
    """Make the key that was put beside the current one the current one. May be called again."""
    keys = _read(path)
    if keys.next is not None:
        _write(MasterKeys(keys.next, previous=keys.current), path)


def rewrap(keyring: Keyring, master: MasterKey) -> int:
    """Wrap anew whatever is not under the current key; how many keys that were.

    Goes over all of them until it finds none: a worker may have wrapped one meanwhile. Raises Failed where one does not
    open at all.
    """
    _rewrap_check(keyring, master)
    total = 0
    for _ in range(_PASSES):
        moved = sum(_rewrap_table(keyring, master, table) for table in _KEYS)
        total += moved
        if not moved:
            return total
    raise Failed("keys are still being wrapped by an earlier master key: do all workers have this file?")


def retire(path: Path) -> Path | None:
    """Take the previous key out of use, into a file of its own; which file, None where there is none."""
    keys = _read(path)
    if keys.previous is None:
        return None
    aside = path.with_name(f"{path.name}.{fingerprint(keys.previous)}")
    aside.unlink(missing_ok=True)
    MasterKeys(keys.previous).create(aside)
    _write(msgspec.structs.replace(keys, previous=None), path)
    return aside


def _rewrap_check(keyring: Keyring, master: MasterKey) -> None:
    with keyring.store.transaction() as tx:
        sealed = tx.execute(select(_check.c.sealed)).scalar_one()
        fresh = _rewrapped(master, sealed, CHECK_PLACE)
        if fresh is not None:
            tx.execute(update(_check).values(sealed=fresh))


def _rewrap_table(keyring: Keyring, master: MasterKey, table: Table) -> int:
    return sum(_rewrap_rows(keyring, master, table, rows) for rows in _batches(keyring, table))


def _rewrap_rows(keyring: Keyring, master: MasterKey, table: Table, rows: Sequence[Any]) -> int:
    tenant, name, wrapped = table.c.values()
    fresh = [
        (row, new)
        for row in rows
        if (new := _rewrapped(master, row[2], key_place(row[0], row[1]))) is not None
    ]
    if fresh:
        with keyring.store.transaction() as tx:
            for row, new in fresh:
                same = and_(tenant == row[0], name == row[1], wrapped == row[2])
                tx.execute(update(table).where(same).values(wrapped=new))
    return len(fresh)


def _batches(keyring: Keyring, table: Table) -> Iterator[Sequence[Any]]:
    """All rows in the order of their keys; no transaction is open in between."""
    tenant, name = list(table.primary_key.columns)
    after: ColumnElement[bool] | None = None
    while True:
        wanted = select(table).order_by(tenant, name).limit(BATCH)
        with keyring.store.reading() as tx:
            rows = tx.execute(wanted if after is None else wanted.where(after)).all()
        if not rows:
            return
        yield rows
        last = rows[-1]
        after = or_(tenant > last[0], and_(tenant == last[0], name > last[1]))


def _rewrapped(master: MasterKey, wrapped: bytes, place: bytes) -> bytes | None:
    try:
        return master.rewrap(wrapped, place)
    except CryptoError:
        raise Failed("a key of this keyring does not open under any master key in the file") from None


def _read(path: Path) -> MasterKeys:
    try:
        return MasterKeys.read(path)
    except CryptoError as error:
        raise ConfigurationError(f"SLUICEGATE_MASTER_KEY_FILE: {error}") from None
    except OSError:
        raise ConfigurationError(f"SLUICEGATE_MASTER_KEY_FILE: {path} cannot be read by this user") from None


def _write(keys: MasterKeys, path: Path) -> None:
    try:
        keys.write(path)
    except OSError:
        raise ConfigurationError(
            f"SLUICEGATE_MASTER_KEY_FILE: {path} cannot be written by this user: where it is mounted, write its lines"
            " `next: …` and `previous: …` yourself (docs/backup.md)"
        ) from None
