"""A number that stands in two messages is taken out of both, as soon as the second is there (PP-3)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from policies.identifiers.split import may_go_on
from policies.message import Direction, Identifier, IdentifierKind
from tests.databases import Databases
from tests.flows.harness import NOW, Replica, delivery, edit, message, replicas, tenant, unsend
from worker.acts import Operator
from worker.holds.placing import HoldDesk, Terms
from worker.ledger import Ledger
from worker.store.messages import contents
from worker.store.tables import RestrictedRow, Table
from worker.tails import MOST, WITHIN, Tails
from worker.transcripts import export

ACME = tenant()
SECOND = 1_000_000


@pytest.fixture
def ledger(databases: Databases) -> Iterator[Line]:
    with replicas(databases) as [opened]:
        yield Line(opened)


class Line:
    """One writer that goes on from delivery to delivery."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.ledger: Ledger = replica.ledger()
        self.ledger.start()

    def tell(self, *events: object) -> None:
        one = delivery(ACME, *events)  # type: ignore[arg-type]
        assert self.ledger.submit(one)
        assert one.token.get(timeout=30) == "committed"

    def said(self) -> dict[str, str]:
        """Id → text."""
        found = export(self.replica.store, self.replica.keyring, "acme")
        return {
            entry["id"]: entry["text"]
            for talk in found["conversations"]
            for entry in talk["entries"]
            if entry["text"]
        }


HALVES = [
    ("my ssn is 536-90", "4399", "my ssn is [ID:us_ssn]", "[ID:us_ssn]"),
    ("4111 1111 1111", "1111", "[ID:card]", "[ID:card]"),
    ("What is your SSN, please?", "536904399", "What is your SSN, please?", "[ID:us_ssn]"),
    ("536904399", "that is my ssn", "[ID:us_ssn]", "that is my ssn"),
    ("mi DNI es 1234", "5678Z gracias", "mi DNI es [ID:es_dni]", "[ID:es_dni] gracias"),
]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(("first", "second", "left", "right"), HALVES)
def test_both_halves_are_taken_out(
    ledger: Line,
    first: str,
    second: str,
    left: str,
    right: str,
    together: bool,  # noqa: FBT001
) -> None:
    """In two deliveries or in one; whoever asked and whoever answered."""
    way = Direction.OUTBOUND if first.endswith("?") else Direction.INBOUND
    events = [message("m1", first, direction=way), message("m2", second, at=NOW + SECOND)]
    if together:
        ledger.tell(*events)
    else:
        for event in events:
            ledger.tell(event)
    assert ledger.said() == {"m1": left, "m2": right}
    reasons = {
        reason.code.value
        for committed in ledger.replica.committed
        for one in committed.settled
        for reason in one.reasons
    }
    assert reasons <= {"government_id", "payment_card"}
    assert reasons


def test_nothing_of_it_is_on_disk_afterwards(ledger: Line) -> None:
    """Neither half can be opened any more: the row of the first was written over."""
    ledger.tell(message("m1", "my ssn is 536-90"))
    ledger.tell(message("m2", "4399", at=NOW + SECOND))
    with ledger.replica.store.reading() as tx:
        assert len(tx.execute(select(contents)).all()) == 2
    assert "536" not in str(ledger.said())


@pytest.mark.parametrize(
    ("first", "second"), [("536-90", "4399"), ("\uff15\uff13\uff16-\uff19\uff10", "\uff14\uff13\uff19\uff19")]
)
def test_what_comes_once_more_brings_it_not_back(ledger: Line, first: str, second: str) -> None:
    """Platforms send again for days: the rewritten version is the newer one; a real edit is newer still."""
    events = [message("m1", f"my ssn is {first}"), message("m2", second, at=NOW + SECOND)]
    for event in (*events, *events, *events[::-1]):
        ledger.tell(event)
    assert ledger.said() == {"m1": "my ssn is [ID:us_ssn]", "m2": "[ID:us_ssn]"}
    ledger.tell(edit("m1", "never mind", at=NOW + 9))
    assert ledger.said()["m1"] == "never mind"


@pytest.mark.parametrize(
    ("later", "who", "text"),
    [
        (WITHIN + 1, "15550123", "4399"),
        (-SECOND, "15550123", "4399"),
        (SECOND, "15550199", "4399"),
        (SECOND, "15550123", "at 10:30"),
    ],
)
def test_other_messages_are_left_alone(ledger: Line, later: int, who: str, text: str) -> None:
    """Too late, out of order, somebody else's, or no number at all."""
    ledger.tell(message("m1", "my ssn is 536-90"))
    other = (Identifier(kind=IdentifierKind.PHONE, value=who),)
    ledger.tell(message("m2", text, at=NOW + later, who=other))
    assert ledger.said() == {"m1": "my ssn is 536-90", "m2": text}


def test_only_consecutive_messages_are_read_together(ledger: Line) -> None:
    """What stands between them parts them."""
    ledger.tell(message("m1", "my ssn is 536-90"))
    ledger.tell(message("m2", "hold on", at=NOW + SECOND))
    ledger.tell(message("m3", "4399", at=NOW + 2 * SECOND))
    assert ledger.said()["m3"] == "4399"


def test_a_message_that_changed_meanwhile_is_left_alone(ledger: Line) -> None:
    """Taken back or edited since: there is nothing of that half to rewrite; the second goes all the same."""
    ledger.tell(message("m1", "my ssn is 536-90"))
    ledger.tell(unsend("m1"))
    ledger.tell(message("m2", "4399", at=NOW + SECOND))
    assert ledger.said() == {"m2": "[ID:us_ssn]"}


def test_a_legal_hold_keeps_no_half(ledger: Line) -> None:
    """What may not be recorded is not kept back either."""
    replica = ledger.replica
    ledger.tell(message("m1", "my ssn is 536-90"))
    desk = HoldDesk(replica.store, replica.keyring, "acme", set(), replica.clock)
    desk.place(
        Terms(matter="1", authority="a court", operator=Operator(name="a", why="b"), person=None,
              conversation=None, since=None, until=None)
    )  # fmt: skip
    ledger.tell(message("m2", "4399", at=NOW + SECOND))
    assert ledger.said()["m1"] == "my ssn is [ID:us_ssn]"
    with replica.store.reading() as tx:
        restricted = Table.metadata.tables[str(RestrictedRow.__tablename__)]
        assert tx.execute(select(restricted)).all() == []


def test_a_failed_transaction_is_not_remembered() -> None:
    """Only what was committed is; and no more than so many."""
    tails = Tails()
    new = tails.begin()
    assert new.follow(b"p", message("m1", "my ssn is 536-90").message, b"k1", ("c", "a")) is None
    second = message("m2", "4399", at=NOW + 1).message
    assert tails.begin().follow(b"p", second, b"k2", ("c", "a")) is None
    tails.keep(new)
    assert tails.begin().follow(b"p", second, b"k2", ("c", "a")) is not None
    for number in range(MOST + 10):
        more = tails.begin()
        more.follow(b"%d" % number, second, b"k", ("c", "a"))
        tails.keep(more)
    assert len(tails._known) == MOST


def test_ordinary_messages_cost_next_to_nothing() -> None:
    """Well below the time that the rest of the writer takes for a message."""
    words = "where is my order, it should have been here by now and nobody answers"
    pairs = [(f"{n} {words}", f"{n + 1} {words}") for n in range(1000)]
    started = time.perf_counter()
    assert not any(may_go_on(*pair) for pair in pairs)
    assert (time.perf_counter() - started) / len(pairs) < 100e-6
    assert re.search(r"\d", pairs[0][0])
