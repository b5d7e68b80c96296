"""What all tests share: databases of both engines, and how hard hypothesis tries."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import ENGINES, Databases, Provisioner, memory_directory
from tests.postgres import Server

# No deadlines: the machine may be busy with something else.
settings.register_profile("sluicegate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sluicegate")


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[], Server]]:
    """The session's PostgreSQL server: starts when it is first asked for."""
    started: list[Server] = []

    def server() -> Server:
        if not started:
            started.append(Server())
            started[0].start()
        return started[0]

    yield server
    for one in started:
        one.remove()


@pytest.fixture(scope="session")
def provisioner(servers: Callable[[], Server]) -> Iterator[Provisioner]:
    """Makes fresh databases."""
    directory = memory_directory()
    yield Provisioner(directory, servers)
    shutil.rmtree(directory)


@pytest.fixture(params=ENGINES)
def databases(request: pytest.FixtureRequest, provisioner: Provisioner) -> Iterator[Databases]:
    """A fresh store and keyring; the test runs once on each engine."""
    with provisioner.lent(request.param) as lent:
        yield lent


@pytest.fixture(scope="module", params=ENGINES)
def shared_databases(request: pytest.FixtureRequest, provisioner: Provisioner) -> Iterator[Databases]:
    """A store and keyring for all examples of a file, which keep apart by tenant; once on each engine."""
    with provisioner.lent(request.param) as lent:
        yield lent


@pytest.fixture
def sqlite(provisioner: Provisioner) -> Iterator[Databases]:
    """A fresh store and keyring in files."""
    with provisioner.lent("sqlite") as lent:
        yield lent


@pytest.fixture
def postgresql(provisioner: Provisioner) -> Iterator[Databases]:
    """A fresh store and keyring on the session's PostgreSQL server."""
    with provisioner.lent("postgresql") as lent:
        yield lent
