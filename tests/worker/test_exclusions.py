"""Of who is under 13 nothing is recorded, and what was is erased; a person confirms it or lifts it (PP-8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from policies.event import Event, IdentityChanged
from policies.message import Direction, Identifier, IdentifierKind
from tests.databases import Databases
from tests.flows.harness import NOW
from tests.worker.asking import ACCOUNTS, ACME, GLOBEX, PHONE, Office, allowed, offices, said
from tests.worker.handing_in import RECIPIENT, Desk, text
from worker.exclusions import EXCLUDING, MARKS, Mark, mark_reference
from worker.rights.excluding import erase_excluded
from worker.store import marks, people, suppressions
from worker.store.messages import contents
from worker.store.tables import Table
from worker.transcripts import export

SMS = "sms-twilio"


@pytest.fixture
def office(databases: Databases) -> Iterator[Office]:
    with offices(databases) as [opened]:
        yield opened


def texts(office: Office) -> set[str]:
    """Everything that any transcript of the tenant says."""
    found = export(office.store, office.keyring, "acme")
    return {entry["text"] for talk in found["conversations"] for entry in talk["entries"] if entry["text"]}


def last(office: Office) -> list[tuple[str, list[str], str]]:
    """Disposition, reasons and person of the last delivery's events."""
    return [
        (one.disposition.value, [reason.code.value for reason in one.reasons], one.person)
        for one in office.replica.committed[-1].settled
    ]


def marked(office: Office, of: str = "acme") -> list[str]:
    with office.store.reading() as tx:
        return [one.source for one in marks.all_of(tx, of, EXCLUDING)]


def rows_with(office: Office, canary: bytes) -> list[str]:
    """The tables in which something is readable that should not be."""
    with office.store.reading() as tx:
        return [
            table.name
            for table in Table.metadata.sorted_tables
            for row in tx.execute(select(table))
            if any(
                canary in (str(value).encode() if not isinstance(value, bytes) else value) for value in row
            )
        ]


def test_what_a_child_says_is_not_recorded_and_what_it_said_is_erased(office: Office) -> None:
    """From the declaration on; and on every channel of theirs, with their conversation and its key."""
    office.tell(ACME, "whatsapp", said("whatsapp", "w1", "hello there"))
    office.tell(ACME, SMS, said(SMS, "s1", "a text of mine"), allowed(SMS))
    office.tell(ACME, SMS, said(SMS, "s2", "I'm 11"))
    assert last(office) == [("dropped", ["not_recorded"], "")]
    assert erase_excluded(office.desk, office.tools) == 2
    assert texts(office) == set()
    with office.store.reading() as tx:
        assert tx.execute(select(people.conversations)).all() == []
        assert tx.execute(select(people.identifiers)).all() == []
        assert tx.execute(select(contents)).all() == []
    assert erase_excluded(office.desk, office.tools) == 0


def test_from_then_on_nothing_of_theirs_is(office: Office) -> None:
    """Whatever happens on whatever channel: nobody is met, nothing is kept, and the mark outlives the erasure."""
    office.tell(ACME, SMS, said(SMS, "s1", "ich bin erst 11"))
    erase_excluded(office.desk, office.tools)
    later: list[tuple[str, Event]] = [
        (SMS, said(SMS, "s2", "more")),
        (SMS, said(SMS, "s3", "an answer", direction=Direction.OUTBOUND)),
        (SMS, allowed(SMS)),
        ("whatsapp", said("whatsapp", "w1", "on another channel")),
    ]
    for connector, event in later:
        office.tell(ACME, connector, event)
        assert last(office)[0][2] == ""
    assert texts(office) == set()
    with office.store.reading() as tx:
        assert tx.execute(select(people.conversations)).all() == []
    assert marked(office) == ["declared"]


