"""What the three Meta channels share: handshake, signature, signed_request.

Facts: developers.facebook.com/docs/graph-api/webhooks/getting-started (handshake, X-Hub-Signature-256) and
developers.secure.facebook.com/docs/development/create-an-app/app-dashboard/data-deletion-callback.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from typing import Final
from urllib.parse import parse_qs

from connectors import wild
from connectors.constant_time import any_equal
from connectors.contract import (
    Credentials,
    SignatureRefused,
    SignedRequest,
    WebhookAnswer,
    WebhookRequest,
)
from connectors.decode import MalformedPayload, decode
from policies.message import Instant

SIGNATURE_HEADER: Final = "x-hub-signature-256"
SIGNED_REQUEST_MAX_AGE: Final = 24 * 3600 * 1_000_000
"""A ``signed_request`` carries no nonce: an older one is refused as replayed (our choice). Microseconds."""

_CLOCK_SKEW = 5 * 60 * 1_000_000
_FORBIDDEN = WebhookAnswer(status=403, body=b"verify token refused\n")
_challenge = re.compile(r"[0-9A-Za-z_-]{1,128}\Z")
_hex_signature = re.compile(r"sha256=[0-9a-f]{64}\Z")


def handshake(request: WebhookRequest, credentials: Credentials) -> WebhookAnswer | None:
    """Answer ``hub.mode=subscribe`` with the bare challenge; wrong token or mode: 403; else None."""
    query = request.query
    if request.method != "GET" or "hub.mode" not in query:
        return None
    given = query.get("hub.verify_token", "").encode(errors="surrogatepass")
    accepted = given != b"" and any_equal(given, credentials.verify_tokens)
    challenge = query.get("hub.challenge", "")
    # Only a plain token is echoed: anything else would make this page a reflector.
    if not accepted or query["hub.mode"] != "subscribe" or _challenge.match(challenge) is None:
        return _FORBIDDEN
    return WebhookAnswer(status=200, body=challenge.encode())


def verify(request: WebhookRequest, credentials: Credentials) -> None:
    """Check ``X-Hub-Signature-256`` over the exact bytes against every secret of the ring.

    Raises SignatureRefused. The time taken does not tell which secret matched.
    """
    given = request.headers.get(SIGNATURE_HEADER, "")
    if _hex_signature.match(given) is None:
        given = ""
    expected = (b"sha256=" + _hex_digest(secret, request.body) for secret in credentials.signing_secrets)
    if not any_equal(given.encode(), expected):
        raise SignatureRefused


def sample_signature(request: WebhookRequest, secret: bytes) -> dict[str, str]:
    """The headers that Meta would send with this body."""
    return {SIGNATURE_HEADER: "sha256=" + _hex_digest(secret, request.body).decode()}


def signed_request(body: bytes, credentials: Credentials, now: Instant) -> SignedRequest:
    """Verify the form field ``signed_request``: HMAC-SHA256 over the *encoded* payload, base64url, unpadded.

    Raises SignatureRefused when it is forged, malformed, or older than a day.
    """
    signature, _, payload = _form_field(body, "signed_request").partition(".")
    digests = (hmac.digest(secret, payload.encode(), "sha256") for secret in credentials.signing_secrets)
    if not any_equal(_base64url(signature), digests):
        raise SignatureRefused
    try:
        claims = wild.mapping(decode(_base64url(payload))[0])
    except MalformedPayload:
        raise SignatureRefused from None
    issued_at = wild.instant(claims.get("issued_at"))
    user_id = wild.identifier(claims.get("user_id"))
    algorithm = wild.text(claims.get("algorithm")) or ""
    if user_id is None or issued_at is None or algorithm.upper() != "HMAC-SHA256":
        raise SignatureRefused
    if not now - SIGNED_REQUEST_MAX_AGE <= issued_at <= now + _CLOCK_SKEW:
        raise SignatureRefused
    return SignedRequest(user_id=user_id, issued_at=issued_at)


def _form_field(body: bytes, name: str) -> str:
    """The field's first value; "" where there is none, or where nobody would send so many fields."""
    try:
        return parse_qs(body.decode("ascii", errors="replace"), max_num_fields=8).get(name, [""])[0]
    except ValueError:
        return ""


def _hex_digest(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, body, "sha256").hex().encode()


def _base64url(value: str) -> bytes:
    try:
        # Strictly: the default passes over what is not in the alphabet, so that one signature has many spellings.
        return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
