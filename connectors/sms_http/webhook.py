"""Texts and reports that a gateway, or a script beside it, posts here: a format of our own, described in README.md.

``sms-console`` takes the same.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from connectors import wild
from connectors.constant_time import any_equal
from connectors.contract import Credentials, SignatureRefused, WebhookAnswer, WebhookRequest
from connectors.items import isolated
from connectors.shape import shape
from connectors.sms import derived_id, our_id, phone
from policies.event import DeliveryReported, DeliveryStatus, Event, Failure, MessageReceived, Unrecognised
from policies.message import Channel, Content, Direction, Instant, Json, Message, MessageKind

SIGNATURE_HEADER: Final = "x-signature"
TIMESTAMP_HEADER: Final = "x-timestamp"
TOLERANCE: Final = 5 * 60 * wild.MICROSECONDS
"""How far the signature's time may lie from ours, either way."""

STATUSES: Final[Mapping[str, DeliveryStatus]] = MappingProxyType(
    {
        "sent": DeliveryStatus.SENT,
        "delivered": DeliveryStatus.DELIVERED,
        "failed": DeliveryStatus.FAILED,
    }
)

KEYS: Final = frozenset(
    {"code", "event", "events", "failure", "from", "id", "ours", "status", "text", "time", "to"}
)
"""Key names that may stand in a shape."""

_FAILURES: Final = frozenset(Failure)
_hex_signature = re.compile(r"sha256=[0-9a-f]{64}\Z")
_timestamp = re.compile(r"[0-9]{1,11}\Z")


def handshake(_request: WebhookRequest, _credentials: Credentials) -> WebhookAnswer | None:
    """There is none."""
    return None


def verify(request: WebhookRequest, credentials: Credentials) -> None:
    """Check ``X-Signature`` over ``X-Timestamp`` and the exact bytes, and the time against ours.

    Raises SignatureRefused.
    """
    given, time = request.headers.get(SIGNATURE_HEADER, ""), request.headers.get(TIMESTAMP_HEADER, "")
    if _hex_signature.match(given) is None or _timestamp.match(time) is None:
        raise SignatureRefused
    expected = tuple(_sign(time, request.body, secret) for secret in credentials.signing_secrets)
    age = abs(request.received_at - int(time) * wild.MICROSECONDS)
    if not any_equal(given.encode(), expected) or age > TOLERANCE:
        raise SignatureRefused


def sample_signature(request: WebhookRequest, secret: bytes) -> dict[str, str]:
    """The headers of a right signature."""
    time = str(request.received_at // wild.MICROSECONDS)
    return {TIMESTAMP_HEADER: time, SIGNATURE_HEADER: _sign(time, request.body, secret).decode()}


def parse(payload: Json, now: Instant) -> Iterator[Event]:
    """Every event of ``events``, or the lone one that is posted without it. Never raises."""
    several = payload.get("events") if isinstance(payload, dict) and "events" in payload else payload
    yield from isolated(
        several, lambda item: (_event(item, now),), lambda item: _unrecognised(item, "failed")
    )


def _event(item: Json, now: Instant) -> Event:
    happened = wild.mapping(item).get("event")
    if happened == "message":
        return _inbound(item, now)
    if happened == "status":
        return _report(item, now)
    return _unrecognised(item, "event")


def _inbound(item: dict[str, Json], now: Instant) -> Event:
    account, sender = wild.identifier(item.get("to")), wild.identifier(item.get("from"))
    if account is None or sender is None:
        return _unrecognised(item, "no_party")
    text = wild.text(item.get("text"))
    message = Message(
        channel=Channel.SMS,
        account=account,
        id=wild.identifier(item.get("id")) or derived_id(item),
        direction=Direction.INBOUND,
        kind=MessageKind.TEXT if text else MessageKind.EMPTY,
        person=phone(sender),
        occurred_at=wild.instant(item.get("time")) or now,
        content=Content(text=text),
    )
    return MessageReceived(account=account, message=message)


def _report(item: dict[str, Json], now: Instant) -> Event:
    told, ours = item.get("status"), our_id(item.get("ours"))
    status = STATUSES.get(told) if isinstance(told, str) else None
    # A gateway that told no id when it took the text knows it by ours alone.
    message_id = wild.identifier(item.get("id")) or ours
    if status is None or not message_id:
        return _unrecognised(item, "status_word" if status is None else "no_target")
    code, failure = wild.integer(item.get("code")), item.get("failure")
    return DeliveryReported(
        account=wild.identifier(item.get("from")) or "",
        message_id=message_id,
        status=status,
        occurred_at=wild.instant(item.get("time")) or now,
        error_codes=() if code is None else (code,),
        failure=_failure(failure) if status is DeliveryStatus.FAILED else None,
        ours=ours,
    )


def _failure(word: Json) -> Failure | None:
    return Failure(word) if isinstance(word, str) and word in _FAILURES else None


def _unrecognised(value: Json, why: str) -> Event:
    return Unrecognised(account="", shape=shape(value, KEYS), why=why)


def _sign(time: str, body: bytes, secret: bytes) -> bytes:
    return b"sha256=" + hmac.digest(secret, time.encode() + b"." + body, "sha256").hex().encode()
