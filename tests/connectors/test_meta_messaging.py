"""Items of Messenger and Instagram: who spoke with whom, when, what was taken back, and under which id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from connectors.facebook import webhook as facebook
from connectors.instagram import webhook as instagram
from policies.event import (
    ConsentChanged,
    DeliveryReported,
    Event,
    MessageEdited,
    MessageReceived,
    MessageUnsent,
    Noted,
    Unrecognised,
)
from policies.message import (
    Channel,
    Direction,
    Identifier,
    IdentifierKind,
    Json,
    Message,
    MessageKind,
)

NOW = 1_790_000_000_000_000
ACCOUNT = "17841499900000009"
PERSON = "6600000000000009"
CANARY = "kanarienvogel"


def item(**keys: Json) -> dict[str, Json]:
    return {"sender": {"id": PERSON}, "recipient": {"id": ACCOUNT}, "timestamp": 1_790_000_000_000} | keys


def delivery(*items: Json, **entry: Json) -> Json:
    return {
        "object": "instagram",
        "entry": [{"id": ACCOUNT, "time": 1_790_000_000_500, "messaging": list(items)} | entry],
    }


def events(*items: Json, **entry: Json) -> list[Event]:
    return list(instagram.parse(delivery(*items, **entry), NOW))


def event(raw: Json, **entry: Json) -> Any:
    (only,) = events(raw, **entry)
    return only


def message(raw: Json, **entry: Json) -> Message:
    received = event(raw, **entry)
    assert isinstance(received, MessageReceived)
    return received.message


def encoded(found: list[Event]) -> str:
    return msgspec.json.encode(found).decode()


# Who spoke with whom


@pytest.mark.parametrize(
    ("sender", "recipient", "flags", "entry_id", "direction", "person", "account"),
    [
        (PERSON, ACCOUNT, {}, ACCOUNT, "inbound", PERSON, ACCOUNT),
        (ACCOUNT, PERSON, {"is_echo": True}, ACCOUNT, "outbound", PERSON, ACCOUNT),
        (ACCOUNT, PERSON, {"is_echo": "true"}, ACCOUNT, "outbound", PERSON, ACCOUNT),
        (ACCOUNT, PERSON, {}, ACCOUNT, "outbound", PERSON, ACCOUNT),
        (ACCOUNT, PERSON, {"is_echo": False}, ACCOUNT, "outbound", PERSON, ACCOUNT),
        (PERSON, ACCOUNT, {"is_echo": False}, ACCOUNT, "inbound", PERSON, ACCOUNT),
        (PERSON, ACCOUNT, {"is_echo": True}, ACCOUNT, "outbound", PERSON, ACCOUNT),
        (ACCOUNT, ACCOUNT, {"is_self": True}, ACCOUNT, "outbound", ACCOUNT, ACCOUNT),
        (PERSON, ACCOUNT, {}, None, "inbound", PERSON, ACCOUNT),
        (ACCOUNT, PERSON, {"is_echo": True}, None, "outbound", PERSON, ACCOUNT),
        (ACCOUNT, PERSON, {"is_self": True}, None, "outbound", PERSON, ACCOUNT),
        (PERSON, "another", {}, ACCOUNT, "inbound", PERSON, ACCOUNT),
        (int(PERSON), int(ACCOUNT), {}, int(ACCOUNT), "inbound", PERSON, ACCOUNT),
    ],
)
def test_direction_person_and_account(
    sender: Json,
    recipient: Json,
    flags: dict[str, Json],
    entry_id: Json,
    direction: str,
    person: str,
    account: str,
) -> None:
    """An echo is told by its flag or by its sender; the person is whoever is not the account."""
    raw = item(sender={"id": sender}, recipient={"id": recipient}, message={"mid": "m", "text": "x"} | flags)
    found = message(raw, id=entry_id)
    assert (found.direction, found.account) == (direction, account)
    assert [one.value for one in found.person] == [person]


def test_an_echo_may_be_flagged_beside_its_message() -> None:
    """Without the account's id on the entry only the flag tells the direction."""
    raw = item(sender={"id": ACCOUNT}, recipient={"id": PERSON}, is_echo=True, message={"mid": "m"})
    found = message(raw, id=None)
    assert (found.direction, found.account) == (Direction.OUTBOUND, ACCOUNT)


def test_a_profile_is_the_persons_and_never_the_accounts() -> None:
    """Names stand on the sender, who is the account in an echo."""
    named = {"name": CANARY, "username": "kana", "picture": "https://pictures.example/k.jpg"}
    inbound = message(item(sender={"id": PERSON} | named, message={"mid": "m"}))
    echo = message(item(sender={"id": ACCOUNT} | named, recipient={"id": PERSON}, message={"mid": "m"}))
    assert inbound.content.profile == {"name": CANARY, "username": "kana"}
    assert echo.content.profile == {}


