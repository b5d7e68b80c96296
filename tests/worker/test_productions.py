"""Productions: what an order is answered with, for whom, proven, and how it ends."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import stat
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.message import IdentifierKind, Media, MediaKind
from tests.databases import Databases
from tests.flows.harness import NOW, Replica, edit, message, person, replicas, tenant, unsend
from tests.worker.holding_house import ANN, ANNS_NUMBER, OFFICER, House
from worker.acts import told
from worker.audit.receipts import verify_receipt
from worker.audit.signing import SigningKey
from worker.conformance.search import Search
from worker.holds import gather, production
from worker.holds.bundle import MANIFEST, Writer, check
from worker.holds.envelope import BundleRefused, RecipientPrivateKey
from worker.holds.production import DESTROYED, MISSING, Made, Order, ProductionDesk, ProductionRefused
from worker.holds.shred import Shredded
from worker.store import productions, seals
from worker.tenants.loading import Tenant

ACME: Final = tenant()
WHO: Final = person(IdentifierKind.PHONE, ANNS_NUMBER)
BOB: Final = person(IdentifierKind.PHONE, "12025550199")
XENA: Final = person(IdentifierKind.X_ID, "7001")
SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND

Files = dict[str, list[dict[str, Any]]]


class Office:
    """A house whose officer produces for one recipient."""

    def __init__(self, house: House, directory: Path) -> None:
        self.house = house
        self.directory = directory
        path = directory / "recipient.pem"
        self.key = RecipientPrivateKey.load(path) if path.exists() else RecipientPrivateKey.generate(path)
        one = house.replica
        self.desk = ProductionDesk(one.store, one.keyring, house.signing, one.clock)
        self.out = directory / "out.bundle"

    def order(self, **more: Any) -> Order:
        return Order(
            **{
                "legal_basis": "18 USC 2703(d)",
                "reference": "order 12",
                "recipient": self.key.public,
                "operator": OFFICER,
                "expires": 30 * DAY,
                **more,
            }
        )

    def make(self, **more: Any) -> Made:
        return self.desk.make(self.house.of.id, self.order(**more), self.out)

    def opened(self, now: int = NOW) -> tuple[dict[str, Any], Files]:
        """The manifest, and the lines of each kind."""
        found: Files = defaultdict(list)

        def take(name: str, data: bytes) -> None:
            if name != MANIFEST:
                found[name.partition("/")[0]] += [json.loads(line) for line in data.splitlines()]

        with self.out.open("rb") as file:
            return check(self.key.open(file, now), self.house.signing.public, take), found

    def receipts(self) -> list[dict[str, Any]]:
        with self.house.replica.store.reading() as tx:
            made = seals.receipts_since(tx, self.house.of.id, 0)
        return [verify_receipt(one.receipt, self.house.signing.public) for one in made]


@pytest.fixture
def office(databases: Databases, tmp_path: Path) -> Iterator[Office]:
    """An office of a tenant that knows Ann."""
    with replicas(databases) as [replica]:
        house = House(replica, ACME, tmp_path)
        house.tell(message("m0", "good day", who=WHO))
        yield Office(house, tmp_path)


# -- what is in it -------------------------------------------------------------------------------------------


def test_a_production_holds_what_was_said_and_what_only_a_hold_keeps(office: Office) -> None:
    """Marked as such, with the versions that edits replaced; counted; and it opens for the recipient alone."""
    house = office.house
    house.place(person=ANN)
    house.tell(message("m1", "taken back", who=WHO), edit("m0", "good night", who=WHO))
    house.tell(unsend("m1"))
    made = office.make(person=ANN)
    manifest, files = office.opened()
    said = {line["text"]: line["restricted"] for line in files["messages"]}
    assert said.keys() == {"good night", "taken back", "good day"}
    assert said["good night"] is None
    assert said["taken back"]["why"] == "platform_deletion"
    [version] = [line for line in files["messages"] if "version_of" in line]
    assert (version["version_of"], version["text"]) == (house.key("m0").hex(), "good day")
    assert [one["identifiers"] for one in files["conversations"]] == [
        [{"kind": "phone", "value": ANNS_NUMBER}]
    ]
    assert manifest["counts"] == made.counts
    assert made.counts["messages"] == 2
    assert (made.counts["restricted"], made.counts["versions"]) == (2, 1)


def test_what_was_erased_under_a_hold_is_produced(office: Office) -> None:
    """It is gone for everybody else."""
    office.house.place()
    office.house.erase()
    office.make(person=ANN)
    [line] = office.opened()[1]["messages"]
    assert (line["state"], line["text"], line["restricted"]["why"]) == ("erased", "good day", "erasure")


def test_the_manifest_says_what_was_asked_on_which_basis_and_by_whom(office: Office) -> None:
    made = office.make(person=ANN, since=NOW, until=NOW + 1)
    manifest, _ = office.opened()
    assert (manifest["id"], manifest["tenant"], manifest["order"]) == (made.id, "acme", "order 12")
    assert manifest["legal_basis"] == "18 USC 2703(d)"
    assert manifest["scope"] == {
        "about": "person",
        "person": ANN,
        "conversation": None,
        "since": "2026-09-21T14:13:20Z",
        "before": "2026-09-21T14:13:20.000001Z",
    }
    [step] = manifest["custody"]
    assert (step["by"], step["why"]) == (OFFICER.name, OFFICER.why)
    assert step["recipient_key"] == office.key.public.id
    assert manifest["policies"] == ["0" * 16]


def test_decisions_come_with_their_way_to_the_head_of_the_chain(office: Office) -> None:
    """Those about its messages, and that it was produced; of nobody else's messages."""
    office.house.tell(message("b0", "not mine", who=BOB), message("m1", "mine", who=WHO))
    office.make(person=ANN)
    manifest, files = office.opened()
    about = [(line["event"], line["disposition"]) for line in files["decisions"]]
    assert about == [("message", "stored"), ("message", "stored"), ("produced", "done")]
    refs = {line["ref"] for line in files["decisions"]}
    assert refs == {office.house.key("m0").hex(), office.house.key("m1").hex(), manifest["id"]}
    [custody] = manifest["custody"]
    assert files["decisions"][-1]["head"] == custody["head"]


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ({}, ["m0", "m1", "m2"]),
        ({"since": NOW + 1}, ["m1", "m2"]),
        ({"until": NOW + SECOND}, ["m0"]),
        ({"since": NOW + SECOND, "until": NOW + 2 * SECOND}, ["m1"]),
    ],
)
def test_a_period_bounds_it(office: Office, bounds: dict[str, int], found: list[str]) -> None:
    office.house.tell(*[message(f"m{n}", who=WHO, at=NOW + n * SECOND) for n in (1, 2)])
    office.make(person=ANN, **bounds)
    manifest, files = office.opened()
    assert [line["id"] for line in files["messages"]] == found
    assert len([one for one in files["decisions"] if one["event"] == "message"]) == len(found)
    assert manifest["counts"]["messages"] == len(found)


