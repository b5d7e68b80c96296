"""The same attacks on every connector of the registry: who did not hold the secret is refused, and learns nothing.

A new row in the registry is attacked without a line here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Connector, Credentials, Sign, SignatureRefused, SignedRequest, WebhookRequest
from connectors.decode import decode
from connectors.meta import SIGNED_REQUEST_MAX_AGE
from connectors.registry import CONNECTORS
from connectors.sms_telnyx import webhook as telnyx
from policies.message import Instant, Json

NOW: Instant = 1_790_000_000_000_000
SECRET, PREVIOUS, ANOTHERS = (
    b"current-secret-of-ours",
    b"previous-secret-of-ours",
    b"secret-of-another-tenant",
)
TOKEN, PREVIOUS_TOKEN = b"current-token", b"previous-token"
FORM = b"Body=caf%C3%A9+%26+more&Body=again&From=%2B12025550123&Empty="
BODY = '{"object":"thing","entry":[{"text":"caf\\u00e9 \\/ a@b ü 👍"}]}'.encode()

URL = "https://hooks.example.org/webhooks/acme/channel?ref=0123456789abcdef0123456789abcdef"
HOUR = 3600 * 1_000_000


class Platform(NamedTuple):
    """How a platform signs, and what stands for it in a tenant's ring: secrets, or what proves them (public keys)."""

    sign: Sign
    current: bytes = SECRET
    previous: bytes = PREVIOUS
    anothers: bytes = ANOTHERS


def _telnyx_key(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed).digest())


def _telnyx_public(seed: bytes) -> bytes:
    return base64.b64encode(_telnyx_key(seed).public_key().public_bytes_raw())


_TELNYX = {_telnyx_public(seed): _telnyx_key(seed) for seed in (SECRET, PREVIOUS, ANOTHERS)}


def _as_telnyx(request: WebhookRequest, public: bytes) -> dict[str, str]:
    time = str(request.received_at // 1_000_000)
    signature = _TELNYX[public].sign(time.encode() + b"|" + request.body)
    return {
        telnyx.SIGNATURE_HEADER: base64.b64encode(signature).decode(),
        telnyx.TIMESTAMP_HEADER: time,
    }


PLATFORMS: dict[str, Platform] = {"sms-telnyx": Platform(_as_telnyx, *_TELNYX)}
"""Where only the platform can sign, how it does it; else the connector's own sample is taken."""


def platform(connector: Connector) -> Platform:
    return PLATFORMS.get(connector.name) or Platform(sign=_own(connector))


def _own(connector: Connector) -> Sign:
    assert connector.sample_signature is not None, "PLATFORMS says how this platform signs"
    return connector.sample_signature


every_connector = pytest.mark.parametrize("connector", CONNECTORS.values(), ids=CONNECTORS)
META = [connector for connector in CONNECTORS.values() if connector.signed_request is not None]
every_meta_connector = pytest.mark.parametrize("connector", META, ids=[row.name for row in META])


def posted(
    headers: dict[str, str], body: bytes, url: str = URL, received_at: Instant = NOW
) -> WebhookRequest:
    """A delivery as intake hands it over."""
    query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    return WebhookRequest(
        method="POST", headers=headers, query=query, body=body, url=url, received_at=received_at
    )


def body_of(connector: Connector) -> bytes:
    """Some body of the kind that this platform sends."""
    return BODY if connector.decode is decode else FORM


def signed_by(
    connector: Connector, secret: bytes | None = None, body: bytes | None = None, **more: Any
) -> dict[str, str]:
    """The headers of a right signature, with the current secret."""
    request = posted({}, body_of(connector) if body is None else body, **more)
    signer = platform(connector)
    return signer.sign(request, signer.current if secret is None else secret)


def accepts(
    connector: Connector,
    headers: dict[str, str],
    *,
    body: bytes | None = None,
    ring: tuple[bytes, ...] | None = None,
    **more: Any,
) -> bool:
    """Whether ``verify`` lets the delivery pass; a refusal must not tell why."""
    request = posted(headers, body_of(connector) if body is None else body, **more)
    try:
        ring = (platform(connector).current,) if ring is None else ring
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
    no_text = b"\xff\x00\xfe" if connector.decode is decode else b"Body=%ff%00\xfe"
    for body in (body_of(connector), b"", no_text):
        assert accepts(connector, signed_by(connector, body=body), body=body)


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
    """In form or in value, each header that takes part in it."""
    right = signed_by(connector)
    for name, value in right.items():
        others = {header: given for header, given in right.items() if header != name}
        forged = others | ATTACKS[attack](name, value)
        # Of some platforms' signatures, what is an attack elsewhere is a right one.
        assert forged == right or not accepts(connector, forged)


@every_connector
def test_verification_reads_no_header_but_those_it_names(connector: Connector) -> None:
    """Intake copies no other: a right signature consists of them and of nothing more."""
    assert set(signed_by(connector)) == set(connector.signature_headers)
    assert all(name == name.lower() for name in connector.signature_headers)


@every_connector
def test_another_tenant_s_signature_is_refused(connector: Connector) -> None:
    """Right in form, over the right bytes, with a secret that is somebody's."""
    assert not accepts(connector, signed_by(connector, platform(connector).anothers))


@every_connector
def test_in_a_rotation_both_secrets_pass_and_after_it_one(connector: Connector) -> None:
    """No delivery is lost while the secret changes; in whichever order the ring names them."""
    _, first, second, third = platform(connector)
    current, previous = signed_by(connector, first), signed_by(connector, second)
    for ring in ((first, second), (second, first)):
        assert accepts(connector, current, ring=ring)
        assert accepts(connector, previous, ring=ring)
        assert not accepts(connector, signed_by(connector, third), ring=ring)
    assert not accepts(connector, previous, ring=(first,))


@every_connector
def test_without_a_secret_nothing_passes(connector: Connector) -> None:
    """An empty ring is not a key of length nought."""
    assert not accepts(connector, signed_by(connector), ring=())
    assert not accepts(connector, {}, ring=())
    if connector.name not in PLATFORMS:
        assert not accepts(connector, signed_by(connector, b""), ring=())


@every_connector
@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, len(FORM) - 1), change=st.integers(1, 255))
def test_one_changed_byte_is_refused(connector: Connector, place: int, change: int) -> None:
    """Any byte, changed in any way; where the fields are signed, any that changes what they say."""
    body = body_of(connector)
    altered = body[:place] + bytes([body[place] ^ change]) + body[place + 1 :]
    assert not accepts(connector, signed_by(connector), body=altered) or _says_the_same(connector, altered)


