"""Erasure: every right against every channel's data, what stays, what a hold keeps, replicas that meet, crashes at every step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import event, select

from policies.event import DeliveryReported, DeliveryStatus, MessageUnsent
from policies.message import Direction, Identifier, IdentifierKind
from policies.sms.policy import Scope as OptOut
from policies.sms.purpose import Purpose
from tests.databases import Databases
from tests.flows.dump import audit
from tests.flows.harness import NOW, delivery, in_threads
from tests.worker.asking import (
    ACCOUNTS,
    ACME,
    GLOBEX,
    OPERATOR,
    PEOPLE,
    PHONE,
    SIGNING,
    Office,
    offices,
    outcomes,
    said,
)
from tests.worker.handing_in import Desk as Texts
from tests.worker.handing_in import text, verdicts
from worker.acts import told
from worker.audit.receipts import verify_receipt
from worker.directory import Directory
from worker.holds.holding import Scope
from worker.inbound import Answer
from worker.register import Register
from worker.rights.attending import attend
from worker.rights.deadlines import DAY, Source, Urgency, due
from worker.rights.erase import Eraser
from worker.rights.errors import RightsRefused
from worker.rights.files import planned
from worker.rights.ticket import Sealer
from worker.sms.payload import SUPPRESSION, suppression_reference
from worker.store import decisions, holds, messages, persons, rights, seals, suppressions
from worker.store.engine import Store
from worker.store.holds import Hold
from worker.store.tables import Table
from worker.transcripts import Export, export

SECRET: Final = "the blue suitcase"
SPAM: Final = "WINNER!!! claim your prize http://bit.ly/free-cash now, act fast"
WHATSAPP: Final = PEOPLE["whatsapp"].subject
STEPS: Final = ("search", "contents", "rest", "keys", "files", "prove", "tidy", "sweep")


@pytest.fixture
def office(databases: Databases) -> Iterator[Office]:
    """A desk over a fresh store."""
    with offices(databases) as [one]:
        yield one


def transcript(office: Office, tenant: str = "acme") -> Export:
    """All that is kept of a tenant."""
    return export(office.store, office.keyring, tenant)


def texts(office: Office, tenant: str = "acme") -> list[str]:
    """Every text that is kept."""
    kept = transcript(office, tenant)
    return sorted(one["text"] for talk in kept["conversations"] for one in talk["entries"] if one["text"])


def rows_about(office: Office, conversations: set[bytes]) -> dict[str, int]:
    """In which tables anything names one of these conversations."""
    found: dict[str, int] = {}
    with office.store.reading() as tx:
        for name, table in Table.metadata.tables.items():
            for column in table.columns:
                if column.name in {"conversation", "one", "other"} or (name, column.name) == (
                    "conversation",
                    "id",
                ):
                    hits = [row for row in tx.execute(select(column)).scalars() if row in conversations]
                    found |= {f"{name}.{column.name}": len(hits)} if hits else {}
    return found


def ids(office: Office, tenant: str = "acme") -> set[bytes]:
    """The tenant's conversations."""
    return {bytes.fromhex(talk["id"]) for talk in transcript(office, tenant)["conversations"]}


@pytest.mark.parametrize("connector", PEOPLE)
def test_every_channel_s_person_is_found_read_out_and_erased(office: Office, connector: str) -> None:
    """Messages in both directions; afterwards nothing leads to them, and their neighbour is as before."""
    subject = PEOPLE[connector].subject
    stranger = (Identifier(kind=PEOPLE[connector].kind, value="+12025550199"),)
    office.tell(
        ACME,
        connector,
        said(connector, "m1", SECRET, profile={"name": "Zed"}),
        said(connector, "m2", "our answer", at=NOW + 1, direction=Direction.OUTBOUND),
        said(connector, "m3", "somebody else", who=stranger),
    )
    whole = office.exported(subject)
    [talk] = whole["conversations"]
    assert [one["text"] for one in talk["messages"]] == [SECRET, "our answer"]
    assert {one["ref"] for one in whole["decisions"]} == {one["ref"] for one in talk["messages"]}
    gone = {bytes.fromhex(talk["id"])}
    answer = office.ask("DELETE", subject)
    assert (answer.status, answer.counts.messages, set(outcomes(answer).values())) == (
        "COMPLETED",
        2,
        {"erased"},
    )
    assert texts(office) == ["somebody else"]
    assert rows_about(office, gone) == {}
    assert not office.keyring.keys("acme", gone)
    assert {one["state"] for one in transcript(office)["unattributed"]} == {"erased"}
    audit(office.store, "acme")
    with pytest.raises(RightsRefused, match="knows nobody"):
        office.ask("EXPORT", subject)


