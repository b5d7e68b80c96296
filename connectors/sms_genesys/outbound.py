"""Sending a text through Genesys Cloud, without an agent: facts in README.md beside this file."""

from __future__ import annotations

import base64
import re
from typing import Final
from urllib.parse import urlencode

import msgspec

from connectors import wild
from connectors.contract import (
    Grant,
    HttpAnswer,
    HttpRequest,
    Outbound,
    Refused,
    Sending,
    SendResult,
    Sent,
    Text,
    Unknown,
)
from connectors.sms import answered, base_url, not_sent
from policies.event import Failure
from policies.message import Json

PATH: Final = "/api/v2/conversations/messages/agentless"

_client_id = re.compile(r"[0-9A-Za-z-]{1,64}\Z")
_token = re.compile(r"[!-~]{1,8192}\Z")
_LONGEST_LIFE: Final = 172_800.0
_CONFLICT: Final = 409
# No page names the error of a conversation that is open: by what such words would be. Either way nothing was sent.
_open_conversation = re.compile(
    r"(?:active|existing|open|connected)[ ._-]conversation|conversation\b.{0,40}\b(?:active|exists|open|connected)",
    re.IGNORECASE,
)


def addresses(sending: Sending) -> tuple[str, ...]:
    """The two hosts: for texts, and for access tokens. Raises ValueError."""
    options = sending.options
    if _client_id.match(options["client_id"]) is None:
        raise ValueError("client_id as Genesys Cloud shows it")
    if options["use_existing_active_conversation"] not in {"true", "false"}:
        raise ValueError("use_existing_active_conversation as true or false")
    return (base_url(sending), _login_url(sending))


def build_request(text: Text, sending: Sending) -> HttpRequest:
    """One agentless message. It bears no reference of ours: receipts name the id in the answer."""
    body: dict[str, Json] = {
        "fromAddress": text.sender,
        "toAddress": text.recipient,
        "toAddressMessengerType": "sms",
        "textBody": text.text,
        "useExistingActiveConversation": sending.options["use_existing_active_conversation"] == "true",
    }
    return HttpRequest(
        method="POST",
        url=base_url(sending) + PATH,
        headers={
            "authorization": f"Bearer {sending.bearer}",
            "content-type": "application/json",
            "accept": "application/json",
        },
        body=msgspec.json.encode(body),
    )


def read_result(answer: HttpAnswer, _sending: Sending) -> SendResult:
    """2xx with an ``id`` was taken; 4xx was not. An open conversation with the recipient is a reason to wait."""
    told = answered(answer)
    if 200 <= answer.status < 300:
        message_id = wild.identifier(told.get("id"))
        return Sent(id=message_id) if message_id is not None else Unknown()
    result = not_sent(answer, 0, {})
    if isinstance(result, Refused) and result.failure is Failure.REJECTED and _is_busy(answer, told):
        return msgspec.structs.replace(result, failure=Failure.BUSY)
    return result


def _is_busy(answer: HttpAnswer, told: dict[str, Json]) -> bool:
    words = f"{wild.text(told.get('code')) or ''} {wild.text(told.get('message')) or ''}"[:1000]
    return answer.status == _CONFLICT or _open_conversation.search(words) is not None


def _ask(sending: Sending) -> HttpRequest:
    """Client credentials for an access token."""
    key = sending.options["client_id"].encode() + b":" + sending.secrets["client_secret"][0]
    return HttpRequest(
        method="POST",
        url=f"{_login_url(sending)}/oauth/token",
        headers={
            "authorization": "Basic " + base64.b64encode(key).decode(),
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
        },
        body=urlencode({"grant_type": "client_credentials"}).encode(),
    )


def _granted(answer: HttpAnswer) -> tuple[str, float] | None:
    """The token, which must fit a header, and its life in seconds: two days at most, whatever is said."""
    told = answered(answer) if answer.status == 200 else {}
    token, life = wild.text(told.get("access_token")), wild.integer(told.get("expires_in"))
    if token is None or _token.match(token) is None or life is None or life <= 0:
        return None
    return token, min(float(life), _LONGEST_LIFE)


def _login_url(sending: Sending) -> str:
    """``login_url``; where none is given, ``login.`` in place of the ``api.`` of ``base_url``. Raises ValueError."""
    if sending.options["login_url"]:
        return base_url(sending, "login_url")
    api = base_url(sending)
    if not api.startswith("https://api."):
        raise ValueError("login_url as https://host, as base_url is not https://api.<region>")
    return api.replace("//api.", "//login.", 1)


OUTBOUND: Final = Outbound(
    options={
        "client_id": None,
        "use_existing_active_conversation": "false",
        "base_url": "https://api.mypurecloud.com",
        "login_url": "",
    },
    secrets=("client_secret",),
    addresses=addresses,
    build_request=build_request,
    read_result=read_result,
    most_characters=765,
    grant=Grant(build=_ask, read=_granted),
)
