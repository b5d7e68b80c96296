"""Vonage's Messages webhooks: one inbound text or one status, signed by a JWT whose claims hold the body's digest."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from connectors import wild
from connectors.constant_time import any_equal
from connectors.contract import Credentials, SignatureRefused, WebhookAnswer, WebhookRequest
from connectors.decode import MalformedPayload, decode
from connectors.items import isolated
from connectors.shape import shape
from connectors.sms import derived_id, international, our_id, phone
from connectors.sms_vonage.outbound import FAILURES, error_number
from policies.event import DeliveryReported, DeliveryStatus, Event, MessageReceived, Unrecognised
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

SIGNATURE_HEADER: Final = "authorization"
MAX_AGE: Final = 15 * 60 * wild.MICROSECONDS
"""How old a token may be (our choice: it names no end). Every attempt is taken to bring one of its own."""

STATUSES: Final[Mapping[str, DeliveryStatus]] = MappingProxyType(
    {
        "submitted": DeliveryStatus.SENT,
        "delivered": DeliveryStatus.DELIVERED,
        "read": DeliveryStatus.READ,
        "rejected": DeliveryStatus.FAILED,
        "undeliverable": DeliveryStatus.FAILED,
    }
)

KEYS: Final = frozenset(
    """
    api_key audio channel client_ref context_status currency destination detail error file from image instance keyword
    message_type message_uuid network_code num_messages origin price profile reply_to sms status text timestamp title to
    type usage vcard video count_total url caption
    """.split()
)
"""Key names that may stand in a shape."""

_MEDIA: Final[Mapping[str, MediaKind]] = MappingProxyType(
    {
        "image": MediaKind.IMAGE,
        "audio": MediaKind.AUDIO,
        "video": MediaKind.VIDEO,
        "file": MediaKind.FILE,
        "vcard": MediaKind.FILE,
    }
)
_CLOCK_SKEW = 5 * 60 * wild.MICROSECONDS
_bearer = re.compile(r"Bearer (([A-Za-z0-9_-]{2,1024})\.([A-Za-z0-9_-]{2,4096}))\.([A-Za-z0-9_-]{43})\Z")


def handshake(_request: WebhookRequest, _credentials: Credentials) -> WebhookAnswer | None:
    """Vonage has none."""
    return None


def verify(request: WebhookRequest, credentials: Credentials) -> None:
    """Check the JWT: HS256 under a secret of the ring, issued within minutes, over the digest of these very bytes.

    The algorithm is ours to choose and not the token's. Raises SignatureRefused.
    """
    match = _bearer.match(request.headers.get(SIGNATURE_HEADER, ""))
    signed, header, claims, signature = match.groups() if match else ("", "", "", "")
    expected = tuple(hmac.digest(secret, signed.encode(), "sha256") for secret in credentials.signing_secrets)
    if not any_equal(_base64url(signature), expected) or _part(header).get("alg") != "HS256":
        raise SignatureRefused
    told = _part(claims)
    digest = hashlib.sha256(request.body).hexdigest().encode()
    given = wild.text(told.get("payload_hash")) or ""
    if not hmac.compare_digest(given.encode(errors="replace"), digest) or not _is_fresh(
        told, request.received_at
    ):
        raise SignatureRefused


def sample_signature(request: WebhookRequest, secret: bytes) -> dict[str, str]:
    """The header that Vonage would send with this body at this time."""
    claims = {
        "iss": "Vonage",
        "iat": request.received_at // wild.MICROSECONDS,
        "jti": hashlib.sha256(request.body).hexdigest()[:32],
        "payload_hash": hashlib.sha256(request.body).hexdigest(),
    }
    signed = b".".join(
        _encoded(msgspec.json.encode(part)) for part in ({"alg": "HS256", "typ": "JWT"}, claims)
    )
    signature = _encoded(hmac.digest(secret, signed, "sha256"))
    return {SIGNATURE_HEADER: f"Bearer {signed.decode()}.{signature.decode()}"}


def parse(payload: Json, now: Instant) -> Iterator[Event]:
    """The one event of a delivery; a list counts as several deliveries. Never raises."""
    yield from isolated(
        payload, lambda item: (_event(item, now),), lambda item: _unrecognised(item, "failed")
    )


def _event(item: Json, now: Instant) -> Event:
    if not isinstance(item, dict) or item.get("channel") not in {"sms", "mms", None}:
        return _unrecognised(item, "envelope")
    if "status" in item:
        return _report(item, now)
    if "message_type" in item:
        return _inbound(item, now)
    return _unrecognised(item, "envelope")


def _report(item: dict[str, Json], now: Instant) -> Event:
    told, message_id = item["status"], wild.identifier(item.get("message_uuid"))
    status = STATUSES.get(told) if isinstance(told, str) else None
    if status is None or message_id is None:
        return _unrecognised(item, "status_word" if status is None else "no_target")
    code = error_number(item.get("error"))
    return DeliveryReported(
        account=international(item.get("from")) or "",
        message_id=message_id,
        status=status,
        occurred_at=wild.instant(item.get("timestamp")) or now,
        error_codes=(code,) if code else (),
        failure=FAILURES.get(code) if status is DeliveryStatus.FAILED else None,
        ours=our_id(item.get("client_ref")),
    )


def _inbound(item: dict[str, Json], now: Instant) -> Event:
    account, sender = international(item.get("to")), international(item.get("from"))
    if account is None or sender is None:
        return _unrecognised(item, "no_party")
    told = item["message_type"]
    held = wild.mapping(item.get(told)) if isinstance(told, str) and told in _MEDIA else {}
    media = (Media(kind=_MEDIA[told], url=wild.text(held.get("url"))),) if held else ()
    text = wild.text(item.get("text")) or wild.text(held.get("caption"))
    message = Message(
        channel=Channel.SMS,
        account=account,
        id=wild.identifier(item.get("message_uuid")) or derived_id(item),
        direction=Direction.INBOUND,
        kind=_kind(told, text, media),
        person=phone(sender),
        occurred_at=wild.instant(item.get("timestamp")) or now,
        content=Content(text=text, media=media),
    )
    return MessageReceived(account=account, message=message)


def _kind(told: Json, text: str | None, media: tuple[Media, ...]) -> MessageKind:
    if media:
        return MessageKind.MEDIA
    if text is not None:
        return MessageKind.TEXT
    return MessageKind.EMPTY if told == "text" else MessageKind.UNKNOWN


def _unrecognised(value: Json, why: str) -> Event:
    """Of a report the sender is the account, of a text the recipient."""
    item = wild.mapping(value)
    account = international(item.get("from" if "status" in item else "to"))
    return Unrecognised(account=account or "", shape=shape(value, KEYS), why=why)


def _is_fresh(claims: Mapping[str, Json], now: Instant) -> bool:
    issued = wild.integer(claims.get("iat"))
    return issued is not None and now - MAX_AGE <= issued * wild.MICROSECONDS <= now + _CLOCK_SKEW


def _part(encoded: str) -> dict[str, Json]:
    """The JSON object of a part whose signature was right; an empty one where it is none."""
    try:
        return wild.mapping(decode(_base64url(encoded))[0])
    except MalformedPayload:
        return {}


def _encoded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _base64url(value: str) -> bytes:
    """Nothing but the one spelling that encoding gives: bits that decoding passes over make another token."""
    try:
        raw = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if _encoded(raw).decode() == value else b""
