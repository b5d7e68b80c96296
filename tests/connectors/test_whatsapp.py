"""What the fixtures cannot say one by one: isolation, closedness, identity, times and derived ids."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import connectors
from connectors.whatsapp import content, standing, webhook
from connectors.whatsapp.items import Scope, each
from connectors.whatsapp.trees import answers
from policies.event import (
    AccountChanged,
    AccountState,
    DeliveryReported,
    Event,
    IdentityChanged,
    MessageEdited,
    MessageReceived,
    MessageUnsent,
    Noted,
    Unrecognised,
)
from policies.message import Direction, Identifier, Json, MediaKind, Message, MessageKind

NOW = 1_790_000_000_000_000
NUMBER, WABA = "880011223344001", "770099887766001"
CANARY = "canary-7f3a"
HOSTILE: list[Json] = [None, 7, "x" * 600, [], [[]], {}, {"id": []}, {"type": {}}]
WITHOUT_PHONE: dict[str, Json] = {"from": None, "from_user_id": "DE.9"}

_FIXTURES = Path(connectors.__file__).parent / "whatsapp" / "fixtures"
FIXTURES = sorted(path for path in _FIXTURES.glob("*.json") if not path.name.endswith(".expected.json"))
every_fixture = pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)


def delivery(field: str = "messages", **value: Json) -> dict[str, Json]:
    """One change of one number."""
    value = {"metadata": {"phone_number_id": NUMBER}, **value}
    return {"object": webhook.OBJECT, "entry": [{"id": WABA, "changes": [{"field": field, "value": value}]}]}


def text(mid: str | None = "wamid.1", body: str = "hello", **more: Json) -> dict[str, Json]:
    """One text message of one person."""
    item = {
        "from": "15550100001",
        "id": mid,
        "timestamp": "1789999000",
        "type": "text",
        "text": {"body": body},
    }
    return {key: value for key, value in {**item, **more}.items() if value is not None}


def parsed(payload: Json) -> list[Event]:
    return list(webhook.parse(payload, NOW))


def messages_of(payload: Json) -> list[Message]:
    return [event.message for event in parsed(payload) if isinstance(event, MessageReceived)]


def only(payload: Json) -> Message:
    (message,) = messages_of(payload)
    return message


def nodes(tree: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Json]]:
    """Every node of a tree with the way to it."""
    yield path, tree
    for key, value in (
        tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    ):
        yield from nodes(value, (*path, key))


def at(tree: Json, path: tuple[Any, ...]) -> Json:
    for key in path:
        tree = tree[key]
    return tree


# --- one bad item -------------------------------------------------------------------------------------------


@given(
    place=st.integers(0, 4), bad=st.sampled_from([None, 7, "x", [], {}, {"type": []}, {"what": CANARY}, True])
)
@settings(max_examples=40, deadline=None)
def test_one_bad_item_becomes_one_shape_and_the_others_are_all_there(place: int, bad: Json) -> None:
    """Whatever it is, wherever it stands in the batch."""
    items: list[Json] = [text(f"wamid.{number}") for number in range(4)]
    items.insert(place, bad)
    events = parsed(delivery(messages=items))
    received = [event.message.id for event in events if isinstance(event, MessageReceived)]
    assert received == [f"wamid.{number}" for number in range(4)]
    shape = events[place]
    assert isinstance(shape, Unrecognised)
    assert CANARY not in shape.shape


def test_an_item_whose_reader_raises_costs_that_item_alone() -> None:
    """The last guard: even a mistake of ours does not lose the neighbours, and shows no value."""

    def reader(scope: Scope, item: dict[str, Json]) -> list[Event]:
        if "bad" in item:
            raise KeyError(CANARY)
        return [Noted(account=scope.account, what="seen")]

    events = list(each(Scope(NUMBER, NOW), [{}, {"bad": CANARY}, {}], reader))
    assert [type(event) for event in events] == [Noted, Unrecognised, Noted]
    assert events[1] == Unrecognised(account=NUMBER, shape="{?:1}", why="failed")


@every_fixture
def test_the_last_guard_is_never_needed(path: Path) -> None:
    """Every reader bears every hostile value in every place by itself."""
    payload = json.loads(path.read_text(encoding="utf-8"))
    for place, _ in nodes(payload):
        for value in HOSTILE:
            changed = copy.deepcopy(payload) if place else value
            if place:
                at(changed, place[:-1])[place[-1]] = value
            assert not [
                event
                for event in parsed(changed)
                if isinstance(event, Unrecognised) and event.why == "failed"
            ]


def test_a_batch_of_a_thousand_items_is_read_in_full() -> None:
    """The platform's own maximum."""
    assert len(parsed(delivery(messages=[text(f"wamid.{number}") for number in range(1000)]))) == 1000


