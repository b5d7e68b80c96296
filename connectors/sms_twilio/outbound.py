"""Sending a text through Twilio: ``POST …/Messages.json``, facts in README.md beside this file."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlencode

from connectors import wild
from connectors.contract import (
    HttpAnswer,
    HttpRequest,
    Lookup,
    Outbound,
    Sending,
    SendResult,
    Sent,
    Text,
    Unknown,
)
from connectors.sms import answered, base_url, failures, not_sent
from policies.message import Instant, Json

FAILURES: Final = failures("connectors.sms_twilio")

LONGEST_VALIDITY: Final = 36_000
"""Seconds for which Twilio goes on trying at most, and by itself."""

BEFORE: Final = 5 * wild.MICROSECONDS
AFTER: Final = 120 * wild.MICROSECONDS
"""How far from our attempt Twilio may have made its record: clocks differ, and requests wait."""

_FORMS: Final = (
    ("account_sid", re.compile(r"AC[0-9a-fA-F]{32}\Z"), "account_sid as AC and 32 hexadecimal digits"),
    ("api_key_sid", re.compile(r"(?:SK[0-9a-fA-F]{32})?\Z"), "api_key_sid as SK and 32 hexadecimal digits"),
    (
        "messaging_service_sid",
        re.compile(r"(?:MG[0-9a-fA-F]{32})?\Z"),
        "messaging_service_sid as MG and 32 hexadecimal digits",
    ),
)


def addresses(sending: Sending) -> tuple[str, ...]:
    """The one host that texts go to. Raises ValueError."""
    for option, form, sentence in _FORMS:
        if form.match(sending.options[option]) is None:
            raise ValueError(sentence)
    return (base_url(sending),)


def build_request(text: Text, sending: Sending) -> HttpRequest:
    """One message, from exactly this sender also where a messaging service is named.

    Twilio echoes no reference, but calls back at an address that therefore holds our id.
    """
    form = {"To": text.recipient, "From": text.sender, "Body": text.text}
    if service := sending.options["messaging_service_sid"]:
        form["MessagingServiceSid"] = service
    if sending.callback_url:
        form["StatusCallback"] = f"{sending.callback_url}?ref={text.id}"
    if text.valid_seconds is not None:
        form["ValidityPeriod"] = str(min(max(text.valid_seconds, 1), LONGEST_VALIDITY))
    headers = _headers(sending) | {"content-type": "application/x-www-form-urlencoded"}
    return HttpRequest(
        method="POST", url=_messages(sending), headers=headers, body=urlencode(form).encode("ascii")
    )


def read_result(answer: HttpAnswer, _sending: Sending) -> SendResult:
    """201 with a ``sid`` was taken; an error of 4xx was not, by its ``code``."""
    told = answered(answer)
    if 200 <= answer.status < 300:
        message_id = wild.identifier(told.get("sid"))
        return Sent(id=message_id) if message_id is not None else Unknown()
    return not_sent(answer, wild.integer(told.get("code")) or 0, FAILURES)


def _ask(text: Text, tried_at: Instant, sending: Sending) -> HttpRequest:
    """What this sender sent to this recipient since the day before the attempt, newest first."""
    since = _utc(tried_at) - timedelta(days=1)
    query = {"To": text.recipient, "From": text.sender, "DateSent>": f"{since:%Y-%m-%d}", "PageSize": "50"}
    return HttpRequest(
        method="GET", url=f"{_messages(sending)}?{urlencode(query)}", headers=_headers(sending)
    )


def _find(text: Text, tried_at: Instant, answer: HttpAnswer) -> Sent | None:
    """The one message with exactly these words between these two that was made when we tried.

    Two of them are no answer: one may be an earlier text of the same words.
    """
    listed = wild.objects(answered(answer).get("messages")) if answer.status == 200 else ()
    found = {
        message_id
        for one in listed
        if _is(text, tried_at, one) and (message_id := wild.identifier(one.get("sid"))) is not None
    }
    return Sent(id=found.pop()) if len(found) == 1 else None


def _is(text: Text, tried_at: Instant, listed: dict[str, Json]) -> bool:
    said = (listed.get("to"), listed.get("from"), listed.get("body"))
    made_at = _moment(listed.get("date_created"))
    return (
        said == (text.recipient, text.sender, text.text)
        and (wild.text(listed.get("direction")) or "").startswith("outbound")
        and made_at is not None
        and tried_at - BEFORE <= made_at <= tried_at + AFTER
    )


def _moment(value: Json) -> Instant | None:
    """RFC 2822, as ``Thu, 24 Aug 2023 05:01:45 +0000``; the zone ``-0000`` is UTC too."""
    try:
        read = parsedate_to_datetime(value)
        moment = read if read.tzinfo is not None else read.replace(tzinfo=UTC)
        return int(moment.timestamp()) * wild.MICROSECONDS
    except (ValueError, TypeError, AttributeError, IndexError, OverflowError):
        return None


def _utc(at: Instant) -> datetime:
    return datetime.fromtimestamp(at // wild.MICROSECONDS, UTC)


def _messages(sending: Sending) -> str:
    return f"{base_url(sending)}/2010-04-01/Accounts/{sending.options['account_sid']}/Messages.json"


def _headers(sending: Sending) -> dict[str, str]:
    user = sending.options["api_key_sid"] or sending.options["account_sid"]
    key = user.encode() + b":" + sending.secrets["auth_token"][0]
    return {"authorization": "Basic " + base64.b64encode(key).decode(), "accept": "application/json"}


OUTBOUND: Final = Outbound(
    options={
        "account_sid": None,
        "api_key_sid": "",
        "messaging_service_sid": "",
        "base_url": "https://api.twilio.com",
    },
    secrets=("auth_token",),
    addresses=addresses,
    build_request=build_request,
    read_result=read_result,
    most_characters=1600,
    lookup=Lookup(build=_ask, read=_find),
)
