"""The one HTTP client of a process. What went wrong is a word; whether anything was written is never in doubt."""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from enum import StrEnum
from typing import Final

import httpcore
import httpx

from connectors.contract import HttpAnswer, HttpRequest
from worker.egress.addresses import Network, Resolver
from worker.egress.wire import Backend, Call, Forbidden, look_up

MOST_BYTES: Final = 1 << 20
"""An answer's body is cut off here, before and after it is unpacked."""

_CONNECT_SECONDS = 5.0
_CONNECTIONS = 64
_IDLE_CONNECTIONS = 0
"""Every call has a connection of its own. A provider, or a proxy before it, that answers twice would else answer the
next text with the id of the last; and one that closes an idle connection just when it is used leaves a doubt."""

# Another host's name beside the declared one would reach it behind the same front; framing is ours.
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "upgrade"})
_HEADERS = {"user-agent": "sluicegate", "accept-encoding": "identity", "connection": "close"}
_PACKED = {"gzip": 31, "x-gzip": 31, "deflate": 47}


class Why(StrEnum):
    """What kept a call from its answer. ``NOT_DECLARED``, ``NOT_HTTPS`` and ``ADDRESS`` are ours to forbid."""

    NOT_DECLARED = "not_declared"
    NOT_HTTPS = "not_https"
    ADDRESS = "address"
    MALFORMED = "malformed"
    CONNECT = "connect"
    TIMEOUT = "timeout"
    BUSY = "busy"
    BROKEN = "broken"


FORBIDDEN: Final = frozenset({Why.NOT_DECLARED, Why.NOT_HTTPS, Why.ADDRESS, Why.MALFORMED})
"""Somebody has to change the configuration: trying again changes nothing."""


class CallFailed(Exception):
    """No answer came. ``why`` is all that is said: neither address nor body stand in it."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


class NotSent(CallFailed):
    """Nothing of the request was written: trying again is safe."""


class MaybeSent(CallFailed):
    """Some of the request was written: nobody knows what became of it."""


class Client:
    """Sends requests, from any thread. ``allowed``: private networks that the operator lets this process reach."""

    def __init__(
        self,
        allowed: Sequence[Network] = (),
        resolve: Resolver = look_up,
        certificates: ssl.SSLContext | None = None,
    ) -> None:
        self._call = Call()
        transport = _Transport(
            Backend(self._call, allowed, resolve),
            # Explicit: neither this machine's environment nor a tenant says whom we trust.
            certificates or httpx.create_ssl_context(trust_env=False),
        )
        self._client = httpx.Client(transport=transport, trust_env=False, follow_redirects=False)

    def send(self, request: HttpRequest, hosts: Collection[str], seconds: float) -> HttpAnswer:
        """The answer to one call to a declared host, within so many seconds. Raises NotSent or MaybeSent."""
        self._call.written = False
        try:
            return self._send(request, hosts, seconds)
        except CallFailed:
            raise
        except Exception as error:  # noqa: BLE001 - its text may hold an address or a body
            raise (MaybeSent if self._call.written else NotSent)(_why(error)) from None

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def _send(self, request: HttpRequest, hosts: Collection[str], seconds: float) -> HttpAnswer:
        url = httpx.URL(request.url)
        if url.scheme not in {"https", "http"} or url.userinfo:
            raise NotSent(Why.NOT_HTTPS if not url.userinfo else Why.MALFORMED)
        if _OURS & {name.lower() for name in request.headers}:
            raise NotSent(Why.MALFORMED)
        # The very bytes that are resolved and proven by TLS: two readings of one address would be a hole.
        if url.raw_host.decode("ascii") not in hosts:
            raise NotSent(Why.NOT_DECLARED)
        built = self._client.build_request(
            request.method,
            url,
            headers={**_HEADERS, **request.headers},
            content=request.body,
            timeout=httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS)),
        )
        self._call.begin(seconds, plain=url.scheme == "http")
        with closing(self._client.send(built, stream=True)) as response:
            return _answer(response)


class _Transport(httpx.BaseTransport):
    """httpx over a pool whose sockets are ours."""

    def __init__(self, backend: Backend, certificates: ssl.SSLContext) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=certificates,
            max_connections=_CONNECTIONS,
            max_keepalive_connections=_IDLE_CONNECTIONS,
            network_backend=backend,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request on a pooled connection; httpcore's errors come as they are."""
        url = request.url
        answered = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answered.status, headers=answered.headers, stream=_Body(answered))

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answered: httpcore.Response) -> None:
        self._answered = answered

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answered.iter_stream()

    def close(self) -> None:
        self._answered.close()


def _answer(response: httpx.Response) -> HttpAnswer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    try:
        body = _unpacked(_cut_off(response), headers)
    except Exception:
        # A refusal is one whatever becomes of its words; of a success we would not know what was said.
        if response.is_success:
            raise
        body = b""
    return HttpAnswer(status=response.status_code, headers=headers, body=body)


def _cut_off(response: httpx.Response) -> bytes:
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if len(body) >= MOST_BYTES:
            break
    return bytes(body[:MOST_BYTES])


def _unpacked(body: bytes, headers: Mapping[str, str]) -> bytes:
    """Packed answers were not asked for. One that comes all the same is opened as far as the bound."""
    bits = _PACKED.get(headers.get("content-encoding", "").strip().lower())
    return body if bits is None else zlib.decompressobj(bits).decompress(body, MOST_BYTES)


def _why(error: Exception) -> Why:
    return next((why for kind, why in _WORDS if isinstance(error, kind)), Why.BROKEN)


_WORDS: Final[tuple[tuple[type[Exception], Why], ...]] = (
    (Forbidden, Why.ADDRESS),
    (httpcore.PoolTimeout, Why.BUSY),
    (httpcore.TimeoutException, Why.TIMEOUT),
    (httpcore.ConnectError, Why.CONNECT),
    (httpcore.LocalProtocolError, Why.MALFORMED),
    (httpcore.UnsupportedProtocol, Why.NOT_HTTPS),
    (httpx.InvalidURL, Why.MALFORMED),
    (UnicodeError, Why.MALFORMED),
    (ValueError, Why.MALFORMED),
)