def test_all_channels_of_one_person_go_at_once(office: Office) -> None:
    """Who is known by a number is known by it on every channel; by ids, where they are told."""
    for connector in PEOPLE:
        office.tell(ACME, connector, said(connector, "m1", SECRET))
    answer = office.ask("DELETE", WHATSAPP)
    phones = sum(known.kind is IdentifierKind.PHONE for known in PEOPLE.values())
    assert answer.counts.conversations == phones
    assert len(texts(office)) == len(PEOPLE) - phones


def test_what_comes_again_does_not_come_back(office: Office) -> None:
    """The same delivery, an edit, an unsend, a receipt: nobody is met, nothing is kept; a new message is somebody new."""
    first = said("whatsapp", "m1", SECRET)
    office.tell(ACME, "whatsapp", first)
    office.ask("DELETE", WHATSAPP)
    account = ACCOUNTS["whatsapp"]
    unsent = MessageUnsent(account=account, message_id="m1", occurred_at=NOW, person=first.message.person)
    receipt = DeliveryReported(account=account, message_id="m1", status=DeliveryStatus.READ, occurred_at=NOW)
    for again in (first, unsent, receipt, first):
        office.tell(ACME, "whatsapp", again)
    assert (ids(office), texts(office)) == (set(), [])
    office.tell(ACME, "whatsapp", said("whatsapp", "m2", "me again"))
    assert texts(office) == ["me again"]
    audit(office.store, "acme")


def test_whoever_comes_back_can_be_erased_again(office: Office) -> None:
    """The same request is the same for a day, unless there is somebody again."""
    office.tell(ACME, "whatsapp", said("whatsapp", "m1", SECRET))
    first = office.ask("DELETE", WHATSAPP)
    assert office.ask("DELETE", WHATSAPP) == first
    office.tell(ACME, "whatsapp", said("whatsapp", "m2", SECRET))
    second = office.ask("DELETE", WHATSAPP)
    assert (second.id != first.id, second.status, texts(office)) == (True, "COMPLETED", [])


def test_what_stays_are_tombstones_decisions_and_opt_outs(office: Office) -> None:
    """The chain holds; an opt-out stands, and the person is still known by it."""
    office.tell(ACME, "sms-console", said("sms-console", "m1", "STOP"))
    office.ask("DELETE", PEOPLE["sms-console"].subject)
    key = office.keyring.tenant_key("acme", SUPPRESSION)
    about = suppression_reference(key, OptOut.TENANT, "", PHONE)
    with office.store.reading() as tx:
        assert suppressions.standing(tx, "acme", [about]) == {about}
        assert decisions.verify(tx, "acme") is None
    whole = office.exported(PEOPLE["sms-console"].subject)
    assert whole["conversations"] == []
    assert [one["scope"] for one in whole["opt_outs"]] == ["tenant"]


def test_texts_on_their_way_and_under_review_go_too(office: Office) -> None:
    """Outbox, review, the answers of the interface, and what was counted."""
    desk = Texts(office.replica.databases)
    try:
        assert verdicts(desk.all(text("Your table is ready."), text(SPAM, purpose=Purpose.MARKETING))) == [
            "accepted",
            "quarantined",
        ]
    finally:
        desk.close()
    before = counts(office.store)
    assert before["outbox"] >= 1
    assert before["submission"] == 2
    answer = office.ask("DELETE", {"phoneNumbers": [PHONE]})
    assert answer.status == "COMPLETED"
    after = counts(office.store)
    assert {name: after[name] for name in ("outbox", "review", "submission", "content", "alike")} == {
        **dict.fromkeys(("outbox", "review", "submission", "content"), 0),
        "alike": after["alike"],
    }
    assert after["alike"] < before["alike"] or not before["alike"]
    assert after["tally"] < before["tally"]


def counts(store: Store) -> dict[str, int]:
    """Rows by table."""
    with store.reading() as tx:
        return {name: len(tx.execute(select(table)).all()) for name, table in Table.metadata.tables.items()}


