"""Who a request is about, what an export holds, and what is corrected: one person's data, all of it, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.event import IdentityChanged, MessageEdited
from policies.message import Direction, Identifier, IdentifierKind, Media, MediaKind
from tests.databases import Databases, Provisioner
from tests.flows.harness import NOW
from tests.worker.asking import (
    ACCOUNTS,
    ACME,
    GLOBEX,
    PEOPLE,
    PHONE,
    Office,
    offices,
    outcomes,
    request,
    said,
    tenant,
)
from tests.worker.handing_in import Desk as Texts
from tests.worker.handing_in import text
from worker.acts import Operator
from worker.rights.attending import attend
from worker.rights.desk import Arrival
from worker.rights.errors import RightsRefused
from worker.store import callbacks
from worker.store.callbacks import find_callback, record_callback

WHATSAPP: Final = PEOPLE["whatsapp"].subject


@pytest.fixture
def office(databases: Databases) -> Iterator[Office]:
    """A desk over a fresh store."""
    with offices(databases) as [one]:
        yield one


def who(kind: IdentifierKind, *values: str) -> tuple[Identifier, ...]:
    """Somebody."""
    return tuple(Identifier(kind=kind, value=value) for value in values)


def known_as(phone: str = "", bsuid: str = "") -> tuple[Identifier, ...]:
    """Somebody on WhatsApp."""
    given = ((IdentifierKind.PHONE, phone), (IdentifierKind.BSUID, bsuid))
    return tuple(Identifier(kind=kind, value=value) for kind, value in given if value)


def told(office: Office, subject: dict[str, Any], of: str = "acme") -> list[str]:
    """The texts of a person's export."""
    whole = office.exported(subject, of)
    return sorted(one["text"] for talk in whole["conversations"] for one in talk["messages"])


def refused(
    office: Office, subject: dict[str, Any], kind: str = "EXPORT", *terms: tuple[str, str, str]
) -> str:
    """The code with which a request is refused; nothing is recorded of it."""
    with pytest.raises(RightsRefused) as error:
        office.ask(kind, subject, *terms)
    assert office.desk.all("acme") == []
    return error.value.code


# -- who -----------------------------------------------------------------------------------------------------


def test_a_number_that_changed_leads_to_what_was_said_before(office: Office) -> None:
    """By either number, and to the SMS under the only one that is known."""
    old, new = who(IdentifierKind.PHONE, "12025550143"), who(IdentifierKind.PHONE, "12025550188")
    office.tell(ACME, "whatsapp", said("whatsapp", "m1", "before", who=old))
    changed = IdentityChanged(account=ACCOUNTS["whatsapp"], before=old, after=new, occurred_at=NOW)
    office.tell(ACME, "whatsapp", changed, said("whatsapp", "m2", "after", who=new))
    office.tell(ACME, "sms-console", said("sms-console", "m3", "a stranger by now"))
    assert told(office, {"phoneNumbers": ["+12025550188"]}) == ["after", "before"]


def test_an_id_leads_to_the_number_and_the_number_to_other_channels(office: Office) -> None:
    """Fragments of one person are put together; how they are known is told."""
    office.tell(ACME, "whatsapp", said("whatsapp", "m1", "chat", who=known_as("12025550143", "US.77")))
    office.tell(ACME, "sms-console", said("sms-console", "m2", "text"))
    assert told(office, {"externalId": "US.77"}) == ["chat", "text"]
    [first, *_] = office.exported({"externalId": "US.77"})["conversations"]
    assert {(one["kind"], one["value"]) for one in first["identifiers"]} == {
        ("phone", "12025550143"),
        ("bsuid", "US.77"),
    }


