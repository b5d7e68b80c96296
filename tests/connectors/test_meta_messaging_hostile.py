"""What Messenger and Instagram may send wrongly or too much of: nothing unnamed is carried, nothing bad spreads."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import connectors
from connectors.facebook import webhook as facebook
from connectors.instagram import webhook as instagram
from policies.event import (
    Event,
    MessageEdited,
    MessageReceived,
    Unrecognised,
)
from policies.message import (
    Content,
    Json,
)

NOW = 1_790_000_000_000_000
ACCOUNT = "17841499900000009"
PERSON = "6600000000000009"
CANARY = "kanarienvogel"

_ROOT = Path(connectors.__file__).parent
BODIES = sorted(
    path
    for name in ("facebook", "instagram")
    for path in (_ROOT / name / "fixtures").glob("*.json")
    if not path.name.endswith(".expected.json")
)
every_body = pytest.mark.parametrize("path", BODIES, ids=lambda path: f"{path.parts[-3]}/{path.stem}")


def item(**keys: Json) -> dict[str, Json]:
    return {"sender": {"id": PERSON}, "recipient": {"id": ACCOUNT}, "timestamp": 1_790_000_000_000} | keys


def delivery(*items: Json, **entry: Json) -> Json:
    return {
        "object": "instagram",
        "entry": [{"id": ACCOUNT, "time": 1_790_000_000_500, "messaging": list(items)} | entry],
    }


def events(*items: Json, **entry: Json) -> list[Event]:
    return list(instagram.parse(delivery(*items, **entry), NOW))


def encoded(found: list[Event]) -> str:
    return msgspec.json.encode(found).decode()


def parse_file(path: Path, payload: Json) -> list[Event]:
    module = facebook if path.parts[-3] == "facebook" else instagram
    return list(module.parse(payload, NOW))


def read(path: Path) -> Json:
    return json.loads(path.read_text(encoding="utf-8"))


def objects_in(node: Json) -> Iterator[dict[str, Json]]:
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from objects_in(inner)


def with_strings(node: Json, change: Callable[[str, str], str], key: str = "") -> Json:
    """The tree with every string value replaced by ``change(its key, itself)``."""
    if isinstance(node, dict):
        return {name: with_strings(value, change, name) for name, value in node.items()}
    if isinstance(node, list):
        return [with_strings(value, change, key) for value in node]
    return change(key, node) if isinstance(node, str) else node


# One bad item is one bad item


GOOD = [item(message={"mid": f"m{number}", "text": "good"}) for number in range(4)]
BAD: list[Json] = [
    None, 7, "text", [], {}, item(), item(message="x"), item(message=[]), item(reaction={}), item(message_edit={}),
    item(read={}), item(holograms={"a": 1}), item(sender=None, message={"mid": "m"}), item(optin={}, sender={}),
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(BAD), max_size=6), st.randoms(use_true_random=False))
def test_bad_items_cost_nobody_else_anything(bad: list[Json], order: random.Random) -> None:
    """In any mixture every good item is read and every bad one is one shape."""
    mixed = [*GOOD, *bad]
    order.shuffle(mixed)
    found = events(*mixed)
    kept = sorted(one.message.id for one in found if isinstance(one, MessageReceived))
    assert kept == ["m0", "m1", "m2", "m3"]
    assert sum(isinstance(one, Unrecognised) for one in found) == len(bad)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (None, ["not_an_object"]),
        ("text", ["not_an_object"]),
        ([], []),
        ([{}, 7], ["foreign_object", "not_an_object"]),
        ({"object": "instagram"}, ["no_entry"]),
        ({"object": "instagram", "entry": []}, []),
        ({"object": "instagram", "entry": None}, ["not_an_object"]),
        ({"object": "instagram", "entry": [None, {"id": ACCOUNT}]}, ["not_an_object", "unknown_entry"]),
        ({"object": "instagram", "entry": [{"messaging": None, "changes": None}]}, ["unknown_entry"]),
        ({"object": "instagram", "entry": [{"messaging": [None]}]}, ["not_an_object"]),
        (
            {"object": "instagram", "entry": [{"changes": [None, {}, {"field": ["messages"]}]}]},
            ["unknown_change"] * 3,
        ),
        ({"object": "instagram", "entry": [{"changes": [{"field": "messages"}]}]}, ["not_an_object"]),
        ({"object": "instagram", "entry": [{"id": 10**5000, "messaging": [{}]}]}, ["unknown_event"]),
    ],
)
def test_an_envelope_that_is_not_understood_is_a_shape(payload: Json, why: list[str]) -> None:
    """Every way to be wrong has its word."""
    found = list(instagram.parse(payload, NOW))
    assert [one.why for one in found if isinstance(one, Unrecognised)] == why
    assert len(found) == len(why)


def nested(depth: int) -> Json:
    tree: Json = "https://deep.example/x"
    for _ in range(depth):
        tree = [tree]
    return tree


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (
            lambda tree: item(message={"mid": "m", "attachments": [{"type": "hologram", "payload": tree}]}),
            MessageReceived,
        ),
        (lambda tree: item(message={"mid": "m", "holograms": tree}), MessageReceived),
        (
            lambda tree: item(message={"text": "no id, so all of it is digested", "holograms": tree}),
            Unrecognised,
        ),
        (lambda tree: item(holograms=tree), Unrecognised),
        (lambda tree: tree, Unrecognised),
    ],
    ids=["unknown attachment", "unnamed key", "derived id", "unknown item", "item"],
)
def test_depth_does_not_make_parsing_fail(place: Callable[[Json], Json], expected: type[Event]) -> None:
    """No reader recurses without end into what was sent; the neighbour is read all the same."""
    deep, neighbour = events(place(nested(20_000)), item(message={"mid": "m2", "text": "x"}))
    assert isinstance(deep, expected)
    assert isinstance(neighbour, MessageReceived)


# Nothing but what is named gets through


@every_body
def test_a_deleted_item_leaves_nothing_of_what_stands_beside_it(path: Path) -> None:
    """Whatever an item holds: once it is marked as deleted, only ids and the account remain of it."""
    payload = copy.deepcopy(read(path))
    for node in objects_in(payload):
        if isinstance(node.get("message"), dict):
            node["message"] |= {
                "is_deleted": True,
                "text": CANARY,
                "attachments": [{"type": "x", "u": f"//{CANARY}.io"}],
            }
            node["reaction"] = {"mid": "m", "emoji": CANARY}
    assert CANARY not in encoded(parse_file(path, payload))


@every_body
def test_a_key_that_nobody_named_is_never_carried(path: Path) -> None:
    """An unlisted key with a canary, planted in every object, leaves no trace: neither key nor value."""
    payload = copy.deepcopy(read(path))
    for node in list(objects_in(payload)):
        node[f"x{CANARY}"] = {"text": CANARY, "nested": [CANARY]}
    assert CANARY not in encoded(parse_file(path, payload))


IDENTITY = {
    "id",
    "mid",
    "user_ref",
    "identifier",
    "ig_scoped_id",
    "timestamp",
    "time",
    "object",
    "field",
    "type",
}


@every_body
def test_whatever_is_carried_stands_where_the_rules_look(path: Path) -> None:
    """Every text but ids becomes a canary URL: outside a message's content none of them appears."""

    def planted(key: str, text: str) -> str:
        return text if key in IDENTITY or key == "mids" else f"https://{CANARY}.example/{key}"

    payload = with_strings(read(path), planted)
    emptied = [
        msgspec.structs.replace(one, message=msgspec.structs.replace(one.message, content=Content()))
        if isinstance(one, MessageReceived | MessageEdited)
        else one
        for one in parse_file(path, payload)
    ]
    assert CANARY not in encoded(emptied)


@every_body
def test_shapes_hold_no_value(path: Path) -> None:
    """Broken in every item, a body leaves only types and the platform's own key names."""
    payload = with_strings(read(path), lambda key, text: text if key == "object" else CANARY)
    for node in objects_in(payload):
        for key in node.keys() & {"message", "message_edit", "reaction", "postback", "read", "delivery"}:
            node[key] = [node[key]]
    found = [one for one in parse_file(path, payload) if isinstance(one, Unrecognised)]
    assert CANARY not in "".join(one.shape for one in found)
