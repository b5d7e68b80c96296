"""What holds for every connector that sends: answers never raise, doubt is never taken for an answer, nothing leaks."""

from __future__ import annotations

import tomllib
from importlib import resources
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import sms
from connectors.contract import HttpAnswer, Outbound, Refused, Sending, Sent, Text, Unknown
from connectors.registry import CONNECTORS
from policies.event import Failure

OUTBOUNDS: dict[str, Outbound] = {name: row.outbound for name, row in CONNECTORS.items() if row.outbound}
CALLING = [name for name in OUTBOUNDS if name != "sms-console"]
TEXT = Text(id="0123456789abcdef" * 2, sender="+12025550100", recipient="+12025550123", text="made-up words")
SECRET = b"made-up-secret"

GIVEN = {
    "account_sid": "AC" + "0" * 32,
    "api_key": "0a1b2c3d",
    "client_id": "00000000-0000-4000-8000-000000000001",
    "login_url": "https://login.example.com",
    "url": "https://gateway.example.com/send",
    "body": '{"to": "{recipient}", "text": "{text}"}',
}
"""What a tenant fills in, by option; every other option keeps its default."""

every_outbound = pytest.mark.parametrize("name", OUTBOUNDS)
every_caller = pytest.mark.parametrize("name", CALLING)


def sending(outbound: Outbound, **more: str) -> Sending:
    options = {name: GIVEN.get(name, default) or "" for name, default in outbound.options.items()}
    secrets = dict.fromkeys(outbound.secrets, (SECRET,))
    callback = "https://hooks.example.org/webhooks/acme/sms"
    return Sending(options=options | more, secrets=secrets, callback_url=callback, bearer="made-up-token")


def answer(status: int, body: bytes = b"", **headers: str) -> HttpAnswer:
    return HttpAnswer(
        status=status, headers={key.replace("_", "-"): value for key, value in headers.items()}, body=body
    )


@every_caller
def test_a_request_goes_to_a_declared_host(name: str) -> None:
    """What is asked for when the tenant is loaded is where every request goes."""
    outbound = OUTBOUNDS[name]
    declared = {urlsplit(url).netloc for url in outbound.addresses(sending(outbound))}
    request = outbound.build_request(TEXT, sending(outbound))
    assert urlsplit(request.url).netloc in declared
    assert urlsplit(request.url).scheme == "https"


@every_outbound
def test_a_request_shows_nothing_of_what_it_holds(name: str) -> None:
    """Neither the words nor the number nor the secret."""
    outbound = OUTBOUNDS[name]
    shown = repr((sending(outbound), TEXT, outbound.build_request(TEXT, sending(outbound))))
    assert not any(held in shown for held in ("made-up", TEXT.recipient, TEXT.sender, "http"))


@every_outbound
def test_the_same_text_gives_the_same_request(name: str) -> None:
    """No clock and no randomness: what is built again is what was built."""
    outbound = OUTBOUNDS[name]
    built = [outbound.build_request(TEXT, sending(outbound)) for _ in range(2)]
    assert built[0] == built[1]


@every_caller
@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 599, 408, 301, 302, 307])
@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"code":20003,"errors":[{"code":"40300"}],"type":"x#1240"}', b"<html>"]
)
def test_an_answer_after_which_the_text_may_be_on_its_way_is_unknown(
    name: str, status: int, body: bytes
) -> None:
    """A 5xx may come after the text was accepted; sending again could send it twice."""
    outbound = OUTBOUNDS[name]
    assert outbound.read_result(answer(status, body), sending(outbound)) == Unknown()


REFUSALS = [
    (400, Failure.REJECTED),
    (401, Failure.ACCOUNT),
    (404, Failure.REJECTED),
    (429, Failure.THROTTLED),
]


