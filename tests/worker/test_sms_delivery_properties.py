"""Whatever providers, recipients, clocks and crashes do: at most once, in order, never after an opt-out, nothing in silence."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.event import DeliveryStatus
from tests.databases import Databases
from tests.worker.sending import LOOKUP, Clock, Died, House, Provider, provided
from worker.store.outbox import OutboxState, Outgoing

RECIPIENTS = ("+12025550143", "+12025550144")
BEHAVIOURS = (
    "sent sent lost lost swallowed swallowed broken dies_before dies_after dies_writing down throttled temporary"
    " opted_out rejected registration account"
).split()
FINAL = {
    OutboxState.SENT,
    OutboxState.FAILED,
    OutboxState.STOPPED,
    OutboxState.EXPIRED,
    OutboxState.UNRESOLVED,
}
NOT_TAKEN = FINAL - {OutboxState.SENT}

_tenants = itertools.count(1)


@dataclass(frozen=True)
class Submit:
    recipient: int
    valid: int | None


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class OptOut:
    recipient: int


@dataclass(frozen=True)
class Report:
    which: int
    status: DeliveryStatus


Step = Submit | Wait | OptOut | Report

_submit = st.builds(Submit, st.integers(0, 1), st.sampled_from([None, None, None, 30, 4000]))
_wait = st.builds(Wait, st.sampled_from([0.5, 20, 130, 1000, 4000]))
_opt_out = st.builds(OptOut, st.integers(0, 1))
_report = st.builds(
    Report, st.integers(0, 3), st.sampled_from([DeliveryStatus.SENT, DeliveryStatus.DELIVERED])
)
scripts = st.lists(st.sampled_from(BEHAVIOURS), min_size=3, max_size=15)
steps = st.lists(
    st.sampled_from([_submit, _submit, _submit, _wait, _wait, _wait, _opt_out, _report]).flatmap(
        lambda one: one
    ),
    min_size=8,
    max_size=25,
)


class World:
    """One example: replicas that may die, one provider, one tenant of its own."""

    def __init__(self, databases: Databases, script: list[str], *, lookup: bool) -> None:
        self.id = f"t{next(_tenants)}"
        self.databases = databases
        self.tenant = provided(self.id, lookup=LOOKUP if lookup else None)
        self.clock = Clock()
        self.provider = Provider(self.clock)
        self.provider.script.extend(script)
        self.opted_out: dict[str, int] = {}
        self.house = self._house()

    def _house(self) -> House:
        return House(
            self.databases, self.tenant, provider=self.provider, clock=self.clock, unknown_seconds=600
        )

    def close(self) -> None:
        self.house.close()

    def take(self, step: Step) -> None:
        match step:
            case Submit(recipient, valid):
                until = None if valid is None else self.clock.now + valid * 1_000_000
                self.house.hand_in(RECIPIENTS[recipient], of=self.id, not_after=until)
            case Wait(seconds):
                self.clock.advance(seconds)
                self.work()
            case OptOut(recipient):
                self.house.opt_out(RECIPIENTS[recipient], of=self.id)
                self.opted_out.setdefault(RECIPIENTS[recipient], len(self.provider.taken))
            case Report(which, status):
                if self.provider.ids:
                    taken = self.provider.ids[which % len(self.provider.ids)]
                    self.house.report(taken, status, of=self.id)

    def work(self) -> None:
        """Send what is due. A replica that dies is followed by another."""
        try:
            self.house.rounds()
        except Died:
            self.house.close()
            self.house = self._house()

    def end(self) -> list[Outgoing]:
        """The provider gets well, and time passes until nothing is left to do."""
        self.provider.script.clear()
        self.clock.dying = False
        self.house.settle_down(of=self.id, hours=8, most=200)
        return self.house.rows(self.id)


def holds(world: World, rows: list[Outgoing]) -> None:
    """What every history ends in."""
    taken = world.provider.ids
    by_id = {row.id.hex(): row for row in rows}
    assert len(taken) == len(set(taken)), "a text was taken twice"
    for recipient in RECIPIENTS:
        in_order = [one["id"] for one in world.provider.taken if one["to"] == recipient]
        assert in_order == sorted(in_order), "of a pair, a later text went first"
        before = world.opted_out.get(recipient)
        after = [] if before is None else world.provider.taken[before:]
        assert not any(one["to"] == recipient for one in after), "a text went after an opt-out"
    for id_, row in by_id.items():
        known = {OutboxState.SENT, OutboxState.UNRESOLVED} if id_ in taken else NOT_TAKEN
        assert row.state in known, f"{row.state.name} is not true"
        assert (row.sealed is None) == (row.state is not OutboxState.UNRESOLVED)
    calls = world.provider.calls
    assert all(calls.count(id_) <= row.epoch for id_, row in by_id.items()), "two calls of one claim"


def live(databases: Databases, script: list[str], history: list[Step], *, lookup: bool) -> None:
    """Take every step, and see how it ends."""
    world = World(databases, script, lookup=lookup)
    try:
        for step in history:
            world.take(step)
        holds(world, world.end())
    finally:
        world.close()


@pytest.mark.parametrize("lookup", [False, True], ids=["never asked", "asked"])
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(script=scripts, history=steps)
def test_every_history_ends_well(
    shared_databases: Databases, script: list[str], history: list[Step], *, lookup: bool
) -> None:
    """At most once, in order, never after an opt-out; every text ends in a state that is true."""
    live(shared_databases, script, history, lookup=lookup)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("lookup", [False, True], ids=["never asked", "asked"])
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(script=scripts, history=steps)
def test_many_more_histories_end_well(
    shared_databases: Databases, script: list[str], history: list[Step], *, lookup: bool
) -> None:
    """The same, for longer."""
    live(shared_databases, script, history, lookup=lookup)
