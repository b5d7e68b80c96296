"""Twilio's Messages resource, as ``connectors/sms_twilio/README.md`` describes it: sending, and the list of what was sent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, urlencode

from policies.event import DeliveryStatus
from policies.message import Json
from worker.standins.checks import basic, wrong_party
from worker.standins.provider import Account, Inbound, Post, Provider, Received, Reply, Report, Taken, reply

MOST_CHARACTERS: Final = 1600
_FORM: Final = "application/x-www-form-urlencoded"
_WORDS: Final = {
    DeliveryStatus.SENT: "sent",
    DeliveryStatus.DELIVERED: "delivered",
    DeliveryStatus.FAILED: "undelivered",
    DeliveryStatus.READ: "read",
}
_path = re.compile(r"/2010-04-01/Accounts/([A-Za-z0-9]{1,64})/Messages\.json")


def _take(received: Received, account: Account, id_: str) -> Taken | Reply:
    refusal = _unknown(received, account)
    if refusal is not None:
        return refusal
    form = dict(parse_qsl(received.body.decode(errors="replace"), keep_blank_values=True))
    text, recipient = form.get("Body", ""), form.get("To", "")
    sender = form.get("From") or form.get("MessagingServiceSid") or ""
    wrong = (
        (21604, not recipient),
        (21603, not sender),
        (21602, not text),
        (21617, len(text) > MOST_CHARACTERS),
        (21211, re.fullmatch(r"\+[1-9][0-9]{6,14}", recipient) is None),
        (21606, wrong_party(sender, account)),
    )
    if received.headers.get("content-type", "").partition(";")[0] != _FORM:
        return _error(12300, 400)
    if (code := next((code for code, applies in wrong if applies), None)) is not None:
        return _error(code, 400)
    callback = form.get("StatusCallback", "")
    ours = re.search(r"[?&]ref=([^&]*)", callback)
    return Taken(
        id=f"SM{id_}",
        ours=ours[1] if ours else "",
        sender=sender,
        recipient=recipient,
        text=text,
        callback=callback,
    )


def _other(received: Received, account: Account, accepted: Sequence[Taken]) -> Reply:
    """``GET …/Messages.json?To=…&From=…``: the newest first."""
    if received.method != "GET" or _path.fullmatch(received.path) is None:
        return _error(20404, 404)
    refusal = _unknown(received, account)
    if refusal is not None:
        return refusal
    wanted = received.query
    found = [
        _message(taken)
        for taken in reversed(accepted)
        if wanted.get("To", taken.recipient) == taken.recipient
        and wanted.get("From", taken.sender) == taken.sender
    ]
    return reply(200, {"messages": found, "page": 0, "page_size": 50, "next_page_uri": None})


def _unknown(received: Received, account: Account) -> Reply | None:
    match = _path.fullmatch(received.path)
    known = match is not None and match[1] == account.key and basic(received, account.key, account.secret)
    return None if known else _error(20003, 401)


def _message(taken: Taken) -> dict[str, Json]:
    return {
        "sid": taken.id,
        "status": "queued",
        "from": taken.sender,
        "to": taken.recipient,
        "body": taken.text,
        "direction": "outbound-api",
        "num_segments": "1",
        "error_code": None,
        "error_message": None,
        "date_created": datetime.fromtimestamp(taken.at, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000"),
    }


def _report(taken: Taken, report: Report, account: Account, _now: int) -> Post:
    status = _WORDS[report.status]
    form = {
        "MessageSid": taken.id,
        "SmsSid": taken.id,
        "AccountSid": account.key,
        "MessageStatus": status,
        "SmsStatus": status,
        "To": taken.recipient,
        "From": taken.sender,
        "ApiVersion": "2010-04-01",
    }
    if report.code:
        form["ErrorCode"] = str(report.code)
    return _signed(taken.callback or account.webhook, form, account)


def _inbound(text: Inbound, account: Account, _now: int) -> Post:
    form = {
        "MessageSid": text.id,
        "SmsSid": text.id,
        "SmsMessageSid": text.id,
        "AccountSid": account.key,
        "From": text.sender,
        "To": text.recipient,
        "Body": text.text,
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsStatus": "received",
        "ApiVersion": "2010-04-01",
    }
    return _signed(account.webhook, form, account)


def _signed(url: str, form: Mapping[str, str], account: Account) -> Post:
    """HMAC-SHA1 over the address and every field in the order of their names."""
    content = url + "".join(name + form[name] for name in sorted(form))
    signature = base64.b64encode(hmac.new(account.signing, content.encode(), hashlib.sha1).digest()).decode()
    headers = {"x-twilio-signature": signature, "content-type": _FORM}
    return Post(url=url, headers=headers, body=urlencode(form).encode())


def _error(code: int, status: int) -> Reply:
    return reply(status, {"code": code, "message": "Refused", "more_info": "", "status": status})


TWILIO: Final = Provider(
    name="twilio",
    sends=re.compile("POST " + _path.pattern),
    take=_take,
    answer=lambda taken: reply(201, _message(taken)),
    refuse=_error,
    report=_report,
    inbound=_inbound,
    other=_other,
    throttled=20429,
)