def test_of_x_there_are_ids_alone(office: Office) -> None:
    """SM-10: also of what only a hold keeps."""
    office.house.place()
    events = (
        message(id_, "a post", connector="x", who=XENA, profile={"name": "Xena"}) for id_ in ("100", "200")
    )
    office.house.tell(*events, connector="x")
    office.house.tell(unsend("200", connector="x"), connector="x")
    office.house.tell(edit("100", "a better post", connector="x", who=XENA), connector="x")
    office.make()
    _, files = office.opened()
    [version] = [line for line in files["messages"] if "version_of" in line]
    names = {"version_of", "connector", "account", "conversation", "occurred_at", "restricted", "id"}
    assert version.keys() == names
    assert "better" not in json.dumps(files)
    lines = [line for line in files["messages"] if line["connector"] == "x" and "ref" in line]
    assert sorted(line["id"] for line in lines) == ["100", "200"]
    assert all(line["ids_only"] for line in lines)
    names = {"ref", "id", "connector", "account", "state", "ids_only", "conversation", "restricted"}
    assert {name for line in lines for name in line} == names
    assert "a post" not in json.dumps(files)
    assert "Xena" not in json.dumps(files)


def test_of_media_that_may_not_be_recorded_there_is_the_placeholder(office: Office) -> None:
    placeholder = Media(kind=MediaKind.IMAGE, removed="story_mention")
    event = message("s0", None, who=WHO)
    content = replace(event.message.content, media=(placeholder,))
    office.house.tell(replace(event, message=replace(event.message, content=content)))
    office.make(person=ANN)
    [line] = [one for one in office.opened()[1]["messages"] if one["id"] == "s0"]
    assert line["media"] == [{"kind": "image", "removed": "story_mention"}]


