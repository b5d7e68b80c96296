"""Sending a text through Telnyx: ``POST /v2/messages``, facts in README.md beside this file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from connectors import wild
from connectors.contract import HttpAnswer, HttpRequest, Outbound, Sending, SendResult, Sent, Text, Unknown
from connectors.sms import answered, base_url, failures, not_sent
from policies.message import Json

FAILURES: Final = failures("connectors.sms_telnyx")


def addresses(sending: Sending) -> tuple[str, ...]:
    """The one host that texts go to. Raises ValueError."""
    return (base_url(sending),)


def build_request(text: Text, sending: Sending) -> HttpRequest:
    """One message. Telnyx echoes no reference, but the address of the callbacks, which therefore holds our id."""
    body = {"from": text.sender, "to": text.recipient, "text": text.text, "type": "SMS"}
    if profile := sending.options["messaging_profile_id"]:
        body["messaging_profile_id"] = profile
    if sending.callback_url:
        body["webhook_url"] = f"{sending.callback_url}?ref={text.id}"
    return HttpRequest(
        method="POST",
        url=f"{base_url(sending)}/v2/messages",
        headers={
            "authorization": "Bearer " + sending.secrets["api_key"][0].decode("latin-1"),
            "content-type": "application/json",
            "accept": "application/json",
        },
        body=msgspec.json.encode(body),
    )


def read_result(answer: HttpAnswer, _sending: Sending) -> SendResult:
    """200 with ``data.id`` was taken; ``errors`` without one say that nothing was, whatever the status."""
    told = answered(answer)
    codes = tuple(error_numbers(told.get("errors")))
    if 200 <= answer.status < 300:
        message_id = wild.identifier(wild.mapping(told.get("data")).get("id"))
        if message_id is not None:
            return Sent(id=message_id)
        return (
            not_sent(msgspec.structs.replace(answer, status=400), telling(codes), FAILURES)
            if codes
            else Unknown()
        )
    return not_sent(answer, telling(codes), FAILURES)


def error_numbers(errors: Json) -> Iterator[int]:
    """The ``code`` of every error: strings of digits."""
    return (code for error in wild.objects(errors) if (code := wild.integer(error.get("code"))) is not None)


def telling(codes: tuple[int, ...]) -> int:
    """The first number that the table has, else the first; 0 for none."""
    return next((code for code in codes if code in FAILURES), codes[0] if codes else 0)


OUTBOUND: Final = Outbound(
    options={"messaging_profile_id": "", "base_url": "https://api.telnyx.com"},
    secrets=("api_key",),
    addresses=addresses,
    build_request=build_request,
    read_result=read_result,
)
