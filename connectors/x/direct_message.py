"""Direct messages and their read receipts, in the one shape that both of X's APIs deliver.

Source: developer.x.com, direct-messages/sending-and-receiving/guides/message-create-object; X Activity nests the
same object (xdevplatform/docs, x-api/activity/event-payloads.mdx). X never reports that a DM was deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from connectors import wild
from connectors.x.media import media
from connectors.x.vocabulary import Note, Why
from connectors.x.wire import (
    Envelope,
    NotUnderstood,
    born,
    derived_id,
    moment,
    person,
    platform_id,
    profile,
)
from connectors.x.wording import Links
from policies.event import DeliveryReported, DeliveryStatus, Event, MessageReceived, Noted, WatermarkReported
from policies.message import (
    Channel,
    Content,
    Direction,
    Json,
    Media,
    MediaKind,
    Message,
    MessageKind,
    Private,
)

_BUTTON: Final = {"label": "label", "url": "url"}
_OPTION: Final = {"label": "label", "description": "description", "metadata": "payload"}
_pair = re.compile(r"[0-9]+[-:][0-9]+\Z")


class _Parties(Private, frozen=True, kw_only=True):
    """Who wrote to whom, seen from the account; ``thread`` is a group's conversation."""

    account: str
    outbound: bool
    other: str | None
    thread: str | None


def direct_message(event: dict[str, Json], envelope: Envelope) -> Iterable[Event]:
    """One ``message_create``. A DM without a readable id gets one derived from all that it says.

    ``person`` is the other side; in a group it is who wrote, and nobody when the account wrote.
    """
    if event.get("type", "message_create") != "message_create" or "message_create" not in event:
        raise NotUnderstood(Why.EVENT_KIND)
    create = wild.mapping(event["message_create"])
    parties = _parties(event, create, envelope)
    message_id = platform_id(event, "id")
    name = profile(envelope.users.get(parties.other or "", {}))
    content = _content(event, wild.mapping(create.get("message_data")), name, message_id)
    yield MessageReceived(
        account=parties.account,
        message=Message(
            channel=Channel.X,
            account=parties.account,
            id=message_id or derived_id(event),
            direction=Direction.OUTBOUND if parties.outbound else Direction.INBOUND,
            kind=_kind(content),
            person=person(parties.other) if parties.other else (),
            occurred_at=moment(event, "created_timestamp", "created_at") or envelope.now,
            content=content,
            thread=parties.thread,
        ),
    )


def read_receipt(event: dict[str, Json], envelope: Envelope) -> Iterable[Event]:
    """Somebody read up to ``last_read_event_id``: that message, and all that were sent to them before it."""
    reader, last = platform_id(event, "sender_id"), platform_id(event, "last_read_event_id")
    account = envelope.account or platform_id(wild.mapping(event.get("target")), "recipient_id") or ""
    if reader is None or last is None or reader == account:
        yield Noted(account=account, what=Note.READ.value)
        return
    at = moment(event, "created_timestamp") or envelope.now
    yield DeliveryReported(account=account, message_id=last, status=DeliveryStatus.READ, occurred_at=at)
    if (until := born(last)) is not None:
        yield WatermarkReported(
            account=account, person=person(reader), status=DeliveryStatus.READ, until=until
        )


def _parties(event: dict[str, Json], create: dict[str, Json], envelope: Envelope) -> _Parties:
    """Without ``for_user_id`` the recipient counts as the account.

    The worker drops what is nobody's account, so that an outbound copy is then lost rather than misfiled.
    """
    target = wild.mapping(create.get("target"))
    sender, recipient = platform_id(create, "sender_id"), platform_id(target, "recipient_id")
    account, thread = envelope.account or recipient, _group(event, create, target)
    if sender is None:
        raise NotUnderstood(Why.SENDER)
    if account is None:
        raise NotUnderstood(Why.ACCOUNT)
    outbound = sender == account
    other = recipient if outbound else sender
    if thread is None and (other is None or account not in (sender, recipient)):
        raise NotUnderstood(Why.NOT_A_PARTY)
    return _Parties(account=account, outbound=outbound, other=other, thread=thread)


def _group(*nodes: dict[str, Json]) -> str | None:
    """The conversation id of a group; that of two people says no more than their two ids."""
    for node in nodes:
        found = wild.text(node.get("dm_conversation_id")) or wild.text(node.get("conversation_id"))
        if found is not None:
            return None if _pair.match(found) else found
    return None


def _content(
    event: dict[str, Json], data: dict[str, Json], name: dict[str, str], message_id: str | None
) -> Content:
    attachments = list(wild.objects(data.get("attachment")))
    media_nodes = [node for item in attachments for node in wild.objects(item.get("media"))]
    own_ids = () if message_id is None or not attachments else (message_id,)
    links = Links((data.get("entities"),), media_nodes, own_ids)
    return Content(
        text=links.wording(wild.text(data.get("text"))),
        media=tuple(_attached(attachments)),
        details=dict(_details(event, data, attachments, links)),
        profile=name,
    )


def _attached(attachments: list[dict[str, Json]]) -> Iterator[Media]:
    for item in attachments:
        if item.get("type") == "location":
            continue
        nodes = list(wild.objects(item.get("media")))
        yield from map(media, nodes) if nodes else (Media(kind=MediaKind.UNKNOWN),)


def _details(
    event: dict[str, Json], data: dict[str, Json], attachments: list[dict[str, Json]], links: Links
) -> Iterator[tuple[str, Json]]:
    places = [place for item in attachments if (place := _location(wild.mapping(item.get("location"))))]
    answer = wild.mapping(data.get("quick_reply_response"))
    options = wild.mapping(data.get("quick_reply")).get("options")
    via = wild.mapping(event.get("initiated_via"))
    via_ids = {"post_id": platform_id(via, "tweet_id"), "welcome_id": platform_id(via, "welcome_message_id")}
    found = {
        "links": links.all(),
        "location": places[0] if places else None,
        "quick_reply": _renamed(answer, {"metadata": "payload"}),
        "quick_replies": [_renamed(option, _OPTION) for option in wild.objects(options)],
        "buttons": [_renamed(button, _BUTTON) for button in wild.objects(data.get("ctas"))],
        "referral": {key: value for key, value in via_ids.items() if value},
    }
    return ((key, value) for key, value in found.items() if value)


def _location(node: dict[str, Json]) -> dict[str, Json]:
    """A shared place, or a point; GeoJSON writes the longitude first."""
    point = wild.mapping(wild.mapping(node.get("shared_coordinate")).get("coordinates")).get("coordinates")
    if isinstance(point, list) and len(point) == 2 and all(map(_is_degrees, point)):
        return {"latitude": point[1], "longitude": point[0]}
    place = wild.mapping(wild.mapping(node.get("shared_place")).get("place"))
    return _renamed(place, {"id": "place_id", "full_name": "name", "name": "name"})


def _is_degrees(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -180 <= value <= 180


def _renamed(node: dict[str, Json], names: dict[str, str]) -> dict[str, Json]:
    return {ours: node[theirs] for theirs, ours in names.items() if wild.text(node.get(theirs))}


def _kind(content: Content) -> MessageKind:
    if content.media:
        return MessageKind.MEDIA
    if "location" in content.details:
        return MessageKind.LOCATION
    if "quick_reply" in content.details:
        return MessageKind.QUICK_REPLY
    return MessageKind.TEXT if content.text else MessageKind.EMPTY