def test_the_receipt_is_signed_and_the_act_is_on_the_record(office: Office) -> None:
    """Which messages, which keys, by which clause; who ordered it and why; nothing of the person."""
    office.tell(ACME, "whatsapp", said("whatsapp", "m1", SECRET), said("whatsapp", "m2", SECRET))
    gone = [one.hex() for one in ids(office)]
    answer = office.ask("DELETE", WHATSAPP)
    with office.store.reading() as tx:
        [receipt] = seals.receipts_since(tx, "acme", 0)
        [act] = told(tx, office.keyring, "acme")
    assert receipt.id.hex() == answer.receipts[0]
    shown = verify_receipt(receipt.receipt, SIGNING.public)
    assert (shown["messages"]["count"], shown["keys_destroyed"]["references"]) == (2, gone)
    assert (shown["rule"], shown["clauses"]) == ("erasure", ["PP-6", "PP-8"])
    assert (act.action, act.about, act.operator) == ("rights_delete", answer.id, OPERATOR)


def test_nothing_of_the_request_is_left_when_it_is_done(office: Office) -> None:
    """What was asked would be the last that is known of the person; the log names fields, and stays."""
    office.tell(ACME, "whatsapp", said("whatsapp", "m1", SECRET))
    office.exported(WHATSAPP)
    answer = office.ask("DELETE", WHATSAPP)
    with office.store.reading() as tx:
        kept = rights.all_of(tx, "acme")
    sealer = Sealer(office.keyring)
    assert [sealer.order(ACME.id, one).request for one in kept] == [None, None]
    assert not any(sealer.progress(ACME.id, one).conversations for one in kept)
    assert outcomes(office.desk.status("acme", bytes.fromhex(answer.id))) == {"phoneNumbers[0]": "erased"}


def test_files_of_earlier_exports_are_removed(office: Office, tmp_path: Path) -> None:
    """Those that are as they were written; one that was changed is left, and told."""
    office.tell(ACME, "whatsapp", said("whatsapp", "m1", SECRET))
    paths = [tmp_path / name for name in ("a.json", "b.json", "c.json")]
    for path in paths:
        answer = office.ask("EXPORT", WHATSAPP, file=planned(path))
        assert answer.status == "COMPLETED"
        assert path.stat().st_mode & 0o777 == 0o600
        assert SECRET in path.read_text()
    paths[1].write_text("mine now")
    paths[2].unlink()
    answer = office.ask("DELETE", WHATSAPP)
    assert [path.exists() for path in paths] == [False, True, False]
    assert (answer.counts.files, answer.counts.files_left) == (2, 1)


def test_what_was_asked_is_forgotten_a_month_after_it_was_done(office: Office, tmp_path: Path) -> None:
    """Nothing identifies anybody any more; an erasure still finds the file, and the same request is a new one."""
    office.tell(ACME, "whatsapp", said("whatsapp", "m1", SECRET))
    first = office.ask("EXPORT", WHATSAPP, file=planned(tmp_path / "a.json"))
    attend(office.desk, office.tools)
    assert office.desk.status("acme", bytes.fromhex(first.id)).results_url
    office.now = NOW + 32 * DAY
    attend(office.desk, office.tools)
    [kept] = office.desk.all("acme")
    assert (kept.status, kept.results_url, outcomes(kept)) == (
        *("COMPLETED", None),
        {"phoneNumbers[0]": "exported"},
    )
    with pytest.raises(RightsRefused, match="no such request"):
        office.desk.export("acme", bytes.fromhex(first.id))
    assert office.ask("EXPORT", WHATSAPP).id != first.id
    assert office.ask("DELETE", WHATSAPP).counts.files == 1
    assert not (tmp_path / "a.json").exists()


def test_no_file_is_written_over(office: Office, tmp_path: Path) -> None:
    """Nor through a link."""
    (tmp_path / "a").write_text("mine")
    (tmp_path / "b").symlink_to(tmp_path / "c")
    for name in "ab":
        with pytest.raises(RightsRefused, match="overwrite nothing"):
            planned(tmp_path / name)
    with pytest.raises(RightsRefused, match="cannot be written"):
        planned(tmp_path / "no" / "directory")


# -- holds ---------------------------------------------------------------------------------------------------


def place(
    office: Office, scope: Scope, *about: bytes, since: int | None = None, until: int | None = None
) -> bytes:
    """Place a hold."""
    hold = Hold(id=bytes(16), scope=scope.value, since=since, until=until, placed_at=NOW, sealed=b"")
    with office.store.transaction() as tx:
        holds.add_hold(tx, "acme", hold, about)
    return hold.id


