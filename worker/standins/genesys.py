"""Genesys Cloud: access tokens, agentless messages, and the Open Messaging webhook, as ``connectors/sms_genesys/README.md``."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from policies.event import DeliveryStatus
from policies.message import Json
from worker.standins.checks import basic, bearer, json_object, text_of, wrong_party
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
    reply,
)

MOST_CHARACTERS: Final = 765
TOKEN_SECONDS: Final = 86_400
_CODES: Final = {409: "conversation.active", 429: "too.many.requests.retry.after"}
_INTEGRATION: Final = "00000000-0000-4000-8000-00000000c0de"
_WORDS: Final = {
    DeliveryStatus.SENT: "Sent",
    DeliveryStatus.DELIVERED: "Delivered",
    DeliveryStatus.READ: "Read",
    DeliveryStatus.FAILED: "Failed",
}
REASONS: Final = ("GeneralError", "RecipientOptedOut", "InvalidDestination", "DataFiltered", "RateLimited")
"""Genesys names its reasons: a report's ``code`` counts in this list."""


def _take(received: Received, account: Account, id_: str) -> Taken | Reply:
    if not bearer(received, account.token):
        return _error(401, "bad.credentials")
    body = json_object(received)
    if body is None or body.get("toAddressMessengerType") != "sms":
        return _error(400, "bad.request")
    text, sender, recipient = (text_of(body, name) for name in ("textBody", "fromAddress", "toAddress"))
    if re.fullmatch(r"\+[1-9][0-9]{6,14}", recipient) is None or not text or len(text) > MOST_CHARACTERS:
        return _error(400, "invalid.value")
    if wrong_party(sender, account):
        return _error(400, "invalid.from.address")
    return Taken(id=_uuid(id_), ours="", sender=sender, recipient=recipient, text=text)


def _answer(taken: Taken) -> Reply:
    return reply(
        202,
        {
            "id": taken.id,
            "conversationId": _uuid(hashlib.sha256(taken.id.encode()).hexdigest()),
            "fromAddress": taken.sender,
            "toAddress": taken.recipient,
            "messengerType": "sms",
            "textBody": taken.text,
            "timestamp": _time(taken.at),
            "selfUri": f"/api/v2/conversations/messages/agentless/{taken.id}",
        },
    )


def _other(received: Received, account: Account, _accepted: Sequence[Taken]) -> Reply:
    """``POST /oauth/token`` with client credentials."""
    if (received.method, received.path) != ("POST", "/oauth/token"):
        return _error(404, "not.found")
    form = dict(parse_qsl(received.body.decode(errors="replace")))
    if not basic(received, account.key, account.secret) or form.get("grant_type") != "client_credentials":
        return reply(401, {"error": "invalid_client", "description": "authentication failed"})
    return reply(200, {"access_token": account.token, "token_type": "bearer", "expires_in": TOKEN_SECONDS})


def _report(taken: Taken, report: Report, account: Account, now: int) -> Post:
    channel = _channel(taken.sender, taken.recipient, taken.id, now)
    told: dict[str, Json] = {
        "id": taken.id,
        "channel": channel,
        "type": "Receipt",
        "status": _WORDS[report.status],
        "isFinalReceipt": report.status is not DeliveryStatus.SENT,
        "direction": "Outbound",
    }
    if report.status is DeliveryStatus.FAILED:
        told["reasons"] = [{"code": REASONS[report.code % len(REASONS)]}]
    return _signed(told, account)


def _inbound(text: Inbound, account: Account, now: int) -> Post:
    channel = _channel(text.sender, text.recipient, text.id, now)
    told = {"id": text.id, "channel": channel, "type": "Text", "text": text.text, "direction": "Inbound"}
    return _signed(told, account)


def _channel(sender: str, recipient: str, id_: str, now: int) -> dict[str, Json]:
    return {
        "id": _INTEGRATION,
        "platform": "Open",
        "type": "Private",
        "messageId": id_,
        "from": {"id": sender, "idType": "Phone"},
        "to": {"id": recipient, "idType": "Phone"},
        "time": _time(now),
    }


def _signed(told: Json, account: Account) -> Post:
    """Base64, though the header's name is that of a platform that writes hexadecimal digits."""
    body = msgspec.json.encode(told)
    digest = hmac.new(account.signing, body, hashlib.sha256).digest()
    signature = "sha256=" + base64.b64encode(digest).decode()
    headers = {"x-hub-signature-256": signature, "content-type": JSON}
    return Post(url=account.webhook, headers=headers, body=body)


def _error(status: int, code: str) -> Reply:
    return reply(
        status, {"message": "Refused", "code": code, "status": status, "contextId": "0" * 32, "errors": []}
    )


def _uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def _time(now: int) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


GENESYS: Final = Provider(
    name="genesys",
    sends=re.compile(r"POST /api/v2/conversations/messages/agentless"),
    take=_take,
    answer=_answer,
    refuse=lambda _code, status: _error(status, _CODES.get(status, "bad.request")),
    report=_report,
    inbound=_inbound,
    other=_other,
)
