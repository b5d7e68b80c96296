"""The shape of a connector: pure functions over a request, bound together in one row of the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from policies.event import Event
from policies.message import Channel, Instant, Json, Private


class WebhookRequest(Private, frozen=True, kw_only=True):
    """One HTTP request as the connector may see it: header names in lower case, the body as received."""

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = b""


class WebhookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What to answer instead of going on: fixed text, a challenge, or a token."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


class Credentials(Private, frozen=True, kw_only=True):
    """A tenant's secrets for one connector: rings of current and previous values, current first.

    ``signing_secrets`` sign deliveries (Meta: app secrets; X: consumer secrets); ``verify_tokens`` answer
    Meta's handshake.
    """

    signing_secrets: tuple[bytes, ...]
    verify_tokens: tuple[bytes, ...] = ()


class SignatureRefused(Exception):
    """The signature is absent, malformed, or made with no secret of this tenant."""


class MalformedPayload(Exception):
    """The body is not JSON. The body itself is never part of this exception or of its chain."""


class SignedRequest(Private, frozen=True, kw_only=True):
    """A verified ``signed_request``: the app-scoped user id and when Meta issued it."""

    user_id: str
    issued_at: Instant


Parse = Callable[[Json, Instant], Iterator[Event]]
"""From a payload and the time to its events; see ``Connector.parse``."""


class Connector(msgspec.Struct, frozen=True, kw_only=True):
    """One wire format.

    ``handshake`` answers GET (and None where the request is none); ``verify`` raises SignatureRefused;
    ``parse`` yields every event of a payload, isolating bad items as ``Unrecognised``: it never raises and
    never reads a clock (``now`` stands in where a platform gives no time). ``signed_request`` verifies the
    body of Meta's deauthorise and data-deletion callbacks, None where the platform has none.
    ``needs`` are the credential rings without which the connector does not start.
    ``has_aliases``: whether its messages may be known by several ids (an X post's edit chain).
    ``sample_signature`` gives the headers of a correctly signed body, for replay and conformance; ``verify``
    is shown no header but these, which is why there is one of them and its name depends on nothing.
    ``signs_with`` is what the platform calls the secret that signs: files are named after it.
    """

    name: str
    channel: Channel
    handshake: Callable[[WebhookRequest, Credentials], WebhookAnswer | None]
    verify: Callable[[WebhookRequest, Credentials], None]
    parse: Parse
    sample_signature: Callable[[bytes, bytes], dict[str, str]]
    needs: tuple[str, ...] = ("signing_secrets",)
    signed_request: Callable[[bytes, Credentials, Instant], SignedRequest] | None = None
    has_aliases: bool = False
    signs_with: str = "signing_secret"
