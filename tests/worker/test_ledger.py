"""The writer: batches are whole or not at all, one bad item costs only its delivery, and nothing is forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError, OperationalError

from policies.event import (
    AccountAspect,
    AccountChanged,
    AccountState,
    Consent,
    ConsentChanged,
    DeliveryReported,
    DeliveryStatus,
    Event,
    Noted,
    Unrecognised,
)
from tests.databases import Databases
from tests.flows.dump import audit, dump
from tests.flows.harness import (
    ACCOUNTS,
    NOW,
    SOMEBODY,
    Replica,
    Reply,
    delivery,
    edit,
    give_answers,
    in_threads,
    message,
    replicas,
    tenant,
    unsend,
)
from worker.inbound import Answer, Delivery, Disposition, Posted
from worker.ledger import MOST_FAULTS, UNSTORABLE
from worker.settle import Settlement
from worker.store import accounts, decisions
from worker.store.messages import messages

ACME: Final = tenant()
GLOBEX: Final = tenant("globex")
IDS: Final = [f"m{number}" for number in range(10)]


@pytest.fixture
def replica(databases: Databases) -> Iterator[Replica]:
    """A replica over a fresh store."""
    with replicas(databases) as [opened]:
        yield opened


def rows(replica: Replica) -> int:
    """How many messages are stored."""
    with replica.store.reading() as tx:
        return int(tx.execute(select(func.count()).select_from(messages)).scalar_one())


def dispositions(replica: Replica) -> list[str]:
    """What became of every event so far, in the order of the log."""
    return [one.disposition.value for done in replica.committed for one in done.settled]


def test_what_waits_becomes_one_batch(replica: Replica) -> None:
    """One commit, one link of the chain for each tenant, every delivery answered."""
    told = [delivery(of, message(id_)) for of in (ACME, GLOBEX) for id_ in IDS]
    assert replica.write(*told) == [Answer.COMMITTED] * 20
    assert {(one.batch, one.sequence) for one in replica.committed} == {(20, 1)}
    assert {one.delivery.tenant.id for one in replica.committed} == {"acme", "globex"}


def test_a_batch_has_an_end(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much waits, a batch takes no further delivery beyond a number of events; all are written."""
    monkeypatch.setattr("worker.ledger.MOST_EVENTS", 20)
    told = [delivery(ACME, *[message(f"{one}-{number}") for number in range(10)]) for one in range(5)]
    assert replica.write(*told) == [Answer.COMMITTED] * 5
    assert [one.batch for one in replica.committed] == [2, 2, 2, 2, 1]
    assert rows(replica) == 50


def test_dispositions_say_what_became_of_each_event(replica: Replica) -> None:
    """In the words of the log."""
    account = ACCOUNTS["whatsapp"]
    read = DeliveryReported(account=account, message_id="m", status=DeliveryStatus.READ, occurred_at=NOW)
    told: list[tuple[Event, Disposition]] = [
        (message("m"), Disposition.STORED),
        (message("m"), Disposition.DUPLICATE),
        (edit("m", "better"), Disposition.EDITED),
        (edit("m", "better"), Disposition.DUPLICATE),
        (read, Disposition.UPDATED),
        (read, Disposition.DUPLICATE),
        (unsend("m"), Disposition.UNSENT),
        (unsend("m"), Disposition.DUPLICATE),
        (message("m"), Disposition.DROPPED),
        (edit("m", "best", 2), Disposition.DROPPED),
        (message("old", at=1), Disposition.DROPPED),
        (Noted(account=account, what="typing"), Disposition.NOTED),
        (Unrecognised(account=account, shape="object", why="field"), Disposition.UNRECOGNISED),
    ]
    for event, _ in told:
        replica.tell(ACME, event)
    assert dispositions(replica) == [expected.value for _, expected in told]


def test_within_one_batch_too(replica: Replica) -> None:
    """A message and its unsend in one delivery: stored and gone, and no content was written."""
    replica.tell(ACME, message("m"), unsend("m"), message("m"))
    assert dispositions(replica) == ["stored", "unsent", "dropped"]
    reasons = [reason.code for reason in replica.committed[0].settled[2].reasons]
    assert reasons == ["unsent"]
    audit(replica.store, ACME.id)


# -- bad items -----------------------------------------------------------------------------------------------