def _says_the_same(connector: Connector, altered: bytes) -> bool:
    """Only forms have two spellings of one letter (%2b, %2B)."""
    return connector.decode is not decode and connector.decode(altered) == connector.decode(FORM)


@every_connector
def test_bytes_added_or_lost_are_refused(connector: Connector) -> None:
    """The signature is over the exact bytes, a line feed at the end included."""
    body = body_of(connector)
    for altered in (body + b" ", body + b"\n", body[:-1], body[1:], b"\xef\xbb\xbf" + body, body * 2, b""):
        assert not accepts(connector, signed_by(connector), body=altered)


JSON = [connector for connector in CONNECTORS.values() if connector.decode is decode]


@pytest.mark.parametrize("connector", JSON, ids=[row.name for row in JSON])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_the_same_json_written_anew_is_refused(connector: Connector, ensure_ascii: bool) -> None:  # noqa: FBT001
    """Equal in meaning is not equal in bytes: nobody may parse before verifying."""
    anew = json.dumps(json.loads(BODY), ensure_ascii=ensure_ascii).encode()
    assert not accepts(connector, signed_by(connector), body=anew)


OTHER_URLS = {
    "another host": URL.replace("hooks", "evil"),
    "another tenant": URL.replace("acme", "acme2"),
    "another connector": URL.replace("channel", "channel2"),
    "another query": URL.replace("0123456789", "0123456780"),
    "no query": URL.partition("?")[0],
    "a parameter more": URL + "&a=b",
    "the query in the path": URL.replace("?", "/"),
    "no encryption": URL.replace("https", "http"),
    "a user": URL.replace("https://", "https://user:word@"),
    "nobody knows": "",
}


ADDRESSED = [connector for connector in CONNECTORS.values() if connector.signs_url]


@pytest.mark.parametrize("connector", ADDRESSED, ids=[row.name for row in ADDRESSED])
@pytest.mark.parametrize("attack", OTHER_URLS)
def test_a_signature_over_the_url_holds_for_no_other(connector: Connector, attack: str) -> None:
    """A delivery that was made for one address cannot be played to another."""
    assert not accepts(connector, signed_by(connector), url=OTHER_URLS[attack])


TIMED = [
    connector
    for connector in CONNECTORS.values()
    if signed_by(connector) != signed_by(connector, received_at=NOW + HOUR)
]


@pytest.mark.parametrize("connector", TIMED, ids=[row.name for row in TIMED])
def test_a_signature_over_the_time_ends(connector: Connector) -> None:
    """Some minutes of delay and of clocks that differ pass; an hour is a replay, or a lie."""
    signed = signed_by(connector)
    for minutes in (-1, 0, 1):
        assert accepts(connector, signed, received_at=NOW + minutes * 60 * 1_000_000)
    for hours in (-1, 1, 24):
        assert not accepts(connector, signed, received_at=NOW + hours * HOUR)


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
