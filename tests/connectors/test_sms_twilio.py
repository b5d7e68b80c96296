"""Twilio: the bytes that are sent, every class of answer, the look-up after a time-out, and the signature's corners."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import (
    Credentials,
    HttpAnswer,
    Refused,
    Sending,
    SendResult,
    Sent,
    SignatureRefused,
    Text,
    Unknown,
    WebhookRequest,
)
from connectors.decode import MalformedPayload
from connectors.sms_twilio.form import MAX_FIELDS
from connectors.sms_twilio.outbound import FAILURES, OUTBOUND
from connectors.sms_twilio.webhook import decode, parse, verify
from policies.event import Failure
from policies.message import Json

ACCOUNT, KEY, SERVICE = ("AC" + "0" * 31 + "1", "SK" + "0" * 31 + "2", "MG" + "0" * 31 + "3")
TEXT = Text(
    id="0123456789abcdef0123456789abcdef",
    sender="+12025550199",
    recipient="+12025550123",
    text="Déjà vu & 10 % off\n=) +1",
)
SENDING = Sending(
    options={
        "account_sid": ACCOUNT,
        "api_key_sid": "",
        "messaging_service_sid": "",
        "base_url": "https://api.twilio.com",
    },
    secrets={"auth_token": (b"current", b"previous")},
)
MESSAGES = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages.json"


def configured(**options: str) -> Sending:
    return msgspec.structs.replace(SENDING, options={**SENDING.options, **options})


# --- requests -----------------------------------------------------------------------------------------------


def test_a_text_is_these_bytes() -> None:
    """A form, under the current auth token."""
    request = OUTBOUND.build_request(TEXT, SENDING)
    assert (request.method, request.url) == ("POST", MESSAGES)
    assert request.headers == {
        "authorization": "Basic " + base64.b64encode(f"{ACCOUNT}:current".encode()).decode(),
        "accept": "application/json",
        "content-type": "application/x-www-form-urlencoded",
    }
    assert request.body == (
        b"To=%2B12025550123&From=%2B12025550199&Body=D%C3%A9j%C3%A0+vu+%26+10+%25+off%0A%3D%29+%2B1"
    )


@pytest.mark.parametrize(
    ("sending", "text", "more"),
    [
        (SENDING, TEXT, {}),
        (configured(messaging_service_sid=SERVICE), TEXT, {"MessagingServiceSid": SERVICE}),
        (
            msgspec.structs.replace(SENDING, callback_url="https://h.example.org/webhooks/acme/sms-twilio"),
            TEXT,
            {"StatusCallback": f"https://h.example.org/webhooks/acme/sms-twilio?ref={TEXT.id}"},
        ),
        (SENDING, msgspec.structs.replace(TEXT, valid_seconds=90), {"ValidityPeriod": "90"}),
        (SENDING, msgspec.structs.replace(TEXT, valid_seconds=0), {"ValidityPeriod": "1"}),
        (SENDING, msgspec.structs.replace(TEXT, valid_seconds=99_999), {"ValidityPeriod": "36000"}),
    ],
)
def test_what_is_configured_stands_in_the_form(sending: Sending, text: Text, more: dict[str, str]) -> None:
    """The sender stays the one that was authorised, also where a messaging service is named."""
    form = dict(parse_qsl(OUTBOUND.build_request(text, sending).body.decode()))
    assert form == {"To": TEXT.recipient, "From": TEXT.sender, "Body": TEXT.text} | more


@settings(max_examples=100, deadline=None)
@given(words=st.text(min_size=1, max_size=60))
def test_any_words_come_through_the_form_as_they_are(words: str) -> None:
    """And add no field to it."""
    request = OUTBOUND.build_request(msgspec.structs.replace(TEXT, text=words), SENDING)
    form = parse_qsl(request.body.decode("ascii"), keep_blank_values=True)
    assert form == [("To", TEXT.recipient), ("From", TEXT.sender), ("Body", words)]


def test_an_api_key_stands_for_the_account() -> None:
    """Its secret is what the ring holds then; the address is the account's all the same."""
    request = OUTBOUND.build_request(TEXT, configured(api_key_sid=KEY))
    assert request.headers["authorization"] == "Basic " + base64.b64encode(f"{KEY}:current".encode()).decode()
    assert request.url == MESSAGES


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("account_sid", "AC123"),
        ("account_sid", "../" + ACCOUNT),
        ("account_sid", ACCOUNT + "\n"),
        ("api_key_sid", ACCOUNT),
        ("messaging_service_sid", "MG/../x"),
        ("base_url", "http://api.twilio.com"),
        ("base_url", "https://api.twilio.com/x"),
    ],
)
def test_a_wrong_option_is_named(option: str, value: str) -> None:
    """When the tenant is loaded, not when its first text is sent; and its value is not repeated."""
    with pytest.raises(ValueError, match=option) as refused:
        OUTBOUND.addresses(configured(**{option: value}))
    assert value.strip() not in str(refused.value)


