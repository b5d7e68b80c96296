"""Genesys Cloud's Open Messaging webhook: one normalised message or receipt, in Genesys's own words."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from connectors import wild
from connectors.constant_time import any_equal
from connectors.contract import Credentials, SignatureRefused, WebhookAnswer, WebhookRequest
from connectors.items import isolated
from connectors.shape import shape
from connectors.sms import derived_id, failures_by_word, international
from connectors.sms_genesys.content import read_content
from policies.event import (
    DeliveryReported,
    DeliveryStatus,
    Event,
    Failure,
    MessageEdited,
    MessageReceived,
    MessageUnsent,
    Noted,
    Unrecognised,
)
from policies.message import Channel, Direction, Identifier, IdentifierKind, Instant, Json, Message, Private

SIGNATURE_HEADER: Final = "x-hub-signature-256"

FAILURES: Final = failures_by_word("connectors.sms_genesys")

STATUSES: Final[Mapping[str, DeliveryStatus]] = MappingProxyType(
    {
        "sent": DeliveryStatus.SENT,
        "published": DeliveryStatus.SENT,
        "delivered": DeliveryStatus.DELIVERED,
        "read": DeliveryStatus.READ,
        "failed": DeliveryStatus.FAILED,
    }
)
"""What a receipt means. ``Removed`` is no status but an unsend; any other word is ``UNKNOWN``."""

CHANNELS: Final[Mapping[str, Channel]] = MappingProxyType(
    {
        "facebook": Channel.FACEBOOK,
        "instagram": Channel.INSTAGRAM,
        "whatsapp": Channel.WHATSAPP,
        "twitter": Channel.X,
    }
)
"""By ``platform``; Open, SMS and what nobody knows are texts."""

EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cobrowse": "co_browse",
        "originatingentity": "originating_entity",
        "presence": "presence",
        "reactions": "reactions",
        "typing": "typing",
        "video": "video",
    }
)
"""What is only counted, by ``eventType``."""

KEYS: Final = frozenset(
    """
    address attachment body buttonResponse byoSmsIntegrationId channel code content contentType dateDeleted dateModified
    direction email enrichment eventType events filename firstName from id idType image isFinalReceipt lastName latitude
    location longitude mediaType message messageId metadata mime nickname originatingEntity payload platform
    publicMetadata quickReply reasons relatedMessages replyToId sha256 status story text time to type typing url
    """.split()
)
"""Key names that may stand in a shape."""

_signature = re.compile(r"sha256=[0-9A-Za-z+/]{43}=\Z")
_number = re.compile(r"\+[1-9][0-9]{6,14}\Z")


class Item(Private, frozen=True, kw_only=True):
    """What every normalised message has: whose account, with whom, which way, which message, when."""

    raw: dict[str, Json]
    account: str
    person: tuple[Identifier, ...]
    direction: Direction
    channel: Channel
    id: str | None
    at: Instant


def handshake(_request: WebhookRequest, _credentials: Credentials) -> WebhookAnswer | None:
    """Genesys Cloud has none."""
    return None


def verify(request: WebhookRequest, credentials: Credentials) -> None:
    """Check ``X-Hub-Signature-256`` over the exact bytes against every secret of the ring.

    Base64, though the header has its name from a platform that writes hexadecimal digits. Raises SignatureRefused.
    """
    given = request.headers.get(SIGNATURE_HEADER, "")
    if _signature.match(given) is None:
        given = ""
    if not any_equal(given.encode(), (_sign(request.body, secret) for secret in credentials.signing_secrets)):
        raise SignatureRefused


def sample_signature(request: WebhookRequest, secret: bytes) -> dict[str, str]:
    """The header that Genesys Cloud would send with this body."""
    return {SIGNATURE_HEADER: _sign(request.body, secret).decode()}


def parse(payload: Json, now: Instant) -> Iterator[Event]:
    """The events of a delivery; ``now`` stands in where it tells no time. Never raises."""
    return isolated(payload, lambda item: _events(item, now), lambda item: _unrecognised(item, "failed"))


def _events(raw: Json, now: Instant) -> Iterator[Event]:
    channel = raw.get("channel") if isinstance(raw, dict) else None
    reader = READERS.get(_word(raw.get("type"))) if isinstance(raw, dict) else None
    if not isinstance(channel, dict) or reader is None:
        yield _unrecognised(raw, "envelope")
        return
    item = _opened(raw, channel, now)
    # Before anything else is read: whatever stands beside a deletion must not be kept (SM-9).
    if channel.get("dateDeleted") is not None:
        yield _unsent(item, wild.instant(channel["dateDeleted"]))
    else:
        yield from reader(item)


def _opened(raw: dict[str, Json], channel: dict[str, Json], now: Instant) -> Item:
    """An outbound message is from the account to the person; without a word about it a message is outbound here."""
    inbound = _word(raw.get("direction")) == "inbound"
    sender, recipient = wild.mapping(channel.get("from")), wild.mapping(channel.get("to"))
    own, other = (recipient, sender) if inbound else (sender, recipient)
    return Item(
        raw=raw,
        account=_address(own) or wild.identifier(channel.get("id")) or "",
        person=_person(other),
        direction=Direction.INBOUND if inbound else Direction.OUTBOUND,
        channel=CHANNELS.get(_word(channel.get("platform")), Channel.SMS),
        id=wild.identifier(raw.get("id")) or wild.identifier(channel.get("messageId")),
        at=wild.instant(channel.get("time")) or now,
    )


def _message(item: Item) -> Iterator[Event]:
    if not item.account or not item.person:
        yield _unrecognised(item.raw, "no_party")
        return
    channel = item.raw["channel"]
    kind, content = read_content(item.raw, _profile(item, wild.mapping(channel.get("from"))))
    edited_at = wild.instant(channel.get("dateModified"))
    message = Message(
        channel=item.channel,
        account=item.account,
        id=item.id or derived_id(item.raw),
        direction=item.direction,
        kind=kind,
        person=item.person,
        occurred_at=edited_at or item.at,
        content=content,
    )
    if edited_at is None:
        yield MessageReceived(account=item.account, message=message)
    else:
        yield MessageEdited(account=item.account, message=message, edit_number=1, whole=True)


def _receipt(item: Item) -> Iterator[Event]:
    word = _word(item.raw.get("status"))
    if item.id is None:
        yield _unrecognised(item.raw, "no_target")
    elif word == "removed":
        yield _unsent(item, item.at)
    else:
        status = STATUSES.get(word, DeliveryStatus.UNKNOWN)
        failed = status is DeliveryStatus.FAILED
        yield DeliveryReported(
            account=item.account,
            message_id=item.id,
            status=status,
            occurred_at=item.at,
            failure=next(_failures(item), None) if failed else None,
        )


def _failures(item: Item) -> Iterator[Failure]:
    words = (wild.text(reason.get("code")) or "" for reason in wild.objects(item.raw.get("reasons")))
    return (FAILURES[word] for word in words if word in FAILURES)


def _noted(item: Item) -> Iterator[Event]:
    for event in tuple(wild.objects(item.raw.get("events"))) or (item.raw,):
        what = EVENTS.get(_word(event.get("eventType")))
        if what is None:
            yield _unrecognised(event, "event_type")
        else:
            yield Noted(account=item.account, what=what)


def _unsent(item: Item, occurred_at: Instant | None) -> Event:
    if item.id is None:
        return _unrecognised(item.raw, "no_target")
    return MessageUnsent(
        account=item.account, message_id=item.id, occurred_at=occurred_at or item.at, person=item.person
    )


READERS: Final[Mapping[str, Callable[[Item], Iterator[Event]]]] = MappingProxyType(
    {
        "text": _message,
        "structured": _message,
        "message": _message,
        "receipt": _receipt,
        "event": _noted,
    }
)
"""By the normalised message's ``type``, in lower case."""