@pytest.mark.parametrize(
    ("parse", "object_name", "channel", "kind"),
    [
        (facebook.parse, "page", Channel.FACEBOOK, IdentifierKind.PSID),
        (instagram.parse, "instagram", Channel.INSTAGRAM, IdentifierKind.IGSID),
    ],
)
def test_each_channel_answers_to_its_object_alone(
    parse: Callable[..., Iterator[Event]], object_name: str, channel: Channel, kind: IdentifierKind
) -> None:
    """A delivery for another object becomes one shape, whatever stands in it."""
    body = delivery(item(message={"mid": "m", "text": "x"}))
    (received,) = parse(body | {"object": object_name}, NOW)
    assert isinstance(received, MessageReceived)
    assert received.message.channel is channel
    assert received.message.person == (Identifier(kind=kind, value=PERSON),)
    for foreign in ("", "user", "whatsapp_business_account", "Page", None, 7, ["page"], {"page": 1}):
        (shape,) = parse(body | {"object": foreign}, NOW)
        assert isinstance(shape, Unrecognised)
        assert shape.why == "foreign_object"


@pytest.mark.parametrize(
    ("raw", "known_as"),
    [
        (item(sender={"id": PERSON, "user_ref": "r"}, message={"mid": "m"}), ["igsid", "user_ref"]),
        (item(sender={"user_ref": 77}, message={"mid": "m"}), ["user_ref"]),
        (item(sender={"ig_scoped_id": PERSON}, message={"mid": "m"}), ["igsid"]),
        (item(message={"mid": "m"}, prior_message={"source": "x", "identifier": "r"}), ["igsid", "user_ref"]),
        (item(message={"mid": "m"}, prior_message={"source": "x"}), ["igsid"]),
    ],
)
def test_a_person_is_a_set_of_identifiers(raw: Json, known_as: list[str]) -> None:
    """Plugins know a person by a reference of the site's own, before or beside the scoped id."""
    assert [one.kind.value for one in message(raw).person] == known_as


@pytest.mark.parametrize("key", ["message", "postback", "reaction"])
def test_without_a_person_there_is_no_entry(key: str) -> None:
    """An entry needs a conversation to stand in."""
    raw = {"recipient": {"id": ACCOUNT}, "timestamp": 1_790_000_000_000, key: {"mid": "m", "text": CANARY}}
    assert event(raw).why == "no_person"


# When


@pytest.mark.parametrize(
    ("own", "entry_time", "at"),
    [
        (1_780_000_000_123, 1_790_000_000_500, 1_780_000_000_123_000),
        (1_780_000_000, 1_790_000_000_500, 1_780_000_000_000_000),
        ("1780000000", 1_790_000_000_500, 1_780_000_000_000_000),
        ("1780000000123", 1_790_000_000_500, 1_780_000_000_123_000),
        ("2026-05-28T20:26:40Z", 1_790_000_000_500, 1_780_000_000_000_000),
        (None, 1_790_000_000_500, 1_790_000_000_500_000),
        (12, 1_790_000_000, 1_790_000_000_000_000),
        ("soon", "2026-05-28T20:26:40+00:00", 1_780_000_000_000_000),
        (None, None, NOW),
        (True, {}, NOW),
    ],
    ids=repr,
)
def test_time_of_the_item_then_of_the_entry_then_now(own: Json, entry_time: Json, at: int) -> None:
    """Seconds, milliseconds, text and ISO all occur; an implausible time is none."""
    assert message(item(timestamp=own, message={"mid": "m"}), time=entry_time).occurred_at == at


# Deletions


@pytest.mark.parametrize(
    ("flag", "deleted"),
    [
        (True, True),
        ("true", True),
        ("True", True),
        (False, False),
        ("false", False),
        (None, False),
        ("", False),
        ({}, False),
    ],
    ids=repr,
)
@pytest.mark.parametrize("echo", [True, False])
@pytest.mark.parametrize("beside", [True, False])
def test_deletion_is_read_before_anything_else(flag: Json, deleted: bool, echo: bool, beside: bool) -> None:  # noqa: FBT001
    """True and "true", also on an echo, also beside the message: an unsend and nothing but an unsend."""
    raw = item(message={"mid": "m", "text": CANARY, "is_echo": echo})
    (raw if beside else raw["message"])["is_deleted"] = flag
    found = event(raw)
    assert isinstance(found, MessageUnsent) is deleted
    if deleted:
        assert found.message_id == "m"
        assert [one.value for one in found.person] == [PERSON]


