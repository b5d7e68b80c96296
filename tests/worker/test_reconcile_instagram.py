"""Messages that were unsent where no webhook tells it are found; nothing else that Graph says ever takes one away."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import HttpAnswer, Sending
from connectors.instagram.conversations import (
    OPTIONS,
    Listed,
    Presence,
    is_gone,
    missing,
    read_message,
    read_messages,
)
from policies.message import Direction, IdentifierKind, MessageKind
from tests.collected import Collected
from tests.databases import Databases
from tests.flows.harness import NOW, Replica, message, person, tenant
from tests.worker.platforms import BREAKING, TOKEN, Fault, Graph, Said, error, iso, serving
from worker.egress.client import Client
from worker.jobs.reconciling import Telling, reconcile_all, show_tokens
from worker.log.lines import FaultLine, FreshnessLine, Level, ReconciliationLine
from worker.metrics import Metrics
from worker.observe import Observer
from worker.reconcile import asking
from worker.reconcile.handing import Hand, answering
from worker.reconcile.instagram import SETTLE
from worker.reconcile.run import Tally, Tools, cases
from worker.tenants.loading import Tenant
from worker.tenants.texts import Egress
from worker.transcripts import export

MINUTE = 60 * 1_000_000
SOMEBODY = "1789000000000001"
START = NOW - SETTLE - 60 * MINUTE


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "FIRST_WAIT", 0.001)


class World:
    """A tenant's store with a running ledger, and Graph with the same messages."""

    def __init__(self, replica: Replica, graph: Graph, of: Tenant, hand: Hand, client: Client) -> None:
        self.replica = replica
        self.graph = graph
        self.tenant = of
        self.log = Collected()
        self.metrics = Metrics("1")
        self.now = NOW
        self.tools = Tools(
            store=replica.store,
            keyring=replica.keyring,
            carrier=client,
            hand=hand,
            clock=lambda: self.now,
            seconds=5,
        )

    def exchange(self, count: int, who: str = SOMEBODY, start: int = START) -> list[str]:
        """So many messages, a minute apart, here and there; the ids."""
        ids = [f"mid{next(_numbers)}" for _ in range(count)]
        times = [start + n * MINUTE for n in range(count)]
        for n, (id_, at) in enumerate(zip(ids, times, strict=True)):
            spoke = Direction.OUTBOUND if n % 3 == 2 else Direction.INBOUND
            event = message(
                id_, connector="instagram", at=at, who=person(IdentifierKind.IGSID, who), direction=spoke
            )
            self.tell(event)
        self.graph.messages.setdefault(who, []).extend(zip(ids, times, strict=True))
        return ids

    def tell(self, event: Any) -> None:
        self.tools.hand.give(self.tenant, self.tenant.connectors["instagram"], [event])

    def unsend(self, *ids: str) -> None:
        """In the web client."""
        self.graph.messages = {
            who: [one for one in some if one[0] not in ids] for who, some in self.graph.messages.items()
        }

    def run(self, stop: Callable[[], bool] = lambda: False) -> None:
        observer = Observer(self.log, self.metrics, lambda: self.now)
        telling = Telling(log=self.log, metrics=self.metrics, observer=observer)
        reconcile_all(self.tools, telling, [self.tenant], stop)

    def line(self) -> ReconciliationLine:
        """What the last run said."""
        return [one for one in self.log.of(ReconciliationLine) if one.about == "messages"][-1]

    def states(self) -> dict[str, str]:
        """Of every message that still has its id, by id; how many have none."""
        entries = [
            entry
            for one in export(self.replica.store, self.replica.keyring, self.tenant.id)["conversations"]
            for entry in one["entries"]
        ]
        gone = sum(entry["state"] == "unsent" for entry in entries)
        return {entry["id"]: entry["state"] for entry in entries if entry["id"]} | {"gone": str(gone)}

    def kept(self) -> set[str]:
        return set(self.states()) - {"gone"}


def saying(said: Said | None) -> Fault:
    """Answers so, whatever is asked."""
    return lambda _: said


_numbers = itertools.count(1)
_tenants = itertools.count(1)


def asking_tenant(url: str, **options: str) -> Tenant:
    """A tenant that configured it."""
    whole = {**OPTIONS, "base_url": url, "pace_ms": "0", **options}
    secrets = {"access_token": (TOKEN,), "app_token": (TOKEN,)}
    of = tenant(f"t{next(_tenants)}")
    source = msgspec.structs.replace(
        of.connectors["instagram"], reconcile=Sending(options=whole, secrets=secrets)
    )
    declared = Egress(host="127.0.0.1", purpose="a", region="b", legal_basis="c")
    return msgspec.structs.replace(of, connectors={"instagram": source}, egress=(declared,))


