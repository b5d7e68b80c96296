"""Genesys Cloud: access tokens, the bytes that are sent, every class of answer, and a story that nobody may keep."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import HttpAnswer, Refused, Sending, SendResult, Sent, Text, Unknown
from connectors.sms_genesys import webhook
from connectors.sms_genesys.outbound import OUTBOUND
from policies.event import Failure, MessageReceived
from policies.message import Json
from policies.rules import NEVER_RECORD
from policies.tenant import Facts, TenantPolicy
from worker.govern import govern

NOW = 1_790_000_000_000_000
TEXT = Text(
    id="0123456789abcdef0123456789abcdef",
    sender="+12025550199",
    recipient="+12025550123",
    text='Déjà "vu"',
)
SENDING = Sending(
    options={
        "client_id": "0000-c0de",
        "use_existing_active_conversation": "false",
        "base_url": "https://api.mypurecloud.de",
        "login_url": "",
    },
    secrets={"client_secret": (b"current", b"previous")},
    bearer="made-up-token",
)


def configured(**options: str) -> Sending:
    return msgspec.structs.replace(SENDING, options={**SENDING.options, **options})


def answer(status: int, body: Json = None, **headers: str) -> HttpAnswer:
    return HttpAnswer(
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=json.dumps(body).encode(),
    )


# --- requests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("option", "told"), [("false", False), ("true", True)])
def test_a_text_is_this_request(option: str, told: bool) -> None:  # noqa: FBT001
    """JSON, under the access token; an open conversation is used where the tenant says so."""
    request = OUTBOUND.build_request(TEXT, configured(use_existing_active_conversation=option))
    assert (request.method, request.url) == (
        "POST",
        "https://api.mypurecloud.de/api/v2/conversations/messages/agentless",
    )
    assert request.headers == {
        "authorization": "Bearer made-up-token",
        "content-type": "application/json",
        "accept": "application/json",
    }
    assert json.loads(request.body) == {
        "fromAddress": "+12025550199",
        "toAddress": "+12025550123",
        "toAddressMessengerType": "sms",
        "textBody": 'Déjà "vu"',
        "useExistingActiveConversation": told,
    }


def test_a_token_is_asked_for_with_the_client_s_credentials() -> None:
    """At the login host of the same region, or where the tenant says."""
    assert OUTBOUND.grant is not None
    request = OUTBOUND.grant.build(SENDING)
    assert (request.method, request.url) == ("POST", "https://login.mypurecloud.de/oauth/token")
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"0000-c0de:current").decode()
    assert request.body == b"grant_type=client_credentials"
    elsewhere = OUTBOUND.grant.build(configured(login_url="https://sso.example.org"))
    assert elsewhere.url == "https://sso.example.org/oauth/token"


def test_both_hosts_have_to_be_declared() -> None:
    """The egress register is asked about the login host too."""
    assert OUTBOUND.addresses(SENDING) == ("https://api.mypurecloud.de", "https://login.mypurecloud.de")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("client_id", ""),
        ("client_id", "a:b"),
        ("use_existing_active_conversation", "yes"),
        ("base_url", "http://api.mypurecloud.de"),
        ("base_url", "https://api.mypurecloud.de/path"),
        ("login_url", "ftp://login.mypurecloud.de"),
    ],
)
def test_a_wrong_option_is_named(option: str, value: str) -> None:
    """When the tenant is loaded."""
    with pytest.raises(ValueError, match=option):
        OUTBOUND.addresses(configured(**{option: value}))


def test_a_login_host_cannot_be_guessed_from_any_address() -> None:
    """Credentials go to no host that merely results from a rule."""
    with pytest.raises(ValueError, match="login_url"):
        OUTBOUND.addresses(configured(base_url="https://gateway.example.org"))


# --- tokens -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "granted"),
    [
        (200, {"access_token": "abc", "token_type": "bearer", "expires_in": 86399}, ("abc", 86399.0)),
        (200, {"access_token": "abc", "expires_in": "60"}, ("abc", 60.0)),
        (200, {"access_token": "abc", "expires_in": 10**9}, ("abc", 172_800.0)),
        (200, {"access_token": "abc", "expires_in": 0}, None),
        (200, {"access_token": "abc"}, None),
        (200, {"access_token": "", "expires_in": 60}, None),
        (200, {"access_token": "a\r\nb: c", "expires_in": 60}, None),
        (200, {"access_token": "a b", "expires_in": 60}, None),
        (200, {"access_token": ["abc"], "expires_in": 60}, None),
        (200, ["abc"], None),
        (400, {"access_token": "abc", "expires_in": 60}, None),
        (401, {"error": "invalid_client"}, None),
    ],
)
def test_a_token_fits_a_header_and_ends(status: int, body: Json, granted: tuple[str, float] | None) -> None:
    """Anything else is no token."""
    assert OUTBOUND.grant is not None
    assert OUTBOUND.grant.read(answer(status, body)) == granted


@settings(max_examples=100, deadline=None)
@given(status=st.integers(100, 599), body=st.binary(max_size=40))
def test_no_answer_to_a_request_for_a_token_is_too_strange(status: int, body: bytes) -> None:
    """Made-up bytes are no token."""
    assert OUTBOUND.grant is not None
    assert OUTBOUND.grant.read(HttpAnswer(status=status, headers={}, body=body)) is None


# --- answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (answer(200, {"id": "m-1", "conversationId": "c-1"}), Sent(id="m-1")),
        (answer(202, {"id": "m-1"}), Sent(id="m-1")),
        (answer(200, {"conversationId": "c-1"}), Unknown()),
        (HttpAnswer(status=200, headers={}, body=b""), Unknown()),
        (answer(401, {"code": "bad.credentials"}), Refused(failure=Failure.ACCOUNT)),
        (answer(403, {"code": "missing.any.permissions"}), Refused(failure=Failure.ACCOUNT)),
        (
            answer(429, {"code": "too.many.requests.retry.after"}, retry_after="42"),
            Refused(failure=Failure.THROTTLED, retry_after=42.0),
        ),
        (answer(409, None), Refused(failure=Failure.BUSY)),
        (
            answer(400, {"code": "bad.request", "message": "An active conversation exists."}),
            Refused(failure=Failure.BUSY),
        ),
        (answer(400, {"code": "existing.conversation.connected"}), Refused(failure=Failure.BUSY)),
        (
            answer(400, {"code": "bad.request", "message": "textBody is too long"}),
            Refused(failure=Failure.REJECTED),
        ),
        (answer(400, {"code": 7, "message": ["x"]}), Refused(failure=Failure.REJECTED)),
        (answer(404, None), Refused(failure=Failure.REJECTED)),
        (answer(408, None), Unknown()),
        (answer(500, {"id": "m-1"}), Unknown()),
        (answer(503, None, retry_after="5"), Unknown()),
        (answer(504, None), Unknown()),
    ],
)
def test_an_answer_means(given: HttpAnswer, meant: SendResult) -> None:
    """A token that has ended is the account's failure: whoever kept it gets a new one first."""
    assert OUTBOUND.read_result(given, SENDING) == meant