@every_caller
@pytest.mark.parametrize(("status", "failure"), REFUSALS)
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"<html>", b'"x"', b"\xff"])
def test_a_refusal_without_a_number_is_judged_by_its_status(
    name: str, status: int, failure: Failure, body: bytes
) -> None:
    """Whatever stands in front of a provider answers in its own words."""
    outbound = OUTBOUNDS[name]
    result = outbound.read_result(answer(status, body, retry_after="12"), sending(outbound))
    assert result == Refused(failure=failure, retry_after=12.0)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0", 0.0),
        ("12", 12.0),
        ("1.5", 1.5),
        ("999999999", 86_400.0),
        ("", None),
        ("-1", None),
        ("1e3", None),
        ("soon", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("9" * 400, None),
        ("１２", None),
        ("nan", None),
    ],
)
def test_retry_after_is_seconds_and_at_most_a_day(written: str, seconds: float | None) -> None:
    """A provider cannot stop a tenant's texts for ever by a header."""
    assert sms.retry_after(answer(429, retry_after=written)) == seconds


_bodies = st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from("data id errors code sid message_uuid type title status to".split()),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
).map(msgspec.json.encode)


@every_outbound
@settings(max_examples=150)
@given(status=st.integers(100, 599), body=_bodies, wait=st.text(max_size=12))
def test_no_answer_makes_reading_fail_or_passes_for_more_than_it_is(
    name: str, status: int, body: bytes, wait: str
) -> None:
    """Only 2xx may say that a text was taken; a refusal of one that may be on its way would send it twice."""
    outbound = OUTBOUNDS[name]
    result = outbound.read_result(answer(status, body, retry_after=wait), sending(outbound))
    if isinstance(result, Sent):
        assert 200 <= status < 300
    elif isinstance(result, Refused):
        assert status < 500
        assert status != 408
    else:
        assert result == Unknown()


BASED = [name for name in CALLING if "base_url" in OUTBOUNDS[name].options]


@pytest.mark.parametrize("name", BASED)
@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example.com",
        "http://api.example.com",
        "http://10.0.0.1",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "https://user:word@api.example.com",
        "https://api.example.com/path",
        "https://api.example.com?x=1",
        "https://api.example.com#x",
        "https://API.example.com",
        "https://api.example.com\\@evil.example",
        "https://api.example.com\n",
        "https://a b",
        "https://",
        "ftp://api.example.com",
        "console:",
    ],
)
def test_an_address_that_is_not_plainly_a_host_is_refused_when_a_tenant_is_loaded(
    name: str, url: str
) -> None:
    """One reading only, encrypted, and not a word of it in the error."""
    outbound = OUTBOUNDS[name]
    with pytest.raises(ValueError, match="as https://host") as refused:
        outbound.addresses(sending(outbound, base_url=url))
    assert "example" not in str(refused.value)


@pytest.mark.parametrize("name", BASED)
@pytest.mark.parametrize(
    "url", ["https://api.example.com:8443/", "http://127.0.0.1:4711", "http://[::1]:1", "http://localhost:1"]
)
def test_a_host_of_one_s_own_and_this_machine_are_addresses(name: str, url: str) -> None:
    """A proxy of the tenant's, or a stand-in."""
    outbound = OUTBOUNDS[name]
    assert url.rstrip("/") in outbound.addresses(sending(outbound, base_url=url))


PACKAGES = ["connectors.sms_vonage", "connectors.sms_telnyx"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_number_of_a_table_stands_under_one_word(package: str) -> None:
    """What a number means is not a matter of the order of tables."""
    tables = tomllib.loads(resources.files(package).joinpath("errors.toml").read_text(encoding="utf-8"))
    numbers = [code for titles in tables.values() for code in titles]
    assert len(numbers) == len(set(numbers))
    assert set(sms.failures(package)) == set(map(int, numbers))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("12025550123", "+12025550123"),
        ("+12025550123", "+12025550123"),
        (12025550123, "+12025550123"),
        ("55501", "55501"),
        ("012025550123", "012025550123"),
        ("Acme", "Acme"),
        ("1" * 16, "1" * 16),
        ("", None),
        (None, None),
        (["12025550123"], None),
    ],
    ids=repr,
)
def test_a_number_gets_the_plus_that_some_providers_leave_out(written: object, read: str | None) -> None:
    """Short codes and names stay what they are."""
    assert sms.international(written) == read
