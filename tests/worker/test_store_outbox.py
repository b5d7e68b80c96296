"""The outbox: in order within a pair, claimed by one replica, nothing lost, nothing twice; on both engines."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, Final

import msgspec
import pytest
from sqlalchemy import Connection, func, select, update

from policies.event import DeliveryStatus, Failure
from tests.databases import Databases
from tests.meetings import one_after_the_other
from worker.store import outbox
from worker.store.engine import Store
from worker.store.outbox import FINISHED, PENDING, UNFINISHED, OutboxState, Outgoing
from worker.store.retry import persistently
from worker.store.statements import Raced

CALLING, FAILED, QUEUED = OutboxState.CALLING, OutboxState.FAILED, OutboxState.QUEUED
SENT, UNKNOWN, UNRESOLVED = OutboxState.SENT, OutboxState.UNKNOWN, OutboxState.UNRESOLVED
EXPIRED = OutboxState.EXPIRED
NOW: Final = 1_000_000
LEASE: Final = NOW + 60


@pytest.fixture
def store(databases: Databases) -> Iterator[Store]:
    """A fresh store."""
    with closing(databases.store()) as opened:
        yield opened


@pytest.fixture
def shared_store(postgresql: Databases) -> Iterator[Store]:
    """A fresh store that has row locks: each of its transactions may be another replica's."""
    with closing(postgresql.store()) as opened:
        yield opened


def key(number: int) -> bytes:
    """A key of sixteen bytes."""
    return number.to_bytes(16, "big")


def text(number: int, pair: str = "", **values: Any) -> Outgoing:
    """A text that is due, of a pair of its own where none is said."""
    usual: dict[str, Any] = {
        "key": key(number),
        "id": key(number),
        "pair": (pair or f"pair {number}").encode(),
        "conversation": b"conversation",
        "connector": "sms-console",
        "account": "+12025550123",
        "purpose": "transactional",
        "not_before": NOW - 100,
        "submitted_at": NOW - 100 + number,
        "changed_at": NOW - 100,
        "sealed": b"sealed",
    }
    return Outgoing(**usual | values)


def holding(tx: Connection, *rows: Outgoing, tenant: str = "acme") -> None:
    """Put rows into the outbox."""
    outbox.enqueue(tx, tenant, rows)


def numbers(rows: Sequence[Outgoing]) -> list[int]:
    """Which texts these are."""
    return [int.from_bytes(row.key, "big") for row in rows]


def one(tx: Connection, number: int = 1) -> Outgoing:
    """A row as it stands."""
    return outbox.find(tx, "acme", [key(number)])[key(number)]


# -- claiming ------------------------------------------------------------------------------------------------


def test_what_is_due_is_claimed_first_of_its_pair(store: Store) -> None:
    """The longest due first, up to the limit; what is not due yet holds back its pair too; tenants are apart."""
    with store.transaction() as tx:
        holding(tx, text(1, "a", not_before=NOW - 1), text(2, "a", not_before=NOW - 9))
        holding(tx, text(3, "b", not_before=NOW), text(4, "c", not_before=NOW - 5), text(5, "d"))
        holding(tx, text(6, "e", not_before=NOW + 1), text(7, "e"))
        holding(tx, text(8, "a"), tenant="globex")
        assert numbers(outbox.claim(tx, "acme", NOW, 10)) == [5, 4, 1, 3]
        assert numbers(outbox.claim(tx, "acme", NOW, 2)) == [5, 4]
        assert numbers(outbox.claim(tx, "globex", NOW, 10)) == [8]
        assert outbox.claim(tx, "initech", NOW, 10) == []


def test_what_is_out_of_service_is_left_where_it_is(store: Store) -> None:
    """Of some connectors and of some accounts nothing is claimed; their texts still hold back those behind them."""
    with store.transaction() as tx:
        holding(
            tx, text(1, "a", connector="sms-http"), text(2, "a"), text(3, account="+12025550199"), text(4)
        )
        assert numbers(outbox.claim(tx, "acme", NOW, 9)) == [1, 3, 4]
        assert numbers(outbox.claim(tx, "acme", NOW, 9, without={"sms-http", "other"})) == [3, 4]
        assert numbers(outbox.claim(tx, "acme", NOW, 1, without={"sms-http"}, silent={"+12025550199"})) == [4]