def nobody(_batch: Sequence[Any]) -> None:
    """Nobody else waits."""


@contextmanager
def world_of(databases: Databases, **options: str) -> Iterator[World]:
    graph, replica = Graph(), Replica(databases)
    client = Client((ip_network("127.0.0.0/8"),))
    ledger = replica.ledger(answers=answering(nobody))
    ledger.start()
    try:
        with serving(graph) as url:
            options.setdefault("base_url", url)
            hand = Hand(ledger.submit, replica.clock)
            given = {name: value.replace("URL", url) for name, value in options.items()}
            yield World(replica, graph, asking_tenant(url, **given), hand, client)
    finally:
        ledger.stop(10)
        client.close()
        replica.close()


@pytest.fixture
def world(databases: Databases) -> Iterator[World]:
    with world_of(databases) as made:
        yield made


def test_what_was_unsent_elsewhere_is_unsent_here(world: World) -> None:
    """Its content is gone, its tombstone stays, the others are untouched; a second run finds nothing new."""
    ids = world.exchange(6)
    other = world.exchange(3, "1789000000000002")
    world.unsend(ids[3], other[1])
    world.run()
    assert world.kept() == {*ids, *other} - {ids[3], other[1]}
    assert world.states()["gone"] == "2"
    assert (world.line().asked, world.line().gone, world.line().unsure, world.line().why) == (9, 2, 0, "")
    world.run()
    assert (world.line().asked, world.line().gone) == (7, 0)
    page = world.metrics.page().decode()
    place = f'about="messages",connector="instagram",result="gone",tenant="{world.tenant.id}"'
    assert f"sluicegate_reconciled_total{{{place}}} 2.0" in page
    assert world.line().level is Level.INFO


def test_the_request_asks_for_no_content(world: World) -> None:
    """Ids and times alone; the token travels in a header, never in an address."""
    ids = world.exchange(3)
    world.unsend(ids[1])
    world.run()
    assert {one.query.get("fields", "id,created_time") for one in world.graph.asked} == {"id,created_time"}
    assert all(TOKEN.decode() not in f"{one.path}{one.query}" for one in world.graph.asked)


@pytest.mark.parametrize("name", BREAKING)
def test_no_other_answer_takes_anything_away(sqlite: Databases, name: str) -> None:
    """Given to every request, or to each in turn, while one message is really gone: only that one may go."""
    said = BREAKING[name]
    with world_of(sqlite) as world:
        ids = world.exchange(4)
        world.graph.always = lambda _: said
        world.run()
        assert world.kept() == set(ids)
        world.unsend(ids[2])
        world.run()
        assert world.kept() == set(ids)
        world.graph.always = lambda _: None
        for turn in range(4):
            world.graph.faults.extend([*[lambda _: None] * turn, *[lambda _: said] * asking.TRIES])
            world.run()
            world.graph.faults.clear()
            assert world.kept() >= set(ids) - {ids[2]}


@settings(max_examples=25)
@given(
    data=st.data(),
    count=st.integers(1, 45),
    page=st.sampled_from([3, 20, 50]),
    faults=st.lists(st.none() | st.sampled_from(list(BREAKING.values())), max_size=8),
)
def test_only_what_is_gone_ever_goes(
    shared_sqlite: World, data: st.DataObject, count: int, page: int, faults: list[Said | None]
) -> None:
    """Whatever was unsent, however it is paged, whatever goes wrong: nothing that is there is taken away."""
    world = shared_sqlite
    world.graph.page = page
    ids = world.exchange(count, f"17{next(_numbers):014}")
    gone = data.draw(st.sets(st.sampled_from(ids)))
    world.unsend(*gone)
    before = world.kept()
    world.graph.faults.extend(map(saying, faults))
    world.run()
    world.graph.faults.clear()
    assert before - world.kept() <= gone
    world.unsend(*ids)


@pytest.fixture(scope="module")
def shared_sqlite(provisioner: Any) -> Iterator[World]:
    with provisioner.lent("sqlite") as databases, world_of(databases, days="3650") as made:
        made.tools = msgspec.structs.replace(made.tools)
        yield made


def test_older_messages_are_not_told_in_detail_and_so_prove_nothing(world: World) -> None:
    """The API says of those behind the newest twenty that they are deleted: they stay, and are told as unsure."""
    ids = world.exchange(30)
    world.unsend(ids[4], ids[28])
    world.run()
    assert world.kept() == set(ids) - {ids[28]}
    assert (world.line().gone, world.line().unsure) == (1, 1)


