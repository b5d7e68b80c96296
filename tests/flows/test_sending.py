"""Texts leave over real HTTP, on real threads, from several replicas at once: accepted once, in order, and none is lost."""

from __future__ import annotations

import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from random import Random
from typing import Any

import msgspec
import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from connectors.contract import Sending
from connectors.registry import CONNECTORS
from policies.message import Instant
from policies.sms.traffic import Rate
from tests.databases import ENGINES, Databases, Provisioner
from tests.postgres import Server
from tests.worker.handing_in import NOON, SENDER
from tests.worker.sending import Clock, House, provided, with_policy
from worker.egress.client import Client
from worker.standins.catalogue import STANDINS
from worker.standins.provider import Account, Behaviour, Conduct
from worker.standins.server import StandIn
from worker.store import outbox
from worker.store.outbox import OutboxState
from worker.tenants.loading import Tenant

SECRET = "made-up-secret"
PROVIDERS = ("sms-twilio", "sms-telnyx", "sms-http")
KEY = "AC" + "0" * 32
OPTIONS = {
    "sms-twilio": ({"account_sid": KEY}, "auth_token"),
    "sms-telnyx": ({}, "api_key"),
    "sms-http": (
        {
            "body": '{"to": "{recipient}", "from": "{sender}", "text": "{text}", "id": "{id}"}',
            "id_pattern": '"id":"([0-9a-f]+)"',
            "success_pattern": '"id"',
        },
        "authorization",
    ),
}
FAST = Rate(messages=1000, seconds=1)


class Running(Clock):
    """Time that passes, from a Monday noon on."""

    def __init__(self) -> None:
        self._began = time.monotonic_ns() // 1000 - NOON
        self.dying = False

    @property
    def now(self) -> Instant:  # type: ignore[override]
        return time.monotonic_ns() // 1000 - self._began

    def advance(self, seconds: float) -> None:
        time.sleep(seconds)


def through(name: str, url: str) -> Tenant:
    """A tenant that sends through a stand-in."""
    connector = CONNECTORS[name]
    assert connector.outbound is not None
    options, ring = OPTIONS[name]
    given = {key: value for key, value in connector.outbound.options.items() if value is not None}
    address = "url" if "url" in connector.outbound.options else "base_url"
    sending = Sending(
        options={**given, **options, address: url},
        secrets={ring: (SECRET.encode(),)},
        callback_url="http://127.0.0.1:9/nobody",
    )
    tenant = provided(host="127.0.0.1")
    [source] = tenant.connectors.values()
    mine = msgspec.structs.replace(source, connector=connector, sending=sending)
    return with_policy(msgspec.structs.replace(tenant, connectors={name: mine}), sender_rate=FAST)


@contextmanager
def standing_in(name: str) -> Iterator[StandIn]:
    account = Account(key=KEY, secret=SECRET, signing=b"s" * 32, senders=frozenset({SENDER}))
    with StandIn(STANDINS[name], account) as standin:
        yield standin


@contextmanager
def replicas(
    databases: Databases, standin: StandIn, name: str, number: int = 1, **how: Any
) -> Iterator[list[House]]:
    """Several replicas over one store, each with threads and a client of its own; not started."""
    clock, houses, clients = Running(), [], []
    address = standin.url + ("/send" if name == "sms-http" else "")
    for _ in range(number):
        client = Client((ip_network("127.0.0.0/8"),))
        clients.append(client)
        tenant = through(name, address)
        houses.append(
            House(databases, tenant, provider=client, clock=clock, inline=False, **{"threads": 4, **how})
        )
        houses[-1].delivery._calls._seconds = 0.5
    try:
        yield houses
    finally:
        for house, client in zip(houses, clients, strict=True):
            house.delivery.stop(10)
            house.close()
            client.close()


