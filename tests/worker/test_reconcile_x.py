"""Posts and users are checked by compliance jobs, carried on over runs and crashes; only a plain line takes anything away."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import HttpAnswer, Sending
from connectors.x.compliance import OPTIONS, Reason, read_job, read_results, upload_ids
from policies.message import Direction, IdentifierKind, MessageKind
from tests.collected import Collected
from tests.databases import Databases
from tests.flows.harness import ACCOUNTS, NOW, Replica, message, person, tenant
from tests.worker.platforms import BREAKING, TOKEN, Asked, Fault, Said, X, result, serving
from worker.egress.client import Client
from worker.jobs.reconciling import Telling, reconcile_all
from worker.log.lines import ReconciliationLine
from worker.metrics import Metrics
from worker.observe import Observer
from worker.reconcile import asking
from worker.reconcile import x as reconciling
from worker.reconcile.handing import Hand, answering
from worker.reconcile.run import Tools
from worker.tenants.loading import Tenant
from worker.tenants.texts import Egress
from worker.transcripts import export

HOUR = 3_600 * 1_000_000
ANN, BEN = "9001", "9002"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "FIRST_WAIT", 0.001)


_tenants = itertools.count(1)
_ids = itertools.count(700_000)


def nobody(_batch: Sequence[Any]) -> None:
    """Nobody else waits."""


def saying(said: Said | None) -> Fault:
    """Answers so, whatever is asked."""
    return lambda _: said


class World:
    """A tenant's store with a running ledger, and X."""

    def __init__(self, replica: Replica, x: X, of: Tenant, hand: Hand, client: Client) -> None:
        self.replica = replica
        self.x = x
        self.tenant = of
        self.log = Collected()
        self.now = NOW
        self.tools = Tools(
            store=replica.store,
            keyring=replica.keyring,
            carrier=client,
            hand=hand,
            clock=lambda: self.now,
            seconds=5,
        )

    def keep(
        self, who: str = ANN, kind: MessageKind = MessageKind.POST, direction: Direction = Direction.INBOUND
    ) -> str:
        """Something that somebody wrote, or was written to them; its id."""
        id_ = str(next(_ids))
        at = NOW - HOUR + int(id_)
        event = message(
            id_, connector="x", at=at, who=person(IdentifierKind.X_ID, who), kind=kind, direction=direction
        )
        self.tools.hand.give(self.tenant, self.tenant.connectors["x"], [event])
        return id_

    def run(self, times: int = 1) -> None:
        observer = Observer(self.log, Metrics("1"), lambda: self.now)
        telling = Telling(log=self.log, metrics=Metrics("1"), observer=observer)
        for _ in range(times):
            reconcile_all(self.tools, telling, [self.tenant], lambda: False)

    def later(self, hours: float = 24) -> None:
        self.now += round(hours * HOUR)

    def kept(self) -> set[str]:
        """The ids of what still has content."""
        found = export(self.replica.store, self.replica.keyring, self.tenant.id)["conversations"]
        return {entry["id"] for one in found for entry in one["entries"] if entry["id"]}

    def lines(self, about: str) -> list[ReconciliationLine]:
        return [line for line in self.log.of(ReconciliationLine) if line.about == about]


def asking_tenant(url: str, **options: str) -> Tenant:
    """A tenant that configured it."""
    whole = {**OPTIONS, "base_url": url, "storage_url": url, "pace_ms": "0", **options}
    of = tenant(f"t{next(_tenants)}")
    asked = Sending(options=whole, secrets={"bearer_token": (TOKEN,)})
    source = msgspec.structs.replace(of.connectors["x"], reconcile=asked)
    declared = Egress(host="127.0.0.1", purpose="a", region="b", legal_basis="c")
    return msgspec.structs.replace(of, connectors={"x": source}, egress=(declared,))


@contextmanager
def world_of(databases: Databases, **options: str) -> Iterator[World]:
    platform, replica = X(), Replica(databases)
    client = Client((ip_network("127.0.0.0/8"),))
    ledger = replica.ledger(answers=answering(nobody))
    ledger.start()
    try:
        with serving(platform) as url:
            hand = Hand(ledger.submit, replica.clock)
            yield World(replica, platform, asking_tenant(url, **options), hand, client)
    finally:
        ledger.stop(10)
        client.close()
        replica.close()