TOO_LARGE: Final = 2**63
"""One more than fits into a column."""


def changed(**more: Any) -> AccountChanged:
    """A change of standing."""
    told = {
        "aspect": AccountAspect.TEMPLATE,
        "state": AccountState.ACTIVE,
        "occurred_at": NOW,
        "subject": "1",
    }
    return AccountChanged(account=ACCOUNTS["whatsapp"], **{**told, **more})


def consented(category: str) -> ConsentChanged:
    """A consent to something."""
    return ConsentChanged(
        account=ACCOUNTS["whatsapp"],
        person=SOMEBODY,
        consent=Consent.GRANTED,
        category=category,
        occurred_at=NOW,
    )


LONG: Final = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(5_000))
"""Too long for PostgreSQL to index, and not to be compressed."""

REFUSED: Final[dict[str, Event]] = {
    "message at a time beyond 64 bits": message("bad", at=TOO_LARGE),
    "change at a time beyond 64 bits": changed(occurred_at=TOO_LARGE),
    "edit number beyond 64 bits": edit("bad", "x", TOO_LARGE),
    "receipt with an error beyond 64 bits": DeliveryReported(
        account=ACCOUNTS["whatsapp"],
        message_id="bad",
        status=DeliveryStatus.FAILED,
        occurred_at=NOW,
        error_codes=(TOO_LARGE,),
    ),
    "a lone surrogate": changed(subject="\ud800"),
}
"""Events that both engines really refuse."""

REFUSED_BY_POSTGRESQL: Final[dict[str, Event]] = {
    "a zero character": changed(subject="a\0b"),
    "a zero character in a consent": consented("a\0b"),
    "a key too long for an index": changed(subject=LONG),
    "a category too long for an index": consented(LONG),
}


def costs_only_itself(replica: Replica, bad: Event) -> None:
    """Assert that a bad event in the middle of a batch leaves everything else as if it had not been there."""
    told = [
        delivery(ACME, message("m0")),
        delivery(ACME, message("m1"), bad),
        delivery(GLOBEX, message("m2")),
    ]
    assert replica.write(*told) == [Answer.COMMITTED] * 3
    held = dump(replica.store, replica.keyring, ACME.id, ["m0", "m1", "bad"])
    assert [entry["ref"] for person in held["persons"] for entry in person["entries"]] == ["m0", "m1"]
    assert (held["unattributed"], held["accounts"]) == ([], [])
    done = {one.delivery.token: [settled.event for settled in one.settled] for one in replica.committed}
    assert [done[one.token] for one in told] == [["message"], ["message", UNSTORABLE], ["message"]]
    assert replica.failures
    for of in (ACME, GLOBEX):
        audit(replica.store, of.id)


@pytest.mark.parametrize("bad", REFUSED)
def test_what_the_database_refuses_costs_only_itself(replica: Replica, bad: str) -> None:
    """The rest of the batch and of its delivery commits; the event itself is kept as the bare fact."""
    costs_only_itself(replica, REFUSED[bad])


@pytest.mark.parametrize("bad", REFUSED_BY_POSTGRESQL)
def test_what_postgresql_alone_refuses(postgresql: Databases, bad: str) -> None:
    """The same, whatever class of error PostgreSQL puts it in."""
    with replicas(postgresql) as [replica]:
        costs_only_itself(replica, REFUSED_BY_POSTGRESQL[bad])