def lift(office: Office, hold: bytes) -> None:
    """Lift it."""
    with office.store.transaction() as tx:
        assert holds.lift(tx, "acme", hold, NOW)


def test_what_a_hold_covers_is_restricted_and_erased_when_it_is_lifted(office: Office) -> None:
    """Nobody sees it any more; the rest goes at once; in the end everything does, but for what was written since."""
    office.tell(
        ACME, "whatsapp", said("whatsapp", "m1", "covered"), said("whatsapp", "m2", "later", at=NOW + DAY)
    )
    [talk] = ids(office)
    hold = place(office, Scope.CONVERSATION, talk, until=NOW + 1)
    answer = office.ask("DELETE", WHATSAPP)
    assert (answer.status, answer.waits_for_hold, answer.completed_date) == ("FINALIZING", True, None)
    assert (answer.counts.restricted, outcomes(answer)) == (1, {"phoneNumbers[0]": "restricted_by_hold"})
    assert texts(office) == []
    assert office.exported(WHATSAPP)["conversations"][0]["messages"] == []
    assert counts(office.store)["content"] == 1
    assert office.desk.resume() == []
    office.tell(ACME, "whatsapp", said("whatsapp", "m3", "me again"))
    lift(office, hold)
    [resumed] = office.desk.resume()
    assert resumed.answer is not None
    assert (resumed.answer.status, outcomes(resumed.answer)) == ("COMPLETED", {"phoneNumbers[0]": "erased"})
    assert texts(office) == ["me again"]
    assert counts(office.store)["restricted"] == 0
    audit(office.store, "acme")


def test_what_was_written_under_a_hold_outlives_a_crash_too(office: Office) -> None:
    """The hold was lifted, what it kept is gone, and then the process dies: whoever goes on knows what was written since."""
    office.tell(ACME, "whatsapp", said("whatsapp", "m1", "covered"))
    hold = place(office, Scope.TENANT)
    office.ask("DELETE", WHATSAPP)
    office.tell(ACME, "whatsapp", said("whatsapp", "m2", "me again"))
    lift(office, hold)

    def resume() -> None:
        [resumed] = office.desk.resume()
        if resumed.error is not None:
            raise resumed.error

    stop_at(office, "rest", resume, after=True)
    resume()
    assert [one.status for one in office.desk.all("acme")] == ["COMPLETED"]
    assert texts(office) == ["me again"]


def test_without_anything_new_the_key_goes_with_the_hold(office: Office) -> None:
    """All of it, as if there had been no hold; the receipt tells."""
    office.tell(ACME, "whatsapp", said("whatsapp", "m1", "covered"))
    gone = ids(office)
    hold = place(office, Scope.TENANT)
    office.ask("DELETE", WHATSAPP)
    assert office.keyring.keys("acme", gone)
    lift(office, hold)
    [resumed] = office.desk.resume("acme")
    assert resumed.answer is not None
    assert len(resumed.answer.receipts) == 1
    assert (rows_about(office, gone), office.keyring.keys("acme", gone)) == ({}, {})


def test_a_held_request_is_no_delay_and_an_unfinished_one_is(office: Office) -> None:
    """Of all tenants, with what is overdue."""
    office.tell(ACME, "whatsapp", said("whatsapp", "m1", "covered"))
    place(office, Scope.TENANT)
    office.ask("DELETE", WHATSAPP)
    with office.store.reading() as tx:
        assert due(tx, NOW + 400 * DAY, office.tools.deadlines) == []
    office.tell(GLOBEX, "whatsapp", said("whatsapp", "m1"))
    stop_at(office, "contents", partial(office.ask, "DELETE", WHATSAPP, of="globex", source=Source.X))
    with office.store.reading() as tx:
        [late] = due(tx, NOW + 2 * DAY, office.tools.deadlines)
        assert due(tx, NOW + 2 * DAY, office.tools.deadlines, "acme") == []
    assert (late.tenant, late.urgency, late.source) == ("globex", Urgency.OVERDUE, "x")


# -- crashes -------------------------------------------------------------------------------------------------


class Cut(Exception):
    """The process ends here."""


