"""The clock is set back, stands still, or lies: chain, ids and states stay right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from sqlalchemy import func, select

from policies.message import IdentifierKind, Instant
from policies.rules.too_old import DAY
from tests.databases import Databases
from tests.flows.dump import audit, dump
from tests.flows.harness import NOW, Replica, delivery, edit, message, person, replicas, tenant, unsend
from worker.inbound import Answer
from worker.store import decisions
from worker.store.accounts import counters
from worker.store.people import conversations
from worker.transcripts import export

ACME: Final = tenant()


class Clock:
    """A clock that shows what it is set to."""

    def __init__(self) -> None:
        self.now: Instant = NOW

    def __call__(self) -> Instant:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until somebody sets it."""
    return Clock()


@pytest.fixture
def replica(databases: Databases, clock: Clock) -> Iterator[Replica]:
    """A replica by that clock."""
    with replicas(databases, clock=clock) as [opened]:
        yield opened


JUMPS: Final = {
    "an hour back": [NOW, NOW - 3_600_000_000, NOW - 3_599_000_000, NOW + 1],
    "ten years back": [NOW, NOW - 3650 * DAY, NOW],
    "to 1970": [NOW, 0, 1, NOW],
    "standing still": [NOW] * 5,
    "far ahead and back": [NOW, NOW + 36500 * DAY, NOW],
    "back and forth": [NOW + number * (-1) ** number * DAY for number in range(10)],
}


@pytest.mark.parametrize("jump", JUMPS)
def test_whatever_the_clock_shows(replica: Replica, clock: Clock, jump: str) -> None:
    """At every time a new person, message, edit and unsend; in the end everything is as it would have been."""
    ids = []
    for number, now in enumerate(JUMPS[jump]):
        clock.now = now
        who, at = person(IdentifierKind.PHONE, f"1555{number}"), max(now, NOW)
        kept, gone = f"kept{number}", f"gone{number}"
        ids += [kept, gone]
        told = (
            message(kept, "one", who=who, at=at),
            message(gone, who=who, at=at),
            edit(kept, "two", who=who, at=at),
        )
        for events in ([*told], [unsend(gone)], [*told], [edit(kept, "one", who=who, at=at - 1)]):
            assert replica.write(delivery(ACME, *events)) == [Answer.COMMITTED]
    assert not replica.failures
    audit(replica.store, ACME.id)
    held = dump(replica.store, replica.keyring, ACME.id, ids)
    found = [
        (entry["ref"], entry["state"], entry["text"]) for one in held["persons"] for entry in one["entries"]
    ]
    count = len(JUMPS[jump])
    assert sorted(found, key=repr) == sorted(
        [(f"kept{n}", "stored", "two") for n in range(count)]
        + [(f"gone{n}", "unsent", None) for n in range(count)],
        key=repr,
    )


def test_the_chain_counts_on_when_time_goes_back(replica: Replica, clock: Clock) -> None:
    """The sequence numbers order the commits, not their times; each tells the time it was made."""
    times = [NOW, NOW - DAY, NOW - 2 * DAY, NOW + DAY]
    for number, now in enumerate(times):
        clock.now = now
        replica.tell(ACME, message(f"m{number}"))
    with replica.store.reading() as tx:
        commits = list(decisions.read(tx, ACME.id))
        assert [(one.sequence, one.committed_at) for one in commits] == list(enumerate(times, 1))
        assert decisions.verify(tx, ACME.id) is None


def test_ids_made_in_one_instant_differ(replica: Replica) -> None:
    """A hundred people met, and messages recorded, while the clock stood still."""
    told = [message(f"m{n}", who=person(IdentifierKind.PHONE, f"1555{n}")) for n in range(100)]
    replica.tell(ACME, *told)
    with replica.store.reading() as tx:
        assert tx.execute(select(func.count()).select_from(conversations)).scalar_one() == 100
    audit(replica.store, ACME.id)


def test_a_replica_whose_clock_is_wrong(databases: Databases) -> None:
    """One lives a day behind the other; they meet the same people and agree about them."""
    behind, ahead = Clock(), Clock()
    behind.now, ahead.now = NOW - DAY, NOW
    with replicas(databases, clock=behind) as [one], replicas(databases, clock=ahead) as [other]:
        for number in range(6):
            who = person(IdentifierKind.PHONE, f"1555{number % 3}")
            (one, other)[number % 2].tell(ACME, message(f"m{number}", who=who))
            (other, one)[number % 2].tell(ACME, edit(f"m{number}", "better", who=who))
        held = export(one.store, one.keyring, ACME.id)["conversations"]
        audit(one.store, ACME.id)
    assert [[entry["text"] for entry in one["entries"]] for one in held] == [["better"] * 2] * 3


def test_days_are_counted_by_the_clock_s_date(replica: Replica, clock: Clock) -> None:
    """A counter is never taken back: what is told yesterday again counts yesterday."""
    for now in (NOW, NOW - DAY, NOW, NOW - DAY):
        clock.now = now
        replica.tell(ACME, message(f"m{now}-{len(replica.committed)}"))
    with replica.store.reading() as tx:
        found = tx.execute(select(counters.c.day, counters.c.count).order_by(counters.c.day)).all()
    assert [tuple(row) for row in found] == [(NOW // DAY - 1, 2), (NOW // DAY, 2)]


def test_no_duration_is_negative(databases: Databases) -> None:
    """What is logged and measured of a batch that the clock went back under."""
    times = iter(range(NOW, NOW - 1_000_000, -1_000))
    with replicas(databases, clock=times.__next__) as [replica]:
        replica.tell(ACME, message("m"))
        [done] = replica.committed
    assert done.queued >= 0
    assert done.commit >= 0
