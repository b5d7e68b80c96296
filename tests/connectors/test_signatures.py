"""The same attacks on every connector of the registry: who did not hold the secret is refused, and learns nothing.

A new row in the registry is attacked without a line here.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Connector, Credentials, SignatureRefused, SignedRequest, WebhookRequest
from connectors.meta import SIGNED_REQUEST_MAX_AGE
from connectors.registry import CONNECTORS
from policies.message import Instant, Json

NOW: Instant = 1_790_000_000_000_000
SECRET, PREVIOUS, ANOTHERS = (
    b"current-secret-of-ours",
    b"previous-secret-of-ours",
    b"secret-of-another-tenant",
)
TOKEN, PREVIOUS_TOKEN = b"current-token", b"previous-token"
BODY = '{"object":"thing","entry":[{"text":"caf\\u00e9 \\/ a@b ü 👍"}]}'.encode()

every_connector = pytest.mark.parametrize("connector", CONNECTORS.values(), ids=CONNECTORS)
META = [connector for connector in CONNECTORS.values() if connector.signed_request is not None]
every_meta_connector = pytest.mark.parametrize("connector", META, ids=[row.name for row in META])


def accepts(
    connector: Connector, headers: dict[str, str], *, body: bytes = BODY, ring: tuple[bytes, ...] = (SECRET,)
) -> bool:
    """Whether ``verify`` lets the delivery pass; a refusal must not tell why."""
    request = WebhookRequest(method="POST", headers=headers, query={}, body=body)
    try:
        connector.verify(request, Credentials(signing_secrets=ring))
    except SignatureRefused as refusal:
        refused = refusal
    else:
        return True
    assert _tells_nothing(refused)
    return False


def _tells_nothing(refusal: SignatureRefused) -> bool:
    return (
        not refusal.args
        and refusal.__cause__ is None
        and (refusal.__suppress_context__ or not refusal.__context__)
    )


def _digest(algorithm: str, *, as_hex: bool) -> str:
    digest = hmac.digest(SECRET, BODY, algorithm)
    return digest.hex() if as_hex else base64.b64encode(digest).decode()


# --- signatures ---------------------------------------------------------------------------------------------


@every_connector
def test_the_right_signature_passes(connector: Connector) -> None:
    """Also over nothing at all, and over bytes that are no text."""
    for body in (BODY, b"", b"\xff\x00\xfe"):
        assert accepts(connector, connector.sample_signature(body, SECRET), body=body)


ATTACKS: dict[str, Callable[[str, str], dict[str, str]]] = {
    "absent": lambda name, value: {},
    "empty": lambda name, value: {name: ""},
    "blank": lambda name, value: {name: " "},
    "only the prefix": lambda name, value: {name: "sha256="},
    "without the prefix": lambda name, value: {name: value.removeprefix("sha256=")},
    "prefix twice": lambda name, value: {name: "sha256=" + value},
    "truncated by one": lambda name, value: {name: value[:-1]},
    "truncated to a half": lambda name, value: {name: value[: len(value) // 2]},
    "longer by one": lambda name, value: {name: value + "0"},
    "first character changed": lambda name, value: {
        name: _anew(value, lambda old: _another(old[0]) + old[1:])
    },
    "upper-case": lambda name, value: {name: value.upper()},
    "upper-case digest": lambda name, value: {name: _anew(value, str.upper)},
    "space before": lambda name, value: {name: " " + value},
    "line feed after": lambda name, value: {name: value + "\n"},
    "carriage return and more": lambda name, value: {name: value + "\r\nx: y"},
    "two in one": lambda name, value: {name: f"{value},{value}"},
    "U+0000 after": lambda name, value: {name: value + "\x00"},
    "beyond ASCII": lambda name, value: {name: _anew(value, lambda old: "é" * len(old))},
    "full-width digits": lambda name, value: {name: _anew(value, lambda old: "０" * len(old))},
    "lone surrogate": lambda name, value: {name: _anew(value, lambda old: "\ud800")},
    "all zeros": lambda name, value: {name: _anew(value, lambda old: "0" * len(old))},
    "another header's name": lambda name, value: {f"{name}-2": value},
    "the legacy header only": lambda name, value: {"x-hub-signature": "sha1=" + _digest("sha1", as_hex=True)},
    "sha1 in the header": lambda name, value: {name: "sha1=" + _digest("sha1", as_hex=True)},
    "sha1 called sha256": lambda name, value: {name: "sha256=" + _digest("sha1", as_hex=True)},
    "sha512 in the header": lambda name, value: {name: "sha512=" + _digest("sha512", as_hex=True)},
    "the other platform's encoding": lambda name, value: {
        name: "sha256=" + _digest("sha256", as_hex=value.endswith("="))
    },
    "the digest of the body without a key": lambda name, value: {
        name: _anew(value, lambda old: hmac.digest(b"", BODY, "sha256").hex())
    },
}


def _anew(value: str, change: Callable[[str], str]) -> str:
    """The value with its digest changed, behind the same prefix where it has one."""
    prefix = "sha256=" if value.startswith("sha256=") else ""
    return prefix + change(value.removeprefix(prefix))


def _another(character: str) -> str:
    return "1" if character == "0" else "0"


@every_connector
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_signature_that_is_not_exactly_right_is_refused(connector: Connector, attack: str) -> None:
    """In form or in value."""
    right = connector.sample_signature(BODY, SECRET)
    ((name, value),) = right.items()
    forged = ATTACKS[attack](name, value)
    if forged == right:
        pytest.skip("of this platform's signatures, this is a right one")
    assert not accepts(connector, forged)


@every_connector
def test_another_tenant_s_signature_is_refused(connector: Connector) -> None:
    """Right in form, over the right bytes, with a secret that is somebody's."""
    assert not accepts(connector, connector.sample_signature(BODY, ANOTHERS))


