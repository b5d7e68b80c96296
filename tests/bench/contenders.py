"""What can be loaded: how each contender is started, where it listens, and how many messages it keeps."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.bench.databases import Database
from tests.bench.plan import Target
from tests.bench.process import Server, free_port, running

ACCOUNT = "17841400000000001"
PHONE_NUMBER_ID = "106540352242922"
SECRET = "a-secret-of-the-benchmark"
TENANT = "bench"


class Contender(Protocol):
    """One server with its database. `running` may be entered again: the rows stay."""

    @property
    def name(self) -> str:
        """What the table calls it."""

    def running(self, more: Mapping[str, str]) -> AbstractContextManager[Server]:
        """The server while the context lasts; `more` is added to its environment."""

    def stored(self) -> int | None:
        """Messages that are committed; None when it keeps none."""


def targets(channels: tuple[str, ...]) -> tuple[Target, ...]:
    """Where the load goes; every contender listens on the same paths."""
    accounts = {"instagram": ACCOUNT, "whatsapp": PHONE_NUMBER_ID}
    return tuple(
        Target(
            path=f"/webhooks/{TENANT}/{channel}",
            channel=channel,
            account=accounts[channel],
            secret=SECRET,
        )
        for channel in channels
    )


def uvicorn(application: str, port: int) -> list[str]:
    """The fastest uvicorn that there is, its access log off."""
    words = f"-m uvicorn {application} --host 127.0.0.1 --port {port} --loop uvloop --http httptools"
    return [sys.executable, *words.split(), "--no-access-log", "--log-level", "warning"]


@dataclass(frozen=True, slots=True)
class PlainReceiver:
    """FastAPI, SQLModel, a commit per request (plain_receiver.py)."""

    directory: Path
    database: Database
    name: str = "plain receiver"

    def running(self, more: Mapping[str, str]) -> AbstractContextManager[Server]:
        """Run by uvicorn."""
        port = free_port()
        environment = {"BENCH_DATABASE_URL": self.database.url, "BENCH_SECRET": SECRET, **more}
        command = uvicorn("tests.bench.plain_receiver:app", port)
        return running(command, environment, port, self.directory / "plain.log")

    def stored(self) -> int:
        """Rows in its table."""
        return self.database.count("received_message")


@dataclass(frozen=True, slots=True)
class AcknowledgeOnly:
    """Answers and stores nothing (acknowledge_only.py)."""

    directory: Path
    name: str = "acknowledge only"

    def running(self, more: Mapping[str, str]) -> AbstractContextManager[Server]:
        """Run by uvicorn."""
        port = free_port()
        command = uvicorn("tests.bench.acknowledge_only:app", port)
        return running(command, more, port, self.directory / "acknowledge.log")

    def stored(self) -> None:
        """Nothing."""
