"""Content goes when its time has come, no sooner and no later, and nothing else does: over years, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.message import IdentifierKind, MessageKind
from policies.record import State
from policies.retention import ContentClass, Retention, class_of
from tests.collected import Collected
from tests.databases import ENGINES, MASTER, Databases, Provisioner
from tests.flows.dump import audit
from tests.flows.harness import ACCOUNTS, delivery, edit, in_threads, message, person, unsend
from tests.flows.plaintext_worker import Plaintext
from tests.worker.retention_house import DAY, YEAR, House, keeping, served, signing_key
from worker.acts import Operator
from worker.holds.placing import HoldDesk, Terms
from worker.inbound import Answer
from worker.keyring import open_keyring
from worker.log.lines import RetentionLine
from worker.metrics import Metrics
from worker.retention import purge
from worker.retention.means import BATCH, Stopped
from worker.retention.purge import Judge
from worker.retention.space import give_back
from worker.retention.telling import telling
from worker.store import checkpoint, decisions, partitions

OFFICER: Final = Operator(name="Ola Officer", why="file 7 is opened")
BOB: Final = person(IdentifierKind.PHONE, "12025550177")


@pytest.fixture(params=ENGINES)
def databases(request: pytest.FixtureRequest, provisioner: Provisioner) -> Databases:
    """Never lent to anybody else: on PostgreSQL, years make tables."""
    return provisioner.make(request.param)


@pytest.fixture(scope="module", params=ENGINES)
def shared_databases(request: pytest.FixtureRequest, provisioner: Provisioner) -> Databases:
    """The same for all examples."""
    return provisioner.make(request.param)


@pytest.fixture
def postgresql(provisioner: Provisioner) -> Databases:
    """The same on PostgreSQL, with the tables that a migration makes."""
    fresh = provisioner.empty("postgresql")
    fresh.migrate()
    return fresh


@pytest.fixture
def house(databases: Databases, tmp_path: Path) -> Iterator[House]:
    opened = House(databases, signing_key(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def files(sqlite: Databases, tmp_path: Path) -> Iterator[House]:
    """The same on SQLite alone."""
    opened = House(sqlite, signing_key(tmp_path))
    yield opened
    opened.close()


def test_content_goes_at_its_ceiling_and_leaves_a_tombstone(house: House) -> None:
    """Not a moment sooner; what is told of it again is not recorded; younger content and other tenants stay."""
    acme, bolt = served("acme", keeping(text="30 days")), served("bolt", Retention())
    begun = house.now
    for of in (acme, bolt):
        house.replica.tell(of, message("m1", "old"), message("m2", "seen", kind=MessageKind.MEDIA))
    house.now = begun + 10 * DAY
    house.replica.tell(acme, message("m3", "young"))
    house.now = begun + 30 * DAY - DAY // 24
    assert not house.run(acme, bolt)["acme"].changed
    house.now = begun + 30 * DAY + DAY // 24
    done = house.run(acme, bolt)
    assert (done["acme"].contents, done["bolt"].changed) == (1, False)
    assert (house.texts("acme"), house.texts("bolt")) == (["seen", "young"], ["old", "seen"])
    house.replica.tell(acme, message("m1", "old"), edit("m1", "older"))
    assert house.texts("acme") == ["seen", "young"]
    assert house.states("acme") == [State.STORED, State.STORED, State.ERASED]
    assert not house.run(acme, bolt)["acme"].changed
    for of in (acme, bolt):
        audit(house.replica.store, of.id)


def test_what_went_is_on_signed_receipts_and_in_the_chain(house: House) -> None:
    """Each message once, by the rule and the clause; the chain verifies."""
    acme = served("acme", keeping(text="30 days", media="30 days", personal="30 days"))
    number = BATCH + 7
    house.replica.tell(acme, *(message(f"m{at}", "old") for at in range(number)))
    house.now += 31 * DAY
    done = house.run(acme)["acme"]
    assert (done.contents, done.persons, done.keys) == (number, 1, 1)
    told = house.receipts("acme")
    assert [one["messages"]["count"] for one in told] == [BATCH, 7, 0]
    named = [name for one in told for name in one["messages"].get("references", ())]
    assert len(set(named)) == number
    assert {(one["kind"], one["rule"], tuple(one["clauses"])) for one in told} == {
        ("purge", "retention_ceiling", ("VT-5", "PP-7"))
    }
    assert [one["keys_destroyed"]["count"] for one in told] == [0, 0, 1]
    assert house.chain_holds("acme")


def test_a_person_of_whom_nothing_is_left_is_forgotten(house: House) -> None:
    """Identifiers and key too; who comes again is somebody new. Whoever has content of any class stays."""
    acme = served("acme", keeping(text="30 days", media="60 days", personal="30 days"))
    house.replica.tell(acme, message("m1", "ann"), message("m2", "bob", who=BOB, kind=MessageKind.MEDIA))
    before = house.keys("acme")
    house.now += 59 * DAY
    assert house.run(acme)["acme"].persons == 0  # the longest ceiling is that of media
    house.now += 2 * DAY
    assert house.run(acme)["acme"].persons == 2
    rows = house.rows("acme")
    assert not {"identifier", "conversation", "content"} & rows.keys()
    assert house.keys("acme") == []
    house.replica.tell(acme, message("m3", "again"))
    assert len(house.keys("acme")) == 1
    assert not set(house.keys("acme")) & set(before)
    assert house.texts("acme") == ["again"]


def test_tombstones_stay_until_the_floor_and_the_chain_stays_whole(house: House) -> None:
    """VT-5: a calendar year after the agreement ended. What was recorded after the end is another agreement's."""
    acme = served("acme", keeping(ends="2026-12-31", text="30 days"))
    house.replica.tell(acme, message("m1", "old"), unsend("m9"))
    house.now = purge_time = 1_798_761_600_000_000 + 5 * DAY  # January 2027
    house.replica.tell(acme, message("m2", "new"))
    house.now += 20 * DAY
    assert house.run(acme)["acme"].contents == 1
    house.now = 1_830_297_600_000_000 - DAY  # a day before the end of 2027
    assert house.run(acme)["acme"].records == 0
    assert len(house.states("acme")) == 3
    house.now += 2 * DAY
    assert house.run(acme)["acme"].records == 2
    assert house.states("acme") == [State.ERASED]  # m2, gone at its own ceiling
    assert house.chain_holds("acme")
    assert purge_time < house.now