# --- answers ------------------------------------------------------------------------------------------------


def answer(status: int, body: Json = None, **headers: str) -> HttpAnswer:
    return HttpAnswer(
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=json.dumps(body).encode(),
    )


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (answer(201, {"sid": "SM1", "status": "queued", "error_code": None}), Sent(id="SM1")),
        (answer(200, {"sid": "SM1"}), Sent(id="SM1")),
        (answer(201, {}), Unknown()),
        (answer(201, ["SM1"]), Unknown()),
        (HttpAnswer(status=201, headers={}, body=b"<html>"), Unknown()),
        (
            answer(429, {"code": 20429}, retry_after="3"),
            Refused(failure=Failure.THROTTLED, code=20429, retry_after=3.0),
        ),
        (answer(429, None), Refused(failure=Failure.THROTTLED)),
        (answer(400, {"code": 21610}), Refused(failure=Failure.OPTED_OUT, code=21610)),
        (answer(400, {"code": 21211}), Refused(failure=Failure.DEAD_NUMBER, code=21211)),
        (answer(400, {"code": 21606}), Refused(failure=Failure.SENDER, code=21606)),
        (answer(400, {"code": 21617}), Refused(failure=Failure.REJECTED, code=21617)),
        (answer(400, {"code": 29999}), Refused(failure=Failure.REJECTED, code=29999)),
        (answer(400, {"code": "x"}), Refused(failure=Failure.REJECTED)),
        (answer(401, {"code": 20003}), Refused(failure=Failure.ACCOUNT, code=20003)),
        (answer(403, None), Refused(failure=Failure.ACCOUNT)),
        (answer(403, {"code": 21408}), Refused(failure=Failure.REJECTED, code=21408)),
        (answer(403, {"code": 30002}), Refused(failure=Failure.ACCOUNT, code=30002)),
        (answer(404, {"code": 20404}), Refused(failure=Failure.REJECTED, code=20404)),
        (answer(408, {"code": 20429}), Unknown()),
        (answer(500, {"code": 20500}), Unknown()),
        (answer(503, {"code": 20503}, retry_after="9"), Unknown()),
        (answer(302, {"sid": "SM1"}), Unknown()),
    ],
)
def test_an_answer_means(given: HttpAnswer, meant: SendResult) -> None:
    """Sent only where there is a message; refused only where surely nothing was taken; else nobody knows."""
    assert OUTBOUND.read_result(given, SENDING) == meant


@pytest.mark.parametrize(
    ("failure", "codes"),
    [
        (Failure.THROTTLED, {20429, 30001, 30017, 30022, 14107}),
        (Failure.PROVIDER, {21619, 30021, 30410}),
        (Failure.TEMPORARY, {30003, 30008}),
        (Failure.OPTED_OUT, {21610}),
        (Failure.DEAD_NUMBER, {21211, 21612, 21614, 30005, 30006}),
        (Failure.FILTERED, {30004, 30007}),
        (Failure.REGISTRATION, {30024, 30032, 30034, 30125}),
        (Failure.SENDER, {21603, 21606}),
        (Failure.QUOTA, {30023, 30027}),
        (Failure.ACCOUNT, {20003, 30002}),
    ],
)
def test_the_table_of_errors_holds_what_hurts(failure: Failure, codes: set[int]) -> None:
    """Each number that stops a sender, an account or a recipient."""
    assert {FAILURES.get(code) for code in codes} == {failure}


def test_a_warning_is_no_failure() -> None:
    """A share of the day's texts is used up: the text was sent."""
    assert not {30025, 30026} & set(FAILURES)


# --- after a time-out ---------------------------------------------------------------------------------------

assert OUTBOUND.lookup is not None
LOOKUP = OUTBOUND.lookup
TRIED_AT = 1_763_719_200_000_000  # 2025-11-21 10:00:00 UTC


