"""Vonage's Messages API, text messages, as ``connectors/sms_vonage/README.md`` describes it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from policies.event import DeliveryStatus
from policies.message import Json
from worker.standins.checks import basic, json_object, text_of, wrong_party
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

MOST_CHARACTERS: Final = 1000
_ERRORS: Final = "https://developer.vonage.com/api-errors"
_WORDS: Final = {
    DeliveryStatus.SENT: "submitted",
    DeliveryStatus.DELIVERED: "delivered",
    DeliveryStatus.FAILED: "rejected",
    DeliveryStatus.READ: "read",
}


def _take(received: Received, account: Account, id_: str) -> Taken | Reply:
    if not basic(received, account.key, account.secret):
        return _problem(401, "#unauthorized", "Unauthorized")
    body = json_object(received)
    if body is None or body.get("channel") != "sms" or body.get("message_type") != "text":
        return _problem(422, "/messages#1020", "Invalid params", "channel")
    text, sender, recipient = (text_of(body, name) for name in ("text", "from", "to"))
    if not text or len(text) > MOST_CHARACTERS or len(text_of(body, "client_ref")) > 100:
        return _problem(422, "/messages#1020", "Invalid params", "text")
    if re.fullmatch(r"[1-9][0-9]{6,14}", recipient) is None:
        return _problem(422, "/messages#1170", "Invalid or missing number", "to")
    if wrong_party(sender, account, plus=False):
        return _problem(422, "/messages#1120", "Illegal sender address", "from")
    return Taken(
        id=_uuid(id_),
        ours=text_of(body, "client_ref"),
        sender=f"+{sender}" if sender.isdigit() else sender,
        recipient=f"+{recipient}",
        text=text,
        callback=text_of(body, "webhook_url"),
    )


def _report(taken: Taken, report: Report, account: Account, now: int) -> Post:
    told: dict[str, Json] = {
        "message_uuid": taken.id,
        "to": taken.recipient.removeprefix("+"),
        "from": taken.sender.removeprefix("+"),
        "timestamp": _time(now),
        "status": _WORDS[report.status],
        "channel": "sms",
    }
    if taken.ours:
        told["client_ref"] = taken.ours
    if report.code:
        told["error"] = {"type": f"{_ERRORS}/messages#{report.code}", "title": str(report.code)}
    return _signed(taken.callback or account.webhook, told, account, now)


def _inbound(text: Inbound, account: Account, now: int) -> Post:
    told: dict[str, Json] = {
        "channel": "sms",
        "message_uuid": text.id,
        "to": text.recipient.removeprefix("+"),
        "from": text.sender.removeprefix("+"),
        "timestamp": _time(now),
        "message_type": "text",
        "text": text.text,
        "sms": {"num_messages": "1"},
    }
    return _signed(account.webhook, told, account, now)


def _signed(url: str, told: Json, account: Account, now: int) -> Post:
    """A JWT of its own for every callback, its claims holding the body's digest."""
    body = msgspec.json.encode(told)
    claims = {
        "iss": "Vonage",
        "iat": now,
        "jti": _uuid(hashlib.sha256(body).hexdigest()),
        "api_key": account.key,
    }
    claims["payload_hash"] = hashlib.sha256(body).hexdigest()
    parts = [_base64url(msgspec.json.encode(part)) for part in ({"typ": "JWT", "alg": "HS256"}, claims)]
    signature = hmac.new(account.signing, ".".join(parts).encode(), hashlib.sha256).digest()
    token = ".".join((*parts, _base64url(signature)))
    return Post(url=url, headers={"authorization": f"Bearer {token}", "content-type": JSON}, body=body)


def _problem(status: int, kind: str, title: str, parameter: str = "") -> Reply:
    told: dict[str, Json] = {"type": _ERRORS + kind, "title": title, "detail": title, "instance": "0" * 32}
    if parameter:
        told["invalid_parameters"] = [{"name": parameter, "reason": "invalid value"}]
    return reply(status, told)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def _time(now: int) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


VONAGE: Final = Provider(
    name="vonage",
    sends=re.compile(r"POST /v1/messages"),
    take=_take,
    answer=lambda taken: reply(202, {"message_uuid": taken.id}),
    refuse=lambda code, status: _problem(status, f"/messages#{code}", "Refused"),
    report=_report,
    inbound=_inbound,
    other=nothing_here,
    throttled=1000,
)
