"""The HTTP template: what is filled in stays where it stands, what is wrong is told when it is loaded, doubt stays doubt."""

from __future__ import annotations

import json
import time
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import (
    HttpAnswer,
    HttpRequest,
    Refused,
    Sending,
    SendResult,
    Sent,
    Text,
    Unknown,
)
from connectors.sms_console.outbound import OUTBOUND as CONSOLE
from connectors.sms_console.outbound import SHOWN, URL
from connectors.sms_http.outbound import OPTIONS, OUTBOUND
from policies.event import Failure

TEXT = Text(id="0123456789abcdef" * 2, sender="+12025550100", recipient="+12025550123", text="Café & 👍")
SECRET = b"made-up-key"
JSON_BODY = '{"to": ["{recipient}"], "from": "{sender}", "text": "{text}", "meta": {"ref": "id-{id}"}}'
FORM_BODY = "to={recipient}&from={sender}&text={text}&ref={id}&fixed=1"
QUERY = (
    "https://gateway.example.com/send?to={recipient}&from={sender}&text={text}&ref={id}&key={authorization}"
)


def sending(**given: str) -> Sending:
    options = {name: default or "" for name, default in OPTIONS.items()}
    options |= {"url": "https://gateway.example.com/send", "body": JSON_BODY}
    return Sending(options=options | given, secrets={"authorization": (SECRET, b"previous")})


def request(text: Text = TEXT, **given: str) -> HttpRequest:
    configured = sending(**given)
    assert OUTBOUND.addresses(configured) == ("https://gateway.example.com",)
    return OUTBOUND.build_request(text, configured)


# --- what is sent -------------------------------------------------------------------------------------------

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.lists(
    st.sampled_from(['"', "\\", "\\u0022", "{text}", "{authorization}", "{", "}", "&", "=", "+", "%22", "#", "\n", "\x00", "é", "👍"])
).map("".join)  # fmt: skip


@settings(max_examples=200)
@given(words=_texts, sender=_texts)
def test_whatever_is_written_stays_the_value_that_it_is(words: str, sender: str) -> None:
    """In JSON, in a form, in a query: no text adds a field, ends a string, or is filled a second time."""
    text = msgspec.structs.replace(TEXT, text=words, sender=sender)
    assert json.loads(request(text).body) == {
        "to": [TEXT.recipient],
        "from": sender,
        "text": words,
        "meta": {"ref": f"id-{TEXT.id}"},
    }
    expected = [("to", TEXT.recipient), ("from", sender), ("text", words), ("ref", TEXT.id)]
    form = request(text, content_type="application/x-www-form-urlencoded", body=FORM_BODY)
    assert parse_qsl(form.body.decode(), keep_blank_values=True) == [*expected, ("fixed", "1")]
    query = request(text, url=QUERY, body="", method="GET", authorization_header="")
    parts = urlsplit(query.url)
    assert (parts.netloc, parts.path, parts.fragment) == ("gateway.example.com", "/send", "")
    assert parse_qsl(parts.query, keep_blank_values=True) == [*expected, ("key", "made-up-key")]


def test_the_current_secret_goes_into_the_header_that_was_named() -> None:
    """With a scheme, without one, under another name; or into no header at all."""
    assert request().headers["authorization"] == "Bearer made-up-key"
    assert request(authorization_scheme="").headers["authorization"] == "made-up-key"
    assert (
        request(authorization_header="X-Api-Key", authorization_scheme="").headers["x-api-key"]
        == "made-up-key"
    )
    assert request(url=QUERY, authorization_header="").headers.keys() == {"content-type"}


def test_further_headers_go_along() -> None:
    """A line each."""
    headers = request(headers="Accept: text/plain\nX-Tenant: acme: one").headers
    assert (headers["accept"], headers["x-tenant"]) == ("text/plain", "acme: one")