def test_within_one_delivery_too(office: Office) -> None:
    """What comes behind the declaration is not kept; what came before it is erased."""
    office.tell(ACME, SMS, said(SMS, "s1", "before"), said(SMS, "s2", "I'm 11"), said(SMS, "s3", "behind"))
    assert [what for what, *_ in last(office)] == ["stored", "dropped", "dropped"]
    erase_excluded(office.desk, office.tools)
    assert texts(office) == set()


def test_others_are_not_concerned(office: Office) -> None:
    """Neither another person, nor the same one at another tenant."""
    office.tell(ACME, SMS, said(SMS, "s1", "I'm 11"))
    other = (Identifier(kind=IdentifierKind.PHONE, value="+12025550190"),)
    office.tell(ACME, SMS, said(SMS, "s2", "my son is 11", who=other))
    office.tell(GLOBEX, SMS, said(SMS, "s3", "kept elsewhere"))
    erase_excluded(office.desk, office.tools)
    assert texts(office) == {"my son is 11"}
    assert marked(office, "globex") == []


def test_a_new_number_does_not_undo_it(office: Office) -> None:
    """What a child is newly known by is marked too."""
    office.tell(ACME, "whatsapp", said("whatsapp", "w1", "j'ai 11 ans"))
    before = (Identifier(kind=IdentifierKind.PHONE, value="12025550143"),)
    after = (Identifier(kind=IdentifierKind.PHONE, value="12025550191"),)
    change = IdentityChanged(account=ACCOUNTS["whatsapp"], before=before, after=after, occurred_at=NOW)
    office.tell(ACME, "whatsapp", change)
    office.tell(ACME, "whatsapp", said("whatsapp", "w2", "hello again", who=after))
    assert texts(office) == set()
    assert len(marked(office)) == 2


def test_a_stop_of_theirs_stands_all_the_same(office: Office) -> None:
    """Without an answer, which would make them known again."""
    office.tell(ACME, SMS, said(SMS, "s1", "I'm 11"))
    office.tell(ACME, SMS, said(SMS, "s2", "STOP"))
    with office.store.reading() as tx:
        [row] = tx.execute(select(suppressions.suppressions)).all()
        assert row.consent == "withdrawn"
        assert tx.execute(select(people.conversations)).all() == []


def test_nothing_readable_says_who_it_is(office: Office) -> None:
    """Neither number nor text stands in any column; the mark is a hash under a key of its own."""
    office.tell(ACME, SMS, said(SMS, "s1", "I'm 11. CANARY77"))
    for canary in (b"CANARY77", b"2025550143"):
        assert rows_with(office, canary) == []
    key = office.keyring.tenant_key("acme", MARKS)
    with office.store.reading() as tx:
        [one] = marks.all_of(tx, "acme", EXCLUDING)
    assert one.reference == mark_reference(key, IdentifierKind.PHONE, PHONE)
    assert one.reference == mark_reference(key, IdentifierKind.PHONE, PHONE.lstrip("+"))


def test_a_legal_hold_does_not_bring_it_back(office: Office) -> None:
    """Nothing was recorded, so there is nothing to hold: no conversation, and no content."""
    office.tell(ACME, SMS, said(SMS, "s1", "I'm 11"), said(SMS, "s2", "and more"))
    with office.store.reading() as tx:
        assert tx.execute(select(contents)).all() == []
        assert marks.everywhere(tx, Mark.ERASURE_DUE) == []


def test_texts_to_them_wait_for_a_person(databases: Databases) -> None:
    """Withheld with a reason that tells no more; others go."""
    desk = Desk(databases)
    key = desk.replica.keyring.tenant_key("acme", MARKS)
    known: Any = marks.Marked(
        reference=mark_reference(key, IdentifierKind.PHONE, RECIPIENT),
        mark=Mark.UNDER_13,
        source="declared",
        marked_at=NOW,
    )
    with desk.replica.store.transaction() as tx:
        marks.add(tx, "acme", [known])
    answer = desk.told(text())
    assert (answer.verdict, [one.code for one in answer.reasons]) == ("quarantined", ["excluded_recipient"])
    assert desk.told(text(recipient="+12025550199")).verdict == "accepted"
    desk.close()
