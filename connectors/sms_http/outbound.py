"""Sending a text as one HTTP request that the tenant describes; every option is explained in README.md beside this file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import re2

from connectors.contract import (
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
from connectors.sms import not_sent, retry_after
from connectors.sms_http.template import ENCODINGS, check_json, filled, in_url, slots
from policies.event import Failure

OPTIONS: Final[Mapping[str, str | None]] = {
    "url": None,
    "method": "POST",
    "content_type": "application/json",
    "body": "",
    "headers": "",
    "authorization_header": "authorization",
    "authorization_scheme": "Bearer",
    "success_status": "200, 201, 202, 204",
    "success_pattern": "",
    "refused_pattern": "",
    "throttled_status": "429",
    "id_pattern": "",
}

_PATTERNS: Final = ("success_pattern", "refused_pattern", "id_pattern")
_PATTERN_MEMORY: Final = 1 << 20
# Without TLS only to addresses that the operator lists: whoever carries the request out sees to that.
_url = re.compile(
    r"(?P<place>https?://(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:]{2,39}\])(?::[0-9]{1,5})?)"
    r"(?:[/?][!-\[\]-~]*)?\Z"
)
_header_name = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}\Z")
_header_value = re.compile(r"[ -~]{0,1024}\Z")
_scheme = re.compile(r"[A-Za-z0-9-]{0,32}\Z")
_OURS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "content-type", "upgrade"}
)


def addresses(sending: Sending) -> tuple[str, ...]:
    """The scheme and host of ``url``. Raises ValueError, without values, for the first option that is not right."""
    options = sending.options
    match = _url.match(options["url"])
    if match is None or "#" in options["url"]:
        raise ValueError("url as https://host/path, whose host holds no slot")
    if options["method"] not in {"POST", "PUT", "GET"}:
        raise ValueError("method as POST, PUT or GET")
    _check_body(options)
    _check_headers(options)
    _check_answers(options)
    return (match["place"],)


def _check_body(options: Mapping[str, str]) -> None:
    content_type, body = options["content_type"], options["body"]
    used = slots(options["url"]) | slots(body)
    if content_type not in ENCODINGS:
        raise ValueError("content_type as one of: " + ", ".join(ENCODINGS))
    if not {"text", "recipient"} <= used:
        raise ValueError("{text} and {recipient} in body or url")
    if options["method"] == "GET" and body:
        raise ValueError("no body where the method is GET")
    if content_type == "application/json" and body:
        check_json(body)
    if not options["authorization_header"] and "authorization" not in used:
        raise ValueError("an authorization_header, or {authorization} in body or url")


def _check_headers(options: Mapping[str, str]) -> None:
    _static_headers(options["headers"])
    name = options["authorization_header"]
    if (name and not _may_stand(name)) or _scheme.match(options["authorization_scheme"]) is None:
        raise ValueError(
            "authorization_header as the name of a header, authorization_scheme as one word or nothing"
        )


def _check_answers(options: Mapping[str, str]) -> None:
    success = _statuses(options["success_status"])
    if not success or not all(200 <= status < 300 for status in success):
        raise ValueError("success_status as numbers from 200 to 299, with commas between them")
    if not all(400 <= status < 600 for status in _statuses(options["throttled_status"])):
        raise ValueError("throttled_status as numbers from 400 to 599, with commas between them")
    for name in _PATTERNS:
        groups = _compiled(options[name]).groups
        if groups != 1 and options[name] and name == "id_pattern":
            raise ValueError("id_pattern with one group, which is the id")


def build_request(text: Text, sending: Sending) -> HttpRequest:
    """The tenant's template, filled."""
    options = sending.options
    authorization = sending.secrets["authorization"][0].decode("latin-1")
    values = {
        "text": text.text,
        "sender": text.sender,
        "recipient": text.recipient,
        "id": text.id,
        "authorization": authorization,
    }
    headers = _static_headers(options["headers"])
    if options["authorization_header"]:
        headers[options["authorization_header"].lower()] = (
            f"{options['authorization_scheme']} {authorization}".lstrip()
        )
    if options["body"]:
        headers["content-type"] = options["content_type"]
    return HttpRequest(
        method=options["method"],
        url=filled(options["url"], values, in_url),
        headers=headers,
        body=filled(options["body"], values, ENCODINGS[options["content_type"]]).encode(),
    )


def read_result(answer: HttpAnswer, sending: Sending) -> SendResult:
    """What the tenant's statuses and patterns say; a success that ``success_pattern`` does not confirm is Unknown."""
    options = sending.options
    told = answer.body.decode(errors="replace")
    if answer.status in _statuses(options["throttled_status"]):
        return Refused(failure=Failure.THROTTLED, retry_after=retry_after(answer))
    if (
        options["refused_pattern"]
        and answer.status < 500
        and _compiled(options["refused_pattern"]).search(told)
    ):
        return Refused(failure=Failure.REJECTED)
    if answer.status not in _statuses(options["success_status"]):
        return not_sent(answer, 0, {})
    if _compiled(options["success_pattern"]).search(told) is None:
        return Unknown()
    return Sent(id=_message_id(options["id_pattern"], told))


def _message_id(pattern: str, told: str) -> str:
    match = _compiled(pattern).search(told) if pattern else None
    return (match[1] or "")[:512] if match else ""


def _static_headers(written: str) -> dict[str, str]:
    """``Name: value``, a line each. Raises ValueError."""
    headers = {}
    for line in written.splitlines():
        name, colon, value = line.partition(":")
        if not colon or not _may_stand(name) or _header_value.match(value.strip()) is None:
            raise ValueError(
                "headers as lines of 'Name: value', none of them one that the request brings itself"
            )
        headers[name.lower()] = value.strip()
    return headers


def _may_stand(name: str) -> bool:
    return _header_name.match(name) is not None and name.lower() not in _OURS


@lru_cache(maxsize=256)
def _statuses(written: str) -> frozenset[int]:
    """Numbers with commas between them. Raises ValueError."""
    words = [word.strip() for word in written.split(",") if word.strip()]
    if not all(re.fullmatch(r"[1-5][0-9][0-9]", word) for word in words):
        raise ValueError("success_status and throttled_status as HTTP statuses with commas between them")
    return frozenset(map(int, words))


@lru_cache(maxsize=256)
def _compiled(written: str) -> Any:
    """A pattern of RE2, whose time is linear in the answer. Raises ValueError, which does not quote it."""
    options = re2.Options()
    options.max_mem = _PATTERN_MEMORY
    options.log_errors = False
    try:
        return re2.compile(written, options)
    except re2.error:
        raise ValueError("patterns in the syntax of RE2, not too large") from None


OUTBOUND: Final = Outbound(
    options=OPTIONS,
    secrets=("authorization",),
    addresses=addresses,
    build_request=build_request,
    read_result=read_result,
)
