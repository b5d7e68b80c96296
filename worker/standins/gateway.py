"""Some gateway of nobody's in particular, for the HTTP template; its callbacks are of the format that ``sms-http`` takes.

It reads ``to``, ``from``, ``text`` and ``id`` from JSON, a form or the query, and answers ``{"id": …}``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from policies.event import Failure
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


def _take(received: Received, account: Account, id_: str) -> Taken | Reply:
    fields = _fields(received)
    if not (bearer(received, account.secret) or text_of(fields, "key") == account.secret):
        return reply(401, {"error": 1})
    text, sender, recipient = (text_of(fields, name) for name in ("text", "from", "to"))
    if not text or len(text) > MOST_CHARACTERS or not recipient or wrong_party(sender, account):
        return reply(400, {"error": 2})
    return Taken(id=id_, ours=text_of(fields, "id"), sender=sender, recipient=recipient, text=text)


def _fields(received: Received) -> dict[str, Json]:
    if received.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(received.body.decode(errors="replace"), keep_blank_values=True))
    return dict(received.query) | (json_object(received) or {})


def _report(taken: Taken, report: Report, account: Account, now: int) -> Post:
    told: dict[str, Json] = {
        "event": "status",
        "id": taken.id,
        "ours": taken.ours,
        "from": taken.sender,
        "status": report.status.value,
        "time": now,
    }
    if report.code:
        told |= {"code": report.code, "failure": Failure.DEAD_NUMBER.value}
    return _signed(told, account, now)


def _inbound(text: Inbound, account: Account, now: int) -> Post:
    told = {"event": "message", "id": text.id, "from": text.sender, "to": text.recipient, "text": text.text}
    return _signed(told | {"time": now}, account, now)


def _signed(told: Json, account: Account, now: int) -> Post:
    body = msgspec.json.encode(told)
    digest = hmac.new(account.signing, str(now).encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"x-timestamp": str(now), "x-signature": f"sha256={digest}", "content-type": JSON}
    return Post(url=account.webhook, headers=headers, body=body)


GATEWAY: Final = Provider(
    name="gateway",
    sends=re.compile(r"(?:POST|PUT|GET) /send"),
    take=_take,
    answer=lambda taken: reply(200, {"id": taken.id}),
    refuse=lambda code, status: reply(status, {"error": code}),
    report=_report,
    inbound=_inbound,
    other=nothing_here,
)