# --- what is wrong is told at load --------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, str], str]] = {
    "no address": ({"url": ""}, "url as"),
    "another scheme": ({"url": "ftp://gateway.example.com/{text}"}, "url as"),
    "a slot in the host": ({"url": "https://{text}.example.com/"}, "url as"),
    "a slot after the host": ({"url": "https://example.com{text}"}, "url as"),
    "a user in the address": ({"url": "https://user@example.com/"}, "url as"),
    "a backslash": ({"url": "https://example.com/\\@evil.example"}, "url as"),
    "a space": ({"url": "https://example.com/a b"}, "url as"),
    "a fragment": ({"url": "https://example.com/#{text}"}, "url as"),
    "capitals in the host": ({"url": "https://EXAMPLE.com/"}, "url as"),
    "another method": ({"method": "DELETE"}, "method as"),
    "another content type": ({"content_type": "text/xml"}, "content_type as"),
    "an unknown slot": ({"body": '{"to":"{recipient}","text":"{txt}"}'}, "slots {text}"),
    "an unknown slot in the address": ({"url": "https://example.com/{user}"}, "slots {text}"),
    "no text": ({"body": '{"to":"{recipient}"}'}, "{text} and {recipient}"),
    "no recipient": ({"body": '{"text":"{text}"}'}, "{text} and {recipient}"),
    "no body": ({"body": ""}, "{text} and {recipient}"),
    "a body of GET": ({"method": "GET"}, "no body"),
    "no JSON": ({"body": '{"to":"{recipient}","text":"{text}"'}, "JSON"),
    "a slot outside quotes": ({"body": '{"to":"{recipient}","text":{text}}'}, "JSON"),
    "a slot as a key's part, twice": ({"body": '{"{recipient}":1,"text":"{text}"}'}, "JSON"),
    "deep": ({"body": "[" * 100_000 + '"{recipient}{text}"'}, "JSON"),
    "no secret anywhere": ({"authorization_header": ""}, "authorization_header"),
    "a header with a space": ({"authorization_header": "X Key"}, "authorization_header"),
    "a header of ours": ({"authorization_header": "Host"}, "authorization_header"),
    "a scheme of two words": ({"authorization_scheme": "Bearer x"}, "authorization_scheme"),
    "headers without a colon": ({"headers": "Accept"}, "headers as"),
    "headers of ours": ({"headers": "Content-Length: 5"}, "headers as"),
    "headers beyond ASCII": ({"headers": "X-A: é"}, "headers as"),
    "headers with control characters": ({"headers": "X-A: a\x00b"}, "headers as"),
    "no success": ({"success_status": ""}, "success_status"),
    "a success of 302": ({"success_status": "200, 302"}, "success_status"),
    "a success of words": ({"success_status": "ok"}, "success_status"),
    "throttled with 200": ({"throttled_status": "200"}, "throttled_status"),
    "no pattern": ({"success_pattern": "(unclosed"}, "RE2"),
    "a pattern that looks back": ({"refused_pattern": r"(a)\1"}, "RE2"),
    "too large a pattern": ({"success_pattern": "(?:a{1000}){1000}"}, "RE2"),
    "an id without a group": ({"id_pattern": "[0-9]+"}, "id_pattern"),
    "an id with two groups": ({"id_pattern": "(a)(b)"}, "id_pattern"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_template_that_is_not_right_is_an_error_of_its_option(case: str) -> None:
    """In a sentence that names the option and holds nothing of what was written."""
    given, sentence = WRONG[case]
    with pytest.raises(ValueError, match=sentence.replace("{", r"\{")) as refused:
        OUTBOUND.addresses(sending(**given))
    assert refused.value.__cause__ is None
    assert not any(len(value) > 10 and value in str(refused.value) for value in given.values())


@pytest.mark.parametrize(
    "url",
    ["http://10.1.2.3:13013/cgi-bin/sendsms?x={id}", "https://example.com?x={id}", "http://[fd00::1]:80/"],
)
def test_an_address_may_be_any_host_with_or_without_encryption(url: str) -> None:
    """A gateway in the same rack has no certificate: whether it may be reached so is the operator's list's to say."""
    [place] = OUTBOUND.addresses(sending(url=url))
    assert url.startswith(place)


# --- what an answer means -----------------------------------------------------------------------------------

ANSWERS: dict[str, tuple[dict[str, str], int, bytes, SendResult]] = {
    "a success": ({}, 200, b"", Sent(id="")),
    "its id": ({"id_pattern": "id=([0-9]+)"}, 202, b"ok id=77 id=78", Sent(id="77")),
    "an id that is not there": ({"id_pattern": "id=([0-9]+)"}, 200, b"ok", Sent(id="")),
    "an optional group": ({"id_pattern": "ok(?:=([0-9]+))?"}, 200, b"ok", Sent(id="")),
    "confirmed": ({"success_pattern": "(?i)queued"}, 200, b"QUEUED", Sent(id="")),
    "not confirmed": ({"success_pattern": "queued"}, 200, b"<html>", Unknown()),
    "a success that was not declared": ({"success_status": "202"}, 200, b"", Unknown()),
    "refused under 200": ({"refused_pattern": "^ERR"}, 200, b"ERR 12", Refused(failure=Failure.REJECTED)),
    "refused under 500": ({"refused_pattern": "^ERR"}, 500, b"ERR 12", Unknown()),
    "throttled": ({}, 429, b"", Refused(failure=Failure.THROTTLED)),
    "throttled as declared": ({"throttled_status": "420,503"}, 503, b"", Refused(failure=Failure.THROTTLED)),
    "not allowed": ({}, 403, b"", Refused(failure=Failure.ACCOUNT)),
    "malformed": ({}, 400, b"", Refused(failure=Failure.REJECTED)),
    "failed": ({}, 503, b"", Unknown()),
    "bytes": ({"id_pattern": "(.)"}, 200, b"\xff", Sent(id="\ufffd")),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_what_an_answer_means(case: str) -> None:
    """By what the tenant says of its gateway; without a word of it, only 4xx is certain."""
    given, status, body, meant = ANSWERS[case]
    assert OUTBOUND.read_result(HttpAnswer(status=status, headers={}, body=body), sending(**given)) == meant


def test_no_pattern_takes_its_time() -> None:
    """Backtracking would take years for this one: RE2's time is linear in the answer."""
    given = sending(success_pattern="(a+)+$", refused_pattern="(a|aa)+!", id_pattern="(?:a*)*(b)")
    answer = HttpAnswer(status=200, headers={}, body=b"a" * 200_000 + b"c")
    began = time.monotonic()
    assert OUTBOUND.read_result(answer, given) == Unknown()
    assert time.monotonic() - began < 2


# --- the console --------------------------------------------------------------------------------------------


def test_the_console_calls_nobody() -> None:
    """No client knows its address, no host has to be declared; what was shown counts as sent."""
    configured = Sending(options={})
    assert CONSOLE.addresses(configured) == ()
    shown = CONSOLE.build_request(TEXT, configured)
    assert (shown.url, urlsplit(shown.url).netloc) == (URL, "")
    assert json.loads(shown.body) == {
        "id": TEXT.id, "from": TEXT.sender, "to": TEXT.recipient, "text": TEXT.text
    }  # fmt: skip
    assert CONSOLE.read_result(SHOWN, configured) == Sent(id="")
    assert CONSOLE.read_result(HttpAnswer(status=500, headers={}, body=b""), configured) == Unknown()
