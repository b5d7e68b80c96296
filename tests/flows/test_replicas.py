"""Several replicas over one database: they meet on the same rows in the same instant, and nothing is lost."""

from __future__ import annotations

import functools
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import select
from sqlalchemy.event import listen

from policies.event import (
    AccountAspect,
    AccountChanged,
    AccountState,
    DeliveryStatus,
    Event,
    WatermarkReported,
)
from policies.message import IdentifierKind
from tests.databases import Databases, Provisioner
from tests.flows.children import in_processes, take_turns
from tests.flows.dump import audit, dump
from tests.flows.harness import (
    ACCOUNTS,
    NOW,
    Replica,
    delivery,
    edit,
    in_threads,
    message,
    person,
    replicas,
    tenant,
    unsend,
)
from worker.directory import Directory
from worker.inbound import Answer
from worker.register import Register
from worker.store import decisions, messages
from worker.tenants.loading import Tenant
from worker.transcripts import export

ACME: Final = tenant()
ROUNDS: Final = 25
_numbers = itertools.count(1)


@pytest.fixture
def both(databases: Databases) -> Iterator[list[Replica]]:
    """Two replicas over a fresh store."""
    with replicas(databases, 2) as opened:
        yield opened


@pytest.fixture
def apart(postgresql: Databases) -> Iterator[list[Replica]]:
    """Two replicas over a PostgreSQL database, where writers do not wait for one another."""
    with replicas(postgresql, 2) as opened:
        yield opened


@pytest.fixture(scope="module")
def neighbours(provisioner: Provisioner) -> Iterator[list[Replica]]:
    """The same for many tests, which keep apart by tenant."""
    with provisioner.lent("postgresql") as lent, replicas(lent, 2) as opened:
        yield opened


def entries(replica: Replica) -> list[dict[str, Any]]:
    """All entries of the tenant."""
    whole = export(replica.store, replica.keyring, ACME.id)
    return [*(entry for one in whole["conversations"] for entry in one["entries"]), *whole["unattributed"]]


def test_message_and_unsend_in_the_same_instant_end_as_unsent(both: list[Replica]) -> None:
    """Two threads, many rounds: whoever wins, the message is unsent and its content gone."""
    with both[0].serving() as one, both[1].serving() as other:
        for number in range(ROUNDS):
            told = delivery(ACME, message(f"m{number}")), delivery(ACME, unsend(f"m{number}"))
            assert in_threads(partial(one, told[0]), partial(other, told[1])) == [Answer.COMMITTED] * 2
    assert [entry["state"] for entry in entries(both[0])] == ["unsent"] * ROUNDS
    audit(both[0].store, ACME.id)


def test_message_and_deletion_by_another_id_in_the_same_instant(both: list[Replica]) -> None:
    """The deletion names a version of the post that only the message itself connects with it."""
    with both[0].serving() as one, both[1].serving() as other:
        for number in range(ROUNDS):
            first, second = f"{number}00", f"{number}01"
            post = message(first, connector="x", also_known_as=(second,))
            told = (delivery(ACME, event, connector="x") for event in (post, unsend(second, connector="x")))
            assert in_threads(partial(one, next(told)), partial(other, next(told))) == [Answer.COMMITTED] * 2
    assert [entry["state"] for entry in entries(both[0])] == ["unsent"] * ROUNDS
    audit(both[0].store, ACME.id)


def test_message_and_unsend_from_two_processes(databases: Databases) -> None:
    """The same with nothing shared but the database."""
    ids = [f"m{number}" for number in range(ROUNDS)]
    told = [("whatsapp", (message(id_),)) for id_ in ids], [("whatsapp", (unsend(id_),)) for id_ in ids]
    answers = in_processes(take_turns, *((databases, ACME.id, turns) for turns in told))
    assert answers == [["committed"] * ROUNDS] * 2
    with replicas(databases) as [replica]:
        assert [entry["state"] for entry in entries(replica)] == ["unsent"] * ROUNDS
        audit(replica.store, ACME.id)


PAIRS: Final[dict[str, tuple[str, Event, Event]]] = {
    "message and unsend": ("whatsapp", message("m"), unsend("m")),
    "message and edit": ("whatsapp", message("m"), edit("m", "better")),
    "two edits": ("whatsapp", edit("m", "better"), edit("m", "best", 2)),
    "message and its duplicate": ("whatsapp", message("m"), message("m")),
    "post and deletion of a version": (
        *("x", message("100", connector="x", also_known_as=("101",))),
        unsend("101", connector="x"),
    ),
    "post and a version on its own": (
        *("x", message("100", connector="x", also_known_as=("101",))),
        message("101", "v2", connector="x"),
    ),
    "edited post and deletion": (
        *("x", edit("100", "v2", connector="x", also_known_as=("101",))),
        unsend("100", connector="x"),
    ),
}

