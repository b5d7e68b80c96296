"""The store goes away under load and comes back: 503 meanwhile, nothing lost, and nobody restarts the worker."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
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


def survives(rig: Rig, directory: Path, *outages: Outage) -> None:
    """Assert that under load the worker says 503 while an outage lasts, and goes on by itself."""
    stories = [Story(number, 1) for number in range(SENDERS)]
    with rig.running():
        with sending(rig.url, stories) as working:
            wait_until(lambda: all(one.answers.get(200) for one in working))
            for outage in outages:
                goes_through(outage, working)
                assert httpx.get(f"{rig.admin_url}/readyz", trust_env=False).status_code == 200
        assert statuses(working) == {200, 503}
        assert rig.stop() == 0
    with beside(rig, directory / "copy") as opened:
        assert check(stories, *opened) > SENDERS


def goes_through(outage: Outage, working: Sequence[Sender]) -> None:
    """Everybody is told to come again while it lasts, and everybody is taken again after it."""
    refused = [one.answers.get(503, 0) for one in working]
    with outage():
        wait_until(
            lambda: all(one.answers.get(503, 0) > count for one, count in zip(working, refused, strict=True))
        )
    over = time.monotonic()
    wait_until(lambda: all(one.last_success > over for one in working))


def statuses(working: list[Sender]) -> set[int]:
    """Every status that anybody was answered."""
    return {status for one in working for status in one.answers}


def wait_until(happens: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_postgresql_goes_away(server: Server, tmp_path: Path) -> None:
    """First in good order, then in the middle of everything; it comes back, and what was acknowledged is there."""

    @contextmanager
    def outage(how: signal.Signals) -> Iterator[None]:
        server.stop(how)
        yield
        server.start()

    url = server.url(server.create())
    outages = (partial(outage, how) for how in (signal.SIGINT, signal.SIGKILL))
    survives(worker_on(Databases(url, url), tmp_path), tmp_path, *outages)


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
