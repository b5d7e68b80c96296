"""Telnyx's messaging API, as ``connectors/sms_telnyx/README.md`` describes it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from policies.event import DeliveryStatus
from policies.message import Json
from worker.standins.checks import bearer, json_object, text_of, wrong_party
from worker.standins.provider import (
    JSON,
    Account,
    Inbound,
    Post,
    Provider,
    Received,
    Reply,
    Report,
    Taken,
    nothing_here,
    reply,
)

MOST_CHARACTERS: Final = 1600
_WORDS: Final = {
    DeliveryStatus.SENT: ("message.sent", "sent"),
    DeliveryStatus.DELIVERED: ("message.finalized", "delivered"),
    DeliveryStatus.FAILED: ("message.finalized", "delivery_failed"),
}


def public_key(account: Account) -> bytes:
    """The key that a tenant finds in Telnyx's portal: base64 of 32 bytes. ``Account.signing`` is its private half."""
    key = Ed25519PrivateKey.from_private_bytes(account.signing).public_key()
    return base64.b64encode(key.public_bytes_raw())


def _take(received: Received, account: Account, id_: str) -> Taken | Reply:
    if not bearer(received, account.secret):
        return _errors(401, (10009, ""))
    body = json_object(received)
    if body is None:
        return _errors(400, (10015, ""))
    if wrong := tuple(_wrong(body, account)):
        return _errors(422, *wrong)
    callback = text_of(body, "webhook_url")
    ours = re.search(r"[?&]ref=([^&]*)", callback)
    return Taken(
        id=f"{id_[:8]}-{id_[8:12]}-{id_[12:16]}-{id_[16:20]}-{id_[20:]}",
        ours=ours[1] if ours else "",
        sender=text_of(body, "from"),
        recipient=text_of(body, "to"),
        text=text_of(body, "text"),
        callback=callback,
    )


def _wrong(body: dict[str, Json], account: Account) -> Iterator[tuple[int, str]]:
    """Every error's number and the field that it points to."""
    sender, recipient, text = (text_of(body, name) for name in ("from", "to", "text"))
    is_name = sender[:1] not in set("+0123456789")
    if not recipient or not text:
        yield 10004, "/text" if recipient else "/to"
    elif re.fullmatch(r"\+[1-9][0-9]{6,14}", recipient) is None:
        yield 40310, "/to"
    if wrong_party(sender, account) or (is_name and not text_of(body, "messaging_profile_id")):
        yield 40305, "/from"
    if len(text) > MOST_CHARACTERS:
        yield 40302, "/text"


def _message(taken: Taken, status: str) -> dict[str, Json]:
    return {
        "record_type": "message",
        "direction": "outbound",
        "id": taken.id,
        "type": "SMS",
        "from": {"phone_number": taken.sender, "carrier": "Telnyx", "line_type": "Wireless"},
        "to": [{"phone_number": taken.recipient, "status": status}],
        "text": taken.text,
        "webhook_url": taken.callback or None,
        "parts": 1,
        "errors": [],
    }


def _report(taken: Taken, report: Report, account: Account, now: int) -> Post:
    event, status = _WORDS[report.status]
    payload = _message(taken, status)
    if report.code:
        payload["errors"] = [{"code": str(report.code), "title": "Refused"}]
    return _signed(taken.callback or account.webhook, event, payload, account, now)


def _inbound(text: Inbound, account: Account, now: int) -> Post:
    payload = {
        "record_type": "message",
        "direction": "inbound",
        "id": text.id,
        "type": "SMS",
        "from": {"phone_number": text.sender},
        "to": [{"phone_number": text.recipient, "status": "webhook_delivered"}],
        "text": text.text,
        "media": [],
        "received_at": _time(now),
    }
    return _signed(account.webhook, "message.received", payload, account, now)


def _signed(url: str, event: str, payload: Json, account: Account, now: int) -> Post:
    data = {
        "event_type": event,
        "id": f"{payload['id']}-{event}",
        "occurred_at": _time(now),
        "payload": payload,
    }
    data["record_type"] = "event"
    body = msgspec.json.encode({"data": data, "meta": {"attempt": 1, "delivered_to": url}})
    signature = Ed25519PrivateKey.from_private_bytes(account.signing).sign(f"{now}|".encode() + body)
    headers = {
        "telnyx-signature-ed25519": base64.b64encode(signature).decode(),
        "telnyx-timestamp": str(now),
        "content-type": JSON,
    }
    return Post(url=url, headers=headers, body=body)


def _errors(status: int, *errors: tuple[int, str]) -> Reply:
    """By number, each with a pointer to the field that it is about."""
    told: Sequence[Json] = [
        {"code": str(code), "title": "Refused", "source": {"pointer": pointer}} for code, pointer in errors
    ]
    return reply(status, {"errors": told})


def _time(now: int) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")


TELNYX: Final = Provider(
    name="telnyx",
    sends=re.compile(r"POST /v2/messages"),
    take=_take,
    answer=lambda taken: reply(200, {"data": _message(taken, "queued")}),
    refuse=lambda code, status: _errors(status, (code, "")),
    report=_report,
    inbound=_inbound,
    other=nothing_here,
    throttled=10011,
)
