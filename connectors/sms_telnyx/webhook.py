"""Telnyx's messaging webhooks: one event a delivery, signed with Ed25519 over time and body."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connectors import wild
from connectors.contract import Credentials, SignatureRefused, WebhookAnswer, WebhookRequest
from connectors.items import isolated
from connectors.shape import shape
from connectors.sms import derived_id, international, phone
from connectors.sms_telnyx.outbound import FAILURES, error_numbers, telling
from policies.event import (
    Consent,
    ConsentChanged,
    DeliveryReported,
    DeliveryStatus,
    Event,
    MessageReceived,
    Unrecognised,
)
from policies.message import (
    Channel,
    Content,
    Direction,
    Instant,
    Json,
    Media,
    MediaKind,
    Message,
    MessageKind,
)

SIGNATURE_HEADER: Final = "telnyx-signature-ed25519"
TIMESTAMP_HEADER: Final = "telnyx-timestamp"
TOLERANCE: Final = 5 * 60 * wild.MICROSECONDS
"""How far the signature's time may lie from ours, either way."""

STATUSES: Final[Mapping[str, DeliveryStatus]] = MappingProxyType(
    {
        "scheduled": DeliveryStatus.SENT,
        "queued": DeliveryStatus.SENT,
        "sending": DeliveryStatus.SENT,
        "sent": DeliveryStatus.SENT,
        "delivery_unconfirmed": DeliveryStatus.SENT,
        "delivered": DeliveryStatus.DELIVERED,
        "sending_failed": DeliveryStatus.FAILED,
        "delivery_failed": DeliveryStatus.FAILED,
        "expired": DeliveryStatus.FAILED,
        "cancelled": DeliveryStatus.FAILED,
    }
)
"""What a recipient's status means: whatever Telnyx took counts as sent."""

KEYS: Final = frozenset(
    """
    attempt autoresponse_type carrier cc code completed_at content_type cost data delivered_to detail direction encoding
    errors event_type from id line_type media messaging_profile_id meta occurred_at organization_id parts payload
    phone_number received_at record_type sent_at sha256 size source status subject tags text title to type url
    valid_until webhook_failover_url webhook_url
    """.split()
)
"""Key names that may stand in a shape."""

CONSENTS: Final[Mapping[str, Consent]] = MappingProxyType(
    {
        "STOP": Consent.WITHDRAWN,
        "OPT_OUT": Consent.WITHDRAWN,
        "START": Consent.GRANTED,
        "OPT_IN": Consent.GRANTED,
    }
)
"""What Telnyx itself took a text for, and acted on (``autoresponse_type``)."""

_MEDIA: Final[Mapping[str, MediaKind]] = MappingProxyType(
    {"image": MediaKind.IMAGE, "audio": MediaKind.AUDIO, "video": MediaKind.VIDEO}
)
_REPORTS: Final = frozenset({"message.sent", "message.finalized"})
_signature = re.compile(r"[0-9A-Za-z+/]{86}==\Z")
_reference = re.compile(r"\?ref=([0-9a-f]{32})\Z")
_timestamp = re.compile(r"[0-9]{1,11}\Z")


def handshake(_request: WebhookRequest, _credentials: Credentials) -> WebhookAnswer | None:
    """Telnyx has none."""
    return None


def verify(request: WebhookRequest, credentials: Credentials) -> None:
    """Check the signature over ``timestamp|body`` against every public key of the ring, and the time against ours.

    Raises SignatureRefused.
    """
    given = request.headers.get(SIGNATURE_HEADER, "")
    time = request.headers.get(TIMESTAMP_HEADER, "")
    if _signature.match(given) is None or _timestamp.match(time) is None:
        raise SignatureRefused
    signature, signed = _base64(given), time.encode() + b"|" + request.body
    signers = [key for key in credentials.signing_secrets if _signs(key, signature, signed)]
    if not signers or abs(request.received_at - int(time) * wild.MICROSECONDS) > TOLERANCE:
        raise SignatureRefused


def parse(payload: Json, now: Instant) -> Iterator[Event]:
    """Every event of a delivery; a list counts as several deliveries. Never raises."""
    yield from isolated(payload, lambda item: _events(item, now), lambda item: _unrecognised(item, "failed"))