def wait_until(happens: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


def number(index: int) -> str:
    return f"+1202555{index:04d}"


def states(house: House) -> dict[OutboxState, int]:
    found: dict[OutboxState, int] = defaultdict(int)
    for row in house.rows():
        found[row.state] += 1
    return dict(found)


def none_waits(house: House) -> bool:
    return not {OutboxState.QUEUED, OutboxState.CALLING} & states(house).keys()


def in_order(standin: StandIn) -> bool:
    """Whether of every pair the texts were accepted in the order in which they were handed in."""
    by_pair: dict[str, list[int]] = defaultdict(list)
    for taken in standin.accepted:
        by_pair[taken.recipient].append(int(taken.text.split()[-1]))
    return all(numbers == sorted(numbers) for numbers in by_pair.values())


CONDUCTS = [
    (Conduct(behaviour=Behaviour.SLOW, seconds=0.1), {OutboxState.SENT}),
    (Conduct(behaviour=Behaviour.TWICE), {OutboxState.SENT}),
    (Conduct(behaviour=Behaviour.LATE, seconds=1.0), {OutboxState.UNKNOWN}),
    (Conduct(behaviour=Behaviour.RESETTING_UNREAD), {OutboxState.UNKNOWN}),
    (Conduct(behaviour=Behaviour.RESETTING_BEFORE), {OutboxState.UNKNOWN}),
    (Conduct(behaviour=Behaviour.RESETTING_AFTER), {OutboxState.UNKNOWN}),
    (Conduct(behaviour=Behaviour.FAILING_BEFORE, status=503), {OutboxState.UNKNOWN}),
    (Conduct(behaviour=Behaviour.FAILING_AFTER, status=500), {OutboxState.UNKNOWN}),
    (Conduct(behaviour=Behaviour.GARBLED), {OutboxState.UNKNOWN}),
    (Conduct(behaviour=Behaviour.THROTTLING, retry_after=1), {OutboxState.QUEUED}),
]


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize(("conduct", "expected"), CONDUCTS, ids=[one.behaviour for one, _ in CONDUCTS])
def test_however_a_provider_behaves_a_text_is_accepted_once_at_most(
    sqlite: Databases, name: str, conduct: Conduct, expected: set[OutboxState]
) -> None:
    """And the row says what is known; a text after it, to somebody else, goes."""
    with standing_in(name) as standin, replicas(sqlite, standin, name) as [house]:
        standin.then(conduct)
        house.hand_in(number(123), text="Your number is 1")
        house.delivery.start()
        wait_until(lambda: house.lines.sends != [])
        other = house.hand_in(number(124), text="Your number is 2")
        house.delivery.wake()
        wait_until(lambda: house.state(other) is OutboxState.SENT)
        assert {row.state for row in house.rows() if row.key != other} == expected
        time.sleep(0.3)
    assert max(standin.texts().values()) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_replicas_share_the_work_and_each_text_goes_once_in_order(
    engine: str, provisioner: Provisioner
) -> None:
    """Two replicas claim at once on PostgreSQL; SQLite has one."""
    work(engine, provisioner, replicas_=1 if engine == "sqlite" else 2, pairs=15, texts=60)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_many_replicas_share_much_work(provisioner: Provisioner) -> None:
    """The same with four replicas and texts that provider and network treat badly."""
    work("postgresql", provisioner, replicas_=4, pairs=100, texts=2000, rough=True)


def work(
    engine: str, provisioner: Provisioner, *, replicas_: int, pairs: int, texts: int, rough: bool = False
) -> None:
    name = "sms-telnyx"
    with (
        provisioner.lent(engine) as databases,
        standing_in(name) as standin,
        replicas(databases, standin, name, replicas_, unknown_seconds=2) as houses,
    ):
        for index in range(texts):
            houses[0].hand_in(number(index % pairs), text=f"Your number is {index}")
        if rough:
            conducts = [one for one, _ in CONDUCTS for _ in range(20)] + [Conduct()] * 800
            Random(7).shuffle(conducts)
            standin.then(*conducts)
        for house in houses:
            house.delivery.start()
        wait_until(lambda: none_waits(houses[0]), 400)
        for house in houses:
            assert house.delivery.stop(20)
        assert max(standin.texts().values()) == 1
        assert in_order(standin)
        accepted, rows = standin.texts(), houses[0].rows()
        assert len(rows) == texts
        for row in rows:
            known = {OutboxState.SENT, OutboxState.UNKNOWN, OutboxState.UNRESOLVED}
            assert row.id.hex() not in accepted or row.state in known
            assert row.id.hex() in accepted or row.state is not OutboxState.SENT
        if not rough:
            assert len(accepted) == texts
            told = [sum(line.state == "sent" for line in house.lines.sends) for house in houses]
            assert sum(told) == texts
            assert all(count > 0 for count in told)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_text_goes_whose_last_check_began_after_an_opt_out_was_committed(
    engine: str, provisioner: Provisioner
) -> None:
    """Recipients opt out one after the other while replicas send to all of them as fast as they can."""
    name, pairs = "sms-telnyx", 30
    with (
        provisioner.lent(engine) as databases,
        standing_in(name) as standin,
        replicas(databases, standin, name, 1 if engine == "sqlite" else 2) as houses,
    ):
        for index in range(4 * pairs):
            houses[0].hand_in(number(index % pairs), text=f"Your number is {index}")
        committed: dict[str, Instant] = {}

        def opt_out() -> None:
            for index in range(pairs):
                houses[0].opt_out(number(index))
                committed[number(index)] = houses[0].clock.now

        thread = threading.Thread(target=opt_out)
        for house in houses:
            house.delivery.start()
        thread.start()
        thread.join(30)
        wait_until(lambda: none_waits(houses[0]))
        rows = {row.id.hex(): row for row in houses[0].rows()}
        assert len(committed) == pairs
        for taken in standin.accepted:
            checked_at = rows[taken.ours].tried_at
            assert checked_at is not None
            assert checked_at <= committed[taken.recipient]
        assert max(standin.texts().values()) == 1
        found = states(houses[0])
        assert found.keys() <= {OutboxState.SENT, OutboxState.STOPPED}
        assert found[OutboxState.SENT] == len(standin.texts())


# --- the store goes away ---------------------------------------------------------------------------------------------------


def test_an_answer_is_held_while_the_store_does_not_take_it(
    sqlite: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    with standing_in("sms-telnyx") as standin, replicas(sqlite, standin, "sms-telnyx") as [house]:
        key = house.hand_in(text="Your number is 1")
        down = Outage(house, standin, monkeypatch)
        house.delivery.start()
        wait_until(lambda: down.refused >= 3)
        assert house.state(key) is OutboxState.CALLING
        down.over.set()
        wait_until(lambda: house.state(key) is OutboxState.SENT)
    assert list(standin.texts().values()) == [1]


def test_an_answer_that_the_store_never_took_leaves_an_unknown_text(
    sqlite: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    with standing_in("sms-telnyx") as standin:
        with replicas(sqlite, standin, "sms-telnyx") as [house]:
            key = house.hand_in(text="Your number is 1")
            down = Outage(house, standin, monkeypatch)
            house.delivery.start()
            wait_until(lambda: down.refused >= 2)
            assert not house.delivery.stop(0.2)
        with replicas(sqlite, standin, "sms-telnyx") as [heir]:
            with heir.store.transaction() as tx:
                tx.execute(update(outbox.outbox).values(lease_until=1))
            heir.delivery.start()
            wait_until(lambda: heir.state(key) is OutboxState.UNKNOWN)
            time.sleep(0.3)
        assert list(standin.texts().values()) == [1]


class Outage:
    """From the first text that the provider accepted on, the store refuses every writing transaction."""

    def __init__(self, house: House, standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        self.over = threading.Event()
        self.refused = 0
        transaction = house.store.transaction

        @contextmanager
        def refusing() -> Iterator[Any]:
            if standin.accepted and not self.over.is_set():
                self.refused += 1
                raise OperationalError("", {}, Exception())
            with transaction() as tx:
                yield tx

        monkeypatch.setattr(house.store, "transaction", refusing)


@pytest.mark.long
def test_a_database_that_is_killed_while_texts_are_sent_loses_and_doubles_nothing() -> None:
    server = Server(durable=True)
    server.start()
    try:
        name = server.create()
        databases = Databases(server.url(name), server.url(name))
        databases.migrate()
        with (
            standing_in("sms-telnyx") as standin,
            replicas(databases, standin, "sms-telnyx", 2) as houses,
        ):
            for index in range(60):
                houses[0].hand_in(number(index % 20), text=f"Your number is {index}")
            for house in houses:
                house.delivery.start()
            wait_until(lambda: len(standin.accepted) >= 5)
            server.stop(signal.SIGKILL)
            time.sleep(0.5)
            server.start()
            wait_until(lambda: none_waits(houses[0]), 60)
            assert max(standin.texts().values()) == 1
            assert in_order(standin)
            assert states(houses[0]) == {OutboxState.SENT: 60}
            assert len(standin.texts()) == 60
    finally:
        server.remove()


# --- stopping --------------------------------------------------------------------------------------------------------------


def test_a_stop_finishes_the_calls_under_way_and_begins_no_other(sqlite: Databases) -> None:
    with standing_in("sms-telnyx") as standin, replicas(sqlite, standin, "sms-telnyx") as [house]:
        standin.conduct = Conduct(behaviour=Behaviour.SLOW, seconds=0.3)
        for index in range(12):
            house.hand_in(number(index), text=f"Your number is {index}")
        house.delivery.start()
        wait_until(lambda: standin.requests >= 2)
        assert house.delivery.stop(10)
        assert not house.delivery.alive
        found = states(house)
    assert found[OutboxState.SENT] == len(standin.texts()) == standin.requests
    assert found[OutboxState.SENT] + found[OutboxState.QUEUED] == 12