@pytest.mark.parametrize("error", [IntegrityError("", {}, Exception()), ValueError("x"), KeyError("x")])
def test_whatever_one_item_raises(
    replica: Replica, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Whether the database or our own code stumbles over it."""
    change = accounts.change_accounts

    def refuse(tx: Any, tenant_id: str, told: Sequence[tuple[str, AccountChanged]]) -> None:
        if any(one.subject == "bad" for _, one in told):
            raise error
        change(tx, tenant_id, told)

    monkeypatch.setattr(accounts, "change_accounts", refuse)
    costs_only_itself(replica, changed(subject="bad"))


def test_a_bug_of_ours_that_meets_everybody_is_answered_come_again(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would cost the content of all that comes; platforms keep what they are not answered for."""

    def refuse(*_: Any) -> None:
        raise KeyError("a bug")

    with replica.serving() as send:
        with monkeypatch.context() as broken:
            broken.setattr(Settlement, "_message", refuse)
            told = [send(delivery(ACME, message(f"n{number}"))) for number in range(MOST_FAULTS + 5)]
        assert told == [Answer.COMMITTED] * MOST_FAULTS + [Answer.UNAVAILABLE] * 5
        assert send(delivery(ACME, message("after"))) is Answer.COMMITTED
    assert rows(replica) == 1


def test_what_cannot_even_be_reduced_is_sent_again(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    """No delivery is answered that left nothing in the chain."""

    def refuse(*_: Any) -> None:
        raise IntegrityError("", {}, Exception())

    with monkeypatch.context() as broken:
        broken.setattr(accounts, "count", refuse)
        assert replica.write(delivery(ACME, message("m"))) == [Answer.UNAVAILABLE]
    assert (rows(replica), replica.committed) == (0, [])
    replica.tell(ACME, message("m"))


# -- the store is down ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["worker.store.messages.load", "worker.store.decisions.append"])
def test_when_the_store_fails_nothing_is_half_done(
    replica: Replica, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Everybody in the batch is told to come again, and nothing of it is there, also when all was written but the end."""

    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("", {}, Exception())

    told = [delivery(of, message("m"), edit("m", "x")) for of in (ACME, GLOBEX)]
    with monkeypatch.context() as broken:
        broken.setattr(step, fail)
        assert replica.write(*told) == [Answer.UNAVAILABLE] * 2
    assert (rows(replica), replica.committed) == (0, [])
    assert len(replica.failures) == 1
    assert replica.write(*told) == [Answer.COMMITTED] * 2
    for of in (ACME, GLOBEX):
        audit(replica.store, of.id)


def test_when_the_keyring_fails_nothing_is_half_done(databases: Databases) -> None:
    """A store that answers is of no use without its keys."""
    nowhere = Databases(databases.store_url, "postgresql+psycopg://nobody@127.0.0.1:1/none")
    with replicas(nowhere) as [replica]:
        assert replica.write(delivery(ACME, message("m"))) == [Answer.UNAVAILABLE]
        assert rows(replica) == 0


def test_when_the_disk_is_full(sqlite: Databases) -> None:
    """SQLite says so in the middle of a transaction: 503, and as soon as there is room it goes on."""
    with replicas(sqlite) as [replica]:
        replica.tell(ACME, message("m0"))
        limit = replica.store.engine
        with replica.store.reading() as tx:
            pages = tx.exec_driver_sql("PRAGMA page_count").scalar_one()
            tx.exec_driver_sql(f"PRAGMA max_page_count={pages + 1}")
        big = "x" * 50_000
        assert replica.write(delivery(ACME, message("m1", big))) == [Answer.UNAVAILABLE]
        assert rows(replica) == 1
        with limit.connect() as tx:
            tx.exec_driver_sql("PRAGMA max_page_count=1000000")
        assert replica.write(delivery(ACME, message("m1", big))) == [Answer.COMMITTED]
        audit(replica.store, ACME.id)


# -- the queue -----------------------------------------------------------------------------------------------


def test_a_full_queue_says_so(databases: Databases) -> None:
    """Whoever comes then is told so at once, and nothing is lost of what was taken."""
    with replicas(databases, capacity=3) as [replica]:
        ledger = replica.ledger()
        told = [delivery(ACME, message(id_)) for id_ in IDS]
        assert [ledger.submit(one) for one in told] == [True] * 3 + [False] * 7
        assert ledger.depth == 3
        ledger.start()
        assert ledger.stop(10)
        assert ledger.depth == 0
        assert rows(replica) == 3


def test_no_tenant_takes_the_queue_from_others(databases: Databases) -> None:
    """Alone it may fill it; where others wait too it has half. A place is free again when its delivery is done."""
    with replicas(databases, capacity=10) as [replica]:
        ledger = replica.ledger()
        assert ledger.submit(delivery(GLOBEX, message("m")))
        assert [ledger.submit(delivery(ACME, message(f"m{n}"))) for n in range(9)] == [True] * 5 + [False] * 4
        assert all(ledger.submit(delivery(GLOBEX, message(f"m{n}"))) for n in range(4))
        assert not ledger.submit(delivery(GLOBEX, message("m")))
        ledger.start()
        wait_for(lambda: ledger.depth == 0)
        assert ledger.submit(delivery(ACME, message("later")))
        assert ledger.stop(10)
        alone = replica.ledger()
        assert [alone.submit(delivery(ACME, message(f"m{n}"))) for n in range(11)] == [True] * 10 + [False]
        alone.start()
        assert alone.stop(10)


def test_stopping_writes_what_waits_and_takes_nothing_more(replica: Replica) -> None:
    """Every delivery that was taken is answered; who comes after is refused; stopping twice is no harm."""
    ledger = replica.ledger()
    told = [delivery(ACME, message(id_)) for id_ in IDS]
    assert all(ledger.submit(one) for one in told)
    ledger.start()
    assert ledger.stop(10)
    assert ledger.stop(10)
    assert not ledger.alive
    assert not ledger.submit(delivery(ACME, message("late")))
    assert [one.token.get(timeout=0) for one in told] == [Answer.COMMITTED] * 10


def test_stopping_waits_no_longer_than_it_may(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stops is told when something was left; the writer itself still finishes it."""
    gate, append = threading.Event(), decisions.append

    def wait_then_append(*arguments: Any) -> tuple[int, bytes]:
        gate.wait(10)
        return append(*arguments)

    monkeypatch.setattr(decisions, "append", wait_then_append)
    ledger, told = replica.ledger(), delivery(ACME, message("m"))
    assert ledger.submit(told)
    ledger.start()
    assert not ledger.stop(0.05)
    gate.set()
    assert ledger.stop(10)
    assert told.token.get(timeout=0) is Answer.COMMITTED


def test_many_submit_at_once(replica: Replica) -> None:
    """From many threads: each delivery is written once and answered once."""
    with replica.serving() as send:

        def many(name: int) -> list[Answer]:
            return [send(delivery(ACME, message(f"{name}-{number}"))) for number in range(10)]

        assert in_threads(*(partial(many, name) for name in range(8))) == [[Answer.COMMITTED] * 10] * 8
    assert rows(replica) == 80
    assert len(replica.committed) == 80


# -- what hangs on the writer --------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["answers", "committed", "between_batches"])
def test_the_writer_outlives_whom_it_tells(replica: Replica, which: str) -> None:
    """Whatever a listener raises, what comes next is written and answered."""
    raised = threading.Event()

    def stumble(*arguments: Any) -> None:
        if not raised.is_set():
            raised.set()
            raise RuntimeError("once")
        if which == "answers":
            give_answers(*arguments)

    ledger = replica.ledger(**{which: stumble})
    ledger.start()
    assert ledger.submit(delivery(ACME, message("m0")))
    assert raised.wait(10)
    wait_for(lambda: ledger.depth == 0)
    told = delivery(ACME, message("m1"))
    assert ledger.submit(told)
    assert ledger.stop(10)
    assert told.token.get(timeout=0) is Answer.COMMITTED
    assert [str(error) for error in replica.failures] == ["once"]


def posted(body: bytes) -> Posted:
    """A request whose body nobody has looked into."""
    return Posted(tenant=ACME, source=ACME.connectors["whatsapp"], received_at=NOW, body=body, token=Reply())


def test_bodies_are_looked_into_by_the_writer(replica: Replica) -> None:
    """What is JSON is written, what is not is told so, and what breaks the parser is sent again; each for itself."""

    def examine(request: Posted) -> Delivery | None:
        match request.body:
            case b"json":
                read = delivery(ACME, message("m"))
                return Delivery(
                    tenant=ACME,
                    source=request.source,
                    received_at=NOW,
                    size=1,
                    events=read.events,
                    token=request.token,
                )
            case b"breaks":
                raise RecursionError
            case _:
                return None

    ledger = replica.ledger(examine=examine)
    told = [posted(body) for body in (b"breaks", b"no json", b"json")]
    assert all(ledger.submit(one) for one in told)
    ledger.start()
    assert ledger.stop(10)
    answers = [one.token.get(timeout=1) for one in told]
    assert answers == [Answer.UNAVAILABLE, Answer.NOT_JSON, Answer.COMMITTED]
    assert ledger.depth == 0
    assert rows(replica) == 1


def wait_for(happens: Callable[[], bool]) -> None:
    """Wait until it happens, at most ten seconds."""
    for _ in range(2_000):
        if happens():
            return
        threading.Event().wait(0.005)
    raise AssertionError
