"""Lifting a hold, killed at every step, and what is left on the disk of what it kept back: nothing."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from policies.message import IdentifierKind
from tests.databases import MASTER, Databases
from tests.flows.harness import Replica, edit, message, person, replicas, tenant, unsend
from tests.flows.plaintext_worker import Plaintext
from tests.worker.holding_house import ANN, ANNS_NUMBER, OFFICER, House
from worker.conformance.search import Search
from worker.crypto import CipherFactory
from worker.holds.placing import HoldRefused
from worker.store import decisions, seals
from worker.store.checkpoint import Checkpointer
from worker.store.engine import Store
from worker.tenants.loading import Tenant

WHO: Final = person(IdentifierKind.PHONE, ANNS_NUMBER)


def _in_house(databases: Databases, of: Tenant, keys: Path, work: Callable[[House], object]) -> None:
    with replicas(databases) as [replica]:
        work(House(replica, of, keys))


def killed(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a process of its own that is gone where its n-th transaction begins or is about to be committed."""
    child = os.fork()
    if child == 0:
        try:
            _die_at(step)
            work()
        except BaseException:  # noqa: BLE001 - the parent sees it by the code
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, -signal.SIGKILL}
    return code != 0


def _die_at(step: int) -> None:
    left = itertools.count(step, -1)
    original = Store.transaction

    def transaction(self: Store) -> Any:
        _step(left)
        self.journal = lambda _lines: _step(left)
        return original(self)

    Store.transaction = transaction  # type: ignore[method-assign]


def _step(left: Any) -> None:
    if next(left) == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def _prepare(house: House) -> None:
    house.tell(*[message(f"m{n}", f"text {n}", who=WHO) for n in range(5)])
    house.place(person=ANN)
    house.tell(unsend("m0"), edit("m1", "edited", who=WHO))
    house.erase()


def _lift(house: House) -> None:
    [hold] = house.desk.holds()
    with suppress(HoldRefused):
        house.desk.lift(bytes.fromhex(hold.id), OFFICER)
    house.lifting.run()


def _nothing_is_left(house: House) -> None:
    assert (house.hidden(), house.contents(), house.conversations()) == ({}, 0, [])
    with house.replica.store.reading() as tx:
        receipts = seals.receipts_since(tx, house.of.id, 0)
        assert decisions.verify(tx, house.of.id) is None
    assert {one.kind for one in receipts} == {"lifted_hold"}
    assert not house.lifting.run()


def test_killed_at_any_step_the_next_run_completes_what_is_due(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and within every transaction: lifting, batch after batch, the erasure and its key."""
    monkeypatch.setattr("worker.holds.lifting.BATCH", 2)
    for step in itertools.count():
        run = partial(_in_house, databases, tenant(f"l{step}"), tmp_path)
        run(_prepare)
        died = killed(step, partial(run, _lift))
        run(_lift)
        run(_nothing_is_left)
        if not died:
            assert step > 6
            return


# -- the bytes -----------------------------------------------------------------------------------------------

SECRET: Final = "a sentence about heliotropes"
EDITED: Final = "another one about marigolds"


class _Clear(Replica):
    """A replica whose cipher hides nothing."""

    factory: CipherFactory = Plaintext

    def open(self) -> None:
        self.store = self.databases.store()
        self.keyring = self.databases.keyring(MASTER, Plaintext)


def _files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def _found(directory: Path) -> set[tuple[str, str]]:
    sought = Search([SECRET, EDITED])
    return {(hit.needle, name) for name, data in _files(directory).items() for hit in sought.look(data)}


def test_of_what_a_lifted_hold_kept_no_byte_is_left(sqlite: Databases, tmp_path: Path) -> None:
    """Neither in the database nor in its log, while the worker runs and after it; as long as it was held it was there."""
    replica = _Clear(sqlite)
    checkpointer = Checkpointer(replica.store)
    checkpointer.start()
    try:
        house = House(replica, tenant(), tmp_path)
        house.tell(message("m0", "hello", who=WHO), message("m1", SECRET, who=WHO))
        hold = house.place(person=ANN)
        house.tell(edit("m1", EDITED, who=WHO))
        house.tell(unsend("m1"))
        assert {needle for needle, _ in _found(sqlite.directory)} == {SECRET, EDITED}
        house.lift(hold)
        assert _found(sqlite.directory) == set()
        assert house.seen() == {house.key("m0").hex(): "hello"}
    finally:
        checkpointer.stop()
        replica.close()
    assert _found(sqlite.directory) == set()