def stop_at(office: Office, step: str, work: Callable[[], Any], *, after: bool = False) -> None:
    """Do the work until that step: cut before it, or after it was done and before that was written down."""
    steps = office.desk._steps
    take, move = steps.take, steps.move

    def cut_before(case: Any) -> None:
        if case.kept.step == step:
            raise Cut
        take(case)

    def cut_after(case: Any, following: str, progress: Any) -> None:
        if case.kept.step == step:
            raise Cut
        move(case, following, progress)

    steps.take = cut_before  # type: ignore[method-assign]
    if after:
        steps.take, steps.move = take, cut_after  # type: ignore[method-assign]
    try:
        with pytest.raises(Cut):
            work()
    finally:
        steps.take, steps.move = take, move  # type: ignore[method-assign]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_an_erasure_that_was_cut_off_is_completed(office: Office, step: str, *, after: bool) -> None:
    """Before any step, and after its work was done but not written down: resuming ends in the same, with one receipt."""
    if step == "prove" and after:
        pytest.skip("it is one transaction")
    office.tell(ACME, "whatsapp", said("whatsapp", "m1", SECRET), said("whatsapp", "m2", SECRET))
    gone = ids(office)
    stop_at(office, step, partial(office.ask, "DELETE", WHATSAPP), after=after)
    office.replica.restart()
    with offices(office.replica.databases) as [another]:
        [resumed] = another.desk.resume()
        assert resumed.answer is not None
        assert (resumed.answer.status, len(resumed.answer.receipts)) == ("COMPLETED", 1)
        with another.store.reading() as tx:
            [receipt] = seals.receipts_since(tx, "acme", 0)
        assert verify_receipt(receipt.receipt, SIGNING.public)["messages"]["count"] == 2
        assert (texts(another), rows_about(another, gone), another.keyring.keys("acme", gone)) == ([], {}, {})
        assert another.desk.resume() == []
        audit(another.store, "acme")


