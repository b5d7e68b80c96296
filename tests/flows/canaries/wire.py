"""The wire: envelopes of every platform round what a shape says."""

from __future__ import annotations

import json
from typing import Any

from tests.flows.canaries.mint import Attempt, Body
from worker.tour import samples
from worker.tour.samples import Scene


def post(connector: str, payload: Any) -> Attempt:
    """A signed delivery."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Attempt(connector=connector, body=body)


def item(scene: Scene, *, out: bool = False, **what: Any) -> Body:
    """A messaging item, from the person or (``out``) from the tenant."""
    sender, recipient = (scene.account, scene.person) if out else (scene.person, scene.account)
    return {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": scene.at, **what}


def envelope(connector: str, scene: Scene, *items: Body, key: str = "messaging") -> Attempt:
    """Messaging items of one entry."""
    entry = {"id": scene.account, "time": scene.at, key: list(items)}
    return post(connector, {"object": samples.OBJECTS[connector], "entry": [entry]})


def ig(scene: Scene, *, out: bool = False, key: str = "messaging", **what: Any) -> Attempt:
    """One Instagram item."""
    return envelope("instagram", scene, item(scene, out=out, **what), key=key)


def fb(scene: Scene, *, out: bool = False, key: str = "messaging", **what: Any) -> Attempt:
    """One Messenger item."""
    return envelope("facebook", scene, item(scene, out=out, **what), key=key)


def change(connector: str, scene: Scene, field: str, value: Body) -> Attempt:
    """One change of an entry, on a page or an Instagram account."""
    entry = {"id": scene.account, "time": scene.at // 1000, "changes": [{"field": field, "value": value}]}
    return post(connector, {"object": samples.OBJECTS[connector], "entry": [entry]})


def wa(scene: Scene, field: str = "messages", **value: Any) -> Attempt:
    """One WhatsApp change."""
    number = {"display_phone_number": "15550100200", "phone_number_id": scene.account}
    whole = {"messaging_product": "whatsapp", "metadata": number, **value}
    entry = {"id": scene.account, "changes": [{"field": field, "value": whole}]}
    return post("whatsapp", {"object": "whatsapp_business_account", "entry": [entry]})


def wam(scene: Scene, id_: str, kind: str, **what: Any) -> Attempt:
    """One WhatsApp message."""
    return wa(scene, messages=[wa_message(scene, id_, kind, **what)])


def wa_message(scene: Scene, id_: str, kind: str, **what: Any) -> Body:
    """A message object."""
    return {"from": scene.person, "id": id_, "timestamp": str(scene.at // 1000), "type": kind, **what}


def attachment(kind: str, **payload: Any) -> list[Body]:
    """A list of one attachment."""
    return [{"type": kind, "payload": payload}]


def aaa(scene: Scene, **what: Any) -> Attempt:
    """An Account Activity delivery."""
    return post("x", {"for_user_id": scene.account, **what})


def xaa(scene: Scene, kind: str, payload: Body) -> Attempt:
    """An X Activity delivery."""
    data = {"event_uuid": samples.digits(), "filter": {"user_id": scene.account}, "event_type": kind}
    return post("x", {"data": data | {"payload": payload}})


def tweet(scene: Scene, id_: str, text: str, **more: Any) -> Body:
    """A post that mentions the tenant."""
    return {
        "id_str": id_,
        "timestamp_ms": str(scene.at),
        "text": text,
        "user": {"id_str": scene.person, "screen_name": "robin_sample"},
        "entities": {"user_mentions": [{"id_str": scene.account, "screen_name": "tenant"}], "urls": []},
        **more,
    }