def listed(**changed: Any) -> dict[str, Json]:
    """The message as Twilio lists it."""
    return {
        "sid": "SM1",
        "to": TEXT.recipient,
        "from": TEXT.sender,
        "body": TEXT.text,
        "direction": "outbound-api",
        "status": "queued",
        "date_sent": None,
        "date_created": "Fri, 21 Nov 2025 10:00:03 +0000",
    } | changed


def test_a_look_up_asks_for_this_pair_since_the_day_before() -> None:
    """Days are counted in UTC; an attempt just after midnight may have been noted just before it."""
    request = LOOKUP.build(TEXT, TRIED_AT, SENDING)
    assert (request.method, request.body) == ("GET", b"")
    assert request.url == (
        MESSAGES + "?To=%2B12025550123&From=%2B12025550199&DateSent%3E=2025-11-20&PageSize=50"
    )
    assert request.headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        ([listed()], Sent(id="SM1")),
        ([listed(), listed()], Sent(id="SM1")),
        ([listed(sid="SM9", body="another text"), listed()], Sent(id="SM1")),
        ([listed(), listed(sid="SM2")], None),
        ([listed(body=TEXT.text + " ")], None),
        ([listed(to="+12025550124")], None),
        ([listed(**{"from": "+12025550198"})], None),
        ([listed(**{"from": None})], None),
        ([listed(direction="inbound")], None),
        ([listed(date_created="Fri, 21 Nov 2025 09:59:56 +0000")], Sent(id="SM1")),
        ([listed(date_created="Fri, 21 Nov 2025 09:59:50 +0000")], None),
        ([listed(date_created="Fri, 21 Nov 2025 10:02:00 +0000")], Sent(id="SM1")),
        ([listed(date_created="Fri, 21 Nov 2025 10:02:01 +0000")], None),
        ([listed(date_created="Fri, 21 Nov 2025 10:00:03 -0000")], Sent(id="SM1")),
        ([listed(date_created=None)], None),
        ([listed(date_created="yesterday")], None),
        ([listed(sid=None)], None),
        ([], None),
        ("SM1", None),
    ],
)
def test_only_this_very_text_is_found(messages: Json, found: Sent | None) -> None:
    """Words, numbers and time must all fit, and fit one message alone."""
    assert LOOKUP.read(TEXT, TRIED_AT, answer(200, {"messages": messages})) == found


@pytest.mark.parametrize("status", [201, 400, 401, 429, 500])
def test_an_answer_that_is_no_list_finds_nothing(status: int) -> None:
    """Whatever it holds."""
    assert LOOKUP.read(TEXT, TRIED_AT, answer(status, {"messages": [listed()]})) is None


_listings = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(listed())), inner),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=40) | _listings.map(lambda tree: json.dumps({"messages": [tree]}).encode()))
def test_no_list_is_too_strange_to_be_read(body: bytes) -> None:
    """And none of made-up values names this text."""
    assert LOOKUP.read(TEXT, TRIED_AT, HttpAnswer(status=200, headers={}, body=body)) is None


# --- signatures ---------------------------------------------------------------------------------------------

TOKEN = b"made-up-auth-token"
URL = "https://hooks.example.org/webhooks/acme/sms-twilio"


def signature(content: str, token: bytes = TOKEN) -> str:
    return base64.b64encode(hmac.new(token, content.encode(), hashlib.sha1).digest()).decode()


def passes(given: str, body: bytes, url: str = URL, **query: str) -> bool:
    request = WebhookRequest(
        method="POST", headers={"x-twilio-signature": given}, query=query, body=body, url=url
    )
    try:
        verify(request, Credentials(signing_secrets=(TOKEN,)))
    except SignatureRefused:
        return False
    return True


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        ([("b", "2"), ("a", "1")], "a1b2"),
        ([("a", "2"), ("a", "1"), ("a", "2")], "a1a2"),
        ([("a", ""), ("B", "x y")], "Bx ya"),
        ([("Body", "é&=%+"), ("a", "👍")], "Bodyé&=%+a👍"),
        ([], ""),
    ],
)
def test_names_and_different_values_are_signed_in_their_order(
    fields: list[tuple[str, str]], content: str
) -> None:
    """Capitals before small letters; a value that comes twice counts once; nothing stands between."""
    assert passes(signature(URL + content), urlencode(fields).encode())


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("https://h.example.org/x?y=1", "https://h.example.org:443/x?y=1"),
        ("https://h.example.org:8443/x", "https://h.example.org/x"),
        ("https://h.example.org:8443/x", "https://h.example.org:8443/x"),
        ("http://h.example.org/x", "http://h.example.org:80/x"),
        ("http://[2001:db8::1]:81/x", "http://[2001:db8::1]/x"),
    ],
)
def test_the_port_may_be_signed_or_not(url: str, signed: str) -> None:
    """Which it is depends on Twilio's product and on the port."""
    assert passes(signature(signed + "a1"), b"a=1", url)