def test_without_a_witness_nothing_goes(world: World) -> None:
    """Where Graph lists none of our messages, its ids may be others, or the token another account's."""
    ids = world.exchange(3)
    world.unsend(*ids)
    world.graph.messages[SOMEBODY] = [(f"other{n}", START + n * MINUTE) for n in range(5)]
    world.run()
    assert world.kept() == set(ids)
    assert (world.line().gone, world.line().unsure) == (0, 3)


def test_a_witness_that_is_not_told_of_stops_it(world: World) -> None:
    """The very error that may mean "gone" also means "no permission": then it is said of the witness too."""
    ids = world.exchange(4)
    world.unsend(ids[1])
    world.graph.always = lambda asked: error(400, 100, 33) if "mid" in asked.path else None
    world.run()
    assert world.kept() == set(ids)


def test_young_messages_and_interactions_are_left_in_peace(world: World) -> None:
    """The list may not have them yet; a reaction has no id of the platform's."""
    ids = world.exchange(3)
    young = world.exchange(1, start=NOW - SETTLE + MINUTE)
    who = person(IdentifierKind.IGSID, SOMEBODY)
    world.tell(message("reaction:ab", connector="instagram", at=START, who=who, kind=MessageKind.REACTION))
    world.tell(message("derived:ab", connector="instagram", at=START, who=who))
    world.unsend(*young)
    world.run()
    assert world.kept() == {*ids, *young, "reaction:ab", "derived:ab"}
    assert world.line().asked == 3


# -- limits --------------------------------------------------------------------------------------------------


def test_a_run_has_a_budget_and_the_next_one_goes_on(sqlite: Databases) -> None:
    """Nobody is left out, and nobody is asked about twice before all others were."""
    with world_of(sqlite, calls="30") as world:
        people = [f"1789{n:012}" for n in range(24)]
        unsent = {who: world.exchange(3, who)[1] for who in people}
        world.unsend(*unsent.values())
        left, calls = len(people), []
        for _ in range(6):
            before = len(world.graph.asked)
            world.run()
            calls.append(len(world.graph.asked) - before)
            left -= world.line().gone
        assert left == 0
        assert max(calls) <= 30
        assert "budget" in {one.why for one in world.log.of(ReconciliationLine)}


def test_a_conversation_without_an_answer_does_not_keep_the_others(world: World) -> None:
    """It is asked about again in the next round."""
    first, second = world.exchange(3), world.exchange(3, "1789000000000002")
    world.unsend(first[1], second[1])
    world.graph.always = lambda asked: Said(500, {}) if f"c.{SOMEBODY}" in asked.path else None
    for _ in range(2):
        world.run()
    assert world.kept() == {*first, *second} - {second[1]}
    assert {one.why for one in world.log.of(ReconciliationLine)} == {"unavailable", ""}
    world.graph.always = lambda _: None
    world.run()
    assert first[1] not in world.kept()


def test_a_throttled_platform_is_asked_again_and_then_left_alone(world: World) -> None:
    """Within the run where it passes; else the next one begins where this one stopped."""
    ids = world.exchange(3)
    world.unsend(ids[1])
    world.graph.faults.extend([lambda _: error(429, 4, retry_after="0")] * 2)
    world.run()
    assert world.line().gone == 1
    before = len(world.graph.asked)
    world.graph.always = lambda _: error(400, 613)
    world.run()
    assert (world.line().why, len(world.graph.asked) - before) == ("throttled", asking.TRIES)
    assert world.line().level is Level.WARNING


def test_a_refused_token_is_asked_with_once(world: World) -> None:
    """And told: somebody has to renew it."""
    world.exchange(3)
    world.graph.always = lambda _: error(400, 190)
    world.run()
    assert (world.line().why, len(world.graph.asked)) == ("unauthorised", 1)


def test_a_destination_that_is_not_declared_is_never_called(world: World) -> None:
    """The egress register of the tenant decides."""
    world.exchange(3)
    world.tenant = msgspec.structs.replace(world.tenant, egress=())
    world.run()
    assert (world.line().why, world.graph.asked) == ("not_declared", [])


def test_a_run_stops_when_it_is_told(world: World) -> None:
    """Between two calls at the latest."""
    world.exchange(3)
    world.run(stop=lambda: bool(world.graph.asked))
    assert (world.line().why, len(world.graph.asked)) == ("stopped", 1)


