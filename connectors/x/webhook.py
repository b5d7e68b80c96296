"""X's webhook: the challenge (CRC), the signature, and both envelopes on one URL.

Source: xdevplatform/docs, x-api/webhooks (quickstart, introduction); facts with dates in README.md beside this file.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterator
from typing import Final

from connectors.constant_time import any_equal
from connectors.contract import Credentials, SignatureRefused, WebhookAnswer, WebhookRequest
from connectors.x import account_activity, activity
from connectors.x.vocabulary import Why
from connectors.x.wire import unrecognised
from policies.event import Event
from policies.message import Instant, Json

SIGNATURE_HEADER: Final = "x-twitter-webhooks-signature"

_BAD_CHALLENGE = WebhookAnswer(status=400, body=b"crc_token missing or malformed\n")
_signature = re.compile(r"sha256=[0-9A-Za-z+/]{43}=\Z")
_LONGEST_TOKEN: Final = 512
_token = re.compile(
    rf"[ !#-Z^-z|~]{{1,{_LONGEST_TOKEN}}}\Z"
)  # printable ASCII without quotes, brackets, braces, backslash


def handshake(request: WebhookRequest, credentials: Credentials) -> WebhookAnswer | None:
    """Answer ``crc_token`` with its HMAC under the current secret; a GET without one gets 400.

    The answer to a token is the very signature of a delivery whose body is that token, for anybody who asks. So only
    tokens are answered that cannot be a JSON object or list, and ``verify`` takes no body that could be a token.
    """
    if request.method != "GET":
        return None
    token = request.query.get("crc_token", "")
    if _token.match(token) is None or not credentials.signing_secrets:
        return _BAD_CHALLENGE
    answer = b'{"response_token":"' + _sign(token.encode(), credentials.signing_secrets[0]) + b'"}'
    return WebhookAnswer(status=200, body=answer, content_type="application/json")


def verify(request: WebhookRequest, credentials: Credentials) -> None:
    """Check ``x-twitter-webhooks-signature`` over the exact bytes against every secret of the ring.

    Base64, where Meta writes hex. Raises SignatureRefused. The time taken does not tell which secret matched.
    """
    given = request.headers.get(SIGNATURE_HEADER, "")
    if _signature.match(given) is None or _is_token(request.body):
        given = ""
    expected = tuple(_sign(request.body, secret) for secret in credentials.signing_secrets)
    if not any_equal(given.encode(), expected):
        raise SignatureRefused


def sample_signature(request: WebhookRequest, secret: bytes) -> dict[str, str]:
    """The headers that X would send with this body."""
    return {SIGNATURE_HEADER: _sign(request.body, secret).decode()}


def parse(payload: Json, now: Instant) -> Iterator[Event]:
    """Every event of a delivery; a list of envelopes counts as several deliveries. Never raises.

    ``now`` stands in where X gives no time. Which id of an edited post is which: see ``connectors.x.post``.
    """
    for envelope in payload if isinstance(payload, list) and payload else (payload,):
        yield from _parse_one(envelope, now)


def _parse_one(envelope: Json, now: Instant) -> Iterator[Event]:
    if not isinstance(envelope, dict):
        yield unrecognised(envelope, Why.ENVELOPE)
        return
    is_activity, is_account_activity = (
        bool(envelope.get("data")),
        account_activity.is_account_activity(envelope),
    )
    if is_activity:
        yield from activity.events(envelope["data"], now)
    if is_account_activity:
        yield from account_activity.events(envelope, now)
    if not is_activity and not is_account_activity:
        yield unrecognised(envelope, Why.ENVELOPE)


def _is_token(body: bytes) -> bool:
    return len(body) <= _LONGEST_TOKEN and _token.match(body.decode("latin-1")) is not None


def _sign(message: bytes, secret: bytes) -> bytes:
    return b"sha256=" + base64.b64encode(hmac.digest(secret, message, "sha256"))
