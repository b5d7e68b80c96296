"""Where a test stores: a store and its keyring, on either engine, fresh and with today's schema."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.postgres import Server
from worker.crypto import Aes256Gcm, CipherFactory, MasterKey
from worker.keyring import Keyring, open_keyring
from worker.store.engine import Store, open_store
from worker.store.tables import KeyringTable, Table

ENGINES: Final = ("sqlite", "postgresql")
MASTER: Final = MasterKey(bytes(range(32)))
"""The master key of every keyring here."""

_ROOM: Final = 1 << 30


@dataclass(frozen=True)
class Databases:
    """The URLs of a store and of its keyring."""

    store_url: str
    keyring_url: str

    @classmethod
    def below(cls, directory: Path) -> Databases:
        """Two SQLite files in a directory."""
        return cls(f"sqlite:///{directory / 'sluicegate.db'}", f"sqlite:///{directory / 'keyring.db'}")

    @property
    def engine(self) -> str:
        """Which of ``ENGINES``."""
        return self.store_url.partition(":")[0].partition("+")[0]

    @property
    def directory(self) -> Path:
        """Where the files are."""
        return Path(self.store_url.removeprefix("sqlite:///")).parent

    def store(self) -> Store:
        """Open the store."""
        return open_store(self.store_url)

    def keyring(self, master: MasterKey = MASTER, factory: CipherFactory = Aes256Gcm) -> Keyring:
        """Open the keyring."""
        return open_keyring(self.keyring_url, master, factory)

    @contextmanager
    def opened(self) -> Iterator[tuple[Store, Keyring]]:
        """Both, closed at the end."""
        store, keyring = self.store(), self.keyring()
        try:
            yield store, keyring
        finally:
            store.close()
            keyring.close()

    def migrate(self) -> None:
        """Bring both to today's schema."""
        with self.opened() as (store, keyring):
            store.migrate()
            keyring.migrate()


class Provisioner:
    """Makes databases of either engine by copying migrated ones, and takes them back when a test is done.

    Migrating takes most of a second, copying a database of PostgreSQL a tenth, emptying it a hundredth.
    """

    def __init__(self, directory: Path, server: Callable[[], Server]) -> None:
        self._directory = directory
        self._server = server
        self._template: str | None = None
        self._used: list[Databases] = []
        self._numbers = itertools.count(1)

    def make(self, engine: str) -> Databases:
        """A store and keyring with nothing in them."""
        if engine == "sqlite":
            return self._sqlite()
        if not self._used:
            return self._postgresql()
        databases = self._used.pop()
        _wipe(databases)
        return databases

    def take_back(self, databases: Databases) -> None:
        """A test is done with what was made for it, and has left the schema as it was."""
        if databases.engine == "sqlite":
            shutil.rmtree(databases.directory)
        else:
            self._used.append(databases)

    @contextmanager
    def lent(self, engine: str) -> Iterator[Databases]:
        """A store and keyring with nothing in them, taken back at the end."""
        databases = self.make(engine)
        yield databases
        self.take_back(databases)

    def empty(self, engine: str) -> Databases:
        """The same before any migration."""
        if engine == "postgresql":
            return _on(self._server(), self._server().create())
        return Databases.below(self._fresh())

    def _sqlite(self) -> Databases:
        template = self._directory / "template"
        if not template.exists():
            Databases.below(template).migrate()
        return Databases.below(Path(shutil.copytree(template, self._fresh(), dirs_exist_ok=True)))

    def _postgresql(self) -> Databases:
        server = self._server()
        if self._template is None:
            template = server.create()
            _on(server, template).migrate()
            self._template = template
        return _on(server, server.create(self._template))

    def _fresh(self) -> Path:
        directory = self._directory / str(next(self._numbers))
        directory.mkdir(mode=0o700)
        return directory


def _on(server: Server, database: str) -> Databases:
    return Databases(server.url(database), server.url(database))


def _wipe(databases: Databases) -> None:
    """Delete every row, but for the keyring's own check."""
    with databases.opened() as (store, keyring):
        for one, models in ((store, Table), (keyring.store, KeyringTable)):
            with one.transaction() as tx:
                for table in models.metadata.tables.values():
                    tx.execute(table.delete())
        keyring.check()


def memory_directory() -> Path:
    """A fresh directory, in memory where there is room: what is tested is not the disk."""
    shared = Path("/dev/shm")  # noqa: S108 - that is where memory is
    roomy = shared.is_dir() and shutil.disk_usage(shared).free > _ROOM
    return Path(tempfile.mkdtemp(prefix="sluicegate-", dir=shared if roomy else None))
