"""When X last asked is known to every worker, and told when it is too long ago; those who wait within the worker are answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from policies.event import Event
from tests.collected import Collected
from tests.databases import Databases
from tests.flows.harness import NOW, Replica, delivery, message, tenant, unsend
from worker.inbound import Answer, Delivery
from worker.jobs.freshness import STALE, share_handshakes, tell_stale
from worker.log.lines import FreshnessLine, Level
from worker.metrics import Metrics
from worker.observe import Observer
from worker.reconcile import handing
from worker.reconcile.handing import Hand, NotCommitted, Waiter, answering
from worker.store.engine import Store
from worker.tenants.loading import Tenants, Version
from worker.transcripts import export

ACME = tenant("acme")
KNOWN = Tenants(versions={"acme": Version(tenant=ACME)})
HOUR = 3_600 * 1_000_000


@pytest.fixture
def replica(databases: Databases) -> Iterator[Replica]:
    opened = Replica(databases)
    yield opened
    opened.close()


@pytest.fixture
def store(replica: Replica) -> Store:
    return replica.store


class Worker:
    """What one process knows, by a clock that can be set."""

    def __init__(self, store: Store) -> None:
        self.now = NOW
        self.log = Collected()
        self.metrics = Metrics("1")
        self.observer = Observer(self.log, self.metrics, lambda: self.now)
        self._store = store

    def share(self) -> None:
        share_handshakes(self._store, self.observer, KNOWN, self.now)

    def stale(self) -> list[int]:
        """Seconds, as told."""
        tell_stale(self._store, self.log, KNOWN, self.now)
        lines = self.log.of(FreshnessLine)
        self.log.lines.clear()
        assert all((one.level, one.what, one.connector) == (Level.WARNING, "handshake", "x") for one in lines)
        return [one.seconds for one in lines]


def test_a_handshake_that_one_worker_answered_is_known_to_all(store: Store) -> None:
    """And to one that was started again; never an older one instead of a newer."""
    one, other = Worker(store), Worker(store)
    one.observer.shaken("acme", "x", 200)
    one.share()
    other.share()
    assert other.observer.handshakes["acme", "x"] == NOW
    shown = 'sluicegate_handshake_answered_timestamp_seconds{connector="x",tenant="acme"}'
    assert f"{shown} 1.79e+09" in other.metrics.page().decode()
    other.now += HOUR
    other.observer.shaken("acme", "x", 200)
    other.share()
    one.share()
    assert one.observer.handshakes["acme", "x"] == NOW + HOUR


def test_a_challenge_that_is_too_old_is_told(store: Store) -> None:
    """A warning while it lasts, nothing once X has asked again."""
    worker = Worker(store)
    worker.observer.shaken("acme", "x", 200)
    worker.share()
    worker.now += STALE
    assert worker.stale() == []
    worker.now += HOUR
    assert worker.stale() == [27 * 3600]
    worker.observer.shaken("acme", "x", 200)
    worker.share()
    assert worker.stale() == []


def test_a_challenge_that_never_came_is_told_too(store: Store) -> None:
    """From when the tenant was first seen; whoever has no X is not waited for."""
    worker = Worker(store)
    worker.share()
    assert worker.stale() == []
    worker.now += STALE + HOUR
    worker.share()
    assert worker.stale() == [27 * 3600]
    worker.now = NOW - HOUR  # the clock is set back: nothing is old
    assert worker.stale() == []
    calm = Tenants(versions={"calm": Version(tenant=tenant("calm"))})
    assert not tell_stale(store, worker.log, calm, NOW + 10 * STALE)


# -- handing in ----------------------------------------------------------------------------------------------


def test_what_is_handed_in_is_governed_and_committed_before_it_returns(replica: Replica) -> None:
    """In order and in portions; others of the same batch are answered as ever."""
    others: list[Any] = []
    ledger = replica.ledger(answers=answering(others.extend))
    hand = Hand(ledger.submit, replica.clock)
    outside = delivery(ACME, message("wamid.outside"))
    assert ledger.submit(outside)
    ledger.start()
    try:
        with pytest.MonkeyPatch.context() as small:
            small.setattr(handing, "MOST_EVENTS", 2)
            events: list[Event] = [*(message(f"wamid.{n}") for n in range(3)), unsend("wamid.1")]
            hand.give(ACME, ACME.connectors["whatsapp"], events)
        (conversation,) = export(replica.store, replica.keyring, "acme")["conversations"]
        states = {entry["id"]: entry["state"] for entry in conversation["entries"]}
        assert states == {
            "wamid.outside": "stored",
            "wamid.0": "stored",
            "wamid.2": "stored",
            None: "unsent",
        }
        assert others == [(outside, Answer.COMMITTED)]
        hand.give(ACME, ACME.connectors["whatsapp"], [])
    finally:
        assert ledger.stop(10)
    with pytest.raises(NotCommitted):
        hand.give(ACME, ACME.connectors["whatsapp"], [message("wamid.late")])


def test_a_ledger_that_does_not_answer_is_not_waited_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is any other answer taken for a commit."""
    monkeypatch.setattr(handing, "_SECONDS", 0.01)
    source = ACME.connectors["whatsapp"]
    with pytest.raises(NotCommitted):
        Hand(lambda _: True, lambda: NOW).give(ACME, source, [message("wamid.1")])

    def refuse(one: Delivery) -> bool:
        assert isinstance(one.token, Waiter)
        one.token.tell(Answer.UNAVAILABLE)
        return True

    with pytest.raises(NotCommitted):
        Hand(refuse, lambda: NOW).give(ACME, source, [message("wamid.1")])
