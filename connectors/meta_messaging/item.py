"""One messaging item, opened: whose account, who spoke with whom, when."""

from __future__ import annotations

import hashlib
import json

from connectors import wild
from connectors.meta_messaging.dialect import Dialect
from policies.event import MessageReceived
from policies.message import (
    Content,
    Direction,
    Identifier,
    IdentifierKind,
    Instant,
    Json,
    Message,
    MessageKind,
    Private,
)


class NotUnderstood(Exception):
    """This item cannot be read; ``why`` is a word of ours."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Scope(Private, frozen=True, kw_only=True):
    """What an entry says of all its items: ``account`` is "" where it names none."""

    dialect: Dialect
    account: str
    time: Instant | None
    now: Instant
    standby: bool = False


class Item(Private, frozen=True, kw_only=True):
    """One messaging item.

    ``person`` is the other side of the conversation, whoever spoke; ``time`` is None where the delivery
    gives none, and ``at`` is then the time of parsing.
    """

    scope: Scope
    raw: dict[str, Json]
    account: str
    outbound: bool
    person: tuple[Identifier, ...]
    time: Instant | None

    @property
    def at(self) -> Instant:
        """When it happened."""
        return self.scope.now if self.time is None else self.time


def open_item(raw: dict[str, Json], scope: Scope) -> Item:
    """Tell account, direction and person of ``raw``.

    An echo has the account as sender. Old examples print the customer there; the account then stands as
    recipient, and the person is whoever is not the account.
    """
    sender, recipient = wild.mapping(raw.get("sender")), wild.mapping(raw.get("recipient"))
    sender_id, recipient_id = _party_id(sender), _party_id(recipient)
    echo = _is_echo(raw)
    account = scope.account or (sender_id if echo else recipient_id) or ""
    outbound = echo or (sender_id is not None and sender_id == account)
    swapped = recipient_id == account and sender_id != account
    other, other_id = (recipient, recipient_id) if outbound and not swapped else (sender, sender_id)
    time = wild.instant(raw["timestamp"] if "timestamp" in raw else raw.get("create_time"))
    return Item(
        scope=scope,
        raw=raw,
        account=account,
        outbound=outbound,
        person=_identifiers(other_id, other.get("user_ref"), scope.dialect.person_kind),
        time=scope.time if time is None else time,
    )


def known_as(item: Item, user_ref: Json) -> tuple[Identifier, ...]:
    """The person of ``item``, also under a plugin's ``user_ref``."""
    value = wild.identifier(user_ref)
    if value is None or any(one.kind is IdentifierKind.USER_REF for one in item.person):
        return item.person
    return (*item.person, Identifier(kind=IdentifierKind.USER_REF, value=value))


def received(
    item: Item,
    kind: MessageKind,
    message_id: str,
    content: Content,
    *,
    reply_to: str | None = None,
    person: tuple[Identifier, ...] | None = None,
) -> MessageReceived:
    """A transcript entry for ``item``; raises NotUnderstood where nobody is on the other side."""
    message = message_of(item, kind, message_id, content, reply_to=reply_to, person=person)
    if not message.person:
        raise NotUnderstood("no_person")
    return MessageReceived(account=item.account, message=message)


def message_of(
    item: Item,
    kind: MessageKind,
    message_id: str,
    content: Content,
    *,
    reply_to: str | None = None,
    person: tuple[Identifier, ...] | None = None,
) -> Message:
    """``content`` as a message of this item's conversation."""
    conversation = item.raw.get("conversation")
    return Message(
        channel=item.scope.dialect.channel,
        account=item.account,
        id=message_id,
        direction=Direction.OUTBOUND if item.outbound else Direction.INBOUND,
        kind=kind,
        person=item.person if person is None else person,
        occurred_at=item.at,
        content=content,
        reply_to=reply_to,
        thread=wild.identifier(conversation.get("id")) if isinstance(conversation, dict) else None,
        standby=item.scope.standby,
    )


def derived_id(item: Item, what: str) -> str:
    """An id for what the platform gives none: the same for a redelivery, another for anything else.

    ``what`` tells apart the events of one item. The time of parsing has no part in it: it differs between
    two deliveries of one thing.
    """
    canonical = json.dumps([item.account, item.time, item.raw], sort_keys=True)
    return f"{what}:{hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()}"


def _is_echo(raw: dict[str, Json]) -> bool:
    """``is_echo`` and ``is_self`` (the account writes to itself) stand on the message or beside it."""
    message = raw.get("message")
    return _says_echo(raw) or (isinstance(message, dict) and _says_echo(message))


def _says_echo(holder: dict[str, Json]) -> bool:
    return ("is_echo" in holder and wild.truth(holder["is_echo"])) or (
        "is_self" in holder and wild.truth(holder["is_self"])
    )


def _party_id(party: dict[str, Json]) -> str | None:
    return wild.identifier(party.get("id")) or wild.identifier(party.get("ig_scoped_id"))


def _identifiers(party_id: str | None, user_ref: Json, kind: IdentifierKind) -> tuple[Identifier, ...]:
    known = () if party_id is None else (Identifier(kind=kind, value=party_id),)
    reference = None if user_ref is None else wild.identifier(user_ref)
    if reference is None:
        return known
    return (*known, Identifier(kind=IdentifierKind.USER_REF, value=reference))