@every_connector
def test_in_a_rotation_both_secrets_pass_and_after_it_one(connector: Connector) -> None:
    """No delivery is lost while the secret changes; in whichever order the ring names them."""
    current, previous = (connector.sample_signature(BODY, secret) for secret in (SECRET, PREVIOUS))
    for ring in ((SECRET, PREVIOUS), (PREVIOUS, SECRET)):
        assert accepts(connector, current, ring=ring)
        assert accepts(connector, previous, ring=ring)
        assert not accepts(connector, connector.sample_signature(BODY, ANOTHERS), ring=ring)
    assert not accepts(connector, previous, ring=(SECRET,))


@every_connector
def test_without_a_secret_nothing_passes(connector: Connector) -> None:
    """An empty ring is not a key of length nought."""
    assert not accepts(connector, connector.sample_signature(BODY, b""), ring=())
    assert not accepts(connector, {}, ring=())


@every_connector
@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, len(BODY) - 1), change=st.integers(1, 255))
def test_one_changed_byte_is_refused(connector: Connector, place: int, change: int) -> None:
    """Any byte, changed in any way."""
    altered = BODY[:place] + bytes([BODY[place] ^ change]) + BODY[place + 1 :]
    assert not accepts(connector, connector.sample_signature(BODY, SECRET), body=altered)


@every_connector
@pytest.mark.parametrize(
    "altered", [BODY + b" ", BODY + b"\n", BODY[:-1], b"\xef\xbb\xbf" + BODY, b""], ids=repr
)
def test_bytes_added_or_lost_are_refused(connector: Connector, altered: bytes) -> None:
    """The signature is over the exact bytes, a line feed at the end included."""
    assert not accepts(connector, connector.sample_signature(BODY, SECRET), body=altered)


@every_connector
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_the_same_json_written_anew_is_refused(connector: Connector, ensure_ascii: bool) -> None:  # noqa: FBT001
    """Equal in meaning is not equal in bytes: nobody may parse before verifying."""
    anew = json.dumps(json.loads(BODY), ensure_ascii=ensure_ascii).encode()
    assert not accepts(connector, connector.sample_signature(BODY, SECRET), body=anew)


# --- Meta's handshake ---------------------------------------------------------------------------------------

ASKED = {"hub.mode": "subscribe", "hub.verify_token": TOKEN.decode(), "hub.challenge": "1158201444"}


def handshake(connector: Connector, query: dict[str, str], method: str = "GET") -> tuple[int, bytes] | None:
    credentials = Credentials(signing_secrets=(SECRET,), verify_tokens=(TOKEN, PREVIOUS_TOKEN))
    answer = connector.handshake(WebhookRequest(method=method, headers={}, query=query), credentials)
    return None if answer is None else (answer.status, answer.body)


