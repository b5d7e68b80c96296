"""Order does not matter: however the same events are told, by whomever, twice or at once, the store is the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import permutations
from random import Random
from typing import Any, ClassVar, Final

import msgspec
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from policies.rules.too_old import DAY
from tests.databases import Databases
from tests.flows.dump import audit, dump
from tests.flows.harness import NOW, Replica, delivery, in_threads, message, replicas, tenant, unsend
from tests.flows.histories import ANN, CLEO, IDS, THREADS, Batch, Thread, Told, histories, pool, tellings
from worker.inbound import Answer
from worker.tenants.loading import Tenant

EXAMPLES: Final = {"sqlite": 40, "postgresql": 15}
MACHINES: Final = {"sqlite": 12, "postgresql": 8}
LONGER: Final = 40
_numbers = itertools.count(1)
numbers: Final = st.integers(0, 2**16)


@pytest.fixture(scope="module")
def both(shared_databases: Databases) -> Iterator[list[Replica]]:
    """Two replicas over one store; examples keep apart by tenant."""
    with replicas(shared_databases, 2) as opened:
        yield opened


def fresh(**policy: Any) -> Tenant:
    """A tenant nobody has heard of."""
    return tenant(f"t{next(_numbers)}", **policy)


def tell(replica: Replica, of: Tenant, batch: Batch) -> None:
    """Have a batch committed by a replica."""
    told = [delivery(of, *events, connector=connector) for connector, events in batch]
    assert set(replica.write(*told)) == {Answer.COMMITTED}
    assert not replica.failures


def test_values_that_only_python_takes_for_equal_are_told_apart(both: list[Replica]) -> None:
    """Which of ``1`` and ``true`` stands in the store does not depend on which came first."""
    history: list[Told] = [("whatsapp", message("m_c1", details={"n": value})) for value in (1, True)]
    held = [told_in_turn(both[0], order) for order in permutations(history)]
    assert repr(held[0]) == repr(held[1])


def test_a_message_too_old_to_keep_leaves_nothing_beside_its_tombstone(both: list[Replica]) -> None:
    """Whether its unsend came before or after."""
    ancient = message("wamid.a1", at=NOW - 9 * DAY)
    history: list[Told] = [("whatsapp", ancient), ("whatsapp", unsend("wamid.a1"))]
    held = [told_in_turn(both[0], order, oldest_days=7) for order in permutations(history)]
    assert held[0] == held[1]
    assert held[0]["persons"] == []


def told_in_turn(replica: Replica, history: Sequence[Told], **policy: Any) -> dict[str, Any]:
    """What is held after a history was told one by one."""
    of = fresh(**policy)
    for connector, event in history:
        tell(replica, of, ((connector, (event,)),))
    audit(replica.store, of.id)
    return dump(replica.store, replica.keyring, of.id, [*IDS, "m_n2"])


def told_plainly(replica: Replica, history: Sequence[Told]) -> dict[str, Any]:
    """What is held after a history was told in one batch, in a fixed order."""
    of = fresh()
    tell(replica, of, tuple((connector, (event,)) for connector, event in sorted(history, key=spelt)))
    audit(replica.store, of.id)
    return dump(replica.store, replica.keyring, of.id, IDS)


def spelt(told: Told) -> tuple[str, bytes]:
    """Something to sort by: events themselves show nothing."""
    return told[0], msgspec.json.encode(told[1])


def shown(history: Sequence[Told]) -> str:
    """A history for the reader of a failure."""
    return "\n".join(f"{connector} {msgspec.json.encode(event).decode()}" for connector, event in history)


def holds_the_same(both: list[Replica], history: list[Told], random: Random) -> None:
    """However a history is told, to one replica or to the other, the store ends the same."""
    note(shown(history))
    expected = told_plainly(both[0], history)
    of = fresh()
    for batch in tellings(history, random):
        note([shown([(connector, event) for event in events]) for connector, events in batch])
        tell(random.choice(both), of, batch)
    audit(both[0].store, of.id)
    assert dump(both[0].store, both[0].keyring, of.id, IDS) == expected


TIMES: Final = pytest.mark.parametrize(
    "times", [1, pytest.param(LONGER, marks=(pytest.mark.long, pytest.mark.timeout(1800)))]
)


@TIMES
def test_any_telling_of_a_history_ends_in_the_same_store(both: list[Replica], times: int) -> None:
    """Every permutation, repetition and split of the same events, over two replicas."""
    check = given(history=histories(), random=st.randoms(use_true_random=True))(holds_the_same)
    settings(max_examples=times * EXAMPLES[both[0].databases.engine])(check)(both)


class Days(RuleBasedStateMachine):
    """Days in the life of two replicas: told of this and that, again, at once, stopped and started."""

    both: ClassVar[list[Replica]]

    def __init__(self) -> None:
        super().__init__()
        self.tenant = fresh()
        self.told: list[Told] = []
        self.could_happen: tuple[Told, ...] = ()

    @initialize(seed=st.integers(0, 999), threads=st.lists(st.sampled_from(THREADS), min_size=1, max_size=2))
    def begin(self, seed: int, threads: list[Thread]) -> None:
        """What these days are about."""
        self.could_happen = tuple(told for thread in threads for told in pool(thread, seed))

    def _happening(self, number: int) -> Told:
        told = self.could_happen[number % len(self.could_happen)]
        note(shown([told]))
        self.told.append(told)
        return told

    @rule(replica=st.integers(0, 1), number=numbers)
    def happens(self, replica: int, number: int) -> None:
        """A delivery with one event."""
        connector, event = self._happening(number)
        tell(self.both[replica], self.tenant, ((connector, (event,)),))

    @rule(replica=st.integers(0, 1), several=st.lists(numbers, min_size=2, max_size=4))
    def pile_up(self, replica: int, several: list[int]) -> None:
        """Several deliveries that become one batch."""
        batch = [self._happening(number) for number in several]
        tell(self.both[replica], self.tenant, tuple((connector, (event,)) for connector, event in batch))

    @rule(one=numbers, other=numbers)
    def at_once(self, one: int, other: int) -> None:
        """Both replicas are told of something in the same instant."""
        told = self._happening(one), self._happening(other)
        in_threads(
            *(
                partial(tell, replica, self.tenant, ((connector, (event,)),))
                for replica, (connector, event) in zip(self.both, told, strict=True)
            )
        )

    @precondition(lambda self: self.told)
    @rule(replica=st.integers(0, 1), number=numbers)
    def again(self, replica: int, number: int) -> None:
        """A platform repeats itself."""
        connector, event = self.told[number % len(self.told)]
        tell(self.both[replica], self.tenant, ((connector, (event,)),))

    @rule(replica=st.integers(0, 1))
    def restart(self, replica: int) -> None:
        """A replica forgets what it had in memory."""
        self.both[replica].restart()

    def teardown(self) -> None:
        """In the end the store is as if everything had been told once, in a fixed order."""
        if not self.told:
            return
        audit(self.both[0].store, self.tenant.id)
        held = dump(self.both[0].store, self.both[0].keyring, self.tenant.id, IDS)
        assert held == told_plainly(self.both[1], self.told)


@TIMES
def test_days_of_two_replicas_end_in_the_same_store(both: list[Replica], times: int) -> None:
    """Messages, edits, unsends, echoes, receipts, duplicates, restarts, and two replicas at the same time."""
    days = type("Days", (Days,), {"both": both})
    most = times * MACHINES[both[0].databases.engine]
    run_state_machine_as_test(days, settings=settings(max_examples=most, stateful_step_count=12))


def test_one_message_told_of_two_identifiers_makes_them_one_person(both: list[Replica]) -> None:
    """Whichever identifier the platform names first, the message stands with the person that has both."""
    phone, bsuid = ((one,) for one in ANN)
    history: list[Told] = [("whatsapp", message("wamid.a1", who=who)) for who in (phone, bsuid)]
    held = [told_in_turn(both[0], order) for order in permutations(history)]
    assert held[0] == held[1]
    assert [len(person["identifiers"]) for person in held[0]["persons"]] == [2]


def test_nobody_is_not_made_one_with_somebody(both: list[Replica]) -> None:
    """What came without a person does not draw in everybody whose message once came without one."""
    told = [
        message("m_n1", who=()),
        message("m_n1", who=CLEO),
        message("m_n2", who=()),
        message("m_c1", who=CLEO),
    ]
    held = told_in_turn(both[0], [("whatsapp", event) for event in told])
    assert len(held["persons"]) == 2