def test_nobody_s_content_stays(house: House) -> None:
    """Without a file, nobody said how long: nothing goes, whatever its age."""
    house.replica.tell(served("lost", keeping(text="1 day")), message("m1", "kept"))
    house.now += 20 * YEAR
    assert house.run(served("acme", keeping(text="1 day")))["lost"].contents == 0
    assert house.texts("lost") == ["kept"]


def test_a_clock_that_was_set_back_takes_nothing_more(house: House) -> None:
    acme = served("acme", keeping(text="30 days"))
    house.replica.tell(acme, message("m1", "kept"))
    for back in (DAY, YEAR, 40 * YEAR):
        house.now -= back
        assert not house.run(acme)["acme"].changed
    assert house.texts("acme") == ["kept"]


def test_a_hold_keeps_what_is_past_its_ceiling_until_it_is_lifted(house: House) -> None:
    """It stays as it is, the person too; when the hold is lifted, the next run takes it."""
    acme = served("acme", keeping(text="30 days", media="30 days", personal="30 days"))
    house.replica.tell(acme, message("m1", "ann"), message("m2", "bob", who=BOB))
    desk = HoldDesk(house.replica.store, house.replica.keyring, "acme", tuple(ACCOUNTS.items()), house.clock)
    whom = Terms(matter="7", authority="the court", operator=OFFICER, person="phone:+12025550177")
    hold = bytes.fromhex(desk.place(whom))
    house.now += 40 * DAY
    done = house.run(acme)["acme"]
    assert (done.contents, done.held, done.persons) == (1, 1, 1)
    assert house.texts("acme") == ["bob"]
    assert house.run(acme)["acme"].held == 1
    desk.lift(hold, OFFICER)
    done = house.run(acme)["acme"]
    assert (done.contents, done.held, done.persons) == (1, 0, 1)
    assert house.texts("acme") == []
    assert house.keys("acme") == []


def test_a_hold_keeps_a_person_of_whom_only_tombstones_are_left(house: House) -> None:
    """Whom they are about must be known to a court; without the hold they would be forgotten."""
    acme = served("acme", keeping(text="30 days", media="30 days", personal="30 days"))
    house.replica.tell(acme, message("m1", "bob", who=BOB), unsend("m1"))
    desk = HoldDesk(house.replica.store, house.replica.keyring, "acme", tuple(ACCOUNTS.items()), house.clock)
    whom = Terms(matter="7", authority="the court", operator=OFFICER, person="phone:+12025550177")
    hold = bytes.fromhex(desk.place(whom))
    house.now += 40 * DAY
    assert house.run(acme)["acme"].persons == 0
    assert len(house.keys("acme")) == 1
    desk.lift(hold, OFFICER)
    assert house.run(acme)["acme"].persons == 1
    assert house.keys("acme") == []


