"""Consents come from channels, over the interface and from files; the latest word stands, and says how it was learnt (PP-4)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest

from policies.event import Consent, Event
from policies.message import Identifier, IdentifierKind
from policies.sensitive.marks import marks
from tests.databases import Databases
from tests.flows.harness import NOW, Replica, delivery, edit, message, replicas, tenant
from tests.worker.asking import SIGNING
from tests.worker.handing_in import Desk
from worker.api.access import Caller
from worker.api.calls import Asked, Services, Told
from worker.api.consents import RECORD, ConsentResults
from worker.api.errors import SENTENCES
from worker.api.models import Problems
from worker.consents import ConsentBook, granted
from worker.consents import Told as Consented
from worker.consents import given as standing
from worker.rights.steps import Tools
from worker.simulation import simulate
from worker.store import messages, people, suppressions
from worker.stored import stored_messages

ACME = tenant()
WHO = Identifier(kind=IdentifierKind.PHONE, value="15550123")
SICK = "I was in hospital with diabetes, CANARY3"


@pytest.fixture
def replica(databases: Databases) -> Iterator[Replica]:
    with replicas(databases) as [opened]:
        yield opened


def consented(category: str = "sensitive_health", consent: str = "granted", at: int = NOW) -> Consented:
    return Consented(
        connector="whatsapp",
        account="106540",
        person=WHO,
        category=category,
        consent=Consent(consent),
        at=at,
    )


def tell(replica: Replica, *told: Consented, source: str = "api") -> None:
    ConsentBook(replica.store, replica.keyring, replica.clock).record(ACME, told, source)


def shown(replica: Replica) -> list[tuple[str, str, str]]:
    with replica.store.reading() as tx:
        return [(one.category, one.consent, one.source) for one in standing(tx, "acme")]


def withheld(replica: Replica) -> list[frozenset[str]]:
    with replica.store.reading() as tx:
        return [one.withheld for one in stored_messages(tx, replica.keyring, "acme")]


def parts(replica: Replica) -> list[dict[str, Any]]:
    """What is sealed of every message, by name."""
    with replica.store.reading() as tx:
        found = []
        for row in tx.execute(messages.messages.select()):
            key = replica.keyring.keys("acme", [row.conversation])[row.conversation]
            sealed = messages.read_contents(tx, "acme", [row.content])[row.content]
            opened = messages.open_parts(key.cipher, "acme", row.key, sealed)
            found.append({name: part.value for name, part in opened.items()})
        return found


# --- records ---------------------------------------------------------------------------------------------------------------


def test_the_latest_word_stands_in_any_order(replica: Replica) -> None:
    """Of two at once the withdrawal; each category for itself; and it says how it was learnt."""
    words = [("granted", NOW, "api"), ("withdrawn", NOW + 2, "import"), ("granted", NOW + 1, "api")]
    for number, order in enumerate(permutations(words)):
        for consent, at, source in order:
            tell(replica, consented(f"word{number}", consent, at), source=source)
    assert shown(replica) == [(f"word{number}", "withdrawn", "import") for number in range(6)]
    tell(replica, consented("both", "granted"), consented("both", "withdrawn"))
    assert ("both", "withdrawn", "api") in shown(replica)


def test_each_is_a_decision_on_the_record(replica: Replica) -> None:
    told: list[Any] = []
    book = ConsentBook(replica.store, replica.keyring, replica.clock, told.extend)
    book.record(ACME, [consented()], "api")
    [committed] = told
    [settled] = committed.settled
    assert (settled.event, settled.disposition.value, committed.sequence) == ("consent", "stored", 1)


def test_a_consent_to_something_else_lifts_no_opt_out(databases: Databases) -> None:
    """Only one that is about texts does: a yes to anything else is none to them."""
    desk = Desk(databases)
    book = ConsentBook(desk.replica.store, desk.replica.keyring, lambda: desk.now)
    sms: dict[str, Any] = {
        "connector": "sms-console",
        "account": "+12025550123",
        "person": Identifier(kind=IdentifierKind.PHONE, value="+12025550143"),
    }
    out = Consented(**sms, category="sms", consent=Consent.WITHDRAWN, at=desk.now - 5)
    book.record(desk.tenant, [out], "import")
    book.record(
        desk.tenant,
        [Consented(**sms, category="sensitive_health", consent=Consent.GRANTED, at=desk.now)],
        "import",
    )
    with desk.replica.store.reading() as tx:
        assert [row.consent for row in tx.execute(suppressions.suppressions.select())] == ["withdrawn"]
    desk.close()


def test_a_yes_counts_for_the_person_in_all_their_conversations(replica: Replica) -> None:
    """And a later no in one of them as well."""
    bsuid = Identifier(kind=IdentifierKind.BSUID, value="US.777")
    for id_, who in (("m1", (WHO,)), ("m2", (bsuid,)), ("m3", (WHO, bsuid))):
        replica.tell(ACME, message(id_, "hello", who=who))
    with replica.store.reading() as tx:
        talks = [row.id for row in tx.execute(people.conversations.select())]
    assert len(talks) == 2

    def allowed() -> list[bool]:
        with replica.store.reading() as tx:
            return ["sensitive_health" in granted(tx, "acme", one) for one in talks]

    tell(replica, consented())
    assert allowed() == [True, True]
    no = Consented(
        connector="whatsapp",
        account="106540",
        person=bsuid,
        category="sensitive_health",
        consent=Consent.WITHDRAWN,
        at=NOW + 1,
    )
    tell(replica, no)
    assert allowed() == [False, False]


# --- what is sensitive -----------------------------------------------------------------------------------------------------


def test_marks_are_a_part_of_what_is_sealed(replica: Replica) -> None:
    """By category; nothing of them is in any column, log line or decision; nothing at all on X."""
    replica.tell(ACME, message("m1", SICK), message("m2", "where is my order"))
    x = message("m3", SICK, connector="x", who=(Identifier(kind=IdentifierKind.X_ID, value="77"),))
    replica.write(delivery(ACME, x, connector="x"))
    found = {one["id"]: one.get("marks") for one in parts(replica)}
    assert found == {"m1": ["health"], "m2": None, "m3": None}
    assert "health" not in json.dumps([str(one) for one in replica.committed])
    with replica.store.reading() as tx:
        for table in (messages.messages, people.consents, people.conversations):
            assert "health" not in str(tx.execute(table.select()).all())


@pytest.mark.parametrize("late", [False, True])
def test_an_edit_takes_the_mark_along(replica: Replica, late: bool) -> None:  # noqa: FBT001
    """What is not said any more is not marked any more, whichever comes first."""
    told: list[Event] = [message("m1", SICK), edit("m1", "I was away")]
    for event in told[::-1] if late else told:
        replica.tell(ACME, event)
    assert [(one["text"], one["marks"]) for one in parts(replica)] == [("I was away", [])]


def test_what_is_sensitive_is_not_used_without_consent(replica: Replica) -> None:
    """A simulation looks at it only when the person allowed that; at the rest always."""
    replica.tell(ACME, message("m1", SICK), message("m2", "where is my order"))

    def looked_at() -> tuple[int, int]:
        with replica.store.reading() as tx:
            found = simulate(tx, replica.keyring, ACME, ACME, NOW)
        return found.messages, found.withheld

    assert looked_at() == (1, 1)
    tell(replica, consented("sensitive_crime"))
    assert looked_at() == (1, 1)
    tell(replica, consented())
    assert looked_at() == (2, 0)
    tell(replica, consented(consent="withdrawn", at=NOW + 1))
    assert looked_at() == (1, 1)
    tell(replica, consented("sensitive_data", at=NOW + 1))
    assert looked_at() == (2, 0)


def test_what_was_kept_before_there_were_marks_is_withheld_too(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at when it is to be used."""
    monkeypatch.setattr("worker.settle.marks", lambda _message: ())
    replica.tell(ACME, message("m1", SICK))
    assert [one.get("marks") for one in parts(replica)] == [None]
    assert withheld(replica) == [{"health"}]
    assert marks(message("m1", SICK).message)