def test_many_lines_become_several_files(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """So much of them is in memory at a time."""
    monkeypatch.setattr("worker.holds.bundle.PART_BYTES", 2_000)
    monkeypatch.setattr("worker.holds.gather._PAGE", 3)
    office.house.tell(*[message(f"n{n}", f"text {n}", who=WHO, at=NOW + n // 2) for n in range(20)])
    office.make(person=ANN)
    manifest, files = office.opened()
    assert len(files["messages"]) == 21
    assert sum(one["name"].startswith("messages/") for one in manifest["files"]) > 2


_numbers: Final = itertools.count()


@pytest.fixture(scope="module")
def replica(shared_databases: Databases) -> Iterator[Replica]:
    with replicas(shared_databases) as [opened]:
        yield opened


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    told_=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from((WHO, BOB)), st.booleans()), max_size=8),
    scope=st.sampled_from(({}, {"person": ANN})),
)
def test_nothing_of_another_tenant_is_ever_in_it(
    replica: Replica,
    tmp_path_factory: pytest.TempPathFactory,
    told_: list[tuple[str, Any, bool]],
    scope: dict[str, str],
) -> None:
    """Nor, of one person's production, anything of another's; whatever is held, taken back, the same ids and numbers."""
    directory = tmp_path_factory.mktemp("office")
    number = next(_numbers)
    houses = {which: House(replica, tenant(f"the-{which}-tenant-{number}"), directory) for which in "ab"}
    for house in houses.values():
        house.tell(message("first", f"hello {house.of.id}", who=WHO))
        house.place()
    for at, (which, who, taken_back) in enumerate(told_):
        name = "ann" if who is WHO else "bob"
        houses[which].tell(message(f"m{at}", f"{name} to {houses[which].of.id}", who=who))
        if taken_back:
            houses[which].tell(unsend(f"m{at}"))
    office = Office(houses["a"], directory)
    office.make(**scope)
    manifest, files = office.opened()
    texts = {line["text"] for line in files["messages"]}
    mine = f"the-a-tenant-{number}"
    wanted = {f"{'ann' if who is WHO else 'bob'} to {mine}" for which, who, _ in told_ if which == "a"}
    assert texts == {f"hello {mine}"} | ({one for one in wanted if "ann" in one} if scope else wanted)
    assert f"the-b-tenant-{number}" not in json.dumps([manifest, files])


# -- its file ------------------------------------------------------------------------------------------------


def test_nothing_of_it_stands_on_a_disk_in_the_clear(office: Office) -> None:
    """Its file is its owner's alone; no other file was left."""
    secret = "a sentence that nobody else says"
    office.house.tell(message("m1", secret, who=WHO))
    before = set(office.directory.iterdir())
    office.make(person=ANN)
    assert set(office.directory.iterdir()) - before == {office.out}
    assert stat.S_IMODE(office.out.stat().st_mode) == 0o600
    sought = Search([secret, ANNS_NUMBER, OFFICER.name])
    assert [hit for file in office.directory.iterdir() for hit in sought.look(file.read_bytes())] == []


def test_a_file_is_never_overwritten(office: Office) -> None:
    office.out.write_text("mine")
    with pytest.raises(ProductionRefused, match="overwrites nothing"):
        office.make()
    assert office.out.read_text() == "mine"
    assert office.desk.productions("acme") == []


def test_an_order_about_nobody_is_refused(office: Office) -> None:
    for scope in ({"person": "+12025550177"}, {"conversation": bytes(16)}):
        with pytest.raises(ProductionRefused, match="nothing was made"):
            office.make(**scope)
    assert office.desk.productions("acme") == []
    assert not office.out.exists()


# -- its end -------------------------------------------------------------------------------------------------


def test_a_production_is_destroyed_when_it_expires(office: Office) -> None:
    """Not before; with a signed receipt of its digest, once, on the record; and nothing of the file is left."""
    made = office.make(expires=DAY)
    with office.out.open("rb") as kept_open:
        assert office.desk.destroy_expired(made.expires_at - 1) == 0
        assert office.desk.destroy_expired(made.expires_at) == 1
        assert kept_open.read() == b""
    assert office.desk.destroy_expired(made.expires_at) == 0
    assert [path for path in office.directory.iterdir() if "out.bundle" in path.name] == []
    [receipt] = office.receipts()
    assert (receipt["kind"], receipt["files"]["references"]) == (DESTROYED, [made.digest])
    assert receipt["clauses"] == ["VT-5", "PP-7"]
    with office.house.replica.store.reading() as tx:
        acts = told(tx, office.house.replica.keyring, "acme")
    assert [one.action for one in acts] == ["produced", DESTROYED]


def test_a_production_is_destroyed_after_its_use(office: Office) -> None:
    made = office.make()
    assert office.desk.destroy("acme", made.id, OFFICER) is Shredded.DESTROYED
    with pytest.raises(ProductionRefused, match="destroyed already"):
        office.desk.destroy("acme", made.id, OFFICER)
    with pytest.raises(ProductionRefused, match="no such production"):
        office.desk.destroy("globex", made.id, OFFICER)


def test_of_a_file_that_was_moved_away_nobody_vouches(office: Office) -> None:
    """What lies in its place is left alone."""
    made = office.make(expires=DAY)
    office.out.rename(office.directory / "elsewhere")
    office.out.write_text("mine")
    assert office.desk.destroy_expired(made.expires_at) == 1
    assert office.out.read_text() == "mine"
    assert [one["kind"] for one in office.receipts()] == [MISSING]


def test_what_another_machine_wrote_is_left_to_it(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is found there too."""
    made = office.make(expires=DAY)
    away = office.out.rename(office.directory / "away")
    monkeypatch.setattr(socket, "gethostname", lambda: "another")
    assert office.desk.destroy_expired(made.expires_at) == 0
    away.rename(office.out)
    assert office.desk.destroy_expired(made.expires_at) == 1
    assert [one["kind"] for one in office.receipts()] == [DESTROYED]


def test_a_production_that_fails_leaves_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(production, "_manifest", fail)
    with pytest.raises(OSError, match="No space"):
        office.make()
    assert [path.name for path in office.directory.iterdir() if "out.bundle" in path.name] == []
    [(one, _)] = office.desk.productions("acme")
    assert one.destroyed_at is not None


STEPS: Final = ("open", "fsync", "link", "unlink", "ftruncate", "pwrite", "rename", "replace")


def killed(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a process of its own that is gone at its n-th step on a file or a transaction; whether it was."""
    child = os.fork()
    if child == 0:
        try:
            _die_at(step)
            work()
        except BaseException:  # noqa: BLE001 - the parent shows it
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, -signal.SIGKILL}
    return code != 0


def _die_at(step: int) -> None:
    left = itertools.count(step, -1)

    def counted(original: Any) -> Any:
        def wrapped(*arguments: Any, **more: Any) -> Any:
            if next(left) == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **more)

        return wrapped

    for name in STEPS:
        setattr(os, name, counted(getattr(os, name)))
    productions.add = counted(productions.add)
    productions.finish = counted(productions.finish)
    productions.mark_destroyed = counted(productions.mark_destroyed)


