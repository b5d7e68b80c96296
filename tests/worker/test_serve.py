"""`sluicegate serve` as a process: signals, standard output, exit codes."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors import sample
from connectors.registry import CONNECTORS
from tests.databases import Databases
from worker.settings import PREFIX
from worker.tour.samples import Scene, text

ROOT = Path(__file__).parents[2]
ACCOUNT = "17841400000000088"


class Worker:
    """A worker's files and its process; ``output`` is the reading end of its standard output."""

    def __init__(self, directory: Path, databases: Databases) -> None:
        self.directory = directory
        (directory / "master.key").write_bytes(base64.b64encode(bytes(range(32))))
        (directory / "tenants").mkdir()
        (directory / "secrets" / "acme").mkdir(parents=True)
        (directory / "secrets" / "acme" / "app").write_text("secret")
        self.write_tenant("Acme")
        self.ports = [_free_port(), _free_port()]
        self.environment = {
            "DATA_DIR": str(directory),
            "DATABASE_URL": databases.store_url,
            "KEYRING_URL": databases.keyring_url,
            "WEBHOOK_LISTEN_PORT": str(self.ports[0]),
            "ADMIN_LISTEN_PORT": str(self.ports[1]),
            "RELOAD_SECONDS": "3600",
        }
        self.process: subprocess.Popen[bytes]

    def write_tenant(self, name: str, more: str = "") -> None:
        (self.directory / "tenants" / "acme.toml").write_text(
            f'name = "{name}"\n[connectors.instagram]\naccounts = ["{ACCOUNT}"]\n'
            f'signing_secrets = ["file:app"]\nverify_tokens = ["file:app"]\n{more}'
        )

    def start(self, **changed: str) -> subprocess.Popen[bytes]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        settings = {PREFIX + name: value for name, value in (self.environment | changed).items()}
        return subprocess.Popen(
            [sys.executable, "-c", "from worker.cli import main; main()", "serve"],
            cwd=ROOT,
            env=inherited | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    @contextmanager
    def running(self, **changed: str) -> Iterator[httpx.Client]:
        self.process = self.start(**changed)
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{self.ports[0]}", trust_env=False, timeout=20
            ) as client:
                self._wait_until_ready()
                yield client
        finally:
            self.process.kill()
            self.process.communicate()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while self.admin("/readyz") != 200:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def admin(self, path: str) -> int:
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports[1]}{path}", trust_env=False).status_code
        except httpx.TransportError:
            return 0

    def ended(self, with_signal: signal.Signals | None = None, seconds: float = 20) -> int:
        if with_signal is not None:
            self.process.send_signal(with_signal)
        return self.process.wait(seconds)

    def lines(self) -> list[dict[str, Any]]:
        """The log of a process that has ended; nothing but log lines may stand there."""
        output, errors = self.process.communicate()
        assert errors == b""
        return [json.loads(line) for line in output.splitlines()]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def post(client: httpx.Client, words: str = "hello") -> int:
    body = text("instagram", Scene.fresh(ACCOUNT), words)
    headers = sample.signed(CONNECTORS["instagram"], body, b"secret")
    return client.post("/webhooks/acme/instagram", content=body, headers=headers).status_code


@pytest.fixture
def worker(tmp_path: Path, sqlite: Databases) -> Worker:
    return Worker(tmp_path, sqlite)


def test_hangup_reloads_and_termination_drains(worker: Worker) -> None:
    """Every line of the log is JSON, the last one says that it stopped, and the database is closed."""
    with worker.running() as client:
        worker.write_tenant("Acme", "[connectors.x]\naccounts=['1']\nsigning_secrets=['file:app']")
        assert client.post("/webhooks/acme/x").status_code == 404
        worker.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 5
        while client.post("/webhooks/acme/x").status_code != 401:
            assert time.monotonic() < deadline
        assert post(client) == 200
        assert worker.ended(signal.SIGTERM) == 0
        lines = worker.lines()
    assert lines[-1]["phase"] == "stopped"
    assert [line["line"] for line in lines].count("decision") == 1
    assert not list(worker.directory.glob("*-wal"))


def test_a_second_signal_ends_at_once(worker: Worker) -> None:
    """Somebody who presses Ctrl-C twice means it: not 0, and no waiting for what is in flight."""
    with worker.running(), socket.create_connection(("127.0.0.1", worker.ports[0])) as slow:
        slow.sendall(b"POST /webhooks/acme/instagram HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\n[")
        time.sleep(0.2)
        worker.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert worker.process.poll() is None
        assert worker.ended(signal.SIGTERM, 2) == 128 + signal.SIGTERM


def test_a_blocked_standard_output_stalls_nothing(worker: Worker) -> None:
    """Nobody reads the log: deliveries are answered all the same, and the process still ends in order."""
    with worker.running(LOG_LINES="2048") as client:
        started = time.monotonic()
        answers = {post(client) for _ in range(120)}
        assert answers == {200}
        assert time.monotonic() - started < 30
        # The pipe holds 64 kB: more than that was logged, so the writer of the log is stuck by now.
        assert worker.ended(signal.SIGINT) == 0


def test_a_refusal_to_start_is_a_sentence_and_a_line(worker: Worker) -> None:
    """Exit code 2 for whoever supervises, a sentence for whoever reads, a line for whoever collects."""
    (worker.directory / "master.key").unlink()
    process = worker.start()
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert errors.startswith(b"sluicegate: SLUICEGATE_MASTER_KEY_FILE: there is no ")
    assert [json.loads(line)["phase"] for line in output.splitlines()] == ["refused_to_start"]


def test_a_worker_leaves_no_core_dump(worker: Worker) -> None:
    """It would hold bodies that no rule has seen yet, and keys."""
    with worker.running():
        limits = Path(f"/proc/{worker.process.pid}/limits").read_text()
    (core,) = (line.split() for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core[4:6] == ["0", "0"]
