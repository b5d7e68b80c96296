"""`make run`: a demo that is made once, shows its tour every time, ends with 0, and says what is in its way."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from connectors.registry import SOCIAL
from worker.settings import Settings
from worker.tenants.loading import load_all
from worker.tour.demo import ACCOUNTS, TENANT, prepare
from worker.tour.texts import CONNECTOR

COMMAND = (sys.executable, "-c", "from worker.cli import main; main()", "demo")
LAST_WORD = "conform"
CHECKOUT = Path(__file__).resolve().parents[2]

HELD = {
    "a plain message": "'Good morning, is my order ready?'",
    "the same delivery twice": "'I sent this once.', once",
    "a story mention with its media": "a placeholder: story_mention, media removed",
    "a Facebook CDN URL in a text": "'Look: [removed:facebook-cdn] Nice, no?'",
    "a message, then its unsend": "a tombstone, no content",
    "an unsend, then its message": "a tombstone, no content",
    "a message, then its edit": "'A table for three, please.', edited",
    "a direct message": "'Fish & chips?'",
    "a post, then its deletion": "a tombstone, no content",
    "a forged signature": "nothing",
}
"""What the store must hold after each stop of the tour."""

TEXTS = {
    "a text of the tenant's own": ("accepted", "sent: the console showed it"),
    "a lure to a stranger's link": ("quarantined", "held for a person: quarantine list"),
    "a name that passes for the tenant's": ("refused", "nothing was sent"),
    "STOP, then a text all the same": ("refused", "nothing was sent"),
}
"""The verdict on each text of the tour, and what must become of it."""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a data directory that is not there yet."""
    monkeypatch.setenv("SLUICEGATE_DATA_DIR", str(tmp_path / "data"))
    return Settings()


def test_a_demo_tenant_is_made_once(settings: Settings) -> None:
    """Its secrets are random, and a second start changes nothing."""
    assert prepare(settings)
    files = {path: path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file()}
    assert not prepare(settings)
    assert {path: path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file()} == files
    secrets = [text for path, text in files.items() if path.suffix != ".toml"]
    assert len(set(secrets)) == len(secrets) == sum(len(row.needs) for row in SOCIAL.values()) + 1
    assert all(len(secret) >= 32 for secret in secrets)


def test_nobody_else_can_read_it(settings: Settings) -> None:
    """Directories are 0700, files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        prepare(settings)
    finally:
        os.umask(before)
    for path in (settings.data_dir, *settings.data_dir.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_the_demo_tenant_can_be_served(settings: Settings) -> None:
    """Its file is right, on every connector."""
    from worker.runtime import tenant_source  # noqa: PLC0415 - the server's libraries, for this test alone

    prepare(settings)
    tenants = load_all(tenant_source(settings))
    assert tenants.problems == ()
    tenant = tenants.versions[TENANT].tenant
    assert tenant.connectors.keys() == ACCOUNTS.keys() | {CONNECTOR}
    assert tenant.sms is not None


def test_the_tour_of_a_whole_worker(tmp_path: Path) -> None:
    """It is shown at the first start and at the next; a port that is taken is said; SIGTERM ends it with 0."""
    ports = _free_ports()
    with _demo(tmp_path, ports) as first:
        _assert_tour(first.shown(tmp_path / "screen"))
        (tmp_path / "other").mkdir()
        with _demo(tmp_path / "other", ports) as second:
            assert second.process.wait(20) == 2
            assert f"cannot listen on 127.0.0.1 port {ports['WEBHOOK']}" in second.said(tmp_path / "other")
        assert first.ended(signal.SIGTERM) == 0
    with _demo(tmp_path, ports) as again:
        _assert_tour(again.shown(tmp_path / "screen"))
        assert again.ended(signal.SIGINT) == 0
        assert "replay data/sample.json --tenant demo" in (tmp_path / "screen").read_text()
        assert (tmp_path / "data" / "sample.json").exists()
    lines = (tmp_path / "data" / "demo.log").read_bytes().splitlines()
    assert {msgspec.json.decode(line)["line"] for line in lines} >= {"delivery", "decision", "lifecycle"}


def _assert_tour(shown: str) -> None:
    table = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if "│" in line]
    rows, texts = [row for row in table if len(row) == 4], [row for row in table if len(row) == 3]
    assert {row[0]: (row[1].partition(" ")[0], row[2]) for row in texts} == TEXTS
    assert shown.count("[text]") == 2  # the one that was sent, and what confirms the STOP
    assert {row[0]: row[3] for row in rows} == HELD
    assert {row[2] for row in rows if row[0] == "a forged signature"} == {"401"}
    assert {row[2] for row in rows if row[0] != "a forged signature"} == {"200", "200, 200"}


class _Demo:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def shown(self, screen: Path) -> str:
        """The screen once it says what to try next; bounded."""
        deadline = time.monotonic() + 60
        while (
            LAST_WORD not in screen.read_text()
            and self.process.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(0.05)
        return screen.read_text()

    def said(self, directory: Path) -> str:
        return (directory / "errors").read_text()

    def ended(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def _demo(directory: Path, ports: Mapping[str, int]) -> Iterator[_Demo]:
    """A demo in ``directory``, its screen and errors in files there; ended in any case."""
    settings = {f"SLUICEGATE_{name}_LISTEN_PORT": str(port) for name, port in ports.items()}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SLUICEGATE_")}
    environment = inherited | settings | {"COLUMNS": "160", "PYTHONPATH": str(CHECKOUT)}
    with (directory / "screen").open("wb") as screen, (directory / "errors").open("wb") as errors:
        process = subprocess.Popen(
            COMMAND, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=screen, stderr=errors
        )
    try:
        yield _Demo(process)
    finally:
        process.kill()
        process.wait()


def _free_ports() -> dict[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return {"WEBHOOK": one.getsockname()[1], "ADMIN": other.getsockname()[1]}
