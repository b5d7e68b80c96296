"""The Account Activity envelope: ``{for_user_id, <kind>_events: [...], users, apps}``.

Source: xdevplatform/docs, x-api/account-activity/introduction.mdx. ``user_event`` and ``replay_job_status`` come
without ``for_user_id``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from connectors import wild
from connectors.x.direct_message import direct_message, read_receipt
from connectors.x.post import status, status_deletion
from connectors.x.revocation import revocation
from connectors.x.vocabulary import RELATIONS, Note, Why
from connectors.x.wire import Envelope, NotUnderstood, Reader, directory, noted, platform_id, read
from policies.event import Event, Noted
from policies.message import Instant, Json

DIRECT_MESSAGES: Final[dict[str, Reader]] = {
    "direct_message_events": direct_message,
    "direct_message_mark_read_events": read_receipt,
    "direct_message_indicate_typing_events": noted(Note.TYPING),
}
"""The kinds that X Activity nests in its ``dm.*`` payloads."""


def _relation(item: dict[str, Json], envelope: Envelope) -> Iterable[Event]:
    note = RELATIONS.get(wild.text(item.get("type")) or "")
    if note is None:
        raise NotUnderstood(Why.EVENT_KIND)
    return (Noted(account=envelope.account, what=note.value),)


def _user_event(item: dict[str, Json], envelope: Envelope) -> Iterable[Event]:
    revoke = wild.mapping(item.get("revoke"))
    if not revoke:
        raise NotUnderstood(Why.EVENT_KIND)
    user_id = platform_id(wild.mapping(revoke.get("source")), "user_id")
    app_id = platform_id(wild.mapping(revoke.get("target")), "app_id")
    return (revocation(user_id, app_id, revoke, envelope),)


def _unknown(_item: dict[str, Json], _envelope: Envelope) -> Iterable[Event]:
    raise NotUnderstood(Why.EVENT_KIND)


KINDS: Final[dict[str, Reader]] = DIRECT_MESSAGES | {
    "tweet_create_events": status,
    "tweet_delete_events": status_deletion,
    "user_event": _user_event,
    "favorite_events": noted(Note.LIKE),
    "follow_events": _relation,
    "unfollow_events": noted(Note.UNFOLLOW),
    "mute_events": _relation,
    "unmute_events": noted(Note.UNMUTE),
    "block_events": _relation,
    "unblock_events": noted(Note.UNBLOCK),
    "replay_job_status": noted(Note.REPLAY_JOB),
}


def is_account_activity(payload: dict[str, Json]) -> bool:
    """Whether the delivery carries events of this envelope, known or not."""
    return any(key in KINDS or _looks_like_events(key) for key in payload)


def events(payload: dict[str, Json], now: Instant) -> Iterator[Event]:
    """Every event of the envelope, kind by kind; an unknown kind becomes Unrecognised."""
    envelope = Envelope(
        account=platform_id(payload, "for_user_id") or "", now=now, users=directory(payload.get("users"))
    )
    for key, value in payload.items():
        if key in KINDS or _looks_like_events(key):
            yield from read(KINDS.get(key, _unknown), value, envelope)


def nested_direct_messages(payload: dict[str, Json], envelope: Envelope) -> Iterator[Event]:
    """The DM kinds inside an X Activity payload. Raises NotUnderstood where there is none."""
    kinds = [key for key in payload if key in DIRECT_MESSAGES]
    if not kinds:
        raise NotUnderstood(Why.PAYLOAD)
    for key in kinds:
        yield from read(DIRECT_MESSAGES[key], payload[key], envelope)


def _looks_like_events(key: str) -> bool:
    return key.endswith(("_event", "_events"))
