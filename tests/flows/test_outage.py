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

from tests.databases import Databases
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
    """In good order, in the middle of everything, for want of room; and what was acknowledged is there."""

    @contextmanager
    def ended(how: signal.Signals) -> Iterator[None]:
        server.stop(how)
        yield
        server.start()

    with small_disk(server.directory / "disk", megabytes=64) as disk:
        space = server.directory / "disk" / "space"
        space.mkdir()
        url = server.url(server.create(tablespace=server.tablespace(space)))
        outages: list[Outage] = [partial(ended, how) for how in (signal.SIGINT, signal.SIGKILL)]
        if disk is not None:
            outages.append(disk.full)
        survives(worker_on(Databases(url, url), tmp_path), tmp_path, *outages)
        server.stop(signal.SIGQUIT)


def test_the_embedded_store_has_no_room(tmp_path: Path) -> None:
    """Its files may grow no further, its file system is full: it meets that in the middle of a write."""
    with small_disk(tmp_path / "disk", megabytes=48) as disk:
        databases = Databases.below(tmp_path / "disk")
        rig = worker_on(databases, tmp_path)

        @contextmanager
        def limited() -> Iterator[None]:
            size = (databases.directory / "sluicegate.db-wal").stat().st_size
            with files_no_larger_than(size, rig.pid):
                yield

        survives(rig, tmp_path, limited, *([disk.full] if disk is not None else []))
