"""Transcripts: what was kept of each conversation, whole, in order, and for its tenant alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest

from policies.event import DeliveryReported, DeliveryStatus, IdentityChanged, WatermarkReported
from policies.message import IdentifierKind, Media, MediaKind, MessageKind
from tests.databases import Databases
from tests.flows.harness import (
    ACCOUNTS,
    NOW,
    Replica,
    delivery,
    edit,
    message,
    person,
    replicas,
    tenant,
    unsend,
)
from worker.inbound import Governed
from worker.transcripts import UnknownConversation, conversations, export, iso, message_ref

ACME: Final = tenant()
GLOBEX: Final = tenant("globex")
SECOND: Final = 1_000_000
ANN: Final = person(IdentifierKind.PHONE, "15550123")
ANN_TOO: Final = person(IdentifierKind.BSUID, "US.77ann")


@pytest.fixture
def replica(databases: Databases) -> Iterator[Replica]:
    """A replica over a fresh store."""
    with replicas(databases) as [opened]:
        yield opened


def whole(replica: Replica, of: str = "acme", conversation: str | None = None) -> dict[str, Any]:
    """The export; it is JSON."""
    told = export(replica.store, replica.keyring, of, conversation)
    return dict(json.loads(json.dumps(told)))


def test_an_entry_shows_everything_that_was_kept(replica: Replica) -> None:
    """Field by field."""
    media = (Media(kind=MediaKind.IMAGE, id="55", mime_type="image/png"),)
    event = message(
        "wamid.1", "look", who=ANN, profile={"name": "Ann"}, details={"context": {"n": 1}}, at=NOW
    )
    content = msgspec.structs.replace(event.message.content, media=media)
    told = msgspec.structs.replace(
        event.message, content=content, reply_to="wamid.0", thread="t-1", standby=True, history=True
    )
    replica.tell(ACME, msgspec.structs.replace(event, message=told))
    [conversation] = whole(replica)["conversations"]
    [entry] = conversation.pop("entries")
    recorded = entry.pop("recorded_at")
    assert recorded.startswith("2026-09-21T14:13:20.")
    account = ACCOUNTS["whatsapp"]
    refs = [message_ref(replica.keyring, "acme", "whatsapp", account, f"wamid.{n}") for n in (0, 1)]
    assert entry == {
        "ref": refs[1],
        "id": "wamid.1",
        "connector": "whatsapp",
        "account": account,
        "kind": "text",
        "interaction": False,
        "direction": "inbound",
        "state": "stored",
        "withheld": False,
        "edits": 0,
        "occurred_at": "2026-09-21T14:13:20Z",
        "unsent_at": None,
        "text": "look",
        "media": [{"kind": "image", "id": "55", "mime_type": "image/png"}],
        "details": {"context": {"n": 1}},
        "profile": {"name": "Ann"},
        "thread": "t-1",
        "status": None,
        "status_at": None,
        "error_code": None,
        "reply_to": refs[0],
        "standby": True,
        "history": True,
    }
    assert conversation.pop("opened_at").startswith("2026-09-21T14:13:20.")
    assert conversation == {
        "id": conversation["id"],
        "connector": "whatsapp",
        "account": account,
        "identifiers": [{"kind": "phone", "value": "15550123"}],
        "linked": [],
        "delivered_until": None,
        "read_until": None,
    }


def test_entries_stand_in_the_order_of_their_own_times(replica: Replica) -> None:
    """Not in that of their arrival; interactions between the messages, and marked."""
    late, first = message("m2", "late", at=NOW + SECOND), message("m1", "first", at=NOW - SECOND)
    replica.tell(ACME, late, message("r1", "👍", at=NOW, kind=MessageKind.REACTION), first)
    [conversation] = whole(replica)["conversations"]
    found = [(entry["text"], entry["interaction"]) for entry in conversation["entries"]]
    assert found == [("first", False), ("👍", True), ("late", False)]


def test_an_unsent_message_shows_that_it_was(replica: Replica) -> None:
    """When it was sent and taken back, and nothing of what it said."""
    replica.tell(ACME, message("m1", "a secret", profile={"name": "Ann"}), unsend("m1", at=NOW + SECOND))
    [entry] = whole(replica)["conversations"][0]["entries"]
    assert (entry["state"], entry["unsent_at"]) == ("unsent", "2026-09-21T14:13:21Z")
    assert (entry["text"], entry["id"], entry["media"], entry["details"], entry["profile"]) == (
        *(None, None),
        *([], {}, {}),
    )


def test_an_edited_message_shows_its_last_version(replica: Replica) -> None:
    """And how often it was edited."""
    replica.tell(ACME, message("m1", "one"), edit("m1", "three", 2), edit("m1", "two", 1))
    [entry] = whole(replica)["conversations"][0]["entries"]
    assert (entry["text"], entry["edits"]) == ("three", 2)


def test_what_belongs_to_no_conversation_stands_apart(replica: Replica) -> None:
    """Tombstones and receipts of messages that never came; not in the export of one conversation."""
    report = DeliveryReported(
        account=ACCOUNTS["whatsapp"],
        message_id="m2",
        status=DeliveryStatus.FAILED,
        occurred_at=NOW + SECOND,
        error_codes=(131026,),
    )
    replica.tell(ACME, unsend("m1"), report, message("m3"))
    held = whole(replica)
    unsent, receipt = sorted(held["unattributed"], key=lambda entry: entry["state"], reverse=True)
    assert (unsent["state"], unsent["unsent_at"], unsent["text"]) == ("unsent", "2026-09-21T14:13:21Z", None)
    assert (receipt["state"], receipt["status"], receipt["error_code"]) == ("absent", "failed", 131026)
    assert receipt["status_at"] == "2026-09-21T14:13:21Z"
    [conversation] = held["conversations"]
    assert whole(replica, conversation=conversation["id"])["unattributed"] == []


def test_a_receipt_stands_with_its_message(replica: Replica) -> None:
    """Whichever came first."""
    read = DeliveryReported(
        account=ACCOUNTS["whatsapp"], message_id="m1", status=DeliveryStatus.READ, occurred_at=NOW
    )
    replica.tell(ACME, read)
    replica.tell(ACME, message("m1"))
    held = whole(replica)
    assert [entry["status"] for entry in held["conversations"][0]["entries"]] == ["read"]
    assert held["unattributed"] == []


def test_watermarks_only_rise(replica: Replica) -> None:
    """A late report of an earlier one changes nothing."""
    for until in (NOW + 2 * SECOND, NOW + SECOND):
        for status in (DeliveryStatus.DELIVERED, DeliveryStatus.READ):
            account = ACCOUNTS["facebook"]
            mark = WatermarkReported(account=account, person=ANN, status=status, until=until)
            replica.tell(ACME, mark, connector="facebook")
    [conversation] = whole(replica)["conversations"]
    expected = "2026-09-21T14:13:22Z"
    assert (conversation["delivered_until"], conversation["read_until"]) == (expected, expected)


def test_one_person_under_two_identifiers_is_linked(replica: Replica) -> None:
    """Two conversations that turn out to be with the same person name one another, however many links away."""
    third = person(IdentifierKind.PARENT_BSUID, "US.88")
    for id_, who in (("m1", ANN), ("m2", ANN_TOO), ("m3", third)):
        replica.tell(ACME, message(id_, who=who))
    assert [one["linked"] for one in whole(replica)["conversations"]] == [[], [], []]
    for before, after in ((ANN, ANN_TOO), (ANN_TOO, third)):
        same = IdentityChanged(account=ACCOUNTS["whatsapp"], before=before, after=after, occurred_at=NOW)
        replica.tell(ACME, same)
    found = whole(replica)["conversations"]
    ids = {one["id"] for one in found}
    assert [set(one["linked"]) for one in found] == [ids - {one["id"]} for one in found]
    assert [len(one["entries"]) for one in found] == [1, 1, 1]


def test_people_on_two_accounts_are_two_people(replica: Replica) -> None:
    """The same number on another connector is another conversation."""
    replica.tell(ACME, message("m1", who=ANN))
    replica.tell(ACME, message("m1", who=ANN, connector="facebook"), connector="facebook")
    held = whole(replica)["conversations"]
    assert sorted(one["connector"] for one in held) == ["facebook", "whatsapp"]
    assert len({one["entries"][0]["ref"] for one in held}) == 2


def test_tenants_see_their_own_alone(replica: Replica) -> None:
    """The same message ids and persons, and nothing in common: not a word, an id or a reference."""
    replica.tell(ACME, message("m1", "ours"), unsend("m9"))
    replica.tell(GLOBEX, message("m1", "theirs"), unsend("m9"))
    ours, theirs = whole(replica), whole(replica, "globex")
    assert ours["conversations"][0]["entries"][0]["text"] == "ours"
    assert theirs["conversations"][0]["entries"][0]["text"] == "theirs"

    def marks(held: dict[str, Any]) -> set[str]:
        refs = {entry["ref"] for entry in held["unattributed"]}
        return (
            refs
            | {one["id"] for one in held["conversations"]}
            | {entry["ref"] for one in held["conversations"] for entry in one["entries"]}
        )

    assert not marks(ours) & marks(theirs)
    with pytest.raises(UnknownConversation):
        whole(replica, conversation=theirs["conversations"][0]["id"])
    assert whole(replica, "nobody") == {"tenant": "nobody", "conversations": [], "unattributed": []}


@pytest.mark.parametrize("conversation", ["", "x", "0", "00", "ff" * 16, "g" * 32, "ff" * 400])
def test_a_conversation_that_is_not_there(replica: Replica, conversation: str) -> None:
    """However it is misspelt."""
    replica.tell(ACME, message("m1"))
    with pytest.raises(UnknownConversation):
        whole(replica, conversation=conversation)


def test_the_list_names_conversations_without_their_entries(replica: Replica) -> None:
    """In the order in which they were opened."""
    for number in range(3):
        replica.tell(ACME, message(f"m{number}", who=person(IdentifierKind.PHONE, f"1555{number}")))
    listed = conversations(replica.store, replica.keyring, "acme")
    assert [one["identifiers"][0]["value"] for one in listed] == ["15550", "15551", "15552"]
    assert [{**one, "entries": ...}.keys() for one in listed] == [
        one.keys() for one in whole(replica)["conversations"]
    ]


def test_what_may_not_be_kept_leaves_nobody_behind(replica: Replica) -> None:
    """A message that a rule drops opens no conversation and names nobody."""
    old = message("m1", at=1, who=ANN)
    replica.tell(ACME, old)
    replica.write(delivery(ACME, Governed(message("m2", who=ANN), dropped=True)))
    assert whole(replica) == {"tenant": "acme", "conversations": [], "unattributed": []}


def test_a_deleted_post_s_versions_stand_as_one(replica: Replica) -> None:
    """What is known of another id of a post stands with the post."""
    post = message("100", "v1", connector="x", also_known_as=("101",))
    better = edit("100", "v2", 1, connector="x", also_known_as=("101",))
    replica.tell(ACME, post, better, connector="x")
    [entry] = whole(replica)["conversations"][0]["entries"]
    assert (entry["id"], entry["text"], entry["edits"]) == ("100", "v2", 1)
    replica.tell(ACME, unsend("101", connector="x"), connector="x")
    held = whole(replica)
    assert [entry["state"] for entry in held["conversations"][0]["entries"]] == ["unsent"]
    assert held["unattributed"] == []


HOSTILE: Final = {
    "zero": "a\0b",
    "surrogate": "\ud800",
    "direction": "\u202eabc",
    "long": "x" * 200_000,
    "numbers": 10**30,
    "deep": [[[[[[[["x"]]]]]]]],
    "float": 1e308,
    "keys": {"": {"\0": 1}, "a": {"b": None}},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_whatever_was_said_is_exported(replica: Replica, case: str) -> None:
    """Values that a database, an encoder or a cipher could stumble over."""
    value = HOSTILE[case]
    text = value if isinstance(value, str) else None
    replica.tell(ACME, message("m1", text, details={"context": value}))
    replica.tell(ACME, message("m1", text, details={"context": value}))
    assert not replica.failures
    [entry] = whole(replica)["conversations"][0]["entries"]
    if case not in {"surrogate", "numbers"}:  # these are kept as near as they can be
        assert (entry["text"], entry["details"]) == (text, {"context": value})


@pytest.mark.parametrize("at", [2**62, -(2**62), 0, -1, 10**17])
def test_a_message_at_an_impossible_time(replica: Replica, at: int) -> None:
    """One message with an absurd time does not keep the others from being exported."""
    of = tenant("acme", oldest_days=10**9)
    replica.tell(of, message("m1", at=at), message("m2"))
    held = whole(replica)["conversations"][0]["entries"]
    assert sorted(entry["id"] for entry in held) == ["m1", "m2"]


def test_instants_are_utc() -> None:
    """In ISO 8601; none for none."""
    assert iso(NOW + 1) == "2026-09-21T14:13:20.000001Z"
    assert iso(None) is None
    assert iso(0) is None