def test_a_request_that_fails_says_so_and_is_tried_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others go on."""
    office.tell(ACME, "whatsapp", said("whatsapp", "m1", SECRET))
    stop_at(office, "contents", partial(office.ask, "DELETE", WHATSAPP))
    with monkeypatch.context() as patch:
        patch.setattr(Eraser, "contents", lambda *_: 1 / 0)
        [failed] = office.desk.resume()
    assert isinstance(failed.error, ZeroDivisionError)
    assert [one.status for one in office.desk.all("acme")] == ["ERROR"]
    [resumed] = office.desk.resume()
    assert resumed.answer is not None
    assert resumed.answer.status == "COMPLETED"


def test_two_replicas_work_on_one_request(databases: Databases) -> None:
    """Both come to its end, there is one receipt and one act."""
    with offices(databases, 2) as both:
        both[0].tell(ACME, "whatsapp", *(said("whatsapp", f"m{n}", SECRET) for n in range(600)))
        gone = ids(both[0])
        asked = [partial(one.ask, "DELETE", WHATSAPP) for one in both]
        first, second = in_threads(*asked)
        assert (first.id, first.status, second.status) == (second.id, "COMPLETED", "COMPLETED")
        with both[0].store.reading() as tx:
            assert len(seals.receipts_since(tx, "acme", 0)) == 1
            assert len(told(tx, both[0].keyring, "acme")) == 1
        assert (texts(both[0]), rows_about(both[0], gone)) == ([], {})
        audit(both[0].store, "acme")


# -- races with intake ---------------------------------------------------------------------------------------


POINTS: Final[dict[str, tuple[Any, str]]] = {
    "nothing locked": (messages, "load"),
    "persons met": (Directory, "meet"),
    "messages written": (Register, "save"),
    "chain about to be locked": (decisions, "lock_end"),
}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("point", POINTS)
def test_who_writes_to_somebody_who_is_erased_meanwhile_meets_somebody_new(
    postgresql: Databases, monkeypatch: pytest.MonkeyPatch, point: str, *, after: bool
) -> None:
    """Wherever the writer is: nothing is sealed under the destroyed key, nothing acknowledged is lost."""
    with offices(postgresql, 2) as [writing, erasing]:
        writing.tell(ACME, "whatsapp", said("whatsapp", "m1", SECRET))
        gone = ids(writing)
        erased = threading.Event()

        def erase() -> None:
            erasing.ask("DELETE", WHATSAPP)
            erased.set()

        erasure = threading.Thread(target=erase)
        place_, name = POINTS[point]
        step, me = getattr(place_, name), threading.current_thread()
        writers: list[threading.Thread] = []

        def slow(*arguments: Any, **named: Any) -> Any:
            if threading.current_thread().name != "ledger" or writers:
                return step(*arguments, **named)
            writers.append(threading.current_thread())
            result = step(*arguments, **named) if after else None
            erasure.start()
            erased.wait(1)  # it may have to wait for us
            return result if after else step(*arguments, **named)

        monkeypatch.setattr(place_, name, slow)
        writing.tell(ACME, "whatsapp", said("whatsapp", "m2", "me again"))
        erasure.join(60)
        monkeypatch.undo()
        assert me is threading.current_thread()
        assert erased.is_set()
        left = ids(writing) - gone
        assert texts(writing) == (["me again"] if left else [])
        assert rows_about(writing, gone) == {}
        for conversation in left:
            assert writing.keyring.keys("acme", [conversation])
        audit(writing.store, "acme")


def test_an_erasure_while_its_person_goes_on_writing(databases: Databases) -> None:
    """Every message is acknowledged; what is there at the end opens, and nothing of before is."""
    with offices(databases, 2) as [writing, erasing]:
        writing.tell(ACME, "whatsapp", *(said("whatsapp", f"old{n}", SECRET) for n in range(50)))
        gone = ids(writing)
        answers: list[Answer] = []

        def write() -> None:
            with writing.replica.serving() as send:
                for number in range(60):
                    new = said("whatsapp", f"new{number}", "new")
                    answers.append(send(delivery(ACME, new)))

        in_threads(write, partial(erasing.ask, "DELETE", WHATSAPP))
        assert answers == [Answer.COMMITTED] * 60
        assert SECRET not in texts(writing)
        assert rows_about(writing, gone) == {}
        audit(writing.store, "acme")


def test_another_replica_forgets_the_key(databases: Databases) -> None:
    """It had opened it; at its next write it learns of the erasure."""
    with offices(databases, 2) as [writing, erasing]:
        writing.tell(ACME, "whatsapp", said("whatsapp", "m1", SECRET))
        gone = ids(writing)
        assert writing.keyring.keys("acme", gone)
        erasing.ask("DELETE", WHATSAPP)
        writing.tell(ACME, "x", said("x", "m9", "hello"))
        assert not writing.keyring.keys("acme", gone)


def test_an_erasure_costs_the_next_writer_one_look_and_nobody_after_it(databases: Databases) -> None:
    """Who writes asks the database nothing more than before there were erasures, but for the first time after one."""
    with offices(databases, 2) as [writing, erasing]:
        asked: list[str] = []
        event.listen(writing.store.engine, "before_cursor_execute", lambda *told_: asked.append(told_[2]))

        def statements(id_: str) -> int:
            asked.clear()
            writing.tell(ACME, "x", said("x", id_, "hello"))
            return len(asked)

        writing.tell(ACME, "x", said("x", "m1"), said("x", "m2"))
        writing.tell(ACME, "whatsapp", said("whatsapp", "m1", SECRET))
        before = statements("m3")
        erasing.ask("DELETE", WHATSAPP)
        assert [statements("m4"), statements("m5")] == [before + 1, before]


def test_what_is_committed_while_the_rows_go_is_erased_with_them(
    postgresql: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that found the person commits between the deletion and its end: the erasure sees it, and begins anew."""
    with offices(postgresql, 2) as [writing, erasing]:
        writing.tell(ACME, "whatsapp", said("whatsapp", "m1", SECRET))
        gone = ids(writing)
        removed, committed = threading.Event(), threading.Event()
        erasure = threading.Thread(target=partial(erasing.ask, "DELETE", WHATSAPP))
        meet, remove = Directory.meet, persons.remove

        def meet_then_wait(*arguments: Any) -> None:
            meet(*arguments)
            if threading.current_thread().name == "ledger" and not removed.is_set():
                erasure.start()
                assert removed.wait(30)

        def remove_then_wait(*arguments: Any) -> int:
            rows = remove(*arguments)
            removed.set()
            assert committed.wait(30)
            return rows

        monkeypatch.setattr(Directory, "meet", meet_then_wait)
        monkeypatch.setattr(persons, "remove", remove_then_wait)
        writing.tell(ACME, "whatsapp", said("whatsapp", "m2", "in between"))
        committed.set()
        erasure.join(60)
        assert (texts(writing), rows_about(writing, gone)) == ([], {})
        [answer] = writing.desk.all("acme")
        assert answer.status == "COMPLETED"
        audit(writing.store, "acme")