@pytest.fixture
def world(databases: Databases) -> Iterator[World]:
    with world_of(databases) as made:
        yield made


@pytest.mark.parametrize("reason", list(Reason))
def test_a_post_that_needs_action_gets_it(sqlite: Databases, reason: Reason) -> None:
    """Deleted, suspended, gone private: it goes. Of a post whose place is to be forgotten nothing is kept anyway."""
    with world_of(sqlite) as world:
        ids = [world.keep() for _ in range(3)]
        world.x.reasons["tweets", ids[1]] = reason.value
        world.run()
        gone = set() if reason is Reason.SCRUB_GEO else {ids[1]}
        assert world.kept() == set(ids) - gone
        (line,) = world.lines("tweets")
        assert (line.asked, line.gone, line.unsure, line.why) == (3, len(gone), 0, "")


EVERYTHING = {"their_post", "their_dm", "our_post", "our_dm", "other_post"}
USERS = {
    Reason.DELETED: {"their_post", "their_dm"},
    Reason.SUSPENDED: {"their_post", "their_dm"},
    Reason.DEACTIVATED: {"their_post", "their_dm"},
    Reason.BOUNCED: {"their_post", "their_dm"},
    Reason.PROTECTED: {"their_post"},
    Reason.SCRUB_GEO: set[str](),
}


@pytest.mark.parametrize("reason", list(Reason))
def test_a_user_who_is_gone_takes_along_what_they_wrote(databases: Databases, reason: Reason) -> None:
    """And one who went private their posts; what the tenant wrote, and what others wrote, stays."""
    with world_of(databases) as world:
        ids = {
            "their_post": world.keep(),
            "their_dm": world.keep(kind=MessageKind.TEXT),
            "our_post": world.keep(direction=Direction.OUTBOUND),
            "our_dm": world.keep(kind=MessageKind.TEXT, direction=Direction.OUTBOUND),
            "other_post": world.keep(BEN),
        }
        world.x.reasons["users", ANN] = reason.value
        world.run()
        kept = world.kept()
        assert {name for name, id_ in ids.items() if id_ in kept} == EVERYTHING - USERS[reason]
        (line,) = world.lines("users")
        assert (line.asked, line.gone) == (2, bool(USERS[reason]))


def test_only_posts_are_asked_about_as_posts_and_the_account_is_no_user(world: World) -> None:
    """A DM is no post; nobody asks X about the tenant itself."""
    post, dm = world.keep(), world.keep(kind=MessageKind.TEXT)
    own = world.keep(ACCOUNTS["x"], direction=Direction.OUTBOUND)
    world.run()
    assert world.x.uploads == [sorted([post, own], key=int), [ANN]]
    assert dm in world.kept()


def test_the_token_goes_to_the_api_alone(world: World) -> None:
    """The storage's addresses are signed by X; where the upload goes to the API itself, it needs the token."""
    world.keep()
    world.tenant = asking_tenant(world.x.url.replace("127.0.0.1", "localhost"), storage_url=world.x.url)
    told = {"data": {"id": "1", "type": "tweets", "status": "created", "download_url": "https://a.example/"}}
    api = world.tenant.connectors["x"].reconcile
    assert api is not None
    for url, expected in (
        ("https://storage.example/a", None),
        (f"{api.options['base_url']}/2/compliance/jobs/1/upload", f"Bearer {TOKEN.decode()}"),
        (f"{api.options['base_url']}.evil.example/2", None),
        ("http://[", None),
    ):
        told["data"]["upload_url"] = url
        job = read_job(HttpAnswer(status=200, headers={}, body=msgspec.json.encode(told)))
        assert job is not None
        assert upload_ids(job, ["1"], api, TOKEN).headers.get("authorization") == expected


# -- over several runs ---------------------------------------------------------------------------------------


def test_a_job_is_carried_on_by_later_runs(world: World) -> None:
    """Made and uploaded once, asked for until it is complete."""
    ids = [world.keep() for _ in range(2)]
    world.x.reasons["tweets", ids[0]] = "deleted"
    world.x.polls = 2
    world.run(2)
    assert world.kept() == set(ids)
    world.run()
    assert world.kept() == {ids[1]}
    assert len(world.x.uploads) == 2


