"""Vonage: what is sent, what answers mean, and which tokens are refused although a secret signed them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

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
from connectors.sms_vonage.outbound import LONGEST_LIFE, OUTBOUND, SHORTEST_LIFE
from connectors.sms_vonage.webhook import MAX_AGE, STATUSES, parse, verify
from policies.event import DeliveryReported, Failure
from policies.event import DeliveryStatus as Status

NOW = 1_790_000_000_000_000
SECRET = b"made-up-signature-secret"
BODY = b'{"message_uuid":"1","status":"delivered"}'
TEXT = Text(id="0123456789abcdef" * 2, sender="+12025550100", recipient="+12025550123", text="Café 👍")
OPTIONS = {"api_key": "0a1b2c3d", "base_url": "https://api.nexmo.com"}
SENDING = Sending(options=OPTIONS, secrets={"api_secret": (b"current", b"previous")})
CALLBACK = "https://hooks.example.org/webhooks/acme/sms-vonage"


# --- sending ------------------------------------------------------------------------------------------------


def body(text: Text = TEXT, sending: Sending = SENDING) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(OUTBOUND.build_request(text, sending).body)
    return decoded


def test_a_text_is_one_post_with_our_id_and_the_current_secret() -> None:
    """Numbers without their plus."""
    request = OUTBOUND.build_request(TEXT, SENDING)
    assert (request.method, request.url) == ("POST", "https://api.nexmo.com/v1/messages")
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"0a1b2c3d:current").decode()
    assert body() == {
        "message_type": "text",
        "channel": "sms",
        "from": "12025550100",
        "to": "12025550123",
        "text": "Café 👍",
        "client_ref": TEXT.id,
        "sms": {"encoding_type": "auto"},
    }


def test_a_name_is_a_sender_as_it_is() -> None:
    """Alphanumeric."""
    assert body(msgspec.structs.replace(TEXT, sender="Acme"))["from"] == "Acme"


def test_reports_are_asked_for_where_somebody_said_where_to() -> None:
    """With each message: Basic authentication brings no webhooks of its own."""
    told = body(sending=msgspec.structs.replace(SENDING, callback_url=CALLBACK))
    assert (told["webhook_url"], told["webhook_version"]) == (CALLBACK, "v1")


@pytest.mark.parametrize(
    ("seconds", "ttl"),
    [(None, None), (1, SHORTEST_LIFE), (3600, 3600), (10**9, LONGEST_LIFE), (-5, SHORTEST_LIFE)],
)
def test_a_text_that_goes_stale_says_when_within_what_vonage_takes(
    seconds: int | None, ttl: int | None
) -> None:
    """A life that is too short or too long would be refused with the text."""
    assert body(msgspec.structs.replace(TEXT, valid_seconds=seconds)).get("ttl") == ttl


PROBLEM = "https://developer.vonage.com/api-errors/messages#"
ANSWERS: dict[str, tuple[int, object, SendResult]] = {
    "taken": (202, {"message_uuid": "u-1"}, Sent(id="u-1")),
    "taken, with a failover": (202, {"message_uuid": "u-1", "workflow_id": "w"}, Sent(id="u-1")),
    "taken with 200": (200, {"message_uuid": "u-1"}, Sent(id="u-1")),
    "taken, no id": (202, {}, Unknown()),
    "taken, an empty id": (202, {"message_uuid": ""}, Unknown()),
    "the older API's answer": (200, {"message-count": "1", "messages": [{"status": "0"}]}, Unknown()),
    "throttled": (429, {"type": PROBLEM + "1000"}, Refused(failure=Failure.THROTTLED, code=1000)),
    "opted out": (422, {"type": PROBLEM + "1240"}, Refused(failure=Failure.OPTED_OUT, code=1240)),
    "sender": (422, {"type": PROBLEM + "1120"}, Refused(failure=Failure.SENDER, code=1120)),
    "number in the title": (
        422,
        {"type": "about:blank", "title": 1210},
        Refused(failure=Failure.FILTERED, code=1210),
    ),
    "unknown number": (422, {"type": PROBLEM + "1150"}, Refused(failure=Failure.REJECTED, code=1150)),
    "no credit": (402, {"type": "https://x/api-errors/#low-balance"}, Refused(failure=Failure.QUOTA)),
    "credentials": (401, {"type": "https://x/api-errors#unauthorized"}, Refused(failure=Failure.ACCOUNT)),
    "no such page": (404, {"type": "https://x/api-errors#not-found"}, Refused(failure=Failure.REJECTED)),
    "an internal error by its number": (500, {"type": PROBLEM + "1030"}, Unknown()),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_what_an_answer_means(case: str) -> None:
    """The number first, then the status; what may have been taken is unknown."""
    status, told, meant = ANSWERS[case]
    answer = HttpAnswer(status=status, headers={}, body=msgspec.json.encode(told))
    assert OUTBOUND.read_result(answer, SENDING) == meant


# --- webhooks -----------------------------------------------------------------------------------------------


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changed: Any) -> dict[str, Any]:
    given = {
        "iss": "Vonage",
        "api_key": "0a1b2c3d",
        "jti": "j",
        "iat": NOW // 1_000_000,
        "payload_hash": hashlib.sha256(BODY).hexdigest(),
    }
    return {name: value for name, value in (given | changed).items() if value is not ...}


def token(told: Any = None, header: Any = None, secret: bytes = SECRET) -> str:
    """A token whose signature is right over whatever it says."""
    signed = f"{part({'typ': 'JWT', 'alg': 'HS256'} if header is None else header)}.{part(claims() if told is None else told)}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), 'sha256'))}"


def accepts(given: str, *, content: bytes = BODY, at: int = NOW, ring: tuple[bytes, ...] = (SECRET,)) -> bool:
    request = WebhookRequest(
        method="POST", headers={"authorization": given}, query={}, body=content, received_at=at
    )
    try:
        verify(request, Credentials(signing_secrets=ring))
    except SignatureRefused as refused:
        return bool(refused.args)  # a refusal that tells why is none
    return True


def test_the_token_of_the_platform_passes() -> None:
    """Also with claims and header fields that nobody has heard of, and at the ends of its time."""
    assert accepts("Bearer " + token())
    assert accepts("Bearer " + token(claims(more={"deep": [1]}), {"alg": "HS256", "kid": "k", "typ": "JWT"}))
    assert accepts("Bearer " + token(), at=NOW + MAX_AGE)
    assert not accepts("Bearer " + token(), at=NOW + MAX_AGE + 1_000_000)


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = RSA.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def by_rsa() -> str:
    signed = f"{part({'typ': 'JWT', 'alg': 'RS256'})}.{part(claims())}"
    return f"{signed}.{part(RSA.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def unsigned(algorithm: str, signature: str = "") -> str:
    return f"{part({'typ': 'JWT', 'alg': algorithm})}.{part(claims())}.{signature}"


HEADER, CLAIMS, SIGNATURE = token().split(".")
FORGERIES: dict[str, Callable[[], str]] = {
    "no algorithm": lambda: unsigned("none"),
    "no algorithm, in capitals": lambda: unsigned("NONE", "A" * 43),
    "says none, signed right": lambda: token(header={"alg": "none"}),
    "says RS256, signed right": lambda: token(header={"alg": "RS256"}),
    "says HS512, signed right": lambda: token(header={"alg": "HS512"}),
    "says hs256": lambda: token(header={"alg": "hs256"}),
    "says a list": lambda: token(header={"alg": ["HS256"]}),
    "says nothing": lambda: token(header={}),
    "a header that is a list": lambda: token(header=[{"alg": "HS256"}]),
    "signed by RSA": by_rsa,
    "a public key taken for a secret": lambda: token(header={"alg": "RS256"}, secret=PUBLIC),
    "an empty secret": lambda: token(secret=b""),
    "signature of other claims": lambda: f"{HEADER}.{part(claims(jti='k'))}.{SIGNATURE}",
    "signature of another header": lambda: f"{part({'alg': 'HS256'})}.{CLAIMS}.{SIGNATURE}",
    "signature with padding": lambda: token() + "=",
    "two tokens": lambda: f"{token()} {token()}",
    "four parts": lambda: token() + ".x",
    "two parts": lambda: f"{HEADER}.{CLAIMS}",
    "no digest": lambda: token(claims(payload_hash=...)),
    "an empty digest": lambda: token(claims(payload_hash="")),
    "another body's digest": lambda: token(claims(payload_hash=hashlib.sha256(b"x").hexdigest())),
    "a digest in capitals": lambda: token(claims(payload_hash=hashlib.sha256(BODY).hexdigest().upper())),
    "a digest that is a number": lambda: token(claims(payload_hash=1)),
    "a digest beyond ASCII": lambda: token(claims(payload_hash="é")),
    "a digest with half a character": lambda: token(claims(payload_hash="\ud800")),
    "no time": lambda: token(claims(iat=...)),
    "no time but null": lambda: token(claims(iat=None)),
    "a word for a time": lambda: token(claims(iat="now")),
    "true for a time": lambda: token(claims(iat=True)),
    "an hour ago": lambda: token(claims(iat=NOW // 1_000_000 - 3600)),
    "in an hour": lambda: token(claims(iat=NOW // 1_000_000 + 3600)),
    "in milliseconds": lambda: token(claims(iat=NOW // 1000)),
    "beyond any time": lambda: token(claims(iat=10**30)),
    "claims that are a list": lambda: token([claims()]),
    "claims that are no JSON": lambda: token(b"{iat:1}"),
    "claims that nest too deep": lambda: token(b"[" * 3000),
    "claims that are no text": lambda: token(b"\xff\x00"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "Basic ", ""])
def test_any_other_token_is_refused(forgery: str, scheme: str) -> None:
    """The algorithm is pinned, the body is bound, the time ends; a right signature alone is not enough."""
    assert not accepts(
        scheme + FORGERIES[forgery](), ring=(SECRET, PUBLIC) if "public" in forgery else (SECRET,)
    )


def test_a_token_has_one_spelling() -> None:
    """Bits of the last character that decoding passes over would make a second token of every one."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(SIGNATURE[-1])
    for bits in range(1, 4):
        other = alphabet[last & ~3 | (last + bits) & 3]
        assert not accepts(f"Bearer {HEADER}.{CLAIMS}.{SIGNATURE[:-1]}{other}")


def test_a_token_of_one_delivery_is_none_for_another() -> None:
    """The digest binds it to its body."""
    assert not accepts("Bearer " + token(), content=BODY.replace(b"delivered", b"rejected"))


@pytest.mark.parametrize("word", [*STATUSES, "SUBMITTED", "queued", ""])
def test_a_status_word_moves_a_text_only_if_the_table_knows_it(word: str) -> None:
    """As it is written, and no other way."""
    [event] = parse({"message_uuid": "1", "status": word, "from": "Acme"}, NOW)
    assert (event.status if isinstance(event, DeliveryReported) else None) == STATUSES.get(word)


@pytest.mark.parametrize("status", ["submitted", "delivered", "read"])
def test_a_warning_beside_a_success_is_no_failure(status: str) -> None:
    """A text that went on although something was wrong is not taken back, nor its reader suppressed."""
    error = {"type": PROBLEM + "1240"}
    [event] = parse({"message_uuid": "1", "status": status, "from": "Acme", "error": error}, NOW)
    assert isinstance(event, DeliveryReported)
    assert (event.failure, event.error_codes) == (None, (1240,))
    assert event.status is not Status.FAILED
