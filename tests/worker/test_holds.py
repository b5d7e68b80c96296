"""Legal holds: what they cover stays, out of everybody's sight, and goes when the last of them is lifted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import event, select

from policies.lifecycle import Duty
from policies.message import IdentifierKind
from policies.record import State
from tests.databases import Databases
from tests.flows.harness import NOW, edit, in_threads, message, person, replicas, tenant, unsend
from tests.worker.holding_house import ANN, ANNS_NUMBER, OFFICER, House
from worker.acts import told
from worker.audit.receipts import verify_receipt
from worker.holds.holding import Holds, Scope
from worker.holds.jobs import hold_jobs
from worker.holds.placing import LIFTED, PLACED, HoldDesk, HoldRefused
from worker.opening import Opened
from worker.register import Register
from worker.rights.erase import Gone
from worker.rights.errors import RightsRefused
from worker.store import decisions, messages, seals
from worker.store.journal import Destroyed, Erased
from worker.tenants.loading import Tenants, Version

ACME = tenant()
WHO = person(IdentifierKind.PHONE, ANNS_NUMBER)
BOB = person(IdentifierKind.PHONE, "12025550199")
SECOND = 1_000_000


@pytest.fixture
def house(databases: Databases, tmp_path: Path) -> Iterator[House]:
    """A tenant that knows Ann by one message."""
    with replicas(databases) as [replica]:
        opened = House(replica, ACME, tmp_path)
        opened.tell(message("m0", "good day", who=WHO))
        yield opened


def covered(house: House, conversation: bytes, at: int = NOW) -> bool:
    with house.replica.store.reading() as tx:
        return Holds(tx, "acme").covers(conversation, at)


# -- what a hold covers --------------------------------------------------------------------------------------


def test_without_a_hold_what_is_taken_back_is_gone(house: House) -> None:
    house.tell(unsend("m0"))
    assert (house.seen(), house.hidden(), house.contents()) == ({}, {}, 0)


@pytest.mark.parametrize("scope", Scope)
def test_what_is_taken_back_under_a_hold_is_hidden_at_once(house: House, scope: Scope) -> None:
    """The tombstone appears; the decision names the hold and its clause."""
    [conversation] = house.conversations()
    scopes: dict[Scope, dict[str, Any]] = {
        Scope.PERSON: {"person": ANN},
        Scope.CONVERSATION: {"conversation": conversation},
        Scope.TENANT: {},
    }
    house.place(**scopes[scope])
    assert house.seen() == {house.key("m0").hex(): "good day"}
    house.tell(unsend("m0"))
    assert house.seen() == {}
    assert house.hidden() == {house.key("m0").hex(): "good day"}
    assert house.states() == {house.key("m0").hex(): State.UNSENT}
    [settled] = house.replica.committed[-1].settled
    assert [(one.code, one.clauses) for one in settled.reasons] == [("legal_hold", ("VT-3",))]
    [entry] = house.export()["conversations"][0]["entries"]
    assert (entry["state"], entry["id"], entry["text"]) == ("unsent", None, None)


def test_a_hold_covers_whom_it_is_about_and_when(house: House) -> None:
    """``until`` is the first instant beyond it."""
    house.tell(message("b0", "not me", who=BOB))
    ann, bob = house.conversations()
    house.place(person=ANN, since=NOW, until=NOW + SECOND)
    asked = [(ann, NOW), (ann, NOW - 1), (ann, NOW + SECOND - 1), (ann, NOW + SECOND), (bob, NOW)]
    assert [covered(house, *one) for one in asked] == [True, False, True, False, False]


def test_a_hold_on_everybody_covers_what_belongs_to_nobody(house: House) -> None:
    house.place()
    with house.replica.store.reading() as tx:
        holds = Holds(tx, "acme")
        assert holds.covers(None, NOW)
        assert not Holds(tx, "globex").covers(None, NOW)
        assert not Holds(tx, "globex").active


def test_a_person_is_covered_wherever_they_write_and_will_write(house: House) -> None:
    """On other accounts, under another spelling of the number, and under an id that is linked later."""
    bsuid = person(IdentifierKind.BSUID, "US.anna1")
    house.place(person=ANN)
    house.tell(message("f1", "here too", connector="facebook", who=WHO), connector="facebook")
    house.tell(message("i1", "and I", connector="instagram", who=bsuid), connector="instagram")
    _, facebook, instagram = house.conversations()
    assert covered(house, facebook)
    assert not covered(house, instagram)
    house.tell(
        message(
            "i2", "it is me", connector="instagram", who=bsuid + person(IdentifierKind.PHONE, "+12025550123")
        ),
        connector="instagram",
    )
    assert covered(house, instagram)


def test_a_person_is_covered_on_an_account_that_is_configured_later(house: House) -> None:
    house.place(person=ANN)
    replica = house.replica
    later = HoldDesk(replica.store, replica.keyring, "acme", {("whatsapp", "999")}, replica.clock)
    assert [later.extend(), later.extend()] == [1, 0]
    told_ = message("w9", "hello", who=WHO)
    fresh = replace(told_, account="999", message=replace(told_.message, account="999"))
    house.tell(fresh)
    _, new = house.conversations()
    assert covered(house, new)


def test_what_an_edit_replaces_under_a_hold_is_kept_as_a_version(house: House) -> None:
    """Each once, hidden; the last one stands in the transcript."""
    house.place(person=ANN)
    for _ in range(2):
        house.tell(edit("m0", "good night", who=WHO))
    house.tell(edit("m0", "good morning", 2, who=WHO))
    assert house.seen() == {house.key("m0").hex(): "good morning"}
    assert sorted(house.hidden().values()) == ["good day", "good night"]
    house.tell(unsend("m0"))
    assert house.seen() == {}
    assert sorted(house.hidden().values()) == ["good day", "good morning", "good night"]


def test_without_a_hold_an_edit_keeps_nothing(house: House) -> None:
    house.tell(edit("m0", "good night", who=WHO))
    assert (house.hidden(), house.contents()) == ({}, 1)


def test_what_comes_after_its_unsend_under_a_hold_is_hidden_and_once(house: House) -> None:
    """However it is told: unsent first, both in one delivery, again."""
    house.place()
    house.tell(unsend("late"))
    for _ in range(2):
        house.tell(message("late", "too late", who=WHO))
    house.tell(message("both", "at once", who=WHO), unsend("both"))
    house.tell(message("both", "at once", who=WHO))
    assert sorted(house.hidden().values()) == ["at once", "too late"]
    assert house.seen() == {house.key("m0").hex(): "good day"}
    assert house.contents() == 3


def test_of_several_ids_of_one_message_the_content_is_hidden_once(house: House) -> None:
    """A post's versions on X are one message, deleted by any of its ids."""
    who = person(IdentifierKind.X_ID, "7001")
    house.place()
    house.tell(message("100", "first", connector="x", who=who), connector="x")
    house.tell(
        edit("101", "second", connector="x", who=who, also_known_as=("100",), whole=True), connector="x"
    )
    house.tell(unsend("101", connector="x"), connector="x")
    assert "second" in house.hidden().values()
    assert house.contents() == 1 + len(house.hidden())
    assert house.seen() == {house.key("m0").hex(): "good day"}