POINTS: Final[dict[str, tuple[Any, str, bool]]] = {
    "nothing locked": (messages, "load", False),
    "messages locked": (messages, "load", True),
    "persons met": (Directory, "meet", True),
    "nothing written": (Register, "save", False),
    "messages written": (Register, "save", True),
    "chain locked": (decisions, "append", True),
}
"""Where a transaction can be when another replica comes: before or after which of its steps."""


@contextmanager
def interrupted(patch: pytest.MonkeyPatch, point: str, other: Callable[[], Any]) -> Iterator[None]:
    """The first transaction that comes to the point waits there for ``other``, unless that waits for it."""
    place, name, after = POINTS[point]
    step = getattr(place, name)
    come = Latch()
    thread = threading.Thread(target=come.run, args=(other,))

    def stepping(*arguments: Any) -> Any:
        result = step(*arguments) if after else None
        if come.first():
            thread.start()
            thread.join(0.02)
        return result if after else step(*arguments)

    with patch.context() as patched:
        patched.setattr(place, name, stepping)
        yield
        thread.join(10)
    come.check()


class Latch:
    """Lets one pass, and keeps what the other one raised."""

    def __init__(self) -> None:
        self._passed = threading.Lock()
        self._raised: list[BaseException] = []
        self._done = False

    def first(self) -> bool:
        """Whether nobody has passed yet."""
        return self._passed.acquire(blocking=False)

    def run(self, other: Callable[[], Any]) -> None:
        """Do what comes in between."""
        try:
            other()
        except BaseException as error:  # noqa: BLE001 - check() raises it
            self._raised.append(error)
        self._done = True

    def check(self) -> None:
        """Assert that it was done, without an error."""
        assert self._done
        assert not self._raised


QUICK: Final = frozenset({"messages locked", "nothing written", "messages written"})


@pytest.mark.parametrize(
    "point", [pytest.param(one, marks=() if one in QUICK else pytest.mark.long) for one in POINTS]
)
@pytest.mark.parametrize("known", [False, True], ids=["unheard of", "known"])
@pytest.mark.parametrize("pair", PAIRS)
def test_a_replica_comes_in_between(
    neighbours: list[Replica], monkeypatch: pytest.MonkeyPatch, pair: str, point: str, *, known: bool
) -> None:
    """Wherever one transaction stands when the other begins, the end is that of one after the other."""
    connector, *events = PAIRS[pair]
    first, second = neighbours
    for mine, yours in (events, events[::-1]):
        of = tenant(f"t{next(_numbers)}")
        if known:
            first.tell(of, BEFORE[connector], connector=connector)
        with interrupted(monkeypatch, point, partial(second.tell, of, yours, connector=connector)):
            first.tell(of, mine, connector=connector)
        assert dump(first.store, first.keyring, of.id, IDS) == one_after_the_other(first, pair, known=known)
        audit(first.store, of.id)


IDS: Final = ("m", "100", "101")
BEFORE: Final = {
    connector: message(id_, "old", at=NOW - 1, connector=connector)
    for connector, id_ in (("whatsapp", "m"), ("x", "100"))
}


@functools.cache
def one_after_the_other(replica: Replica, pair: str, *, known: bool) -> dict[str, Any]:
    """What is held when nobody comes in between."""
    connector, *events = PAIRS[pair]
    of = tenant(f"t{next(_numbers)}")
    for event in [BEFORE[connector], *events] if known else events:
        replica.tell(of, event, connector=connector)
    return dump(replica.store, replica.keyring, of.id, IDS)


def test_batches_in_opposite_order_are_all_committed(apart: list[Replica]) -> None:
    """Many rows of every kind, told the other way round to the other replica: no deadlock reaches anybody."""
    told = [event for number in range(15) for event in everything_about(number)]
    for _ in range(4):
        batches = [[delivery(ACME, event) for event in order] for order in (told, told[::-1])]
        answers = in_threads(*(partial(one.write, *batch) for one, batch in zip(apart, batches, strict=True)))
        assert answers == [[Answer.COMMITTED] * len(told)] * 2
    assert not apart[0].failures + apart[1].failures
    audit(apart[0].store, ACME.id)


