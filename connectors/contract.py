"""The shape of a connector: pure functions over a request, bound together in one row of the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from connectors.decode import decode
from policies.event import Event, Failure
from policies.message import Channel, Instant, Json, Private


class WebhookRequest(Private, frozen=True, kw_only=True):
    """One HTTP request as the connector may see it: header names in lower case, the body as received.

    ``headers`` are those that the connector names in ``signature_headers`` and no others. ``url`` is the address as the
    platform called it (behind a proxy: the public one) with its query, "" where nobody knows it; ``received_at`` is what
    a signature's own timestamp is compared with.
    """

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = b""
    url: str = ""
    received_at: Instant = 0


class WebhookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform is answered: fixed text, a challenge, or a token."""

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


class SignedRequest(Private, frozen=True, kw_only=True):
    """A verified ``signed_request``: the app-scoped user id and when Meta issued it."""

    user_id: str
    issued_at: Instant


Parse = Callable[[Json, Instant], Iterator[Event]]
"""From a payload and the time to its events; see ``Connector.parse``."""

Decode = Callable[[bytes], tuple[Json, bool]]
"""From a body to its payload, and whether characters had to be replaced. Raises MalformedPayload."""

Sign = Callable[[WebhookRequest, bytes], dict[str, str]]
"""From a request and a secret to the headers of a correct signature; see ``Connector.sample_signature``."""


class HttpRequest(Private, frozen=True, kw_only=True):
    """A request to a provider. ``url`` may hold account ids, ``headers`` secrets, ``body`` content."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


class HttpAnswer(Private, frozen=True, kw_only=True):
    """A provider's answer: header names in lower case, the body cut off at a bound."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Sending(Private, frozen=True, kw_only=True):
    """What a tenant configured to send with: the connector's ``options``, and its rings of secrets, current first.

    ``callback_url`` is where status callbacks of this connector arrive, "" where nobody configured the public address.
    ``bearer`` is the access token where the connector has a ``grant``.
    """

    options: Mapping[str, str]
    secrets: Mapping[str, tuple[bytes, ...]] = {}
    callback_url: str = ""
    bearer: str = ""


class Text(Private, frozen=True, kw_only=True):
    """One text on its way out. ``id`` is ours (32 hexadecimal characters): providers that echo one get it.

    ``valid_seconds`` is how long the provider may go on trying, None where the text does not go stale.
    """

    id: str
    sender: str
    recipient: str
    text: str
    valid_seconds: int | None = None


class Sent(Private, frozen=True, kw_only=True):
    """The provider took it. ``id`` is the provider's message id, "" where it tells none."""

    id: str


class Refused(Private, frozen=True, kw_only=True):
    """The provider did not take it, and says why. Nothing was sent. ``retry_after`` in seconds, where it is told."""

    failure: Failure
    code: int = 0
    retry_after: float | None = None


class Unknown(msgspec.Struct, frozen=True):
    """It may have been sent, or not: an answer that nobody understands, or one that says so."""


SendResult = Sent | Refused | Unknown


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """How a connector gets an access token (OAuth 2.0 client credentials).

    ``read`` answers the token and its life in seconds, or None where the answer holds none.
    """

    build: Callable[[Sending], HttpRequest]
    read: Callable[[HttpAnswer], tuple[str, float] | None]


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """How to ask a provider what became of a text after a time-out.

    ``read`` answers what the provider knows of this very text; None where it does not tell for sure: not listed is no
    proof, as a message may be listed late. ``build``: the text, and when it was tried.
    """

    build: Callable[[Text, Instant, Sending], HttpRequest]
    read: Callable[[Text, Instant, HttpAnswer], Sent | None]


class Outbound(msgspec.Struct, frozen=True, kw_only=True):
    """How texts are sent: pure functions from a text to a request and from an answer to what it says.

    ``options`` are the tenant's options with their defaults (None: required); ``secrets`` names the rings that sending
    needs. ``read_result`` never raises: what it does not understand is Unknown, unless the status says that nothing was
    taken. ``most_characters`` is the provider's limit, in characters of a text. ``addresses`` are the URLs (scheme and
    host are what counts) that a configuration leads to: each must stand in the tenant's egress register. They are asked
    for when a tenant is loaded, and raise ValueError, with a sentence and without values, for options that are not right.
    """

    options: Mapping[str, str | None]
    secrets: tuple[str, ...]
    addresses: Callable[[Sending], tuple[str, ...]]
    build_request: Callable[[Text, Sending], HttpRequest]
    read_result: Callable[[HttpAnswer, Sending], SendResult]
    most_characters: int = 1600
    grant: Grant | None = None
    lookup: Lookup | None = None


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant configures so that the platform is asked what no webhook tells (``[connectors.<name>.reconcile]``).

    ``options`` with their defaults; ``secrets`` the rings that are needed, ``optional`` those that may be there too.
    ``addresses`` are the URLs that a configuration leads to, as with ``Outbound``. How to ask stands in the connector's folder.
    """

    options: Mapping[str, str | None]
    secrets: tuple[str, ...]
    optional: tuple[str, ...] = ()
    addresses: Callable[[Sending], tuple[str, ...]]


class Connector(msgspec.Struct, frozen=True, kw_only=True):
    """One wire format.

    ``handshake`` answers GET (and None where the request is none); ``verify`` raises SignatureRefused;
    ``parse`` yields every event of a payload, isolating bad items as ``Unrecognised``: it never raises and
    never reads a clock (``now`` stands in where a platform gives no time). ``signed_request`` verifies the
    body of Meta's deauthorise and data-deletion callbacks, None where the platform has none.
    ``needs`` are the credential rings without which the connector does not start.
    ``has_aliases``: whether its messages may be known by several ids (an X post's edit chain; a text by ours and the
    provider's).
    ``signature_headers`` are all that ``verify`` reads of the headers, in lower case; ``signs_url`` whether the
    signature covers the address too: then ``ours`` of a report may stand in its query as ``ref``.
    ``sample_signature`` signs a request as the platform would, for replay and conformance; None where only the platform
    can (Ed25519: the tenant holds no more than its public key).
    ``decode`` reads a body that ``verify`` let pass; ``accepted`` is the answer once it is committed.
    ``signs_with`` is what the platform calls the secret that signs: files are named after it.
    ``outbound`` is how it sends, None where this worker only listens; ``reconciliation`` what it takes to ask the platform
    what no webhook tells, None where there is nothing to ask.
    """

    name: str
    channel: Channel
    handshake: Callable[[WebhookRequest, Credentials], WebhookAnswer | None]
    verify: Callable[[WebhookRequest, Credentials], None]
    parse: Parse
    signature_headers: tuple[str, ...]
    sample_signature: Sign | None
    signs_url: bool = False
    decode: Decode = decode
    accepted: WebhookAnswer = WebhookAnswer(status=200, body=b"ok")
    needs: tuple[str, ...] = ("signing_secrets",)
    signed_request: Callable[[bytes, Credentials, Instant], SignedRequest] | None = None
    has_aliases: bool = False
    signs_with: str = "signing_secret"
    outbound: Outbound | None = None
    reconciliation: Reconciliation | None = None
