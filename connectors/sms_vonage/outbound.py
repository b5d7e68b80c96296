"""Sending a text through Vonage's Messages API: ``POST /v1/messages``, facts in README.md beside this file."""

from __future__ import annotations

import base64
import re
from typing import Final

import msgspec

from connectors import wild
from connectors.contract import HttpAnswer, HttpRequest, Outbound, Sending, SendResult, Sent, Text, Unknown
from connectors.sms import answered, base_url, failures, not_sent
from policies.message import Json

FAILURES: Final = failures("connectors.sms_vonage")

SHORTEST_LIFE: Final = 20
LONGEST_LIFE: Final = 259_200
"""Seconds for which Vonage may be told to try (``ttl``)."""

_code = re.compile(r"#([0-9]{1,6})\Z")


def addresses(sending: Sending) -> tuple[str, ...]:
    """The one host that texts go to. Raises ValueError."""
    return (base_url(sending),)


def build_request(text: Text, sending: Sending) -> HttpRequest:
    """One message, authenticated with the API key and secret; ``client_ref`` comes back in its status callbacks."""
    body: dict[str, Json] = {
        "message_type": "text",
        "channel": "sms",
        "from": text.sender.removeprefix("+"),
        "to": text.recipient.removeprefix("+"),
        "text": text.text,
        "client_ref": text.id,
        "sms": {"encoding_type": "auto"},
    }
    if text.valid_seconds is not None:
        body["ttl"] = min(max(text.valid_seconds, SHORTEST_LIFE), LONGEST_LIFE)
    if sending.callback_url:
        body |= {"webhook_url": sending.callback_url, "webhook_version": "v1"}
    key = sending.options["api_key"].encode() + b":" + sending.secrets["api_secret"][0]
    return HttpRequest(
        method="POST",
        url=f"{base_url(sending)}/v1/messages",
        headers={
            "authorization": "Basic " + base64.b64encode(key).decode(),
            "content-type": "application/json",
            "accept": "application/json",
        },
        body=msgspec.json.encode(body),
    )


def read_result(answer: HttpAnswer, _sending: Sending) -> SendResult:
    """202 with a ``message_uuid`` was taken; what a problem document says was not."""
    told = answered(answer)
    if 200 <= answer.status < 300:
        message_id = wild.identifier(told.get("message_uuid"))
        return Sent(id=message_id) if message_id is not None else Unknown()
    return not_sent(answer, error_number(told), FAILURES)


def error_number(problem: Json) -> int:
    """The number at the end of an error's ``type``, else its ``title``, which status callbacks fill with it; 0 for none."""
    told = wild.mapping(problem)
    match = _code.search(wild.text(told.get("type")) or "")
    return int(match[1]) if match else wild.integer(told.get("title")) or 0


OUTBOUND: Final = Outbound(
    options={"api_key": None, "base_url": "https://api.nexmo.com"},
    secrets=("api_secret",),
    addresses=addresses,
    build_request=build_request,
    read_result=read_result,
    most_characters=1000,
)
