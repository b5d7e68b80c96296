"""Every answer that the webhook listener gives: fixed texts, ready to be sent. None repeats what was asked."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from connectors.contract import WebhookAnswer
from policies.message import Instant
from worker.log.lines import Refusal

_TEXT = b"text/plain; charset=utf-8"

STATUS: Final[dict[Refusal, int]] = {
    Refusal.MALFORMED_HTTP: 400,
    Refusal.HEADERS_TOO_LARGE: 431,
    Refusal.TOO_SLOW: 408,
    Refusal.TOO_MANY_CONNECTIONS: 503,
    Refusal.UNKNOWN_ROUTE: 404,
    Refusal.METHOD: 405,
    Refusal.OUT_OF_SERVICE: 503,
    Refusal.CONTENT_ENCODING: 415,
    Refusal.TOO_LARGE: 413,
    Refusal.BUSY: 503,
    Refusal.DISCONNECTED: 400,
    Refusal.SIGNATURE: 401,
    Refusal.NO_HANDSHAKE: 400,
    Refusal.VERIFY_TOKEN: 403,
    Refusal.NOT_JSON: 400,
    Refusal.QUEUE_FULL: 503,
    Refusal.NOT_COMMITTED: 503,
}

_WORDS: Final[dict[int, tuple[str, bytes]]] = {
    400: ("Bad Request", b"bad request\n"),
    401: ("Unauthorized", b"signature refused\n"),
    403: ("Forbidden", b"verify token refused\n"),
    404: ("Not Found", b"not found\n"),
    405: ("Method Not Allowed", b"method not allowed\n"),
    408: ("Request Timeout", b"too slow\n"),
    413: ("Content Too Large", b"too large\n"),
    415: ("Unsupported Media Type", b"send the body as it is, without content-encoding\n"),
    431: ("Request Header Fields Too Large", b"headers too large\n"),
    503: ("Service Unavailable", b"come back later\n"),
}


class Reply(msgspec.Struct, frozen=True):
    """The two messages that ASGI wants for an answer."""

    start: dict[str, Any]
    body: dict[str, Any]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.start["status"])


def reply(status: int, body: bytes, content_type: bytes = _TEXT, *more: tuple[bytes, bytes]) -> Reply:
    """An answer with its length."""
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *more]
    return Reply(
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body},
    )


OK: Final = reply(200, b"ok")


def refusals(retry_after_seconds: int) -> dict[Refusal, Reply]:
    """The answer to each refusal."""
    return {refusal: _refusal(status, retry_after_seconds) for refusal, status in STATUS.items()}


def _refusal(status: int, retry_after_seconds: int) -> Reply:
    more = {
        400: [(b"connection", b"close")],
        405: [(b"allow", b"GET, POST")],
        503: [(b"retry-after", b"%d" % retry_after_seconds)],
    }
    return reply(status, _WORDS[status][1], _TEXT, *more.get(status, []))


def raw_refusal(refusal: Refusal) -> bytes:
    """The whole HTTP response to a request that could not be read, after which the connection is closed."""
    status = STATUS[refusal]
    phrase, body = _WORDS[status]
    head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: {_TEXT.decode()}\r\n"
    return f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body


def accepted(answer: WebhookAnswer) -> Reply:
    """What a connector's platform is answered once its delivery is committed."""
    return reply(answer.status, answer.body, answer.content_type.encode())


def greeting(answer: WebhookAnswer) -> Reply:
    """A connector's answer to a challenge."""
    no_sniff = (b"x-content-type-options", b"nosniff")
    return reply(answer.status, answer.body, answer.content_type.encode(), no_sniff)


def confirmation(url: str, code: str) -> Reply:
    """What Meta wants to read after a data-deletion request."""
    return reply(200, msgspec.json.encode({"url": url, "confirmation_code": code}), b"application/json")


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Data deletion request</title>
<h1>Data deletion request</h1>
<p>Confirmation code: <code>{code}</code></p>
<p>Received: {received}</p>
<p>Status: {status}</p>
</html>
"""

_PAGE_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"x-robots-tag", b"noindex"),
)


def status_page(code: str, status: str, received_at: Instant) -> Reply:
    """What the person who asked for deletion may read."""
    received = f"{datetime.fromtimestamp(received_at // 1_000_000, UTC):%Y-%m-%d %H:%M} UTC"
    page = _PAGE.format(code=html.escape(code), received=received, status=html.escape(status))
    return reply(200, page.encode(), b"text/html; charset=utf-8", *_PAGE_HEADERS)
