"""``X-Twilio-Signature``: base64 of HMAC-SHA1 under the account's auth token, over the address and the form's fields.

Facts with dates in README.md beside this file.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from typing import Final

from connectors.constant_time import any_equal
from connectors.contract import Credentials, SignatureRefused, WebhookRequest
from connectors.sms_twilio.form import fields

SIGNATURE_HEADER: Final = "x-twilio-signature"

_signature = re.compile(r"[0-9A-Za-z+/]{27}=\Z")
_url = re.compile(r"(https?)(://[^/?#]*?)(:[0-9]+)?([/?#].*)?\Z", re.DOTALL)
_PORTS: Final = {"http": ":80", "https": ":443"}


def verify(request: WebhookRequest, credentials: Credentials) -> None:
    """Check the signature against every auth token of the ring. Raises SignatureRefused.

    Where nobody knows the address that Twilio called, nothing is authentic.
    """
    given = request.headers.get(SIGNATURE_HEADER, "")
    if _signature.match(given) is None:
        given = ""
    expected = (
        _sign(secret, url + content)
        for secret in credentials.signing_secrets
        for url in _spellings(request.url)
        for content in _contents(request)
    )
    if not any_equal(given.encode(), expected):
        raise SignatureRefused


def sample_signature(request: WebhookRequest, secret: bytes) -> dict[str, str]:
    """The header that Twilio would send with this form, or with JSON whose digest stands in the address."""
    content = next(_contents(request), b"")
    return {SIGNATURE_HEADER: _sign(secret, request.url.encode() + content).decode()}


def _contents(request: WebhookRequest) -> Iterator[bytes]:
    """What may be signed after the address: the fields, or nothing where the address holds the body's digest."""
    form = fields(request.body)
    if form is not None:
        yield b"".join(name + value for name, values in form.items() for value in values)
    digest = hashlib.sha256(request.body).hexdigest()
    if hmac.compare_digest(request.query.get("bodySHA256", "").encode(errors="replace"), digest.encode()):
        yield b""


def _spellings(url: str) -> tuple[bytes, ...]:
    """The address with and without its port: which of them Twilio signs depends on product and age."""
    match = _url.match(url)
    if match is None:
        return ()
    scheme, host, port, rest = (part or "" for part in match.groups())
    ports = ("", port or _PORTS[scheme])
    return tuple(f"{scheme}{host}{port}{rest}".encode(errors="replace") for port in ports)


def _sign(secret: bytes, content: bytes) -> bytes:
    return base64.b64encode(hmac.digest(secret, content, "sha1"))