# --- closed trees -------------------------------------------------------------------------------------------


@every_fixture
def test_an_unknown_key_carries_nothing_over_wherever_it_stands(path: Path) -> None:
    """Only keys that a table names are taken; neither an unknown key's name nor its value reaches an event."""
    payload = json.loads(path.read_text(encoding="utf-8"))
    for place, node in nodes(payload):
        if isinstance(node, dict):
            changed = copy.deepcopy(payload)
            at(changed, place)[f"zz_{CANARY}"] = {"deep": [CANARY, {"text": CANARY}], "url": CANARY}
            assert CANARY not in msgspec.json.encode(parsed(changed)).decode()


def test_an_unknown_type_keeps_its_text_and_its_urls_and_nothing_else() -> None:
    """The rules judge the URLs by value; no other value of a thing that nobody knows is kept."""
    urls = [f"https://scontent.xx.fbcdn.net/{number}" for number in range(40)]
    thing = {
        "deep": [[{"href": url} for url in urls]],
        "again": urls[0],
        "note": CANARY,
        "said": f"see {urls[0]}",
    }
    item = text(type="hologram", hologram=thing)
    message = only(delivery(messages=[item]))
    assert message.kind is MessageKind.UNKNOWN
    assert message.content.text == "hello"
    assert [media.url for media in message.content.media] == urls[: content.MAX_LINKS]
    assert {media.kind for media in message.content.media} == {MediaKind.UNKNOWN}
    assert CANARY not in msgspec.json.encode(message).decode()


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://example.com/a", True),
        (" HTTP://EXAMPLE.COM/a ", True),
        ("//scontent.xx.fbcdn.net/a", True),
        ("see https://example.com/a", False),
        ("example.com", False),
        ("https:/example.com", False),
        ("", False),
    ],
)
def test_what_counts_as_a_url_of_an_unknown_thing(url: str, kept: bool) -> None:  # noqa: FBT001
    """A string that is a URL as a whole; a sentence around one is dropped with it."""
    message = only(delivery(messages=[text(type="hologram", hologram=url)]))
    assert [media.url for media in message.content.media] == ([url] if kept else [])


@pytest.mark.parametrize(
    ("given_answer", "tree"),
    [
        ("{broken", "{broken"),
        ("[1, 2.5, true, null]", [1, 2.5, True, None]),
        (
            '{"a": {"b": "c"}}',
            {"fields": [{"name": "a", "value": {"fields": [{"name": "b", "value": "c"}]}}]},
        ),
        ({"a": 1}, {"fields": [{"name": "a", "value": 1}]}),
        ("[" * 60 + "]" * 60, "[" * 60 + "]" * 60),
        ("", None),
        ({"a": {"a": [[[[[[[[[[[[[[]]]]]]]]]]]]]]}}, None),
        ("\ufeff[1]", [1]),
        ("NaN", None),
        ("1e999", None),
    ],
)
def test_a_form_s_answers_are_a_tree_or_the_text_that_they_came_as(given_answer: Json, tree: Json) -> None:
    """The form's own keys become values, so that every outside string stands where the rules look."""
    assert answers(given_answer) == tree


# --- who ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "contacts", "person"),
    [
        ({}, [], "phone:15550100001"),
        ({"from": None}, [], ""),
        ({"from_user_id": "DE.1"}, [], "phone:15550100001 bsuid:DE.1"),
        ({"from": None, "from_user_id": "DE.1"}, [], "bsuid:DE.1"),
        ({"from": "DE.1"}, [], "bsuid:DE.1"),
        ({"from": "DE.1", "from_user_id": "DE.2"}, [], "bsuid:DE.2"),
        ({"from_parent_user_id": "DE.ENT.1"}, [], "phone:15550100001 parent_bsuid:DE.ENT.1"),
        ({}, [{"wa_id": "15550100001", "user_id": "DE.1"}], "phone:15550100001 bsuid:DE.1"),
        (
            {},
            [{"wa_id": 15550100001, "parent_user_id": "DE.ENT.1"}],
            "phone:15550100001 parent_bsuid:DE.ENT.1",
        ),
        ({}, [{"wa_id": "15550100002", "user_id": "DE.2"}], "phone:15550100001"),
        ({}, [{"user_id": "DE.1"}], "phone:15550100001 bsuid:DE.1"),
        ({}, [{"user_id": "DE.1"}, {"user_id": "DE.2"}], "phone:15550100001"),
        (
            {},
            [{"wa_id": "15550100002"}, {"wa_id": "15550100001", "user_id": "DE.1"}],
            "phone:15550100001 bsuid:DE.1",
        ),
        ({"from": None}, [{"wa_id": "15550100002", "user_id": "DE.2"}], "phone:15550100002 bsuid:DE.2"),
        ({"from": None}, {"user_id": "DE.2"}, "bsuid:DE.2"),
        ({"from": None, "from_user_id": "DE.1"}, [{"wa_id": "15550100001"}], "phone:15550100001 bsuid:DE.1"),
        ({}, "nobody", "phone:15550100001"),
        ({}, [None], "phone:15550100001"),
    ],
)
def test_a_person_is_the_set_of_identifiers_that_belong_together(
    item: dict[str, Json], contacts: Json, person: str
) -> None:
    """From the message and from the one contact that is the same person; never from a stranger's."""
    message = only(delivery(messages=[text(**item)], contacts=contacts))
    assert _named(message.person) == person