@pytest.mark.parametrize(
    ("connector", "social"), [("facebook", "FACEBOOK"), ("instagram", "INSTAGRAM"), ("x", "TWITTER")]
)
def test_a_handle_is_looked_for_in_what_was_said(office: Office, connector: str, social: str) -> None:
    """Also a former one; whatever its case, with or without its sign, on its own platform alone."""
    office.tell(
        ACME,
        connector,
        said(connector, "m1", "old name", profile={"username": "Zed_77"}),
        said(connector, "m2", "new name", profile={"username": "zoe"}),
        said(connector, "m3", "another", who=who(PEOPLE[connector].kind, "5"), profile={"username": "zed"}),
    )
    for handle in ("zed_77", "@ZED_77", "Zoe"):
        assert told(office, {"socialHandle": {"type": social, "value": handle}}) == ["new name", "old name"]
    other = "TWITTER" if social != "TWITTER" else "INSTAGRAM"
    with pytest.raises(RightsRefused, match="knows nobody"):
        office.ask("EXPORT", {"socialHandle": {"type": other, "value": "zed_77"}})


def test_a_handle_that_two_persons_used_is_nobody_s(office: Office) -> None:
    """Handles are given away and taken up again: whose data it is has to be said by an id."""
    for number in ("1", "2"):
        person = who(IdentifierKind.IGSID, f"88{number}")
        office.tell(
            ACME, "instagram", said("instagram", f"m{number}", who=person, profile={"username": "zed"})
        )
    assert refused(office, {"socialHandle": {"type": "INSTAGRAM", "value": "zed"}}) == "ambiguous_handle"


def test_contradictory_identifiers_are_refused(office: Office) -> None:
    """A number and an id of two different persons; nothing is changed."""
    office.tell(
        ACME,
        "whatsapp",
        said("whatsapp", "m1", "ann", who=known_as("12025550143", "US.1")),
        said("whatsapp", "m2", "ben", who=known_as("12025550188", "US.2")),
    )
    for kind in ("EXPORT", "DELETE"):
        assert refused(office, {"phoneNumbers": [PHONE], "externalId": "US.2"}, kind) == "contradictory"
    both = {"phoneNumbers": [PHONE, "+12025550188"], "externalId": "US.2"}
    assert told(office, both) == ["ann", "ben"]


def test_a_name_leads_to_nobody(office: Office) -> None:
    """It is a hint; what is not found is told for each identifier."""
    office.tell(ACME, "whatsapp", said("whatsapp", "m1", "ann", profile={"name": "Ann"}))
    subject = {
        "name": "Ann",
        "phoneNumbers": [PHONE, "+12025550188"],
        "emailAddresses": ["ann@example.com"],
        "userId": "u-1",
    }
    assert outcomes(office.ask("EXPORT", subject)) == {
        "name": "hint",
        "phoneNumbers[0]": "exported",
        "phoneNumbers[1]": "not_found",
        "emailAddresses[0]": "not_found",
        "userId": "not_found",
    }


def test_another_tenant_s_person_is_nobody_here(office: Office) -> None:
    """Refused like somebody who never was, and nothing is recorded."""
    office.tell(GLOBEX, "whatsapp", said("whatsapp", "m1", "theirs"))
    for kind in ("EXPORT", "DELETE"):
        assert refused(office, WHATSAPP, kind) == "nobody_found"
    assert told(office, WHATSAPP, "globex") == ["theirs"]


def test_a_dry_run_counts_and_changes_nothing(office: Office) -> None:
    """And refuses what would be refused."""
    office.tell(ACME, "whatsapp", said("whatsapp", "m1", "one"), said("whatsapp", "m2", "two"))
    arrival = Arrival(operator=Operator(name="-", why="-"))
    answer = office.desk.count("acme", request("DELETE", WHATSAPP), arrival)
    assert (answer.counts.messages, answer.counts.conversations, outcomes(answer)) == (
        *(2, 1),
        {"phoneNumbers[0]": "found"},
    )
    with pytest.raises(RightsRefused, match="knows nobody"):
        office.desk.count("acme", request("DELETE", {"phoneNumbers": ["+12025550188"]}), arrival)
    assert office.desk.all("acme") == []
    assert told(office, WHATSAPP) == ["one", "two"]


# -- what an export holds ------------------------------------------------------------------------------------