def test_a_deletion_without_an_id_is_a_shape() -> None:
    """No tombstone can be set, and the content beside it is not kept either."""
    found = event(item(message={"is_deleted": True, "text": CANARY}))
    assert (type(found), found.why) == (Unrecognised, "no_message_id")
    assert CANARY not in found.shape


# Changes


@pytest.mark.parametrize(
    ("field", "key", "kind"),
    [
        ("messages", "message", MessageReceived),
        ("message_reactions", "reaction", MessageReceived),
        ("messaging_postbacks", "postback", MessageReceived),
        ("message_edit", "message_edit", MessageEdited),
        ("messaging_seen", "read", DeliveryReported),
        ("messaging_optins", "optin", ConsentChanged),
        ("messaging_handover", "pass_thread_control", Noted),
    ],
)
def test_messaging_items_can_come_as_changes(field: str, key: str, kind: type[Event]) -> None:
    """The same items under another roof mean the same."""
    raw = item(**{key: {"mid": "m", "text": "x", "action": "react"}})
    change = {"field": field, "value": raw}
    found = list(
        instagram.parse({"object": "instagram", "entry": [{"id": ACCOUNT, "changes": [change]}]}, NOW)
    )
    assert found == events(raw)
    assert isinstance(found[0], kind)


@pytest.mark.parametrize(
    ("parse", "object_name", "fields"),
    [
        (facebook.parse, "page", ["feed", "mention", "ratings", "leadgen"]),
        (instagram.parse, "instagram", ["comments", "live_comments", "mentions", "story_insights"]),
    ],
)
@pytest.mark.parametrize("wrapped", [True, False])
def test_public_words_are_counted_and_never_kept(
    parse: Callable[..., Iterator[Event]],
    object_name: str,
    fields: list[str],
    wrapped: bool,  # noqa: FBT001
) -> None:
    """Comments and the like are not addressed to the account's conversation (PP-1), wherever they stand."""
    for field in fields:
        change = {
            "field": field,
            "value": {"text": CANARY, "from": {"username": CANARY}, "video": f"https://{CANARY}.io"},
        }
        entry = {"id": ACCOUNT, "changes": [change]} if wrapped else {"id": ACCOUNT} | change
        assert list(parse({"object": object_name, "entry": [entry]}, NOW)) == [
            Noted(account=ACCOUNT, what=field)
        ]


# Ids of our own


def test_a_message_without_id_keeps_its_id_on_redelivery() -> None:
    """The same body gives the same id at any time of parsing; null keys of empty things change nothing else."""
    body = delivery({"sender": {"id": PERSON}, "message": {"text": "x"}}, time=None)
    first, second = (list(instagram.parse(body, now)) for now in (NOW, NOW + 60_000_000))
    assert isinstance(first[0], MessageReceived)
    assert isinstance(second[0], MessageReceived)
    assert first[0].message.id == second[0].message.id


@pytest.mark.parametrize(
    "changed",
    [
        {"message": {"text": "y"}},
        {"timestamp": 1_790_000_000_001},
        {"sender": {"id": "6600000000000010"}},
        {
            "message": {
                "text": "x",
                "attachments": [{"type": "image", "payload": {"url": "https://pictures.example/1"}}],
            }
        },
    ],
)
def test_another_message_without_id_gets_another_id(changed: dict[str, Json]) -> None:
    """Person, time and content tell two messages apart; so does the account."""
    original = item(message={"text": "x"})
    ids = {message(original).id, message(original | changed).id, message(original, id="17841499900000010").id}
    assert len(ids) == 3


def test_the_events_of_one_item_have_ids_apart() -> None:
    """A message and a postback in one item without ids must not become one row."""
    found = events(item(message={"text": "x"}, postback={"title": "y"}))
    assert len({one.message.id for one in found if isinstance(one, MessageReceived)}) == 2


def test_a_message_beside_a_referral_is_one_message() -> None:
    """Keys beside the message neither replace it nor are lost."""
    found = events(item(message={"mid": "m", "text": "x"}, referral={"ref": "y"}, postback=None))
    assert [type(one) for one in found] == [MessageReceived, Noted]


def test_the_copy_on_standby_is_marked_and_the_live_one_is_not() -> None:
    """The same message may come twice in one delivery; both are reported."""
    raw = item(message={"mid": "m", "text": "x"})
    live, copied = events(raw, standby=[raw])
    assert isinstance(live, MessageReceived)
    assert isinstance(copied, MessageReceived)
    assert (live.message.standby, copied.message.standby) == (False, True)
    assert live.message.direction is Direction.INBOUND
    assert live.message.kind is MessageKind.TEXT