def everything_about(number: int) -> Sequence[Event]:
    """An event for every table."""
    account, who = ACCOUNTS["whatsapp"], person(IdentifierKind.PHONE, f"1555{number:04}")
    read = WatermarkReported(account=account, person=who, status=DeliveryStatus.READ, until=NOW + number)
    changed = AccountChanged(
        account=account,
        aspect=AccountAspect.TEMPLATE,
        state=AccountState.ACTIVE,
        occurred_at=NOW,
        subject=str(number),
    )
    return message(f"m{number}", who=who), edit(f"m{number}", "better", who=who), read, changed


def test_a_deadlock_is_tried_again(apart: list[Replica], postgresql: Databases) -> None:
    """The database picks the writer as the victim of a deadlock: it writes its batch once more."""
    replica, ids = apart[0], ("a", "b")
    replica.tell(ACME, *(message(id_) for id_ in ids))
    lock = "SELECT 1 FROM message WHERE key = %b FOR UPDATE"
    with replica.store.reading() as tx:
        first, second = tx.execute(
            select(messages.messages.c.key).order_by(messages.messages.c.key)
        ).scalars()
    seen: list[str] = []
    listen(
        replica.store.engine, "handle_error", lambda context: seen.append(context.original_exception.sqlstate)
    )
    url = postgresql.store_url.replace("+psycopg", "")
    with psycopg.connect(url) as intruder, replica.serving() as send:
        intruder.execute("SET deadlock_timeout = '30s'")  # it leaves finding out to the writer
        intruder.execute(lock, [second])
        told = delivery(ACME, *(edit(id_, "better") for id_ in ids))
        writing = threading.Thread(target=send, args=(told,))
        writing.start()
        wait_until(lambda: waiting_for_locks(url) == 1)
        intruder.execute(lock, [first])
        intruder.rollback()
        writing.join(10)
        assert not writing.is_alive()
    assert not replica.failures
    assert [entry["text"] for entry in entries(replica)] == ["better"] * 2
    assert seen == ["40P01"]


def waiting_for_locks(url: str) -> int:
    """How many sessions of this database wait for a lock."""
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with psycopg.connect(url) as session:
        return session.execute(waiting).rowcount


def wait_until(happens: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_new_person_met_by_both_is_one(both: list[Replica]) -> None:
    """Two replicas meet the same people for the first time, in opposite order: one conversation each."""
    for number in range(5):
        people = [person(IdentifierKind.PHONE, f"1555{number}{one}") for one in range(8)]
        told = [
            delivery(ACME, *(message(f"{side}{who[0].value}", who=who) for who in order))
            for side, order in (("a", people), ("b", people[::-1]))
        ]
        assert (
            in_threads(partial(both[0].write, told[0]), partial(both[1].write, told[1]))
            == [[Answer.COMMITTED]] * 2
        )
    conversations = export(both[0].store, both[0].keyring, ACME.id)["conversations"]
    assert [len(one["entries"]) for one in conversations] == [2] * 40
    assert [len(one["identifiers"]) for one in conversations] == [1] * 40


def test_replicas_write_one_gapless_chain_for_each_tenant(both: list[Replica]) -> None:
    """Commits of four writers interleave; every chain counts from one and verifies."""
    tenants = [tenant("acme"), tenant("globex")]
    work = [
        partial(tell_many, replica, of, f"{number}") for number, replica in enumerate(both) for of in tenants
    ]
    in_threads(*work)
    with both[0].store.reading() as tx:
        for of in tenants:
            chained = [one.sequence for one in decisions.read(tx, of.id)]
            assert chained == list(range(1, len(chained) + 1))
            assert sum(one.count for one in decisions.read(tx, of.id)) == 2 * ROUNDS
            assert decisions.verify(tx, of.id) is None


def tell_many(replica: Replica, of: Tenant, name: str) -> None:
    """Tell a replica of many messages, one commit each."""
    with replica.serving() as send:
        for number in range(ROUNDS):
            assert send(delivery(of, message(f"{name}-{number}"))) is Answer.COMMITTED


def test_two_processes_are_told_halves_of_a_history(databases: Databases) -> None:
    """What two replicas hold in the end is what one would hold."""
    told = [("whatsapp", (event,)) for number in range(4) for event in everything_about(number)]
    told += [("whatsapp", (unsend(f"m{number}"),)) for number in range(0, 4, 2)]
    halves = told[::2], told[1::2]
    in_processes(take_turns, *((databases, ACME.id, half) for half in halves))
    with replicas(databases) as [replica]:
        plain = tenant("plain")
        for _, events in told:
            replica.tell(plain, *events)
        ids = [f"m{number}" for number in range(4)]
        held = [dump(replica.store, replica.keyring, of, ids) for of in (ACME.id, plain.id)]
        assert held[0] == held[1]
        audit(replica.store, ACME.id)