def test_the_ledger_that_takes_nothing_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be committed is found again by the next run."""
    ids = world.exchange(3)
    world.unsend(ids[1])
    with monkeypatch.context() as full:
        full.setattr(world.tools.hand, "_submit", lambda _: False)
        world.run()
        assert world.line().why == "not_committed"
    world.run()
    assert world.kept() == set(ids) - {ids[1]}


def test_a_tenant_that_fails_does_not_keep_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a fault in the log."""
    world.exchange(2)
    monkeypatch.setattr("worker.reconcile.instagram.conversations_after", lambda *_: 1 / 0)
    world.run()
    assert len(world.log.of(FaultLine)) == 1


def test_who_did_not_configure_it_is_not_asked_about() -> None:
    """Off by default."""
    assert list(cases(iter([tenant("calm")]), "instagram")) == []
    assert not Tally(about="messages").is_telling


# -- tokens --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "level", "left"), [(30, None, None), (3, Level.WARNING, 3 * 86_400), (-1, Level.ERROR, 0)]
)
def test_a_token_that_ends_soon_is_told(
    sqlite: Databases, days: int, level: Level | None, left: int | None
) -> None:
    """Once a day, and as a metric; asked of the address that was configured."""
    with world_of(sqlite, debug_url="URL") as world:
        world.graph.token_ends = NOW // 1_000_000 + days * 86_400
        for _ in range(2):
            world.run()
        lines = world.log.of(FreshnessLine)
        assert [(one.level, one.seconds, one.what) for one in lines] == (
            [(level, left, "access_token")] if level else []
        )
        assert sum(one.path.endswith("debug_token") for one in world.graph.asked) == 1
        show_tokens(world.tools, world.metrics, [world.tenant])
        shown = f'expires_timestamp_seconds{{connector="instagram",tenant="{world.tenant.id}"}}'
        assert shown in world.metrics.page().decode()
        world.now += 2 * 86_400 * 1_000_000
        world.run()
        assert sum(one.path.endswith("debug_token") for one in world.graph.asked) == 2


# -- what proves something -----------------------------------------------------------------------------------


def answered(said: Said) -> HttpAnswer:
    return HttpAnswer(status=said.status, headers=said.headers, body=said.raw)


@pytest.mark.parametrize("name", BREAKING)
def test_only_one_error_may_mean_gone(name: str) -> None:
    """And a plain answer means that it is there; all else means nothing."""
    assert read_message("m1", answered(BREAKING[name])) is Presence.UNSURE


@pytest.mark.parametrize(
    ("said", "presence"),
    [
        (error(400, 100, 33), Presence.GONE),
        (error(404, 100, 33), Presence.GONE),
        (error(500, 100, 33), Presence.UNSURE),
        (error(403, 100, 33), Presence.UNSURE),
        (Said(body={"id": "m1"}), Presence.THERE),
        (Said(body={"id": "m2"}), Presence.UNSURE),
        (Said(body={"id": "m1", "error": {"code": 100, "error_subcode": 33}}), Presence.THERE),
    ],
)
def test_what_is_said_of_one_message(said: Said, presence: Presence) -> None:
    """By status, code and subcode together."""
    assert read_message("m1", answered(said)) is presence


@pytest.mark.parametrize(("one", "witness"), list(itertools.product(Presence, Presence)))
def test_gone_takes_two_answers(one: Presence, witness: Presence) -> None:
    """That it is gone, and that its witness is there."""
    assert is_gone(one, witness) is ((one, witness) == (Presence.GONE, Presence.THERE))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": None},
        {"data": {}},
        {"data": [{"id": "m1"}]},
        {"data": [{"id": "m1", "created_time": "soon"}]},
        {"data": [None]},
        {"data": [], "paging": {"next": "https://elsewhere.example/"}},
        {"data": [{"id": "m1", "created_time": iso(NOW)}, {"created_time": iso(NOW)}]},
    ],
)
def test_a_page_that_is_not_understood_is_none(body: Any) -> None:
    """What it leaves out would look as if it were gone."""
    assert read_messages(answered(Said(body=body))) is None


LISTING = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=60, unique_by=lambda one: one[0]
)


@settings(max_examples=150)
@given(LISTING, LISTING)
def test_what_is_missing_is_in_the_window_that_details_are_told_of(
    stored: list[tuple[int, int]], listed: list[tuple[int, int]]
) -> None:
    """Not listed, younger than the oldest listed, with fewer than twenty listed that are newer, beside a listed witness."""
    ours = [Listed(str(n), at) for n, at in stored]
    theirs = [Listed(str(n), at) for n, at in listed]
    witness, gone = missing(ours, theirs)
    ids = {one.id for one in theirs}
    assert all(one.id not in ids for one in gone)
    if witness is not None:
        assert witness in ids & {one.id for one in ours}
        for one in gone:
            assert any(other.sent_at < one.sent_at for other in theirs)
            assert sum(other.sent_at >= one.sent_at for other in theirs) < 19
