"""The X Activity envelope: ``{data: {event_uuid, filter: {user_id}, event_type, payload, includes}}``.

Source: xdevplatform/docs, x-api/activity/event-payloads.mdx. ``event_uuid`` names a delivery and may be negative; a
message is known by its own id, so that a mention which is also a reply is one message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from connectors import wild
from connectors.x.account_activity import nested_direct_messages
from connectors.x.post import post, post_deletion
from connectors.x.revocation import revocation
from connectors.x.vocabulary import NOTED_ACTIVITIES, NOTED_FAMILIES, Note, Why
from connectors.x.wire import Envelope, NotUnderstood, Reader, directory, items, noted, platform_id, read_one
from policies.event import Event
from policies.message import Instant, Json


def _oauth_revoke(payload: dict[str, Json], envelope: Envelope) -> Iterable[Event]:
    user_id, app_id = platform_id(payload, "user_id"), platform_id(payload, "app_id")
    return (revocation(user_id, app_id, payload, envelope),)


READERS: Final[dict[str, Reader]] = {
    "dm.received": nested_direct_messages,
    "dm.sent": nested_direct_messages,
    "dm.read": nested_direct_messages,
    "post.create": post,
    "post.mention.create": post,
    "post.reply.create": post,
    "post.quote.create": post,
    "post.delete": post_deletion,
    "oauth.revoke": _oauth_revoke,
}


def events(data: Json, now: Instant) -> Iterator[Event]:
    """Every event under ``data``, which holds one and may hold a list."""
    for item in items(data):
        yield from read_one(_event, item, _envelope(wild.mapping(item), now))


def _event(item: dict[str, Json], envelope: Envelope) -> Iterable[Event]:
    payload, reader = item.get("payload"), _reader(wild.text(item.get("event_type")) or "")
    if reader is None:
        raise NotUnderstood(Why.EVENT_KIND)
    if not isinstance(payload, dict):
        raise NotUnderstood(Why.PAYLOAD)
    return reader(payload, envelope)


def _reader(event_type: str) -> Reader | None:
    if event_type in READERS:
        return READERS[event_type]
    note: Note | None = NOTED_ACTIVITIES.get(event_type) or NOTED_FAMILIES.get(event_type.partition(".")[0])
    return None if note is None else noted(note)


def _envelope(item: dict[str, Json], now: Instant) -> Envelope:
    includes, payload = wild.mapping(item.get("includes")), wild.mapping(item.get("payload"))
    account = platform_id(wild.mapping(item.get("filter")), "user_id") or platform_id(payload, "for_user_id")
    media = ((wild.text(node.get("media_key")), node) for node in wild.objects(includes.get("media")))
    return Envelope(
        account=account or "",
        now=now,
        users=directory(includes.get("users"), payload.get("users")),
        media={key: node for key, node in media if key is not None},
    )