def test_many_ids_take_several_jobs_and_every_one_is_asked_about(sqlite: Databases) -> None:
    """Also where a batch ends in the middle of a conversation; and the next cycle begins after its time."""
    with world_of(sqlite, batch="3", hours="12") as world:
        ids = [world.keep(who) for who in (ANN, ANN, BEN, ANN, ANN, ANN, BEN, "9003")]
        world.run(6)
        posts = [some for some in world.x.uploads if some[0] in ids]
        assert sorted(itertools.chain(*posts)) == sorted(ids)
        assert max(map(len, posts)) == 3
        count = len(world.x.uploads)
        world.later(11)
        world.run(2)
        assert len(world.x.uploads) == count
        world.later(2)
        world.x.reasons["tweets", ids[4]] = "deleted"
        world.run(6)
        assert len(world.x.uploads) > count
        assert world.kept() == set(ids) - {ids[4]}


def test_a_crash_between_any_two_requests_is_made_good(sqlite: Databases) -> None:
    """Whatever the request at which a run ended, later ones end in the same."""
    for turn in range(6):
        with world_of(sqlite) as world:
            ids = [world.keep() for _ in range(2)]
            world.x.reasons["tweets", ids[0]] = "deleted"
            world.x.faults.extend([saying(None)] * turn)
            world.x.faults.extend([saying(Said(500, {}))] * asking.TRIES)
            world.run()
            world.x.faults.clear()
            world.run(4)
            world.later()
            world.run(4)
            assert world.kept() == {ids[1]}, turn


@pytest.mark.parametrize("ends", ["failed", "expired"])
def test_a_job_that_came_to_nothing_is_made_again(world: World, ends: str) -> None:
    """For the same ids, with another job."""
    ids = [world.keep() for _ in range(2)]
    world.x.reasons["tweets", ids[0]] = "deleted"
    world.x.ends = ends
    world.run()
    assert world.lines("tweets")[-1].why == ends
    assert world.kept() == set(ids)
    world.x.ends = "complete"
    world.run()
    assert world.kept() == {ids[1]}


def test_a_job_that_is_lost_is_abandoned(world: World) -> None:
    """X knows it no more, or it is in progress for more than a day."""
    id_ = world.keep()
    world.x.polls = 1000
    world.run()
    world.later(25)
    world.run()
    assert world.lines("tweets")[-1].why == "abandoned"
    world.x.jobs.clear()
    world.x.polls = 0
    world.x.reasons["tweets", id_] = "deleted"
    world.run(3)
    assert world.kept() == set()


def test_what_another_version_left_is_begun_anew(world: World) -> None:
    """A state that is not understood holds nobody up."""
    id_ = world.keep()
    world.x.reasons["tweets", id_] = "deleted"
    with pytest.MonkeyPatch.context() as older:
        older.setattr(reconciling, "_encode", lambda _: b"\xc1")
        world.x.polls = 1000
        world.run()
    world.x.polls = 0
    world.run()
    assert world.kept() == set()


# -- what takes nothing away ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BREAKING)
def test_no_other_answer_takes_anything_away(sqlite: Databases, name: str) -> None:
    """To every request, or to each in turn; and afterwards what is really gone is found."""
    said = BREAKING[name]
    with world_of(sqlite) as world:
        ids = [world.keep() for _ in range(3)]
        world.x.always = saying(said)
        world.run(2)
        assert world.kept() == set(ids)
        world.x.always = saying(None)
        world.x.reasons["tweets", ids[2]] = "deleted"
        for turn in range(4):
            world.x.faults.extend([*[saying(None)] * turn, *[saying(said)] * asking.TRIES])
            world.run()
            world.x.faults.clear()
            assert world.kept() >= set(ids[:2])
        world.later()
        world.run(3)
        assert world.kept() == set(ids[:2])


LINES = (
    b"",
    b"{}",
    b"null",
    b"[" * 3000,
    b'{"id": "ID"}',
    b'{"id": "ID", "action": "delete"}',
    b'{"id": "ID", "action": "keep", "reason": "deleted"}',
    b'{"id": "ID", "action": "delete", "reason": "displeasing"}',
    b'{"id": "ID", "action": "delete", "reason": null}',
    b'{"id": ID, "action": "delete", "reason": "deleted"}',
    b'{"id": ["ID"], "action": "delete", "reason": "deleted"}',
    b'{"id": "ID", "action": "delete", "reason": "dele',
    b'{"id": " ID", "action": "delete", "reason": "deleted"}',
    b"{'id': 'ID', 'action': 'delete', 'reason': 'deleted'}",
    b"<html>ID deleted</html>",
)