def test_an_export_holds_content_attachments_by_reference_and_decisions(office: Office) -> None:
    """What was decided, by which rule and clause; ids and references, no bytes."""
    media = (Media(kind=MediaKind.IMAGE, id="55", url="https://scontent.xx.fbcdn.net/a.jpg"),)
    office.tell(ACME, "whatsapp", said("whatsapp", "m1", "look", media=media, profile={"name": "Zed"}))
    whole = office.exported(WHATSAPP)
    [talk] = whole["conversations"]
    [message] = talk["messages"]
    assert (message["text"], message["profile"], message["media"][0]["kind"]) == (
        "look",
        {"name": "Zed"},
        "image",
    )
    [decided] = whole["decisions"]
    assert (decided["ref"], decided["event"], decided["disposition"]) == (message["ref"], "message", "stored")
    assert (whole["format"], whole["tenant"]) == ("sluicegate export 1", "acme")


def test_who_of_the_tenant_submitted_a_text_is_not_in_it(office: Office) -> None:
    """That is another person's data; what the text was for is told, and why it was judged so."""
    desk = Texts(office.replica.databases)
    try:
        desk.one(text("Your table is ready.", campaign="tables"))
    finally:
        desk.close()
    whole = office.exported({"phoneNumbers": [PHONE]})
    [message] = whole["conversations"][0]["messages"]
    assert message["details"]["submission"] == {"purpose": "transactional", "campaign": "tables"}
    assert "Jane Roe" not in json.dumps(whole)
    assert [one["disposition"] for one in whole["decisions"]] == ["queued"]


CONNECTORS: Final = tuple(PEOPLE)
_spoken = st.lists(
    st.tuples(
        st.sampled_from(["acme", "globex"]),
        st.sampled_from(CONNECTORS),
        st.integers(0, 2),
        st.sampled_from(list(Direction)),
    ),
    min_size=1,
    max_size=25,
)


@pytest.fixture(scope="module")
def shared(provisioner: Provisioner) -> Iterator[Office]:
    """A desk for many examples, which keep apart by tenant."""
    with provisioner.lent("sqlite") as lent, offices(lent) as [one]:
        yield one


_examples = iter(range(10_000))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_spoken, st.integers(0, 2))
def test_an_export_is_one_person_s_and_one_tenant_s(
    shared: Office, spoken: list[tuple[str, str, int, Direction]], asked: int
) -> None:
    """Whoever talks with whom: it holds all that the person has with this tenant, and not a word of anybody else's."""
    number = next(_examples)
    names = {name: f"{name}{number}" for name in ("acme", "globex")}
    tenants = {name: tenant(id_) for name, id_ in names.items()}
    for at, (name, connector, person, direction) in enumerate(spoken):
        value = f"{'' if connector == 'whatsapp' else '+'}1202555019{person}"
        words = f"words of {name} {person} {'social' if connector in _SOCIAL else 'phone'} {at}"
        kind = PEOPLE[connector].kind
        event = said(connector, f"m{at}", words, who=who(kind, value), direction=direction)
        shared.tell(tenants[name], connector, event)
    subject = {"phoneNumbers": [f"+1202555019{asked}"]}
    expected = sorted(
        f"words of acme {person} phone {at}"
        for at, (name, connector, person, _) in enumerate(spoken)
        if (name, person) == ("acme", asked) and connector not in _SOCIAL
    )
    if expected:
        assert told(shared, subject, names["acme"]) == expected
    else:
        with pytest.raises(RightsRefused, match="knows nobody"):
            shared.ask("EXPORT", subject, of=names["acme"])


_SOCIAL: Final = {"facebook", "instagram", "x"}


# -- correcting ----------------------------------------------------------------------------------------------


def profiles(office: Office, subject: dict[str, Any]) -> list[dict[str, str]]:
    """How the person is called in each message."""
    [talk] = office.exported(subject)["conversations"]
    return [one["profile"] for one in talk["messages"]]


