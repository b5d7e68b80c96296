"""Opening store and keyring, and refusing to with a sentence that says what to do."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from policies.message import Private
from worker.audit.signing import SigningKey
from worker.backup.journal import Journal
from worker.crypto import CryptoError, MasterKey
from worker.errors import ConfigurationError, Unavailable
from worker.keyring import Keyring, open_keyring
from worker.settings import Settings
from worker.store import cursors
from worker.store.engine import KEYRING, Store, StoreError, open_store
from worker.store.seals import any_evidence

RESTORING: Final = "restoring"
"""The name of the cursor that stands in a store into which a backup is being restored."""


class Opened(Private, frozen=True, kw_only=True):
    """Both databases, with the schema of this version and the right master key; and the key that signs evidence."""

    store: Store
    keyring: Keyring
    signing: SigningKey

    def close(self) -> None:
        """Close every connection."""
        self.keyring.close()
        self.store.close()


def open_all(settings: Settings, *, migrate: bool) -> Opened:
    """Open both databases, first bringing their schemas up to date if ``migrate``.

    Raises ConfigurationError when somebody has to change something, Unavailable when a database is down.
    """
    store = _databases(settings)
    try:
        master = _master_key(settings, store, may_make=migrate)
        keyring = open_keyring(settings.keyring_url.get_secret_value(), master)
    except BaseException:
        store.close()
        raise
    try:
        for database in (store, keyring.store):
            ping(database)
        _refuse_without_keyring(store, keyring.store)
        if migrate:
            keyring.migrate()  # first: a store without its keyring is one that has lost it
            store.migrate()
        store.check_schema()
        keyring.check()
        _refuse_half_restored(store)
        return Opened(store=store, keyring=keyring, signing=_signing_key(settings, store))
    except BaseException as error:
        keyring.close()
        store.close()
        if isinstance(error, StoreError):
            raise ConfigurationError(f"{error}") from None
        raise


def prepare_data_directory(settings: Settings) -> None:
    """Make DATA_DIR where it is not. Raises ConfigurationError when this process cannot write there."""
    directory = settings.data_dir
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        raise ConfigurationError(f"SLUICEGATE_DATA_DIR: {directory} cannot be made") from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigurationError(f"SLUICEGATE_DATA_DIR: {directory} cannot be written by this user")


class SingleProcess:
    """The embedded store has one writer: a lock beside its file keeps a second worker away while this one lives."""

    def __init__(self, store: Store) -> None:
        self._descriptor = -1
        if store.path is not None:
            self._descriptor = _lock(store.path.with_suffix(".lock"))

    def release(self) -> None:
        """Let another worker begin. The end of the process does the same, however it ends."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _lock(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        raise ConfigurationError(f"the lock file {path} cannot be written by this user") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigurationError(
            "another worker is using this store: SQLite serves one process, PostgreSQL any number"
        ) from None
    return descriptor


def _databases(settings: Settings) -> Store:
    try:
        store = open_store(settings.database_url.get_secret_value())
    except StoreError as error:
        raise ConfigurationError(f"SLUICEGATE_DATABASE_URL: {error}") from None
    if settings.journal_file is not None:
        store.journal = Journal(settings.journal_file).append
    return store


def ping(database: Store) -> None:
    """A file that is not there yet is not asked for anything: asking would make it."""
    if database.path is not None and not database.path.exists():
        return
    try:
        database.ping()
    except StoreError:
        raise Unavailable(f"the {database.schema} database does not answer") from None


def _master_key(settings: Settings, store: Store, *, may_make: bool) -> MasterKey:
    """Load the key. One is made only where nothing exists yet that another key could have sealed."""
    path = settings.master_key_file
    try:
        return MasterKey.load(path)
    except FileNotFoundError:
        _refuse_without_key(settings, store, may_make=may_make)
    except CryptoError as error:
        raise ConfigurationError(f"SLUICEGATE_MASTER_KEY_FILE: {error}") from None
    except OSError:
        raise ConfigurationError(f"SLUICEGATE_MASTER_KEY_FILE: {path} cannot be read by this user") from None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another process was told to begin at the same moment
            return MasterKey.generate(path)
        return MasterKey.load(path)
    except OSError:
        raise ConfigurationError(
            f"SLUICEGATE_MASTER_KEY_FILE: {path} cannot be written by this user"
        ) from None


def _signing_key(settings: Settings, store: Store) -> SigningKey:
    """Load the key that signs evidence. One is made only where nothing was signed yet."""
    name, path = "SLUICEGATE_SIGNING_KEY_FILE", settings.signing_key_file
    with suppress(FileNotFoundError):
        return _loaded(name, path)
    with store.reading() as tx:
        if any_evidence(tx):
            raise ConfigurationError(
                f"{name}: there is no {path}: give the key file that signed this store's checkpoints"
            )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another process was told to begin at the same moment
            return SigningKey.generate(path)
        return _loaded(name, path)
    except OSError:
        raise ConfigurationError(f"{name}: {path} cannot be written by this user") from None


def _loaded(name: str, path: Path) -> SigningKey:
    """Raises FileNotFoundError, or ConfigurationError for a file that cannot be used."""
    try:
        return SigningKey.load(path)
    except FileNotFoundError:
        raise
    except CryptoError as error:
        raise ConfigurationError(f"{name}: {error}") from None
    except OSError:
        raise ConfigurationError(f"{name}: {path} cannot be read by this user") from None


def _refuse_without_key(settings: Settings, store: Store, *, may_make: bool) -> None:
    start = f"SLUICEGATE_MASTER_KEY_FILE: there is no {settings.master_key_file}"
    if not _is_new(settings, store):
        raise ConfigurationError(f"{start}: give the key file of this store, which cannot be read without it")
    if not may_make:
        raise ConfigurationError(f"{start}: for a new store, `sluicegate migrate` makes one")


def _refuse_without_keyring(store: Store, keyring: Store) -> None:
    """A new keyring would have new keys: nothing of an existing store could be read under them."""
    if store.revision() is not None and keyring.revision() is None:
        raise ConfigurationError(
            "SLUICEGATE_KEYRING_URL: there is no keyring there, and the store has one: restore the keyring"
            " of this store, without which its content cannot be read"
        )


def _refuse_half_restored(store: Store) -> None:
    with store.reading() as tx:
        if cursors.read(tx, cursors.SHARED, RESTORING) is not None:
            raise ConfigurationError(
                "a backup is being restored into this store, or that was interrupted: run `sluicegate restore` again"
            )


def _is_new(settings: Settings, store: Store) -> bool:
    try:
        keyring = Store(settings.keyring_url.get_secret_value(), KEYRING)
    except StoreError as error:
        raise ConfigurationError(f"SLUICEGATE_KEYRING_URL: {error}") from None
    try:
        for database in (store, keyring):
            ping(database)
        return store.revision() is None and keyring.revision() is None
    finally:
        keyring.close()