def test_a_line_that_does_not_say_it_plainly_takes_nothing_away(world: World) -> None:
    """Each is counted as unsure; the good lines between them count, and ids that nobody asked about are passed over."""
    ids = [world.keep() for _ in range(2)]
    world.x.reasons["tweets", ids[1]] = "deleted"
    world.x.further = [line.replace(b"ID", ids[0].encode()) for line in LINES]
    world.x.further += [result("12345", "deleted")]
    world.run()
    assert world.kept() == {ids[0]}
    (line,) = world.lines("tweets")
    assert (line.gone, line.unsure, line.why) == (1, len(LINES) - 1, "damaged")


def test_what_one_job_says_of_an_id_of_another_is_passed_over(sqlite: Databases) -> None:
    """A result counts for the ids that were uploaded for it."""
    with world_of(sqlite, batch="1") as world:
        ids = [world.keep() for _ in range(3)]
        world.x.further = [result(id_, "deleted") for id_ in ids[1:]]
        world.run(1)
        assert world.kept() == set(ids)


@settings(max_examples=25)
@given(
    fates=st.lists(st.sampled_from(["", *(reason.value for reason in Reason)]), min_size=1, max_size=12),
    batch=st.sampled_from(["2", "5", "4000"]),
    faults=st.lists(st.none() | st.sampled_from(list(BREAKING.values())), max_size=12),
    noise=st.lists(st.sampled_from(LINES), max_size=4),
)
def test_only_what_needs_action_ever_goes(
    shared_sqlite: Databases, fates: list[str], batch: str, faults: list[Said | None], noise: list[bytes]
) -> None:
    """Whatever goes wrong, nothing else is taken away; and when it goes well again, all of it is."""
    with world_of(shared_sqlite, batch=batch) as world:
        ids = [world.keep(who) for who, _ in zip(itertools.cycle((ANN, BEN)), fates, strict=False)]
        due = {id_ for id_, fate in zip(ids, fates, strict=True) if fate not in {"", "scrub_geo"}}
        world.x.reasons = {("tweets", id_): fate for id_, fate in zip(ids, fates, strict=True) if fate}
        world.x.further = [line.replace(b"ID", ids[0].encode()) for line in noise]
        world.x.faults.extend(map(saying, faults))
        world.run(3)
        assert set(ids) - world.kept() <= due
        world.x.faults.clear()
        world.later(30)
        world.run(12)
        assert set(ids) - world.kept() == due


@pytest.fixture(scope="module")
def shared_sqlite(provisioner: Any) -> Iterator[Databases]:
    with provisioner.lent("sqlite") as databases:
        yield databases


# -- reading -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"id": None},
        {"id": "a/../b"},
        {"type": "lists"},
        {"status": "done"},
        {"upload_url": None},
        {"download_url": 7},
    ],
)
def test_a_job_that_is_not_understood_is_none(changed: dict[str, Any]) -> None:
    """Nothing is uploaded anywhere for it."""
    data = {"id": "1", "type": "tweets", "status": "created", "upload_url": "a", "download_url": "b"}
    whole = msgspec.json.encode({"data": data})
    assert read_job(HttpAnswer(status=200, headers={}, body=whole)) is not None
    assert read_job(HttpAnswer(status=400, headers={}, body=whole)) is None
    body = msgspec.json.encode({"data": {**data, **changed}})
    assert read_job(HttpAnswer(status=200, headers={}, body=body)) is None


@pytest.mark.parametrize("status", [204, 301, 400, 401, 403, 404, 429, 500, 503])
def test_results_are_read_from_a_success_alone(status: int) -> None:
    """Whatever the body says."""
    assert read_results(HttpAnswer(status=status, headers={}, body=result("1", "deleted"))) is None


def test_the_upload_holds_ids_and_nothing_else(world: World) -> None:
    """One a line; the request that makes the job names its type."""
    ids = sorted([world.keep() for _ in range(3)], key=int)
    world.run()
    uploads: list[Asked] = [asked for asked in world.x.asked if asked.method == "PUT"]
    assert uploads[0].body == "".join(f"{one}\n" for one in ids).encode()
    assert uploads[1].body == f"{ANN}\n".encode()