def test_names_and_handles_are_corrected_and_words_are_not(office: Office) -> None:
    """Only where they are as the request says; what was said stays, whoever's name stands in it."""
    old = {"name": "Zed Zander", "username": "zed"}
    office.tell(
        ACME,
        "instagram",
        said("instagram", "m1", "I am Zed Zander", profile=old),
        said("instagram", "m2", "hi", at=NOW + 1, profile={"name": "Zeddy", "username": "zed"}),
    )
    subject = PEOPLE["instagram"].subject
    answer = office.ask(
        "UPDATE", subject, ("NAME", "Zed Zander", "Zoe Zander"), ("INSTAGRAM", "@zed", "@zoe")
    )
    assert (answer.status, answer.counts.messages, outcomes(answer)) == (
        *("COMPLETED", 2),
        {"socialHandle": "rectified"},
    )
    expected = [{"name": "Zoe Zander", "username": "zoe"}, {"name": "Zeddy", "username": "zoe"}]
    assert profiles(office, subject) == expected
    assert "I am Zed Zander" in told(office, subject)


def test_what_comes_again_does_not_undo_a_correction_and_an_edit_does(office: Office) -> None:
    """A duplicate is old news; what the platform says later is new."""
    event = said("whatsapp", "m1", "hello", profile={"name": "Zzz"})
    office.tell(ACME, "whatsapp", event)
    office.ask("UPDATE", WHATSAPP, ("NAME", "Zzz", "Ann"))
    office.tell(ACME, "whatsapp", event)
    assert profiles(office, WHATSAPP) == [{"name": "Ann"}]
    edited = said("whatsapp", "m1", "hello!", profile={"name": "Annie"})
    office.tell(
        ACME, "whatsapp", MessageEdited(account=edited.account, message=edited.message, edit_number=1)
    )
    assert profiles(office, WHATSAPP) == [{"name": "Annie"}]


def test_a_new_number_leads_to_the_same_person(office: Office) -> None:
    """On every channel where the old one did; both find all of it."""
    for connector in ("whatsapp", "sms-console"):
        office.tell(ACME, connector, said(connector, "m1", connector))
    answer = office.ask("UPDATE", WHATSAPP, ("PHONE", "+1 202 555 0143", "+1 202 555 0188"))
    assert answer.counts.identifiers == 2
    office.tell(ACME, "whatsapp", said("whatsapp", "m2", "new", who=who(IdentifierKind.PHONE, "12025550188")))
    for number in (PHONE, "+12025550188"):
        assert told(office, {"phoneNumbers": [number]}) == ["new", "sms-console", "whatsapp"]


def test_a_new_number_that_is_somebody_else_s_joins_nobody(office: Office) -> None:
    """Both have an id of their own."""
    office.tell(
        ACME,
        "whatsapp",
        said("whatsapp", "m1", "ann", who=known_as("12025550143", "US.1")),
        said("whatsapp", "m2", "ben", who=known_as("12025550188", "US.2")),
    )
    terms = ("PHONE", "+12025550143", "+12025550188")
    assert refused(office, WHATSAPP, "UPDATE", terms) == "contradictory"
    assert told(office, WHATSAPP) == ["ann"]


# -- Meta's callbacks ----------------------------------------------------------------------------------------


def test_a_data_deletion_callback_becomes_a_request_and_its_page_follows(office: Office) -> None:
    """Whoever is known by the id is erased; for whom nobody is, that is the answer. No guess, and no id is left."""
    office.tell(ACME, "facebook", said("facebook", "m1", "hello"))
    codes = {
        user: record_callback(
            office.store,
            office.keyring,
            tenant="acme",
            connector="facebook",
            kind=kind,
            user_id=user,
            issued_at=NOW,
            now=NOW,
        )
        for user, kind in (
            (PEOPLE["facebook"].value, "data-deletion"),
            ("404404", "data-deletion"),
            ("505505", "deauthorize"),
        )
    }
    attend(office.desk, office.tools)
    pages = {user: find_callback(office.store, "acme", code).status for user, code in codes.items()}  # type: ignore[union-attr]
    assert list(pages.values()) == ["completed", "completed", "received"]
    answers = office.desk.all("acme")
    assert sorted(outcomes(one)["externalId"] for one in answers) == ["erased", "not_found"]
    assert {one.source for one in answers} == {"meta_callback"}
    assert attend(office.desk, office.tools).resumed == ()
    with office.store.reading() as tx:
        rows = tx.execute(callbacks.callbacks.select().where(callbacks.callbacks.c.status == "completed"))
        assert {row.sealed for row in rows} == {b""}