def test_a_crash_at_any_step_leaves_no_file_that_outlives_its_expiry(
    databases: Databases, tmp_path: Path
) -> None:
    """Killed while it is made, then while it is destroyed: at last nothing is left, and the receipt tells the truth."""
    for step in itertools.count():
        directory = tmp_path / str(step)
        directory.mkdir()
        run = partial(_in_office, databases, tenant(f"k{step}"), directory)
        run(lambda office: office.house.tell(message("m0", "good day", who=WHO)))
        died = killed(step, partial(run, lambda office: office.make(expires=DAY)))
        died_again = killed(step, partial(run, _expire))
        run(_expire)
        left = [path for path in directory.iterdir() if "out.bundle" in path.name]
        assert [path.name for path in left if path.stat().st_size] == []
        run(partial(_all_is_told, whole=not died))
        if not died and not died_again:
            assert step > 8
            return


def _in_office(databases: Databases, of: Tenant, directory: Path, work: Callable[[Office], object]) -> None:
    with replicas(databases) as [replica]:
        work(Office(House(replica, of, directory), directory))


def _expire(office: Office) -> None:
    office.desk.destroy_expired(NOW + 2 * DAY)


def _all_is_told(office: Office, *, whole: bool) -> None:
    found = office.desk.productions(office.house.of.id)
    assert all(one.destroyed_at is not None for one, _ in found)
    kinds = [one["kind"] for one in office.receipts()]
    assert len(kinds) == len(found)
    if whole:
        assert kinds == [DESTROYED]


# -- the envelope --------------------------------------------------------------------------------------------