@every_meta_connector
def test_the_handshake_answers_the_bare_challenge(connector: Connector) -> None:
    """No quotes, no line feed, as plain text; for either token of the ring."""
    assert handshake(connector, ASKED) == (200, b"1158201444")
    assert handshake(connector, ASKED | {"hub.verify_token": PREVIOUS_TOKEN.decode()}) == (200, b"1158201444")
    request = WebhookRequest(method="GET", headers={}, query=ASKED)
    answer = connector.handshake(request, Credentials(signing_secrets=(), verify_tokens=(TOKEN,)))
    assert answer is not None
    assert answer.content_type.startswith("text/plain")


@every_meta_connector
@pytest.mark.parametrize(
    "changed",
    [
        {"hub.verify_token": "wrong-token"},
        {"hub.verify_token": ""},
        {"hub.verify_token": TOKEN.decode().upper()},
        {"hub.verify_token": TOKEN.decode() + " "},
        {"hub.verify_token": "jeton-é"},
        {"hub.verify_token": "\ud800"},
        {"hub.mode": "unsubscribe"},
        {"hub.mode": "SUBSCRIBE"},
        {"hub.mode": ""},
        {"hub.challenge": "<script>alert(1)</script>"},
        {"hub.challenge": "1158201444\n"},
        {"hub.challenge": "1158 201444"},
        {"hub.challenge": "é"},
        {"hub.challenge": "\ud800"},
        {"hub.challenge": "1" * 129},
        {"hub.challenge": ""},
    ],
    ids=repr,
)
def test_any_other_handshake_gets_fixed_words(connector: Connector, changed: dict[str, str]) -> None:
    """Nothing of the query is reflected, and a wrong token looks like a wrong challenge."""
    assert handshake(connector, ASKED | changed) == handshake(
        connector, ASKED | {"hub.verify_token": "wrong"}
    )
    assert handshake(connector, ASKED | changed) == (403, b"verify token refused\n")


@every_meta_connector
@pytest.mark.parametrize("missing", ["hub.verify_token", "hub.challenge"])
def test_a_handshake_that_lacks_a_part_is_refused(connector: Connector, missing: str) -> None:
    """Absent is not empty, and neither passes."""
    answer = handshake(connector, {key: value for key, value in ASKED.items() if key != missing})
    assert answer == (403, b"verify token refused\n")


@every_meta_connector
def test_what_is_no_handshake_is_left_to_others(connector: Connector) -> None:
    """A GET without ``hub.mode`` and a POST with it."""
    assert handshake(connector, {}) is None
    assert handshake(connector, ASKED, method="POST") is None


@every_meta_connector
def test_without_a_token_no_handshake_passes(connector: Connector) -> None:
    """An empty ring is not an empty token."""
    request = WebhookRequest(method="GET", headers={}, query=ASKED | {"hub.verify_token": ""})
    answer = connector.handshake(request, Credentials(signing_secrets=(SECRET,)))
    assert answer is not None
    assert answer.status == 403


# --- Meta's signed_request ----------------------------------------------------------------------------------

CLAIMS: dict[str, Json] = {
    "algorithm": "HMAC-SHA256",
    "user_id": "550010000000001",
    "issued_at": NOW // 1_000_000 - 60,
    "expires": NOW // 1_000_000 + 3600,
}


def _unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(claims: Json, secret: bytes = SECRET) -> str:
    """A ``signed_request`` as Meta makes it: the signature is over the encoded payload."""
    payload = _unpadded(claims if isinstance(claims, bytes) else json.dumps(claims).encode())
    return f"{_unpadded(hmac.digest(secret, payload.encode(), 'sha256'))}.{payload}"


def form(value: str) -> bytes:
    return b"signed_request=" + quote(value).encode()


def read(connector: Connector, body: bytes, ring: tuple[bytes, ...] = (SECRET,)) -> SignedRequest | None:
    """The verified request, or None for a refusal, which must not tell why."""
    assert connector.signed_request is not None
    try:
        return connector.signed_request(body, Credentials(signing_secrets=ring), NOW)
    except SignatureRefused as refusal:
        refused = refusal
    assert _tells_nothing(refused)
    return None


@every_meta_connector
def test_a_right_signed_request_names_the_user(connector: Connector) -> None:
    """Also as an integer, with padding, among other fields, and with the previous secret."""
    right = SignedRequest(user_id="550010000000001", issued_at=NOW - 60_000_000)
    assert read(connector, form(signed(CLAIMS))) == right
    assert read(connector, form(signed(CLAIMS | {"user_id": 550010000000001}))) == right
    assert read(connector, b"a=b&" + form(signed(CLAIMS)) + b"&c=d") == right
    assert read(connector, form(signed(CLAIMS, PREVIOUS)), ring=(SECRET, PREVIOUS)) == right