def test_a_hold_placed_while_something_is_taken_back_covers_it_or_comes_after(
    databases: Databases, tmp_path: Path
) -> None:
    """Whatever is taken back after the hold was placed is kept; two replicas, both at once."""
    with replicas(databases, 2) as [one, other]:
        house, second = House(one, ACME, tmp_path), House(other, ACME, tmp_path)
        ids = [f"r{number}" for number in range(20)]
        house.tell(*[message(id_, id_, who=WHO) for id_ in ids])
        placed: list[int] = []

        def take_back() -> None:
            for id_ in ids:
                after = bool(placed)
                second.tell(unsend(id_))
                if after:
                    kept.add(id_)

        def place() -> None:
            house.place(person=ANN)
            placed.append(1)

        kept: set[str] = set()
        in_threads(take_back, place)
        assert kept <= set(house.hidden().values())
        assert house.contents() == len(house.hidden())


def test_a_hold_placed_between_the_question_and_the_commit_is_heeded(
    postgresql: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever took something away looks once more behind the lock that placing takes, and begins again."""
    with replicas(postgresql, 2) as [one, other]:
        house, second = House(one, ACME, tmp_path), House(other, ACME, tmp_path)
        house.tell(message("m0", "good day", who=WHO))
        save, placed = Register.save, list[bytes]()

        def save_and_place(register: Register) -> set[bytes]:
            kept = save(register)
            if not placed:
                placed.append(second.place())
            return kept

        monkeypatch.setattr(Register, "save", save_and_place)
        house.tell(unsend("m0"))
        assert list(house.hidden().values()) == ["good day"]


def test_what_is_restricted_is_named_by_no_message(house: House) -> None:
    """Whoever calls it: the content's row stays."""
    table = messages.messages
    [conversation] = house.conversations()
    with house.replica.store.transaction() as tx:
        content = tx.execute(select(table.c.content)).scalar_one()
        kept = (house.key("m0"), content, conversation, NOW)
        Holds(tx, "acme").restrict([kept], Duty.ERASURE, NOW)
    assert house.seen() == {}
    assert list(house.hidden().values()) == ["good day"]


def test_who_takes_nothing_away_asks_for_no_holds(house: House) -> None:
    """Storing costs nothing more; taking away asks once for the holds, and once more when the chain is locked."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.extend(
            table
            for table in ("hold_target", "hold", "restricted")
            if f"FROM {table} " in statement.replace("\n", " ") + " "
        )

    event.listen(house.replica.store.engine, "before_cursor_execute", note)
    house.tell(*[message(f"q{number}", "hello", who=WHO) for number in range(50)])
    assert asked == []
    house.tell(*[unsend(f"q{number}") for number in range(50)])
    assert asked == ["hold", "hold"]


# -- lifting -------------------------------------------------------------------------------------------------


def test_a_lifted_hold_lets_go_what_it_kept_back(house: House) -> None:
    """With a receipt, a decision and a line in the journal; what nobody took back stays."""
    house.tell(message("m1", "stays", who=WHO))
    hold = house.place(person=ANN)
    house.tell(unsend("m0"))
    done = house.lift(hold)
    assert (done.destroyed, done.erased) == (1, 0)
    assert (house.hidden(), house.contents()) == ({}, 1)
    assert house.seen() == {house.key("m1").hex(): "stays"}
    assert [type(line).__name__ for line in house.journal] == [
        *("Held", "Restricted", "Gone"),
        *("Lifted", "Destroyed"),
    ]
    with house.replica.store.reading() as tx:
        [receipt] = seals.receipts_since(tx, "acme", 0)
        assert decisions.verify(tx, "acme") is None
    what = verify_receipt(receipt.receipt, house.signing.public)
    assert (what["rule"], what["messages"]["references"]) == ("platform_deletion", [house.key("m0").hex()])
    assert house.lifting.complete("acme").destroyed == 0


def test_what_another_hold_covers_stays_until_that_is_lifted_too(house: House) -> None:
    first, second = house.place(person=ANN), house.place()
    house.tell(unsend("m0"))
    assert house.lift(first).destroyed == 0
    assert len(house.hidden()) == 1
    assert house.lift(second).destroyed == 1


def test_an_erasure_that_was_kept_back_is_done_when_the_hold_is_lifted(house: House) -> None:
    """Nothing is shown meanwhile; then nothing leads to the person, and their key is gone."""
    [conversation] = house.conversations()
    hold = house.place(person=ANN)
    assert house.erase() == [Gone.HELD]
    assert (house.seen(), list(house.hidden().values())) == ({}, ["good day"])
    done = house.lift(hold)
    assert (done.destroyed, done.erased) == (1, 1)
    assert (house.hidden(), house.contents(), house.conversations()) == ({}, 0, [])
    assert house.replica.keyring.keys("acme", [conversation]) == {}
    assert Erased(tenant="acme", conversation=conversation) in house.journal
    assert Destroyed(tenant="acme", key=house.key("m0")) in house.journal


def test_a_hold_on_a_period_keeps_only_what_was_said_in_it(house: House) -> None:
    house.tell(message("m1", "later", who=WHO, at=NOW + SECOND))
    hold = house.place(person=ANN, until=NOW + 1)
    assert house.erase() == [Gone.HELD]
    assert list(house.hidden().values()) == ["good day"]
    assert house.contents() == 1
    house.lift(hold)
    assert (house.contents(), house.conversations()) == (0, [])


def test_a_hold_on_another_period_keeps_nobody(house: House) -> None:
    house.place(until=NOW)
    assert house.erase() == [Gone.ERASED]


def test_much_goes_in_batches(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt and a commit for each."""
    monkeypatch.setattr("worker.holds.lifting.BATCH", 3)
    ids = [f"n{number}" for number in range(8)]
    house.tell(*[message(id_, id_, who=WHO) for id_ in ids])
    hold = house.place()
    house.tell(*[unsend(id_) for id_ in ids])
    assert house.lift(hold).destroyed == 8
    with house.replica.store.reading() as tx:
        assert len(seals.receipts_since(tx, "acme", 0)) == 3
    assert house.contents() == 1


# -- what is refused, and what is recorded -------------------------------------------------------------------


def test_a_hold_is_lifted_once(house: House) -> None:
    hold = house.place()
    house.lift(hold)
    before = _chain(house)
    with pytest.raises(HoldRefused, match="lifted already"):
        house.desk.lift(hold, OFFICER)
    with pytest.raises(HoldRefused, match="no such hold"):
        house.desk.lift(bytes(16), OFFICER)
    assert _chain(house) == before


def test_of_two_who_lift_a_hold_one_does(databases: Databases, tmp_path: Path) -> None:
    with replicas(databases, 2) as opened:
        one, other = (House(replica, ACME, tmp_path) for replica in opened)
        hold = one.place()

        def attempt(house: House) -> str:
            try:
                house.desk.lift(hold, OFFICER)
            except HoldRefused:
                return "refused"
            return "lifted"

        assert sorted(in_threads(lambda: attempt(one), lambda: attempt(other))) == ["lifted", "refused"]


@pytest.mark.parametrize(
    ("scope", "error", "text"),
    [
        ({"person": "+12025550177"}, HoldRefused, "knows nobody"),
        ({"person": "x:nobody"}, HoldRefused, "knows nobody"),
        ({"person": "+1"}, RightsRefused, "phone number"),
        ({"conversation": bytes(16)}, HoldRefused, "no such conversation"),
        ({"since": NOW, "until": NOW}, HoldRefused, "later than"),
    ],
)
def test_a_hold_about_nobody_is_refused(
    house: House, scope: dict[str, object], error: type[Exception], text: str
) -> None:
    before = _chain(house)
    with pytest.raises(error, match=text):
        house.place(**scope)
    assert (house.desk.holds(), _chain(house)) == ([], before)


def test_another_tenants_person_is_nobody(house: House, tmp_path: Path) -> None:
    globex = House(house.replica, tenant("globex"), tmp_path)
    with pytest.raises(HoldRefused, match="knows nobody"):
        globex.place(person=ANN)
    hold = house.place()
    with pytest.raises(HoldRefused, match="no such hold"):
        globex.desk.lift(hold, OFFICER)


def test_a_hold_says_who_and_why_and_stands_on_the_record(house: House) -> None:
    """Sealed: in the database nobody reads a word of it; when it is lifted, whom it was about is forgotten."""
    hold = house.place(person=ANN)
    [shown] = house.desk.holds()
    assert (shown.matter, shown.authority, shown.by, shown.why) == (
        *("file 7", "the court"),
        *(OFFICER.name, OFFICER.why),
    )
    house.lift(hold)
    [shown] = house.desk.holds()
    assert shown.lifted_at is not None
    assert shown.matter == "file 7"
    with house.replica.store.reading() as tx:
        acts = told(tx, house.replica.keyring, "acme")
    assert [(one.action, one.about) for one in acts] == [(PLACED, hold.hex()), (LIFTED, hold.hex())]


def _chain(house: House) -> tuple[int, bytes]:
    with house.replica.store.reading() as tx:
        return decisions.end_of(tx, "acme")


# -- what goes on by itself ----------------------------------------------------------------------------------


def test_the_jobs_complete_what_is_due_and_let_holds_grow(house: House) -> None:
    """A lift that a crash cut off, an account that was configured since, a production that expired."""
    replica = house.replica
    opened = Opened(store=replica.store, keyring=replica.keyring, signing=house.signing)
    tenants = Tenants(versions={"acme": Version(tenant=ACME)})
    shared, own = hold_jobs(opened, replica.clock, lambda: tenants)
    assert [shared.shared, own.shared] == [True, False]
    assert not shared.run(lambda: False)
    assert not own.run(lambda: False)
    hold = house.place(person=ANN)
    house.tell(unsend("m0"))
    assert not shared.run(lambda: False)
    house.desk.lift(hold, OFFICER)
    assert shared.run(lambda: False)
    assert house.hidden() == {}
