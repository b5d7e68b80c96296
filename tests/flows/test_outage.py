"""The store goes away under load and comes back: 503 meanwhile, nothing lost, and nobody restarts the worker."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.databases import Databases, Provisioner
from tests.flows.disks import files_no_larger_than, small_disk
from tests.flows.senders import Sender, Story, beside, check, sending, worker_on
from tests.postgres import Server
from worker.conformance.rig import Rig

SENDERS = 12
Outage = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def server() -> Iterator[Server]:
    """A PostgreSQL server of this test's own, which really waits for its disk."""
    own = Server(durable=True)
    own.start()
    yield own
    own.remove()


def survives(rig: Rig, directory: Path, outage: Outage) -> None:
    """Assert that under load the worker says 503 while the outage lasts, and goes on by itself."""
    stories = [Story(number, 1) for number in range(SENDERS)]
    with rig.running():
        with sending(rig.url, stories) as working:
            wait_until(lambda: all(one.answers.get(200) for one in working))
            with outage():
                wait_until(lambda: all(one.answers.get(503) for one in working))
                assert httpx.get(f"{rig.admin_url}/readyz", trust_env=False).status_code == 200
            over = time.monotonic()
            wait_until(lambda: all(one.last_success > over for one in working))
        assert statuses(working) == {200, 503}
        assert rig.stop() == 0
    with beside(rig, directory / "copy") as opened:
        assert check(stories, *opened) > SENDERS


def statuses(working: list[Sender]) -> set[int]:
    """Every status that anybody was answered."""
    return {status for one in working for status in one.answers}


def wait_until(happens: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["stopped", "killed"])
def test_postgresql_goes_away(server: Server, tmp_path: Path, how: signal.Signals) -> None:
    """In good order or in the middle of everything; it comes back and what was acknowledged is there."""

    @contextmanager
    def outage() -> Iterator[None]:
        server.stop(how)
        yield
        server.start()

    url = server.url(server.create())
    survives(worker_on(Databases(url, url), tmp_path), tmp_path, outage)


def test_files_can_grow_no_further(provisioner: Provisioner, tmp_path: Path) -> None:
    """The embedded store meets a limit in the middle of a write."""
    databases = provisioner.empty("sqlite")
    rig = worker_on(databases, tmp_path)

    @contextmanager
    def outage() -> Iterator[None]:
        size = (databases.directory / "sluicegate.db-wal").stat().st_size
        with files_no_larger_than(size, rig.pid):
            yield

    survives(rig, tmp_path, outage)


def test_the_disk_is_full(tmp_path: Path) -> None:
    """The embedded store's file system has no room left."""
    with small_disk(tmp_path / "disk", megabytes=48) as disk:

        @contextmanager
        def outage() -> Iterator[None]:
            disk.fill()
            yield
            disk.free()

        rig = worker_on(Databases.below(disk.directory), tmp_path)
        survives(rig, tmp_path, outage)


def test_the_disk_of_postgresql_is_full(server: Server, tmp_path: Path) -> None:
    """The server goes on, and cannot extend a table."""
    with small_disk(server.directory / "disk", megabytes=64) as disk:
        elsewhere = disk.directory / "space"
        elsewhere.mkdir()
        name = server.create(tablespace=server.tablespace(elsewhere))

        @contextmanager
        def outage() -> Iterator[None]:
            disk.fill()
            yield
            disk.free()

        url = server.url(name)
        survives(worker_on(Databases(url, url), tmp_path), tmp_path, outage)
        server.stop(signal.SIGQUIT)
