"""The tour: a short story told with correctly signed deliveries, and what the store holds after each.

Every id in it is fresh, so that it can be told again and again to the same worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import httpx
import msgspec

from connectors import sample
from connectors.registry import CONNECTORS
from worker.tour import samples
from worker.tour.samples import Scene

CDN: Final = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id={}&signature=invented"

Entry = Mapping[str, Any]
"""One entry of a transcript export."""

Find = Callable[[str, str, str], Sequence[Entry]]
"""Connector, account and message id to what the store holds of that message."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One body; ``forged`` ones are signed with a secret that is not the tenant's."""

    body: bytes
    forged: bool = False


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One stop of the tour: what is sent, about which message."""

    title: str
    connector: str
    account: str
    message_id: str
    deliveries: tuple[Delivery, ...]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a stop: the answers' statuses and what the store holds now."""

    stop: Stop
    statuses: tuple[int, ...]
    entries: Sequence[Entry]


def stops(accounts: Mapping[str, str]) -> list[Stop]:
    """The tour on these accounts, by connector."""
    return [told(accounts) for told in _STORY]


def travel(
    client: httpx.Client, tenant: str, secrets: Mapping[str, bytes], tour: Sequence[Stop], find: Find
) -> Iterator[Seen]:
    """Send every stop's deliveries in turn, and read back after each. ``secrets`` sign, by connector."""
    for stop in tour:
        statuses = tuple(
            _send(client, tenant, stop.connector, secrets[stop.connector], delivery)
            for delivery in stop.deliveries
        )
        entries = find(stop.connector, stop.account, stop.message_id)
        yield Seen(stop=stop, statuses=statuses, entries=entries)


def told_of(seen: Seen) -> str:
    """What the store holds of a stop's message, in words."""
    if not seen.entries:
        return "nothing"
    (entry, *others) = seen.entries
    if others:
        return f"{len(seen.entries)} entries"
    if entry["state"] == "unsent":
        return "a tombstone, no content"
    said = [repr(entry["text"])] if entry["text"] else []
    removed = [
        f"a placeholder: {media['kind']}, media removed" for media in entry["media"] if media.get("removed")
    ]
    marks = ["edited"] if entry["edits"] else []
    bodies = [delivery.body for delivery in seen.stop.deliveries]
    once = ["once"] if len(set(bodies)) < len(bodies) else []
    return ", ".join([*said, *removed, *marks, *once]) or "an entry without content"


def _send(client: httpx.Client, tenant: str, connector: str, secret: bytes, delivery: Delivery) -> int:
    signed_with = b"somebody else's secret" if delivery.forged else secret
    path = f"/webhooks/{tenant}/{connector}"
    url, now = str(client.base_url).rstrip("/") + path, time.time_ns() // 1000
    headers = sample.signed(CONNECTORS[connector], delivery.body, signed_with, url=url, now=now)
    headers["content-type"] = "application/json"
    answer = client.post(path, content=delivery.body, headers=headers)
    return answer.status_code


# --- the story ----------------------------------------------------------------------------------------------


def _stop(title: str, connector: str, scene: Scene, id_: str, *bodies: bytes, forged: bool = False) -> Stop:
    return Stop(
        title=title,
        connector=connector,
        account=scene.account,
        message_id=id_,
        deliveries=tuple(Delivery(body=body, forged=forged) for body in bodies),
    )


def _begin(accounts: Mapping[str, str], connector: str) -> tuple[Scene, str]:
    return Scene.fresh(accounts[connector]), samples.message_id(connector)


def _plain(accounts: Mapping[str, str]) -> Stop:
    scene, id_ = _begin(accounts, "whatsapp")
    body = samples.text("whatsapp", scene, "Good morning, is my order ready?", id_)
    return _stop("a plain message", "whatsapp", scene, id_, body)


def _duplicate(accounts: Mapping[str, str]) -> Stop:
    scene, id_ = _begin(accounts, "whatsapp")
    body = samples.text("whatsapp", scene, "I sent this once.", id_)
    return _stop("the same delivery twice", "whatsapp", scene, id_, body, body)


def _story_mention(accounts: Mapping[str, str]) -> Stop:
    scene, id_ = _begin(accounts, "instagram")
    mention = {"type": "story_mention", "payload": {"url": CDN.format(samples.digits())}}
    body = samples.messaging("instagram", scene, {"message": {"mid": id_, "attachments": [mention]}})
    return _stop("a story mention with its media", "instagram", scene, id_, body)


def _cdn_url(accounts: Mapping[str, str]) -> Stop:
    scene, id_ = _begin(accounts, "instagram")
    body = samples.text("instagram", scene, f"Look: {CDN.format(samples.digits())} Nice, no?", id_)
    return _stop("a Facebook CDN URL in a text", "instagram", scene, id_, body)


def _unsent(accounts: Mapping[str, str]) -> Stop:
    scene, id_ = _begin(accounts, "instagram")
    body = samples.text("instagram", scene, "I should not have said that.", id_)
    return _stop(
        "a message, then its unsend", "instagram", scene, id_, body, _unsend("instagram", scene, id_)
    )


def _unsent_first(accounts: Mapping[str, str]) -> Stop:
    scene, id_ = _begin(accounts, "facebook")
    body = samples.text("facebook", scene, "This comes after its own unsend.", id_)
    return _stop("an unsend, then its message", "facebook", scene, id_, _unsend("facebook", scene, id_), body)


def _edited(accounts: Mapping[str, str]) -> Stop:
    scene, id_ = _begin(accounts, "facebook")
    edit = {"message_edit": {"mid": id_, "text": "A table for three, please.", "num_edit": 1}}
    body = samples.text("facebook", scene, "A table for two, please.", id_)
    return _stop(
        "a message, then its edit", "facebook", scene, id_, body, samples.messaging("facebook", scene, edit)
    )


def _forged(accounts: Mapping[str, str]) -> Stop:
    scene, id_ = _begin(accounts, "instagram")
    body = samples.text("instagram", scene, "Signed with a secret that is not yours.", id_)
    return _stop("a forged signature", "instagram", scene, id_, body, forged=True)


def _post_deleted(accounts: Mapping[str, str]) -> Stop:
    scene, id_ = _begin(accounts, "x")
    body = samples.x_post(scene, id_, "@tenant what a day")
    return _stop("a post, then its deletion", "x", scene, id_, body, samples.x_post_deleted(scene, id_))


def _direct_message(accounts: Mapping[str, str]) -> Stop:
    scene, id_ = _begin(accounts, "x")
    return _stop("a direct message", "x", scene, id_, samples.text("x", scene, "Fish &amp; chips?", id_))


def _unsend(connector: str, scene: Scene, id_: str) -> bytes:
    return samples.messaging(connector, scene, {"message": {"mid": id_, "is_deleted": True}})


_STORY: Final[Sequence[Callable[[Mapping[str, str]], Stop]]] = (
    _plain,
    _duplicate,
    _story_mention,
    _cdn_url,
    _unsent,
    _unsent_first,
    _edited,
    _direct_message,
    _post_deleted,
    _forged,
)