@pytest.mark.parametrize("state", OutboxState)
def test_only_what_is_unfinished_holds_back_its_pair(store: Store, state: OutboxState) -> None:
    """A text whose fate is not known does; one that was sent, failed, or is a person's does not."""
    with store.transaction() as tx:
        holding(tx, text(1, "a", state=state, not_before=NOW + 1), text(2, "a"))
        assert numbers(outbox.claim(tx, "acme", NOW, 10)) == ([] if state in UNFINISHED else [2])


@pytest.mark.parametrize("state", OutboxState)
def test_a_text_that_comes_in_late_waits_for_the_call_that_runs(store: Store, state: OutboxState) -> None:
    """Its id is the lesser one (another replica's clock), and still of one pair only one is called at a time."""
    with store.transaction() as tx:
        holding(tx, text(1, "a"), text(2, "a", state=state))
        held_back = state in {CALLING, UNKNOWN}
        assert numbers(outbox.claim(tx, "acme", NOW, 10)) == ([] if held_back else [1])


def test_what_begins_is_written_before_the_call(store: Store) -> None:
    """State, epoch, attempts, when, and until when nobody else may."""
    with store.transaction() as tx:
        holding(tx, text(1, attempts=2, epoch=4, failure="busy"), text(2))
        claims = outbox.claim(tx, "acme", NOW, 10)
        began = outbox.begin(tx, "acme", claims, NOW, LEASE)
        assert outbox.begin(tx, "acme", [], NOW, LEASE) == []
    with store.reading() as tx:
        assert outbox.find(tx, "acme", [key(1), key(2)]) == {row.key: row for row in began}
    first = next(row for row in began if row.key == key(1))
    assert (first.state, first.epoch, first.attempts) == (CALLING, 5, 3)
    assert (first.tried_at, first.changed_at, first.lease_until) == (NOW, NOW, LEASE)


# -- what becomes of a row -----------------------------------------------------------------------------------

Step = Callable[[Connection, Outgoing], Any]
_SURE: Final = (CALLING, UNKNOWN, UNRESOLVED)


def receipt(status: DeliveryStatus) -> Step:
    """A receipt of the row."""
    told = (status, Failure.FILTERED if status is DeliveryStatus.FAILED else None, 30007)
    return lambda tx, row: outbox.resolve_by_receipt(tx, "acme", {row.key: told}, NOW)