def test_a_text_has_at_most_what_genesys_takes() -> None:
    """765 characters, where others take 1600."""
    assert OUTBOUND.most_characters == 765


# --- never record -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["story_mention__with_media", "story_reply__with_words", "story__in_an_unknown_role"]
)
@pytest.mark.parametrize(
    "url", ["https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1", "https://media.example.org/story"]
)
def test_a_story_in_genesys_s_words_is_never_kept(name: str, url: str) -> None:
    """SM-6: by its type, on whatever host it lies; what is left says why, and the person's own words stay."""
    path = Path(webhook.__file__).parent / "fixtures" / f"{name}.json"
    payload = json.loads(path.read_text(encoding="utf-8"))
    payload["content"][0]["story"]["url"] = url
    (event,) = webhook.parse(payload, NOW)
    governed = govern(event, Facts(now=NOW, policy=TenantPolicy()))
    assert isinstance(governed.event, MessageReceived)
    (media,) = governed.event.message.content.media
    assert (media.url, media.id) == (None, None)
    assert media.removed
    assert governed.event.message.content.text == payload.get("text")
    assert {rule.name for rule in NEVER_RECORD} >= {"story_mention", "story_reply", "story_share"}


def test_a_deletion_wins_over_an_edit_and_over_what_stands_beside_it() -> None:
    """SM-9: in whatever type of message it comes."""
    channel: dict[str, Any] = {
        "from": {"id": "+12025550199"},
        "to": {"id": "+12025550123"},
        "dateModified": "2026-11-20T09:20:00.000Z",
        "dateDeleted": "2026-11-20T09:30:00.000Z",
    }
    for type_ in ("Text", "Structured", "Message", "Receipt", "Event"):
        payload = {
            "id": "m-1",
            "type": type_,
            "text": "secret words",
            "status": "Delivered",
            "channel": channel,
        }
        (event,) = webhook.parse(payload, NOW)
        assert type(event).__name__ == "MessageUnsent"
        assert b"secret" not in msgspec.json.encode(event)