def _altered(claims: dict[str, Json]) -> str:
    """The signature of one payload before another."""
    return signed(CLAIMS).partition(".")[0] + "." + signed(claims).partition(".")[2]


FORGERIES: dict[str, bytes] = {
    "another's secret": form(signed(CLAIMS, ANOTHERS)),
    "the previous secret after the rotation": form(signed(CLAIMS, PREVIOUS)),
    "no secret": form(signed(CLAIMS, b"")),
    "another payload": form(_altered(CLAIMS | {"user_id": "550010000000002"})),
    "signature cut": form(signed(CLAIMS)[2:]),
    "payload cut": form(signed(CLAIMS)[:-2]),
    "signature empty": form("." + signed(CLAIMS).partition(".")[2]),
    "payload empty": form(signed(CLAIMS).partition(".")[0] + "."),
    "signature over the decoded payload": form(
        _unpadded(hmac.digest(SECRET, json.dumps(CLAIMS).encode(), "sha256"))
        + "."
        + _unpadded(json.dumps(CLAIMS).encode())
    ),
    "a day old": form(signed(CLAIMS | {"issued_at": (NOW - SIGNED_REQUEST_MAX_AGE) // 1_000_000 - 1})),
    "from the future": form(signed(CLAIMS | {"issued_at": NOW // 1_000_000 + 3600})),
    "issued at no time": form(signed(CLAIMS | {"issued_at": None})),
    "issued at a word": form(signed(CLAIMS | {"issued_at": "yesterday"})),
    "no user": form(signed(CLAIMS | {"user_id": None})),
    "an empty user": form(signed(CLAIMS | {"user_id": ""})),
    "a list of users": form(signed(CLAIMS | {"user_id": ["550010000000001"]})),
    "no algorithm": form(signed(CLAIMS | {"algorithm": None})),
    "another algorithm": form(signed(CLAIMS | {"algorithm": "none"})),
    "claims that are a list": form(signed([CLAIMS])),
    "claims that are no JSON": form(signed(b"{user_id:1}")),
    "claims that nest too deep": form(signed(b"[" * 5000)),
    "claims that are no text": form(signed(b"\xff\xfe\x00")),
    "nothing": b"",
    "an empty field": b"signed_request=",
    "another field": b"signed=" + quote(signed(CLAIMS)).encode(),
    "a lone dot": b"signed_request=.",
    "dots": b"signed_request=" + b"." * 100,
    "no base64": b"signed_request=%%%.%%%",
    "beyond ASCII": "signed_request=é.é".encode(),
    "beyond ASCII, encoded": b"signed_request=%C3%A9.%C3%A9",
    "bytes": bytes(range(256)),
    "JSON": json.dumps({"signed_request": signed(CLAIMS)}).encode(),
    "many fields": b"&".join([b"a=b"] * 100) + b"&" + form(signed(CLAIMS)),
    "twice, the forged one first": form(signed(CLAIMS, ANOTHERS)) + b"&" + form(signed(CLAIMS)),
}


@every_meta_connector
@pytest.mark.parametrize("forgery", FORGERIES)
def test_any_other_signed_request_is_refused(connector: Connector, forgery: str) -> None:
    """Forged, altered, old, or garbage: one refusal for all."""
    assert read(connector, FORGERIES[forgery]) is None


@every_meta_connector
def test_a_signed_request_is_good_for_a_day(connector: Connector) -> None:
    """To the second."""
    eldest = (NOW - SIGNED_REQUEST_MAX_AGE) // 1_000_000
    assert read(connector, form(signed(CLAIMS | {"issued_at": eldest}))) is not None
    assert read(connector, form(signed(CLAIMS | {"issued_at": eldest - 1}))) is None


@every_meta_connector
@settings(max_examples=60, deadline=None)
@given(
    body=st.binary(max_size=80) | st.text(max_size=40).map(lambda text: b"signed_request=" + text.encode())
)
def test_no_body_makes_reading_fail(connector: Connector, body: bytes) -> None:
    """Whatever is posted is refused, never a failure."""
    assert read(connector, body) is None
