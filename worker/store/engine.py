"""Opening a database: embedded SQLite for one machine, PostgreSQL for many. The same code runs on both."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from worker.store.journal import Line, take_notes
from worker.store.statements import clock

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = "sluicegate migrates "
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_STATEMENT_TIMEOUT_MS = 30_000
_IDLE_TIMEOUT_MS = 60_000

KEYRING: Final = "keyring"
"""The keyring's schema. On PostgreSQL its tables stand in one of this name: a dump of the content holds no keys."""

SQLITE_PRAGMAS: Final = (
    "auto_vacuum=INCREMENTAL",  # only takes effect before the first table: so it stands first
    "journal_mode=WAL",
    "synchronous=FULL",  # a commit is on disk before it is answered
    "secure_delete=ON",
    "busy_timeout=10000",
    "temp_store=MEMORY",
    "cache_size=-16384",
)
_ATTENDED: Final = (*SQLITE_PRAGMAS, "wal_autocheckpoint=0")  # worker/store/checkpoint.py does it


class StoreError(Exception):
    """The store cannot be used. The text says what to do and never holds a value."""


class SchemaBehind(StoreError):
    """The database has no schema yet, or that of an earlier version."""


class Store:
    """An open database and its schema's name ("store" or "keyring")."""

    def __init__(self, url: str, schema: str = "store") -> None:
        self.schema = schema
        self.url = _parsed(url)
        self.engine = _engine(self.url, schema)
        self.journal: Callable[[Sequence[Line]], None] | None = None

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded engine: one writer, no row locks."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path | None:
        """The database file, None on PostgreSQL."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A writing transaction: BEGIN IMMEDIATE on SQLite; committed at the end, rolled back on an error.

        What was noted in it (worker/store/journal.py) is handed to ``journal`` before the commit.
        """
        with self.engine.begin() as connection:
            take_notes(connection)
            yield connection
            noted = take_notes(connection)
            if noted and self.journal is not None:
                self.journal(noted)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading what was committed at one moment."""
        options: dict[str, Any] = {"sluicegate_read": True}
        if not self.is_sqlite:
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self.engine.connect().execution_options(**options) as connection:
            yield connection

    def ping(self) -> None:
        """Ask the database for anything. Raises StoreError."""
        try:
            with self.reading() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            raise StoreError("the database does not answer") from None

    def now(self) -> int:
        """The database's own clock in microseconds (SQLite: this machine's)."""
        with self.reading() as connection:
            return clock(connection)

    def revision(self) -> str | None:
        """The schema's revision, None for an empty database (or a file that is not there: it is not made)."""
        if self.path is not None and not self.path.exists():
            return None
        with self.reading() as connection:
            return MigrationContext.configure(connection, opts=self._context()).get_current_revision()

    def check_schema(self) -> None:
        """Raise StoreError unless the database has exactly this code's schema."""
        try:
            current, expected = self.revision(), self._scripts().get_current_head()
        except SQLAlchemyError:
            raise StoreError(f"the {self.schema} database does not answer") from None
        if current == expected:
            return
        known = {script.revision for script in self._scripts().walk_revisions()}
        if current is None or current in known:
            raise SchemaBehind(f"the {self.schema} schema is behind this version: run `sluicegate migrate`")
        raise StoreError(
            f"the {self.schema} schema is newer than this version of sluicegate: run the newer version"
        )

    def migrate(self) -> None:
        """Bring the schema to this code's revision, in one transaction. Raises StoreError; nothing half done."""
        if self.path is not None:
            _create_private(self.path)
        with suppress(SchemaBehind):
            self.check_schema()
            return
        try:
            with self.transaction() as connection:
                self._lock_migrations(connection)
                configuration = self._configuration()
                configuration.attributes["connection"] = connection
                command.upgrade(configuration, "head")
        except Exception as error:  # noqa: BLE001 - a migration may raise anything; its text may hold data
            raise StoreError(
                f"the migration of the {self.schema} schema failed and was undone: {type(error).__name__}"
            ) from None

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _lock_migrations(self, connection: Connection) -> None:
        """Several replicas may be told to migrate at once: one does, the others wait and find it done."""
        if self.is_sqlite:
            return
        connection.execute(text("SET LOCAL statement_timeout = 0"))  # it may take its time, and so may others
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": _LOCK + self.schema}
        )
        if self.schema == KEYRING:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {KEYRING}"))

    def _context(self) -> dict[str, Any]:
        return {"version_table": f"alembic_version_{self.schema}"}

    def _configuration(self) -> Config:
        configuration = Config()
        configuration.set_main_option("script_location", str(_MIGRATIONS))
        configuration.set_main_option("version_locations", str(_MIGRATIONS / self.schema))
        configuration.set_main_option("path_separator", "os")
        configuration.attributes["schema"] = self.schema
        return configuration

    def _scripts(self) -> ScriptDirectory:
        return ScriptDirectory.from_config(self._configuration())


def open_store(url: str) -> Store:
    """The store at ``url``: ``sqlite:////path`` or ``postgresql+psycopg://…``. Connects on first use."""
    return Store(url)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError("a database URL reads sqlite:////path/file or postgresql+psycopg://…") from None
    if parsed.drivername not in _DRIVERS:
        raise StoreError("the database must be SQLite (sqlite:) or PostgreSQL (postgresql+psycopg:)")
    return parsed.set(drivername=_DRIVERS[parsed.drivername])


def _engine(url: URL, schema: str) -> Engine:
    if url.get_backend_name() == "sqlite":
        # hide_parameters: an error of the driver must not print what was being stored.
        engine = create_engine(url, hide_parameters=True, connect_args={"check_same_thread": False})
        pragmas = SQLITE_PRAGMAS if schema == KEYRING else _ATTENDED
        event.listen(engine, "connect", partial(_prepare_sqlite, pragmas))
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    options = [
        url.query.get("options", ""),
        f"-c statement_timeout={_STATEMENT_TIMEOUT_MS} -c synchronous_commit=on",
        f"-c idle_in_transaction_session_timeout={_IDLE_TIMEOUT_MS}",
        # Rows are looked for by key. A plan made and kept while a table was small would read all of it for ever.
        "-c plan_cache_mode=force_custom_plan -c enable_seqscan=off -c jit=off",
        # The keyring's tables stand in a schema of their own, where the server or the database is the same.
        f"-c search_path={KEYRING}" if schema == KEYRING else "",
    ]
    arguments = {"connect_timeout": 5, "keepalives_idle": 30, "options": " ".join(map(str, options)).strip()}
    try:
        return create_engine(
            url, hide_parameters=True, pool_pre_ping=True, pool_size=4, connect_args=arguments
        )
    except ModuleNotFoundError:
        raise StoreError(
            "PostgreSQL's driver is not installed here: requirements/postgres.txt has it, and so has the container"
        ) from None


def _prepare_sqlite(pragmas: Sequence[str], connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: see _begin_sqlite
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once when another writes in between.
    reading = connection.get_execution_options().get("sluicegate_read", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _create_private(path: Path) -> None:
    """The file holds personal data: its owner alone may read it (SQLite gives its WAL the same mode)."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        raise StoreError("the database file cannot be made there by this user") from None