STEPS: Final[dict[str, tuple[Step, dict[OutboxState, OutboxState]]]] = {
    "recorded as sent": (
        lambda tx, row: outbox.record(tx, "acme", row, SENT, NOW),
        dict.fromkeys(_SURE, SENT),
    ),
    "recorded as failed": (
        lambda tx, row: outbox.record(tx, "acme", row, FAILED, NOW, failure=Failure.BUSY, code=7),
        dict.fromkeys(_SURE, FAILED),
    ),
    "recorded as unknown": (
        lambda tx, row: outbox.record(tx, "acme", row, UNKNOWN, NOW),
        {CALLING: UNKNOWN},
    ),
    "postponed": (
        lambda tx, row: outbox.postpone(tx, "acme", row, NOW, NOW + 5, failure=Failure.BUSY, code=7),
        dict.fromkeys(UNFINISHED, QUEUED),
    ),
    "finished": (
        lambda tx, row: outbox.finish(tx, "acme", [row.key], EXPIRED, NOW),
        {QUEUED: EXPIRED},
    ),
    "reported as sent": (receipt(DeliveryStatus.SENT), dict.fromkeys(PENDING, SENT)),
    "reported as read": (receipt(DeliveryStatus.READ), dict.fromkeys(PENDING, SENT)),
    "reported as failed": (receipt(DeliveryStatus.FAILED), {UNKNOWN: FAILED, UNRESOLVED: FAILED}),
    "reported as something else": (receipt(DeliveryStatus.UNKNOWN), {}),
    "past its lease": (
        lambda tx, row: outbox.expire_leases(tx, "acme", LEASE + 1),
        {CALLING: UNKNOWN},
    ),
    "sent again by a person": (
        lambda tx, row: outbox.send_again(tx, "acme", row, NOW),
        {UNRESOLVED: QUEUED},
    ),
    "within its lease": (lambda tx, row: outbox.expire_leases(tx, "acme", LEASE), {}),
    "unknown for long": (
        lambda tx, row: outbox.age_unknown(tx, "acme", NOW + 1, NOW + 1),
        {UNKNOWN: UNRESOLVED},
    ),
    "unknown for a moment": (lambda tx, row: outbox.age_unknown(tx, "acme", NOW, NOW), {}),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_row_moves_only_where_the_table_says_so(store: Store, step: str) -> None:
    """From each state: where to, and whether it is told; a final state stays. What was to be sent is kept while needed."""
    move, expected = STEPS[step]
    with store.transaction() as tx:
        for number, state in enumerate(OutboxState):
            sealed = b"sealed" if state in PENDING else None
            row = text(number, state=state, epoch=3, tried_at=NOW, lease_until=LEASE, sealed=sealed)
            holding(tx, row)
            assert bool(move(tx, row)) == (state in expected), state.name
            after = one(tx, number)
            assert after.state is expected.get(state, state), state.name
            assert (after.sealed is None) == (after.state in FINISHED)
            assert after == row or state in expected
            tx.execute(outbox.outbox.delete())


def test_a_step_is_about_its_own_rows_alone(store: Store) -> None:
    """Whatever moves one row leaves another pair's and another tenant's as they were."""
    with store.transaction() as tx:
        for number, (move, expected) in enumerate(STEPS.values()):
            others = [text(1000 + number, state=QUEUED, tried_at=NOW)]
            mine = text(number, state=next(iter(expected), SENT), tried_at=NOW, lease_until=LEASE)
            holding(tx, mine, *others)
            holding(tx, mine, tenant="globex")
            move(tx, mine)
            assert outbox.find(tx, "acme", [others[0].key]) == {others[0].key: others[0]}
            assert outbox.find(tx, "globex", [mine.key]) == {mine.key: mine}
            tx.execute(outbox.outbox.delete())


def test_who_comes_back_with_an_older_epoch_changes_nothing(store: Store) -> None:
    """A row that was claimed again since belongs to whoever claimed it last."""
    with store.transaction() as tx:
        holding(tx, text(1))
        (old,) = outbox.begin(tx, "acme", outbox.claim(tx, "acme", NOW, 1), NOW, LEASE)
        assert outbox.postpone(tx, "acme", old, NOW, NOW)
        (new,) = outbox.begin(tx, "acme", outbox.claim(tx, "acme", NOW, 1), NOW, LEASE)
        for state in (SENT, FAILED, UNKNOWN):
            assert not outbox.record(tx, "acme", old, state, NOW)
        assert not outbox.postpone(tx, "acme", old, NOW, NOW)
        assert not outbox.send_again(tx, "acme", old, NOW)
        assert one(tx) == new
        assert outbox.record(tx, "acme", new, SENT, NOW)


def test_why_it_failed_stands_in_the_row(store: Store) -> None:
    """The failure's word and the provider's number; gone again when it was sent in the end."""
    told = (DeliveryStatus.FAILED, Failure.DEAD_NUMBER, 30005)
    with store.transaction() as tx:
        holding(tx, text(1, state=UNKNOWN), text(2), text(3))
        assert outbox.resolve_by_receipt(tx, "acme", {key(1): told, key(9): told}, NOW) == {key(1): FAILED}
        assert (one(tx, 1).failure, one(tx, 1).code) == ("dead_number", 30005)
        assert outbox.finish(tx, "acme", [key(2)], OutboxState.STOPPED, NOW, failure=Failure.OPTED_OUT) == {
            key(2)
        }
        assert one(tx, 2).failure == "opted_out"
        row = one(tx, 3)
        outbox.postpone(tx, "acme", row, NOW, NOW + 5, failure=Failure.THROTTLED, code=429)
        assert (one(tx, 3).failure, one(tx, 3).code, one(tx, 3).not_before) == ("throttled", 429, NOW + 5)
        (row,) = outbox.begin(tx, "acme", outbox.claim(tx, "acme", NOW + 5, 9), NOW, LEASE)
        outbox.record(tx, "acme", row, SENT, NOW)
        assert (one(tx, 3).failure, one(tx, 3).code) == ("", 0)


# -- looking -------------------------------------------------------------------------------------------------


def test_when_there_is_something_to_do_next(store: Store) -> None:
    """The first row that may be claimed, or the first lease that ends; what waits behind another does not count."""
    with store.transaction() as tx:
        assert outbox.due_next(tx, "acme") is None
        holding(tx, text(1, "a", not_before=NOW + 50), text(2, "a", not_before=NOW + 10))
        assert outbox.due_next(tx, "acme") == NOW + 50
        holding(tx, text(3, "b", state=CALLING, lease_until=NOW + 30), text(4, "b", not_before=NOW + 5))
        assert outbox.due_next(tx, "acme") == NOW + 30
        holding(tx, text(5, not_before=NOW + 20), text(6, state=UNKNOWN), text(7, state=SENT))
        assert outbox.due_next(tx, "acme") == NOW + 20
        assert outbox.due_next(tx, "globex") is None


def test_the_backlog_tells_what_is_pending(store: Store) -> None:
    """By state, how many and the oldest; finished rows are no backlog. A person's rows are listed, oldest first."""
    with store.transaction() as tx:
        assert outbox.backlog(tx, "acme") == {}
        holding(tx, *(text(n, state=state) for n, state in enumerate(OutboxState)))
        holding(tx, *(text(n, state=UNRESOLVED) for n in (21, 20)), text(22, state=UNKNOWN))
        holding(tx, text(1, state=UNRESOLVED), tenant="globex")
        backlog = outbox.backlog(tx, "acme")
        assert {state: (some.count, some.oldest - NOW + 100) for state, some in backlog.items()} == {
            QUEUED: (1, QUEUED),
            CALLING: (1, CALLING),
            UNKNOWN: (2, UNKNOWN),
            UNRESOLVED: (3, UNRESOLVED),
        }
        assert numbers(outbox.unresolved(tx, "acme")) == [UNRESOLVED, 20, 21]
        assert numbers(outbox.unresolved(tx, "acme", limit=2)) == [UNRESOLVED, 20]
        assert numbers(outbox.unknown(tx, "acme")) == [UNKNOWN, 22]


def test_the_tenants_with_work(store: Store) -> None:
    """Those that have something unfinished, each once, in order."""
    with store.transaction() as tx:
        assert outbox.tenants_with_work(tx) == []
        for state in OutboxState:
            holding(tx, text(1, state=state), text(2, state=SENT), tenant=f"tenant-{state.value}")
        assert outbox.tenants_with_work(tx) == [f"tenant-{state.value}" for state in UNFINISHED]


def test_what_was_finished_long_ago_is_removed_piece_by_piece(store: Store) -> None:
    """What is pending never is, however old."""
    with store.transaction() as tx:
        holding(tx, *(text(n, state=state) for n, state in enumerate(OutboxState)))
        holding(tx, text(20, state=SENT, changed_at=NOW), text(21, state=SENT, not_before=NOW))
        holding(tx, text(1, state=SENT), tenant="globex")
        assert [outbox.purge(tx, "acme", NOW - 50, 3) for _ in range(3)] == [3, len(FINISHED) - 3, 0]
        left = tx.execute(select(outbox.outbox.c.tenant, outbox.outbox.c.state)).all()
        assert sorted(left) == sorted(
            [*(("acme", s) for s in PENDING), *[("acme", SENT)] * 2, ("globex", SENT)]
        )


def test_a_row_shows_nothing_of_itself() -> None:
    """Its sender is somebody's number."""
    assert repr(text(1)) == "<Outgoing>"


# -- several replicas at once --------------------------------------------------------------------------------


def test_a_pair_whose_first_text_another_replica_holds_is_left_alone(shared_store: Store) -> None:
    """A locked first row is skipped, and the second is not taken for the first: neither before nor after the commit."""
    with shared_store.transaction() as tx:
        holding(tx, text(1, "a"), text(2, "a"), text(3, "b"), text(4, "c"))
    with shared_store.transaction() as here:
        mine = outbox.claim(here, "acme", NOW, 2)
        assert numbers(mine) == [1, 3]
        with shared_store.transaction() as there:
            assert numbers(outbox.claim(there, "acme", NOW, 9)) == [4]
        outbox.begin(here, "acme", mine, NOW, LEASE)
        with shared_store.transaction() as there:
            assert numbers(outbox.claim(there, "acme", NOW, 9)) == [4]
    with shared_store.transaction() as there:
        assert numbers(outbox.claim(there, "acme", NOW, 9)) == [4]


def test_two_replicas_that_begin_with_one_pair(shared_store: Store) -> None:
    """A text with a lesser id comes in while the other is being claimed: the second replica is told, and tries again."""
    with shared_store.transaction() as tx:
        holding(tx, text(2, "a"))

    def first(here: Connection) -> list[Outgoing]:
        mine = outbox.claim(here, "acme", NOW, 9)
        with shared_store.transaction() as tx:
            holding(tx, text(1, "a"))
        return outbox.begin(here, "acme", mine, NOW, LEASE)

    with pytest.raises(Raced):
        one_after_the_other(shared_store, first, begun)
    with shared_store.transaction() as tx:
        assert (one(tx, 1).state, one(tx, 1).epoch, one(tx, 2).state) == (QUEUED, 0, CALLING)
        assert outbox.claim(tx, "acme", NOW, 9) == []


def begun(tx: Connection) -> Outgoing:
    """Claim the only text that is due, and begin."""
    return outbox.begin(tx, "acme", outbox.claim(tx, "acme", NOW, 1), NOW, LEASE)[0]


MEETINGS: Final[dict[str, tuple[OutboxState, Step, Step, OutboxState, bool]]] = {
    "a receipt proves that an earlier attempt did arrive": (
        QUEUED,
        lambda tx, _row: begun(tx),
        receipt(DeliveryStatus.DELIVERED),
        SENT,
        True,
    ),
    "a receipt says failed, the late answer says sent": (
        UNKNOWN,
        lambda tx, row: outbox.record(tx, "acme", row, SENT, NOW),
        receipt(DeliveryStatus.FAILED),
        SENT,
        False,
    ),
    "who cancels is late": (
        QUEUED,
        lambda tx, _row: begun(tx),
        lambda tx, row: outbox.finish(tx, "acme", [row.key], OutboxState.CANCELLED, NOW),
        CALLING,
        False,
    ),
    "an answer says failed, a receipt said sent": (
        CALLING,
        receipt(DeliveryStatus.SENT),
        lambda tx, row: outbox.record(tx, "acme", row, FAILED, NOW),
        SENT,
        False,
    ),
}


@pytest.mark.parametrize("case", MEETINGS)
def test_two_that_move_one_row_come_one_after_the_other(shared_store: Store, case: str) -> None:
    """The second waits for the first, and then judges by what the first has made of the row."""
    before, here, there, after, moves = MEETINGS[case]
    row = text(1, state=before, attempts=1, epoch=1)
    with shared_store.transaction() as tx:
        holding(tx, row)

    _, moved = one_after_the_other(shared_store, lambda tx: here(tx, row), lambda tx: bool(there(tx, row)))
    assert moved is moves
    with shared_store.transaction() as tx:
        assert one(tx).state is after


def test_nothing_that_looks_around_waits_for_another_replica(shared_store: Store) -> None:
    """Leases, unknowns, claims and clearing leave out what is locked, and take it the next time."""
    with shared_store.transaction() as tx:
        holding(tx, text(1), text(2, state=CALLING), text(3, state=UNKNOWN, tried_at=1), text(4, state=SENT))
    looks: list[Callable[[Connection], Any]] = [
        lambda tx: outbox.claim(tx, "acme", NOW, 9),
        lambda tx: outbox.age_unknown(tx, "acme", NOW, NOW),
        lambda tx: outbox.expire_leases(tx, "acme", NOW),
        lambda tx: outbox.purge(tx, "acme", NOW, 9),
    ]
    with shared_store.transaction() as here:
        here.execute(update(outbox.outbox).values(code=1))
        for look in looks:
            with shared_store.transaction() as there:
                there.exec_driver_sql("SET LOCAL lock_timeout = '1ms'")
                assert not look(there)
    for look in looks:
        with shared_store.transaction() as there:
            assert look(there)


PAIRS: Final = 4
TEXTS: Final = 24


class Provider:
    """What arrives there, by pair, and whether two texts of one pair ever are on their way together."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.calling: set[bytes] = set()
        self.arrived: dict[bytes, list[bytes]] = {}
        self.overlaps = 0

    def call(self, row: Outgoing) -> None:
        """Take one text; not at once."""
        with self.lock:
            self.overlaps += row.pair in self.calling
            self.calling.add(row.pair)
            self.arrived.setdefault(row.pair, []).append(row.id)
        time.sleep(0.001)
        with self.lock:
            self.calling.discard(row.pair)


def deliver(databases: Databases, provider: Provider, seed: int) -> None:
    """Be a replica until everything is sent: claim, call, record; now and then it is not known, or to be tried again."""
    chance, deadline = random.Random(seed), time.monotonic() + 30
    with closing(databases.store()) as store:
        while time.monotonic() < deadline:
            claims = persistently(lambda: _claimed(store))
            for row in claims:
                provider.call(row)
                with store.transaction() as tx:
                    assert _recorded(tx, row, chance.random())
            with store.transaction() as tx:
                if not claims and not outbox.tenants_with_work(tx):
                    return
        raise AssertionError("not everything was sent in time")


def _claimed(store: Store) -> list[Outgoing]:
    with store.transaction() as tx:
        return outbox.begin(tx, "acme", outbox.claim(tx, "acme", NOW, 3), NOW, NOW + 10**9)


def _recorded(tx: Connection, row: Outgoing, chance: float) -> bool:
    if chance < 0.2 and row.attempts < 3:
        return outbox.postpone(tx, "acme", row, NOW, NOW)
    if chance < 0.4:
        unknown = outbox.record(tx, "acme", row, UNKNOWN, NOW)
        told = {row.key: (DeliveryStatus.SENT, None, 0)}
        return unknown and outbox.resolve_by_receipt(tx, "acme", told, NOW) == {row.key: SENT}
    return outbox.record(tx, "acme", row, SENT, NOW)


def test_however_many_deliver_each_pair_arrives_in_order(databases: Databases) -> None:
    """Replicas claim while texts still come in: each is recorded as sent once, none overtakes, none is left."""
    provider = Provider()
    with closing(databases.store()) as store, ThreadPoolExecutor(4) as replicas:
        with store.transaction() as tx:
            holding(tx, *(text(n, f"p{n % PAIRS}") for n in range(TEXTS // 2)))
        runs = [replicas.submit(deliver, databases, provider, seed) for seed in range(4)]
        for number in range(TEXTS // 2, TEXTS):
            with store.transaction() as tx:
                holding(tx, text(number, f"p{number % PAIRS}"))
        for run in runs:
            run.result()
        with store.reading() as tx:
            wanted = select(outbox.outbox.c.state, func.count(), func.sum(outbox.outbox.c.attempts))
            ((state, count, attempts),) = tx.execute(wanted.group_by(outbox.outbox.c.state)).all()
    assert (state, count) == (SENT, TEXTS)
    assert provider.overlaps == 0
    assert sum(map(len, provider.arrived.values())) == attempts
    for ids in provider.arrived.values():
        assert ids == sorted(ids)
        assert len(set(ids)) == TEXTS // PAIRS


def test_a_claim_of_rows_is_whole(store: Store) -> None:
    """What was enqueued comes out of a claim as it went in."""
    row = text(1, not_after=NOW + 9, tried_at=5, failure="busy", code=3, attempts=2, epoch=7, lease_until=4)
    with store.transaction() as tx:
        holding(tx, row)
        assert outbox.claim(tx, "acme", NOW, 1) == [row]
        assert msgspec.structs.asdict(one(tx)) == msgspec.structs.asdict(row)