def _named(person: tuple[Identifier, ...]) -> str:
    return " ".join(f"{identifier.kind}:{identifier.value}" for identifier in person)


def test_beside_other_items_the_only_contact_is_nobody_s() -> None:
    """Guessing whose it is would merge strangers."""
    items = [text("wamid.1"), text("wamid.2", **WITHOUT_PHONE)]
    first, second = messages_of(delivery(messages=items, contacts=[{"user_id": "DE.1"}]))
    assert _named(first.person) == "phone:15550100001"
    assert _named(second.person) == "bsuid:DE.9"


def test_a_new_number_joins_what_was_and_what_is() -> None:
    """Erasure and consent must find the person under either."""
    system = {"type": "user_changed_number", "wa_id": "15550100009", "body": "changed"}
    (change, entry) = parsed(delivery(messages=[text(type="system", system=system)]))
    assert isinstance(change, IdentityChanged)
    assert (_named(change.before), _named(change.after)) == ("phone:15550100001", "phone:15550100009")
    assert isinstance(entry, MessageReceived)
    assert entry.message.kind is MessageKind.SYSTEM


# --- ids ----------------------------------------------------------------------------------------------------


def reaction(target: str = "wamid.T", emoji: str | None = "👍", **more: Json) -> dict[str, Json]:
    told = {"message_id": target} if emoji is None else {"message_id": target, "emoji": emoji}
    return text("wamid.R", type="reaction", reaction=told, **more)


def test_a_person_s_later_reaction_takes_the_place_of_the_former() -> None:
    """Set, changed, removed: one id; another person's, another target's and the business's own are others."""
    same = messages_of(
        delivery(messages=[reaction(), reaction(emoji="❤️"), reaction(emoji=""), reaction(emoji=None)])
    )
    assert len({message.id for message in same}) == 1
    assert [message.content.text for message in same] == ["👍", "❤️", None, None]
    assert {message.reply_to for message in same} == {"wamid.T"}
    others = messages_of(delivery(messages=[reaction(**{"from": "15550100002"}), reaction("wamid.U")]))
    others += messages_of(delivery("smb_message_echoes", message_echoes=[reaction(to="15550100001")]))
    assert len({message.id for message in (same[0], *others)}) == 4


def test_a_reaction_keeps_its_id_when_the_phone_number_disappears() -> None:
    """The user id names the actor wherever it is known."""
    contacts = [{"wa_id": "15550100001", "user_id": "DE.9"}]
    before = only(delivery(messages=[reaction()], contacts=contacts))
    after = only(delivery(messages=[reaction(emoji=None, **WITHOUT_PHONE)]))
    assert before.id == after.id


def test_a_message_without_an_id_gets_the_same_one_each_time() -> None:
    """A delivery that is sent again is the same message; another text, person, time or account is another."""
    first = only(delivery(messages=[text(None)]))
    again = only(delivery(messages=[text(None)]))
    assert first.id == again.id
    assert first.id.startswith("derived:")
    elsewhere = delivery(messages=[text(None)])
    elsewhere["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = "880011223344002"
    others = [
        only(delivery(messages=[text(None, "other")])),
        only(delivery(messages=[text(None, timestamp="1789999001")])),
        only(delivery(messages=[text(None, **{"from": "15550100002"})])),
        only(elsewhere),
    ]
    assert len({message.id for message in (first, *others)}) == 5


def test_a_message_without_id_and_time_does_not_depend_on_the_clock() -> None:
    """Its id is the same whenever the platform sends it again."""
    payload = delivery(messages=[text(None, timestamp=None)])
    ids = {
        event.message.id
        for now in (NOW, NOW + 1)
        for event in webhook.parse(payload, now)
        if isinstance(event, MessageReceived)
    }
    assert len(ids) == 1


# --- times, directions, accounts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [
        ("1789999000", 1_789_999_000_000_000),
        (1789999000, 1_789_999_000_000_000),
        (1789999000123, 1_789_999_000_123_000),
        ("1789999000123", 1_789_999_000_123_000),
        ("2026-09-21T13:56:40Z", 1_789_999_000_000_000),
        ("2026-09-21T15:56:40+02:00", 1_789_999_000_000_000),
        ("soon", NOW),
        ("", NOW),
        (None, NOW),
        (-1, NOW),
        (True, NOW),
        ({}, NOW),
        (10**30, NOW),
    ],
    ids=repr,
)
def test_a_time_in_any_form_or_the_time_of_receipt(timestamp: Json, moment: int) -> None:
    """Seconds, milliseconds, numbers, strings, ISO; what is no time is now."""
    assert only(delivery(messages=[{**text(), "timestamp": timestamp}])).occurred_at == moment