# --- over the interface ----------------------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "connector": "whatsapp",
    "account": "106540",
    "person": {"kind": "phone", "value": "15550123"},
    "category": "sensitive_health",
    "consent": "granted",
    "given_at": "2026-09-01T08:00:00Z",
}
BAD: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"connector": "telex"}, [("connector", "unknown_connector")]),
    ({"account": "999"}, [("account", "unknown_account")]),
    ({"consent": "perhaps"}, [("consent", "not_a_choice")]),
    ({"category": "sensitive_hobbies"}, [("category", "not_a_category")]),
    ({"category": "Health!"}, [("category", "not_a_category")]),
    ({"given_at": "yesterday"}, [("given_at", "not_a_time")]),
    ({"given_at": "2026-09-01T08:00:00"}, [("given_at", "no_offset")]),
    ({"given_at": "2126-09-01T08:00:00Z"}, [("given_at", "lies_ahead")]),
    ({"person": {"kind": "phone", "value": ""}}, [("person.value", "empty")]),
    ({"person": {"kind": "shoe", "value": "1"}}, [("person.kind", "not_a_choice")]),
    ({"person": None}, [("person", "wrong_type")]),
    ({"secret": 1}, [("(unknown)", "unknown_field")]),
]


def asked(replica: Replica, body: Any) -> Told:
    tools = Tools(store=replica.store, keyring=replica.keyring, signing=SIGNING, clock=lambda: NOW)
    outbound: Any = None
    services = Services(store=replica.store, keyring=replica.keyring, outbound=outbound, rights=tools)
    caller = Caller(tenant="acme", key="0", label="a test", scopes=frozenset({"rights"}))
    return RECORD.work(services, Asked(tenant=ACME, caller=caller, id="", body=json.dumps(body).encode()))


def results(told: Told) -> list[tuple[int, list[tuple[str, str]]]]:
    assert isinstance(told.body, ConsentResults)
    return [(one.status, [(wrong.field, wrong.code) for wrong in one.errors]) for one in told.body.results]


def test_each_of_several_has_its_own_result(replica: Replica) -> None:
    """One that is wrong costs the others nothing, and no value is repeated."""
    told = asked(replica, {"consents": [GOOD, *(GOOD | change for change, _ in BAD)]})
    assert told.status == 200
    assert results(told) == [(200, []), *((422, wrong) for _, wrong in BAD)]
    assert shown(replica) == [("sensitive_health", "granted", "api")]
    assert "telex" not in str(told.body)
    assert {code for _, wrong in BAD for _, code in wrong} <= SENTENCES.keys()


@pytest.mark.parametrize(
    "body", [[], {}, {"consents": []}, {"consents": "all"}, GOOD, {"consents": [1] * 1001}]
)
def test_what_is_no_list_of_consents_changes_nothing(replica: Replica, body: Any) -> None:
    told = asked(replica, body)
    assert told.status == 422
    assert isinstance(told.body, Problems)
    assert shown(replica) == []
