"""Messages, edits, unsends, holds, erasures and lifts in every order end as the truth table of precedence says."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from policies.lifecycle import Duty, Fate, disposal
from policies.message import IdentifierKind
from policies.record import State
from tests.databases import Databases
from tests.flows.harness import Replica, message, person, replicas, tenant, unsend
from tests.worker.holding_house import ANN, ANNS_NUMBER, House
from worker.holds.placing import HoldRefused
from worker.store import decisions

WHO: Final = person(IdentifierKind.PHONE, ANNS_NUMBER)
OPS: Final = ("message", "unsend", "again", "erase", "hold ann", "hold all", "lift ann", "lift all")
_number: Final = itertools.count()


@pytest.fixture(scope="module")
def replica(shared_databases: Databases) -> Iterator[Replica]:
    """One store for all examples, each of which is a tenant of its own."""
    with replicas(shared_databases) as [opened]:
        yield opened


class Told:
    """What has to be true of one message after each step: its fate is asked of the truth table."""

    def __init__(self) -> None:
        self.holds: set[str] = set()
        self.state = State.ABSENT
        self.where = "nowhere"
        self.is_known = True
        self.is_anns = False  # an unsend names nobody: until its message comes, nobody knows whose it was

    def step(self, op: str) -> None:
        kind, _, which = op.partition(" ")
        if kind == "hold" and (which == "all" or self.is_known):
            self.holds.add(which)
        elif kind == "lift" and which in self.holds:
            self._lift(which)
        elif kind in {"message", "again"}:
            self._arrive()
        elif kind == "unsend" and self.state < State.UNSENT:
            self._goes(Duty.PLATFORM_DELETION)
            self.state = State.UNSENT
        elif kind == "erase":
            self._erase()

    def _arrive(self) -> None:
        self.is_known = self.is_known or self.state < State.ERASED
        self.is_anns = self.is_anns or self.state < State.ERASED
        if self.state is State.ABSENT:
            self.state, self.where = State.STORED, "seen"
        elif self.state is State.UNSENT and self.where == "nowhere":
            self.where = "arriving"
            self._goes(Duty.PLATFORM_DELETION)

    def _erase(self) -> None:
        if self.where == "hidden":
            self.where = "hidden" if self._fate(Duty.ERASURE) is Fate.RESTRICT else "nowhere"
        self._goes(Duty.ERASURE)
        self.state = State.ERASED if self.is_anns else self.state
        self.is_known = bool(self.holds)

    def _lift(self, which: str) -> None:
        self.holds.discard(which)
        if not self.holds and self.where == "hidden":
            self.where = "nowhere"

    def _goes(self, why: Duty) -> None:
        if self.where in {"seen", "arriving"}:
            self.where = "hidden" if self._fate(why) is Fate.RESTRICT else "nowhere"

    def _fate(self, why: Duty) -> Fate:
        return disposal(frozenset({why} | ({Duty.LEGAL_HOLD} if self.holds else set()))).fate


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(ops=st.lists(st.sampled_from(OPS), max_size=9))
@example(ops=["message", "hold ann", "unsend", "erase", "lift ann"])
@example(ops=["unsend", "hold all", "message", "hold ann", "lift all", "again", "lift ann"])
def test_every_order_ends_as_the_truth_table_says(replica: Replica, tmp_path: Path, ops: list[str]) -> None:
    """Seen, hidden or nowhere: after every step, and nothing is lost or orphaned. One erasure, as it is asked for once."""
    house = House(replica, tenant(f"t{next(_number)}"), tmp_path)
    house.tell(message("m0", "before", who=WHO))
    truth, holds, erased = Told(), dict[str, bytes](), False
    for op in ops:
        if op == "erase" and erased:
            continue
        erased = erased or op == "erase"
        act(house, op, holds)
        truth.step(op)
        check(house, truth)
    for which in list(holds):
        act(house, f"lift {which}", holds)
    assert house.hidden() == {}
    assert house.contents() == len(house.seen())


def act(house: House, op: str, holds: dict[str, bytes]) -> None:
    """Do it, with the means of the worker."""
    kind, _, which = op.partition(" ")
    match kind:
        case "message" | "again":
            house.tell(message("m", "said", who=WHO))
        case "unsend":
            house.tell(unsend("m"))
        case "erase":
            house.erase()
        case "hold" if which not in holds:
            try:
                holds[which] = house.place(**({"person": ANN} if which == "ann" else {}))
            except HoldRefused:
                return
        case "lift" if which in holds:
            house.lift(holds.pop(which))


def check(house: House, truth: Told) -> None:
    """What there is, and where."""
    key = house.key("m").hex()
    seen, hidden = house.seen(), house.hidden()
    found = "seen" if key in seen else "hidden" if key in hidden else "nowhere"
    assert (found, house.states().get(key, State.ABSENT)) == (truth.where, truth.state)
    assert house.contents() == len(seen) + len(hidden)
    with house.replica.store.reading() as tx:
        assert decisions.verify(tx, house.of.id) is None


def test_the_shortest_orders_are_all_told(replica: Replica, tmp_path: Path) -> None:
    """Every order of an unsend, a hold, an erasure and a lift of what was said before."""
    for order in itertools.permutations(("unsend", "hold ann", "erase", "lift ann")):
        house = House(replica, tenant(f"t{next(_number)}"), tmp_path)
        house.tell(message("m0", "before", who=WHO), message("m", "said", who=WHO))
        truth, holds = Told(), dict[str, bytes]()
        truth.step("message")
        for op in order:
            act(house, op, holds)
            truth.step(op)
            check(house, truth)