@pytest.mark.parametrize("wrong", ["https://h.example.org:444/x", "http://h.example.org:443/x"])
def test_no_other_port_is(wrong: str) -> None:
    """Nor another scheme."""
    assert not passes(signature(wrong + "a1"), b"a=1", "https://h.example.org/x")


def test_json_is_signed_by_its_digest_in_the_address() -> None:
    """And not at all without one."""
    body = b'{"property":"value"}'
    digest = hashlib.sha256(body).hexdigest()
    url = f"{URL}?bodySHA256={digest}"
    assert passes(signature(url), body, url, bodySHA256=digest)
    assert not passes(signature(url), body + b" ", url, bodySHA256=digest)
    assert not passes(signature(URL), body)
    assert not passes(signature(url), body, url, bodySHA256=digest.upper())


def test_a_digest_of_another_body_signs_no_form() -> None:
    """Nor does it stand in for the fields where there are some."""
    url = f"{URL}?bodySHA256={hashlib.sha256(b'a=1').hexdigest()}"
    assert not passes(signature(url), b"a=2", url, bodySHA256=hashlib.sha256(b"a=1").hexdigest())


@pytest.mark.parametrize("body", [b"ab", b"a=b&c", b"=b", b"a=b&&c=d", b"&", b"a=" + b"&a=" * MAX_FIELDS])
def test_what_is_no_form_is_never_authentic(body: bytes) -> None:
    """A name without a value would sign as a value without a name does."""
    content = "".join(sorted(body.decode().replace("=", "").split("&")))
    assert not passes(signature(URL + content), body)


# --- bodies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "payload", "damaged"),
    [
        (b"a=1&b=x+y%21", {"a": "1", "b": "x y!"}, False),
        (b"a=2&a=1&a=2", {"a": ["1", "2"]}, False),
        (b"a=", {"a": ""}, False),
        (b"a=%F0%9F%91%8D", {"a": "👍"}, False),
        (b"a=caf%E9", {"a": "caf\ufffd"}, True),
        (b"a=%00", {"a": "\ufffd"}, True),
        (b"a=%ED%A0%80", {"a": "\ufffd\ufffd\ufffd"}, True),
        (b"%FF=1", {"\ufffd": "1"}, True),
        (b"a=%zz%", {"a": "%zz%"}, False),
        (b' {"a": 1}', {"a": 1}, False),
    ],
)
def test_a_body_says(body: bytes, payload: Json, damaged: bool) -> None:  # noqa: FBT001
    """A form as an object; what is no text, or cannot be stored, is replaced and told."""
    assert decode(body) == (payload, damaged)


@pytest.mark.parametrize("body", [b"", b"hello", b"{", b"a=b&c", b"a=1&" * MAX_FIELDS + b"a=1"])
def test_what_cannot_be_read_is_malformed(body: bytes) -> None:
    """And the exception does not say what it was."""
    with pytest.raises(MalformedPayload) as refused:
        decode(body)
    assert refused.value.args == ()
    assert refused.value.__cause__ is None


_pieces = st.sampled_from(
    [b"From=", b"To=", b"Body=", b"MessageSid=", b"MessageStatus=", b"SmsStatus=", b"ErrorCode=", b"&", b"%"]
) | st.binary(max_size=6)


@settings(max_examples=300, deadline=None)
@given(body=st.lists(_pieces, max_size=12).map(b"".join))
def test_whatever_is_posted_can_be_read_and_stored(body: bytes) -> None:
    """Any bytes: events, or MalformedPayload; nothing else is ever raised."""
    try:
        payload, _ = decode(body)
    except MalformedPayload:
        return
    for event in parse(payload, 1_790_000_000_000_000):
        assert b"\\u0000" not in msgspec.json.encode(event)