def _events(item: Json, now: Instant) -> Iterator[Event]:
    data = wild.mapping(wild.mapping(item).get("data"))
    happened, payload = data.get("event_type"), wild.mapping(data.get("payload"))
    if not isinstance(happened, str) or not payload:
        yield _unrecognised(item, "envelope")
    elif happened == "message.received":
        yield from _inbound(data, payload, now)
    elif happened in _REPORTS:
        yield _report(item, data, payload, now)
    else:
        yield _unrecognised(item, "event_type")


def _inbound(data: dict[str, Json], payload: dict[str, Json], now: Instant) -> Iterator[Event]:
    account, sender = _receiver(payload), _number(payload.get("from"))
    if account is None or sender is None:
        yield _unrecognised({"data": data}, "no_party")
        return
    text, media = wild.text(payload.get("text")), tuple(map(_media, wild.objects(payload.get("media"))))
    when = _moment(data, payload, "received_at", now)
    yield MessageReceived(
        account=account,
        message=Message(
            channel=Channel.SMS,
            account=account,
            id=wild.identifier(payload.get("id")) or wild.identifier(data.get("id")) or derived_id(data),
            direction=Direction.INBOUND,
            kind=MessageKind.MEDIA if media else MessageKind.TEXT if text else MessageKind.EMPTY,
            person=phone(sender),
            occurred_at=when,
            content=Content(text=text, media=media),
        ),
    )
    taken_for = payload.get("autoresponse_type")
    if isinstance(taken_for, str) and taken_for in CONSENTS:
        consent = CONSENTS[taken_for]
        yield ConsentChanged(
            account=account, person=phone(sender), consent=consent, category="sms", occurred_at=when
        )


def _report(item: Json, data: dict[str, Json], payload: dict[str, Json], now: Instant) -> Event:
    account, message_id = _number(payload.get("from")), wild.identifier(payload.get("id"))
    told = next(wild.objects(payload.get("to")), {}).get("status")
    status = STATUSES.get(told) if isinstance(told, str) else None
    if status is None or message_id is None:
        return _unrecognised(item, "status_word" if status is None else "no_target", account)
    codes = tuple(error_numbers(payload.get("errors")))
    return DeliveryReported(
        account=account or "",
        message_id=message_id,
        status=status,
        occurred_at=_moment(data, payload, "completed_at", now),
        error_codes=codes,
        failure=FAILURES.get(telling(codes)) if status is DeliveryStatus.FAILED else None,
        ours=_ours(payload.get("webhook_url")),
    )


def _receiver(payload: dict[str, Json]) -> str | None:
    """Whom it reached: of a group, the one whose webhook this is."""
    receivers = list(wild.objects(payload.get("to")))
    ours = [one for one in receivers if one.get("status") == "webhook_delivered"] or receivers
    return _number(ours[0]) if ours else None


def _number(party: Json) -> str | None:
    return international(wild.mapping(party).get("phone_number") if isinstance(party, dict) else party)


def _media(item: dict[str, Json]) -> Media:
    mime_type = wild.text(item.get("content_type"))
    kind = _MEDIA.get((mime_type or "").partition("/")[0], MediaKind.FILE)
    digest = wild.text(item.get("sha256"))
    return Media(kind=kind, url=wild.text(item.get("url")), mime_type=mime_type, sha256=digest)


def _ours(address: Json) -> str:
    """Our id, from the address that was given to Telnyx with the text: it is repeated in the signed body."""
    match = _reference.search(address) if isinstance(address, str) else None
    return match[1] if match else ""


def _moment(data: dict[str, Json], payload: dict[str, Json], own: str, now: Instant) -> Instant:
    return wild.instant(data.get("occurred_at")) or wild.instant(payload.get(own)) or now


def _unrecognised(value: Json, why: str, account: str | None = None) -> Event:
    return Unrecognised(account=account or "", shape=shape(value, KEYS), why=why)


def _signs(key: bytes, signature: bytes, signed: bytes) -> bool:
    """Whether it is of this public key, which the portal shows in base64; what is no key signs nothing."""
    try:
        Ed25519PublicKey.from_public_bytes(_base64(key.decode("latin-1"))).verify(signature, signed)
    except (ValueError, InvalidSignature):
        return False
    return True


def _base64(value: str) -> bytes:
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if base64.b64encode(raw).decode() == value else b""
