"""Sample deliveries in each platform's wire format, all invented: for the tour, for replaying, for conformance."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from policies.message import Json

OBJECTS: Final = {"facebook": "page", "instagram": "instagram"}
"""Connectors that share Meta's messaging envelope, and its ``object``."""


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Who writes to whom, and when: ``account`` is the tenant's, ``at`` in milliseconds since the epoch."""

    account: str
    person: str
    at: int

    @classmethod
    def fresh(cls, account: str = "") -> Scene:
        """A person nobody has heard of, now; also a fresh account where none is given."""
        return cls(account=account or digits(), person=digits(), at=time.time_ns() // 1_000_000)


def digits() -> str:
    """A fresh id as platforms write them: sixteen digits, the first not zero."""
    return str(10**15 + secrets.randbelow(9 * 10**15))


def message_id(connector: str) -> str:
    """A fresh message id: digits on X, where ids are numbers, else a letter and digits."""
    return digits() if connector == "x" else f"m_{secrets.token_hex(12)}"


def text(connector: str, scene: Scene, words: str, id_: str = "") -> bytes:
    """The person sends a plain text message; on X a direct message."""
    return _TEXT[connector](scene, id_ or message_id(connector), words)


def whatsapp(scene: Scene, message: dict[str, Json]) -> bytes:
    """One ``messages`` item from the person; ``message`` holds all but sender and time."""
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550100200", "phone_number_id": scene.account},
        "contacts": [{"profile": {"name": "Robin Sample"}, "wa_id": scene.person}],
        "messages": [{"from": scene.person, "timestamp": str(scene.at // 1000), **message}],
    }
    change = {"field": "messages", "value": value}
    return _body(
        {"object": "whatsapp_business_account", "entry": [{"id": scene.account, "changes": [change]}]}
    )


def messaging(connector: str, scene: Scene, item: dict[str, Json]) -> bytes:
    """One ``messaging`` item from the person, on Messenger or Instagram."""
    parties = {"sender": {"id": scene.person}, "recipient": {"id": scene.account}, "timestamp": scene.at}
    entry = {"id": scene.account, "time": scene.at, "messaging": [{**parties, **item}]}
    return _body({"object": OBJECTS[connector], "entry": [entry]})


def x_direct_message(scene: Scene, id_: str, words: str) -> bytes:
    """A direct message from the person (Account Activity)."""
    create = {
        "target": {"recipient_id": scene.account},
        "sender_id": scene.person,
        "message_data": {"text": words, "entities": {"urls": [], "user_mentions": [], "hashtags": []}},
    }
    event = {
        "type": "message_create",
        "id": id_,
        "created_timestamp": str(scene.at),
        "message_create": create,
    }
    return _body({"for_user_id": scene.account, "direct_message_events": [event], "users": {}})


def x_post(scene: Scene, id_: str, words: str) -> bytes:
    """A post of the person that mentions the tenant (Account Activity)."""
    post = {
        "id_str": id_,
        "timestamp_ms": str(scene.at),
        "text": words,
        "user": {"id_str": scene.person, "screen_name": "robin_sample", "name": "Robin Sample"},
        "entities": {"user_mentions": [{"id_str": scene.account, "screen_name": "tenant"}], "urls": []},
    }
    return _body({"for_user_id": scene.account, "tweet_create_events": [post]})


def x_post_deleted(scene: Scene, id_: str) -> bytes:
    """The person deletes a post (Account Activity)."""
    event = {"status": {"id": id_, "user_id": scene.person}, "timestamp_ms": str(scene.at)}
    return _body({"for_user_id": scene.account, "tweet_delete_events": [event]})


def _body(payload: Json) -> bytes:
    return msgspec.json.encode(payload)


_TEXT: Final[Mapping[str, Callable[[Scene, str, str], bytes]]] = {
    "whatsapp": lambda scene, id_, words: whatsapp(
        scene, {"id": id_, "type": "text", "text": {"body": words}}
    ),
    "facebook": lambda scene, id_, words: messaging(
        "facebook", scene, {"message": {"mid": id_, "text": words}}
    ),
    "instagram": lambda scene, id_, words: messaging(
        "instagram", scene, {"message": {"mid": id_, "text": words}}
    ),
    "x": x_direct_message,
}
"""By connector, a person's plain text in its wire format: scene, message id and words to a body."""