def test_another_key_an_expired_bundle_and_another_signer_are_refused(office: Office, tmp_path: Path) -> None:
    made = office.make(expires=DAY)
    other = RecipientPrivateKey.generate(tmp_path / "other.pem")
    with office.out.open("rb") as file, pytest.raises(BundleRefused, match="another key"):
        other.open(file, NOW)
    with pytest.raises(BundleRefused, match="expired"):
        office.opened(made.expires_at)
    stranger = SigningKey.generate(tmp_path / "stranger.key").public
    with office.out.open("rb") as file:
        opener = office.key.open(file, NOW)
        with pytest.raises(BundleRefused, match="not signed with this key"):
            check(opener, stranger)


def test_wherever_a_bundle_is_damaged_or_cut_off_it_is_refused(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every byte of a small one; the block is named."""
    monkeypatch.setattr("worker.holds.envelope.BLOCK", 512)
    office.make(person=ANN)
    whole = office.out.read_bytes()
    assert len(whole) > 3 * 528
    for at in range(0, len(whole), 7):
        for harmed in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            office.out.write_bytes(harmed)
            with pytest.raises(
                BundleRefused, match=r"block \d+|header|no production|another key|expired"
            ) as refused:
                office.opened()
            assert "good day" not in str(refused.value)
    for harmed in (whole + b"\0", whole + whole):
        office.out.write_bytes(harmed)
        with pytest.raises(BundleRefused):
            office.opened()


def _altered(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, data.replace(b"good day", b"good bye")


def _missing(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    yield from [(name, data)] if name != "messages/000001.jsonl" else []


def _another(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, data
    yield name.replace("000001", "000009"), data


def _late(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, data
    if name == MANIFEST:
        yield "messages/000002.jsonl", b""


def _escaping(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    yield f"../{name}", data


def _unlisted(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    if name != MANIFEST:
        yield name, data


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_altered, "messages/000001.jsonl is not the file"),
        (_missing, "messages/000001.jsonl is missing"),
        (_another, "is not the file|behind the manifest"),
        (_late, "stands behind the manifest"),
        (_escaping, "something that no production holds"),
        (_unlisted, "no manifest"),
    ],
)
def test_what_is_inside_is_what_the_manifest_lists(
    office: Office, monkeypatch: pytest.MonkeyPatch, change: Callable[[str, bytes], Any], sentence: str
) -> None:
    """Also where whoever sealed it again had the recipient's public key."""
    member = Writer._member

    def changed(self: Writer, name: str, data: bytes) -> None:
        for one in change(name, data):
            member(self, *one)

    monkeypatch.setattr(Writer, "_member", changed)
    office.make(person=ANN)
    with pytest.raises(BundleRefused, match=sentence):
        office.opened()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("disposition", "dropped"),
        ("count", 7),
        ("head", "00" * 32),
        ("path", [[True, "00" * 32]]),
        ("record", "!"),
    ],
)
def test_a_decision_that_is_not_in_the_chain_is_refused(
    office: Office, monkeypatch: pytest.MonkeyPatch, field: str, value: Any
) -> None:
    proofs = gather._proofs

    def forged(*told_: Any) -> Iterator[dict[str, Any]]:
        return (proof | {field: value} for proof in proofs(*told_))

    monkeypatch.setattr(gather, "_proofs", forged)
    office.make(person=ANN)
    with pytest.raises(BundleRefused, match="decision on line 1"):
        office.opened()


def test_decisions_of_another_tenant_are_refused(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = production._manifest
    monkeypatch.setattr(production, "_manifest", lambda *told_: manifest(*told_) | {"tenant": "globex"})
    office.make(person=ANN)
    with pytest.raises(BundleRefused, match="another tenant"):
        office.opened()


def test_blocks_cannot_change_places(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.holds.envelope.BLOCK", 512)
    office.make(person=ANN)
    whole = office.out.read_bytes()
    begin = whole.index(b"}") + 1
    blocks = [whole[at : at + 528] for at in range(begin, len(whole), 528)]
    office.out.write_bytes(whole[:begin] + b"".join([blocks[1], blocks[0], *blocks[2:]]))
    with pytest.raises(BundleRefused, match="first block"):
        office.opened()
    office.out.write_bytes(whole[:begin] + b"".join(blocks[:-1]))
    with pytest.raises(BundleRefused, match=f"cut off after block {len(blocks) - 1}"):
        office.opened()


def test_a_key_has_no_readable_form_and_is_never_overwritten(office: Office) -> None:
    path = office.directory / "recipient.pem"
    assert repr(office.key) == "<RecipientPrivateKey>"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        RecipientPrivateKey.generate(path)