@pytest.mark.parametrize(
    ("told", "direction"),
    [
        ({"history_context": {"from_me": True}}, Direction.OUTBOUND),
        ({"history_context": {"from_me": "true"}}, Direction.OUTBOUND),
        ({"history_context": {"from_me": False}, "to": "15550100001"}, Direction.INBOUND),
        ({"history_context": {"status": "READ"}}, Direction.INBOUND),
        ({"to": "15550100001"}, Direction.OUTBOUND),
        ({}, Direction.INBOUND),
    ],
)
def test_history_tells_direction_by_from_me(told: dict[str, Json], direction: Direction) -> None:
    """The person is the thread's, whichever side wrote."""
    thread = {"id": "15550100001", "messages": [text(**{"from": "15550100777"}, **told)]}
    message = only(delivery("history", history=[{"threads": [thread]}]))
    assert message.direction is direction
    assert message.history
    assert _named(message.person) == "phone:15550100001"


def test_the_account_is_the_number_that_people_wrote_to() -> None:
    """The business account stands in where a change names no number, and for its own standing."""
    bare = delivery(messages=[text()])
    del bare["entry"][0]["changes"][0]["value"]["metadata"]
    assert only(delivery(messages=[text()])).account == NUMBER
    assert only(bare).account == WABA
    (review,) = parsed(delivery("account_review_update", decision="APPROVED"))
    assert review.account == WABA


# --- words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", sorted(standing.FIELDS))
def test_a_word_that_no_table_knows_leaves_the_standing_unknown(field: str) -> None:
    """Nothing of it is kept, nor of ids that are none; notices that change nothing stay notices."""
    keys = ("event", "decision", "alert_type", "new_quality_score", "entity_type")
    ids = ("entity_id", "phone_number", "display_phone_number", "message_template_id")
    told: dict[str, Json] = dict.fromkeys(keys + ids, CANARY)
    (event,) = parsed(delivery(field, waba_info={"waba_id": CANARY}, **told))
    assert isinstance(event, AccountChanged)
    assert event.state in {AccountState.UNKNOWN, AccountState.INFORMED}
    assert CANARY not in msgspec.json.encode(event).decode()


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("sent", DeliveryReported),
        ("delivered", DeliveryReported),
        ("read", DeliveryReported),
        ("played", DeliveryReported),
        ("failed", DeliveryReported),
        ("deleted", MessageUnsent),
        ("warning", Noted),
        ("SENT", Unrecognised),
        (CANARY, Unrecognised),
        (None, Unrecognised),
        ([], Unrecognised),
    ],
)
def test_a_status_is_a_word_of_the_table_or_a_shape(word: Json, kind: type[Event]) -> None:
    """An unknown word is never taken for a known one."""
    (event,) = parsed(delivery(statuses=[{"id": "wamid.S", "status": word, "timestamp": "1789999000"}]))
    assert type(event) is kind
    assert CANARY not in msgspec.json.encode(event).decode()


@pytest.mark.parametrize("kind", sorted(content.READERS))
def test_every_type_is_read_without_its_object_and_in_an_edit(kind: str) -> None:
    """A type whose object is missing is a message all the same, and an edit may bring any type."""
    (message,) = messages_of(delivery(messages=[{"id": "wamid.1", "from": "15550100001", "type": kind}]))
    assert message.id == "wamid.1"
    edit = {"original_message_id": "wamid.0", "message": {"type": kind}}
    (edited,) = parsed(delivery(messages=[text(type="edit", edit=edit)]))
    assert isinstance(edited, MessageEdited)
    assert (edited.message.id, edited.message.occurred_at) == ("wamid.0", 1_789_999_000_000_000)
