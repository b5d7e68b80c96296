"""Everything that the benchmark knows about the worker: how it is set up, started, counted and filled."""

from __future__ import annotations

import base64
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table as SqlTable

from tests.bench.contenders import ACCOUNT, PHONE_NUMBER_ID, SECRET, TENANT
from tests.bench.databases import Database
from tests.bench.process import ROOT, Server, free_port, running
from worker.store.tables import ContentRow, MessageRow, Table

SETUP_SECONDS = 120.0
SEALED_BYTES = 1_200
MESSAGES_PER_CONVERSATION = 50
FIRST_PASS = 0.6
SQLITE_FOR_FILLING = ("journal_mode=OFF", "synchronous=OFF", "cache_size=-4000000", "locking_mode=EXCLUSIVE")

TENANT_FILE = f"""\
name = "Benchmark"

[connectors.instagram]
accounts = ["{ACCOUNT}"]
signing_secrets = ["file:app"]
verify_tokens = ["file:verify"]

[connectors.whatsapp]
accounts = ["{PHONE_NUMBER_ID}"]
signing_secrets = ["file:app"]
verify_tokens = ["file:verify"]
"""


@dataclass(frozen=True, slots=True)
class WorkerUnderTest:
    """The worker as it is shipped: encryption, rules, log and metrics on."""

    directory: Path
    database: Database
    name: str = "worker"

    @classmethod
    def prepare(cls, directory: Path, database: Database) -> WorkerUnderTest:
        """A tenant with its secrets, a master key, and an empty store with its schema."""
        worker = cls(directory, database)
        secrets = directory / "secrets" / TENANT
        secrets.mkdir(parents=True)
        (directory / "tenants").mkdir()
        (directory / "tenants" / f"{TENANT}.toml").write_text(TENANT_FILE)
        _write_private(secrets / "app", SECRET)
        _write_private(secrets / "verify", "a-verify-token")
        _write_private(directory / "master.key", base64.b64encode(os.urandom(32)).decode())
        worker.command("migrate")
        return worker

    def environment(self) -> dict[str, str]:
        """Where this worker's things are."""
        return {
            "SLUICEGATE_DATA_DIR": str(self.directory),
            "SLUICEGATE_TENANTS_DIR": str(self.directory / "tenants"),
            "SLUICEGATE_SECRETS_DIR": str(self.directory / "secrets"),
            "SLUICEGATE_MASTER_KEY_FILE": str(self.directory / "master.key"),
            "SLUICEGATE_DATABASE_URL": self.database.url,
        }

    def command(self, *words: str) -> None:
        """Run a command of the worker to its end."""
        subprocess.run(
            _sluicegate(*words),
            env={**os.environ, **self.environment()},
            cwd=ROOT,
            check=True,
            timeout=SETUP_SECONDS,
            stdout=subprocess.DEVNULL,
        )

    def running(self, more: Mapping[str, str]) -> AbstractContextManager[Server]:
        """`serve` on free ports; its log lines go to a file."""
        port = free_port()
        ports = {
            "SLUICEGATE_WEBHOOK_LISTEN_PORT": str(port),
            "SLUICEGATE_ADMIN_LISTEN_PORT": str(free_port()),
        }
        environment = {**self.environment(), **ports, **more}
        return running(_sluicegate("serve"), environment, port, self.directory / "worker.log.writer")

    def stored(self) -> int:
        """Messages in the store."""
        return self.database.count(str(MessageRow.__tablename__))


def _sluicegate(*words: str) -> list[str]:
    return [sys.executable, "-c", "from worker.cli import main; main()", *words]


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")


def preload(worker: WorkerUnderTest, count: int) -> None:
    """Fill the SQLite store with `count` messages that nobody will ask for."""
    fill(worker.database.url.removeprefix("sqlite:///"), count)


def fill(path: str, count: int) -> None:
    """Fill an SQLite store by the bulk path.

    Keys are random as real ones are. They go in sorted, in two passes: the second splits the pages
    that the first filled, which leaves them as full as random inserts do, in a tenth of the time.
    """
    filling = Filling(count)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in SQLITE_FOR_FILLING:
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute("BEGIN")
        connection.executemany(insert(_table(ContentRow)), filling.contents())
        for some in filling.passes():
            connection.executemany(insert(_table(MessageRow)), filling.messages(some))
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL").fetchall()


class Filling:
    """The rows of a filled store; message `n` has content `n`, one millisecond after the one before."""

    def __init__(self, count: int) -> None:
        """Draw the keys."""
        chance = random.Random(count)
        now = int(time.time() * 1_000_000)
        self._first_instant = now - (count + 1) * 1_000
        self._keys = [chance.randbytes(16) for _ in range(count)]
        conversations = max(1, count // MESSAGES_PER_CONVERSATION)
        self._conversations = [chance.randbytes(16) for _ in range(conversations)]
        self._noise = chance.randbytes(1 << 20)

    def passes(self) -> Iterator[Sequence[int]]:
        """The numbers of all messages in two lots, each sorted by key."""
        cut = int(len(self._keys) * FIRST_PASS)
        for numbers in (range(cut), range(cut, len(self._keys))):
            yield sorted(numbers, key=self._keys.__getitem__)

    def messages(self, numbers: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """Rows of the message table."""
        columns = _table(MessageRow).columns.keys()
        for number in numbers:
            row = self._message(number)
            yield tuple(row[column] for column in columns)

    def contents(self) -> Iterator[tuple[Any, ...]]:
        """Rows of the content table, in the order of time."""
        columns = _table(ContentRow).columns.keys()
        for number in range(len(self._keys)):
            start = number * 7919 % (len(self._noise) - SEALED_BYTES)
            sealed = self._noise[start : start + SEALED_BYTES]
            row = {"tenant": TENANT, "id": self._content_id(number), "sealed": sealed}
            yield tuple(row[column] for column in columns)

    def _message(self, number: int) -> dict[str, Any]:
        instant = self._first_instant + number * 1_000
        return {
            "tenant": TENANT,
            "key": self._keys[number],
            "connector": "instagram",
            "account": ACCOUNT,
            "conversation": self._conversations[number * 7919 % len(self._conversations)],
            "state": 1,
            "rank": 2,
            "standby": 0,
            "history": 0,
            "withheld": 0,
            "kind": "text",
            "direction": "inbound",
            "edit_number": 0,
            "occurred_at": instant,
            "recorded_at": instant,
            "changed_at": instant,
            "unsent_at": None,
            "status": 0,
            "status_at": 0,
            "error_code": 0,
            "reply_to": b"",
            "content": self._content_id(number),
        }

    def _content_id(self, number: int) -> bytes:
        """A UUIDv7: the time in milliseconds, then a number of its own."""
        milliseconds = (self._first_instant + number * 1_000) // 1_000
        return milliseconds.to_bytes(6, "big") + b"\x70\x00\x80\x00" + number.to_bytes(6, "big")


def _table(row: type[Table]) -> SqlTable:
    return Table.metadata.tables[str(row.__tablename__)]


def insert(table: SqlTable) -> str:
    """The plain INSERT of all columns."""
    names = table.columns.keys()
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
