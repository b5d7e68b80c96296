"""Order does not matter: however the same events are told, by whomever, twice or at once, the store is the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.databases import Databases
from tests.flows.dump import audit, dump
from tests.flows.harness import Replica, delivery, replicas, tenant
from tests.flows.histories import IDS, Batch, Told, histories, tellings
from worker.inbound import Answer
from worker.tenants import Tenant

EXAMPLES: Final = {"sqlite": 60, "postgresql": 25}
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def both(shared_databases: Databases) -> Iterator[list[Replica]]:
    """Two replicas over one store; examples keep apart by tenant."""
    with replicas(shared_databases, 2) as opened:
        yield opened


def fresh() -> Tenant:
    """A tenant nobody has heard of."""
    return tenant(f"t{next(_numbers)}")


def tell(replica: Replica, of: Tenant, batch: Batch) -> None:
    """Have a batch committed by a replica."""
    told = [delivery(of, *events, connector=connector) for connector, events in batch]
    assert set(replica.write(*told)) == {Answer.COMMITTED}
    assert not replica.failures


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


def test_any_telling_of_a_history_ends_in_the_same_store(both: list[Replica]) -> None:
    """Every permutation, repetition and split of the same events, over two replicas."""
    check = given(history=histories(), random=st.randoms(use_true_random=True))(holds_the_same)
    settings(max_examples=EXAMPLES[both[0].databases.engine])(check)(both)