def test_a_hold_that_is_placed_in_the_middle_of_a_batch_keeps_what_it_covers(
    postgresql: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch looked before it was there; at the end of the chain it looks again."""
    house = House(postgresql, signing_key(tmp_path))
    acme = served("acme", keeping(text="30 days"))
    house.replica.tell(acme, message("m1", "bob", who=BOB))
    house.now += 40 * DAY
    desk = HoldDesk(house.replica.store, house.replica.keyring, "acme", tuple(ACCOUNTS.items()), house.clock)
    take_away = purge._take_away

    def meanwhile(*words: Any) -> None:
        monkeypatch.setattr(purge, "_take_away", take_away)
        desk.place(Terms(matter="7", authority="the court", operator=OFFICER, person="phone:+12025550177"))
        take_away(*words)

    monkeypatch.setattr(purge, "_take_away", meanwhile)
    assert house.run(acme)["acme"].held == 1
    assert house.texts("acme") == ["bob"]
    house.close()


KINDS: Final = (MessageKind.TEXT, MessageKind.MEDIA, MessageKind.LOCATION, MessageKind.REACTION)
_numbers = count()


@settings(max_examples=6)
@given(
    sent=st.lists(
        st.tuples(st.integers(0, 700), st.sampled_from(sorted(ACCOUNTS)), st.sampled_from(KINDS)),
        min_size=1,
        max_size=12,
    ),
    looks=st.lists(st.integers(0, 1200), min_size=1, max_size=4),
    ceilings=st.fixed_dictionaries(
        {},
        optional={
            class_.value: st.sampled_from(["1 day", "90 days", "6 months", "24 months"])
            for class_ in ContentClass
        },
    ),
)
def test_over_years_exactly_what_is_due_goes(
    shared_databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    sent: list[tuple[int, str, MessageKind]],
    looks: list[int],
    ceilings: dict[str, str],
) -> None:
    """Whenever anybody looks, in whatever order things came; a neighbour with the same history loses nothing."""
    number = next(_numbers)
    house = House(shared_databases, signing_key(tmp_path_factory.getbasetemp()))
    of = served(f"t{number}", keeping(**ceilings))
    neighbour = served(f"n{number}", Retention())
    begun = house.now
    goes: dict[str, int] = {}
    steps = sorted([*((day, 0, at) for at, (day, *_) in enumerate(sent)), *((day, 1, 0) for day in looks)])
    for day, is_look, at in steps:
        house.now = max(house.now, begun + day * DAY)
        if not is_look:
            _, connector, kind = sent[at]
            goes[f"m{at}"] = of.retention.goes_at(connector, class_of(kind), house.now // 1_000 * 1_000)
            for one in (of, neighbour):
                house.replica.tell(
                    one, message(f"m{at}", f"m{at}", connector=connector, kind=kind), connector=connector
                )
        else:
            house.run(of, neighbour)
            assert house.texts(of.id) == sorted(name for name, until in goes.items() if until > house.now)
    assert house.texts(neighbour.id) == sorted(goes)
    assert house.chain_holds(of.id)
    assert house.chain_holds(neighbour.id)
    for one in (of, neighbour):
        audit(house.replica.store, one.id)
    house.close()


def test_a_run_is_told_once_and_counted(house: House) -> None:
    """With the head of the chain; of a tenant with whom there was nothing to do, nothing."""
    acme, bolt = served("acme", keeping(text="30 days")), served("bolt", keeping(text="30 days"))
    house.replica.tell(acme, message("m1"), message("m2"))
    house.replica.tell(bolt, message("m1"))
    house.now += 20 * DAY
    house.replica.tell(bolt, message("m2"))
    house.now += 11 * DAY
    log, metrics = Collected(), Metrics("test")
    done = house.run(acme, bolt, served("nobody", Retention()))
    tell = telling(log, metrics)
    for one in done.values():
        tell(one)
    lines = {line.tenant: line for line in log.lines if isinstance(line, RetentionLine)}
    assert {name: line.contents for name, line in lines.items()} == {"acme": 2, "bolt": 1}
    with house.replica.store.reading() as tx:
        sequence, head = decisions.end_of(tx, "acme")
    assert (lines["acme"].sequence, lines["acme"].head) == (sequence, head.hex())
    page = metrics.page().decode()
    assert 'sluicegate_retention_total{tenant="acme",what="contents"} 2.0' in page
    assert 'sluicegate_retention_held{tenant="nobody"} 0.0' in page


# -- bytes ---------------------------------------------------------------------------------------------------


def test_no_byte_of_what_went_is_left_in_the_files(files: House) -> None:
    """With a cipher that hides nothing: neither in the database nor in its log, the identifier no more than the text."""
    files.replica.keyring = open_keyring(files.replica.databases.keyring_url, MASTER, Plaintext)
    acme = served("acme", keeping(text="30 days", media="30 days", personal="30 days"))
    who = person(IdentifierKind.PHONE, "12025550199")
    for at in range(30):
        files.replica.tell(acme, message(f"canary-id-{at}", f"canary4711 {at} " + "x" * 900, who=who))
    directory = files.replica.databases.directory

    def found() -> set[str]:
        whole = b"".join(path.read_bytes() for path in sorted(directory.glob("sluicegate.db*")))
        return {one for one in ("canary4711", "canary-id-", "12025550199") if one.encode() in whole}

    assert found() == {"canary4711", "canary-id-", "12025550199"}
    files.now += 31 * DAY
    assert files.run(acme)["acme"].contents == 30
    assert found() == set()


def test_space_is_returned_in_steps(files: House) -> None:
    acme = served("acme", keeping(text="30 days"))
    for at in range(12):
        files.replica.tell(acme, *(message(f"m{at}-{one}", "x" * 2_000) for one in range(100)))
    checkpoint.empty(files.replica.store)
    path = files.replica.store.path
    assert path is not None
    before = path.stat().st_size
    files.now += 31 * DAY
    files.run(acme)
    assert path.stat().st_size < before / 3
    assert path.with_name(path.name + "-wal").stat().st_size == 0


def test_a_reader_keeps_the_log_and_the_next_run_empties_it(files: House) -> None:
    acme = served("acme", keeping(text="30 days"))
    files.replica.tell(acme, message("m1"))
    files.now += 31 * DAY
    with files.replica.store.reading() as tx:
        tx.exec_driver_sql("SELECT count(*) FROM content").scalar_one()
        means = msgspec.structs.replace(files.means)
        files.replica.tell(acme, message("m2"))
        assert not give_back(means)
    assert give_back(files.means)


# -- crashes, and several at once ----------------------------------------------------------------------------


class Died(BaseException):
    """The process is gone."""


@contextmanager
def dying(house: House, after: int) -> Iterator[list[int]]:
    """Die at the beginning of a transaction of either database after so many others; tells how many there were."""
    seen = [0]
    replica = house.replica
    for one in (replica.store, replica.keyring.store):
        real = one.transaction

        @contextmanager
        def transaction(real=real):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            if seen[0] == after:
                raise Died
            seen[0] += 1
            with real() as tx:
                yield tx

        one.transaction = transaction  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        replica.restart()


def test_killed_at_any_transaction_the_next_run_ends_the_same(house: House) -> None:
    """Nothing that went comes back, nothing that is due is forgotten: no key outlives its conversation by more than a day."""
    all_30 = keeping(text="30 days", media="30 days", personal="30 days")
    for after in count():
        of = served(f"t{after}", all_30)
        begun = house.now
        house.replica.tell(of, message("m1", "one"), message("m2", "two", who=BOB))
        house.now = begun + 20 * DAY
        house.replica.tell(of, message("m3", "three"))
        house.now = begun + 31 * DAY
        died = False
        with dying(house, after):
            try:
                house.tend(of)
            except Died:
                died = True
        house.now += 2 * DAY
        house.tend(of)
        assert house.texts(of.id) == ["three"]
        assert len(house.keys(of.id)) == 1
        assert house.chain_holds(of.id)
        assert sum(one["messages"]["count"] for one in house.receipts(of.id)) == 2
        audit(house.replica.store, of.id)
        if not died:
            break
    assert after > 5


def test_two_replicas_purge_while_a_third_takes_messages(house: House, tmp_path: Path) -> None:
    """Each content goes once; whatever comes meanwhile is kept, also of persons who are being forgotten."""
    acme = served("acme", keeping(text="30 days", media="30 days", personal="30 days"))
    people = [person(IdentifierKind.PHONE, f"120255501{one:02}") for one in range(20)]
    house.replica.tell(acme, *(message(f"old{at}", "old", who=people[at % 20]) for at in range(400)))
    house.now += 31 * DAY
    other = House(house.replica.databases, house.signing)
    third = House(house.replica.databases, house.signing)
    other.now = third.now = house.now

    def take() -> None:
        with third.replica.serving() as send:
            for at in range(40):
                one = delivery(acme, message(f"new{at}", f"new{at}", who=people[at % 20]))
                assert send(one) is Answer.COMMITTED

    results = in_threads(lambda: house.run(acme), lambda: other.run(acme), take)
    house.run(acme)
    assert house.texts("acme") == sorted(f"new{at}" for at in range(40))
    assert results[0]["acme"].contents + results[1]["acme"].contents <= 400
    assert sum(one["messages"]["count"] for one in house.receipts("acme")) == 400
    assert house.chain_holds("acme")
    audit(house.replica.store, "acme")
    for one in (other, third):
        one.close()


def test_stopped_between_batches_the_rest_is_done_the_next_time(house: House) -> None:
    acme = served("acme", keeping(text="30 days"))
    house.replica.tell(acme, *(message(f"m{at}", "old") for at in range(BATCH + 1)))
    house.now += 31 * DAY
    asked = count()
    means = msgspec.structs.replace(house.means, stop=lambda: next(asked) > 0)
    with pytest.raises(Stopped):
        purge.sweep(means, "acme", Judge(policy=acme.retention), "purge")
    assert len(house.texts("acme")) == 1
    assert house.run(acme)["acme"].contents == 1


# -- months on PostgreSQL --------------------------------------------------------------------------------------


def test_a_month_goes_when_nothing_in_it_must_stay(postgresql: Databases, tmp_path: Path) -> None:
    """Not while a hold or a tenant with a longer ceiling has anything there; the table of the next months is made ahead."""
    house = House(postgresql, signing_key(tmp_path))
    store = house.replica.store
    house.now = store.now()
    short, long = served("acme", keeping(text="30 days")), served("bolt", keeping(text="24 months"))

    def names() -> list[str]:
        with store.reading() as tx:
            return [one.name for one in partitions.months(tx)]

    fresh = names()
    assert len(fresh) == 1 + partitions.AHEAD
    house.now += 40 * DAY  # next month, or the one after it
    house.replica.tell(short, message("m1", "short"))
    house.replica.tell(long, message("m2", "long"))
    (month,) = (
        one.name for one in _partitions(house) if one.since <= partitions.id_at(house.now) < one.until
    )
    house.now += 90 * DAY
    house.run(short, long)
    assert month in names()
    assert "content_before" not in names()  # it held nothing
    with store.reading() as tx:
        (latest,) = [
            one for one in partitions.months(tx) if one.until > partitions.id_at(house.now + 80 * DAY)
        ][-1:]
    assert latest.name in names()
    house.now += 2 * YEAR
    house.run(short, long)
    assert month not in names()
    assert house.texts("bolt") == []
    house.close()


def _partitions(house: House) -> list[partitions.Partition]:
    with house.replica.store.reading() as tx:
        return partitions.months(tx)


def test_what_came_before_its_month_was_made_moves_into_it(postgresql: Databases, tmp_path: Path) -> None:
    """Nothing is refused because a job did not run for years; and made by two at once it is made once."""
    house = House(postgresql, signing_key(tmp_path))
    acme = served("acme", Retention())
    house.now += 5 * YEAR
    house.replica.tell(acme, message("m1", "early"))
    made = in_threads(*[lambda: partitions.make_ahead(house.replica.store, house.now)] * 2)
    assert len({*made[0], *made[1]}) == 1 + partitions.AHEAD
    assert not set(made[0]) & set(made[1])
    with house.replica.store.reading() as tx:
        rest = tx.exec_driver_sql("SELECT count(*) FROM content_rest").scalar_one()
    assert rest == 0
    assert house.texts("acme") == ["early"]
    assert partitions.make_ahead(house.replica.store, house.now) == []
    house.close()


def test_a_month_that_somebody_reads_is_dropped_the_next_time(postgresql: Databases, tmp_path: Path) -> None:
    house = House(postgresql, signing_key(tmp_path))
    store = house.replica.store
    later = store.now() + 70 * DAY
    with store.reading() as tx:
        tx.exec_driver_sql("SELECT count(*) FROM content").scalar_one()
        assert partitions.drop_empty(store, later) == []
    assert "content_before" in partitions.drop_empty(store, later)
    house.close()