def _person(party: dict[str, Json]) -> tuple[Identifier, ...]:
    """By a telephone number, or by whatever the platform calls a person."""
    value = _address(party)
    if value is None:
        return ()
    kind = IdentifierKind.PHONE if _number.match(value) else IdentifierKind.USER_REF
    return (Identifier(kind=kind, value=value),)


def _address(party: dict[str, Json]) -> str | None:
    """Only of a number it is known that a plus may be missing."""
    given = party.get("id")
    return international(given) if _word(party.get("idType")) == "phone" else wild.identifier(given)


def _profile(item: Item, sender: dict[str, Json]) -> dict[str, str]:
    """How the person calls themselves: of the account nobody needs to know it."""
    if item.direction is Direction.OUTBOUND:
        return {}
    names = " ".join(filter(None, (wild.text(sender.get(part)) for part in ("firstName", "lastName"))))
    name = wild.text(sender.get("nickname")) or names
    return {"name": name} if name else {}


def _word(value: Json) -> str:
    return value.lower() if isinstance(value, str) else ""


def _unrecognised(value: Json, why: str) -> Event:
    return Unrecognised(account="", shape=shape(value, KEYS), why=why)


def _sign(body: bytes, secret: bytes) -> bytes:
    return b"sha256=" + base64.b64encode(hmac.digest(secret, body, "sha256"))
