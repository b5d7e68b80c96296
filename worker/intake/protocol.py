"""HTTP as the public listener speaks it: uvicorn's httptools protocol with deadlines and bounds that it lacks.

uvicorn 0.54 waits for ever for the rest of a request and for whoever does not read its answers, buffers headers,
trailers and pipelined requests without a bound (httptools collects a field before anybody is told), takes trailers
for headers, and goes on after a request to upgrade. Here each of these ends the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import httptools
import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from worker.intake.replies import raw_refusal
from worker.log.lines import Refusal

_NEVER: Final = float("inf")
_BACKLOG = 2048
_IDLE_SECONDS: Final = 2.0
"""A connection on which nothing happened for so long makes room where there are too many."""

_LAST_SECONDS: Final = 2.0
"""What is left to a sender or reader when the server stops."""

_MOST_PIPELINED: Final = 16
"""Requests of one connection that may wait for the one before them. Platforms and proxies send one at a time."""


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one listener. ``refused`` is told of every connection that is turned away."""

    max_connections: int
    max_header_bytes: int
    header_seconds: float
    request_seconds: float
    refused: Callable[[Refusal], None]


class GuardedConfig(uvicorn.Config):
    """uvicorn's configuration with our guard: nothing logged, nothing told of the server, no web sockets."""

    def __init__(self, app: Any, guard: Guard, *, idle_seconds: float, drain_seconds: float) -> None:
        super().__init__(
            app,
            interface="asgi3",
            http=GuardedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=max(1, round(idle_seconds)),
            timeout_graceful_shutdown=max(1, round(drain_seconds)),
        )
        self.guard = guard


class GuardedProtocol(HttpToolsProtocol):
    """One connection.

    ``_since`` is when the sender began with the request that it has not finished, ``_unread_since`` when it began
    to leave answers unread, ``_answered_at`` when it got the last one (or connected). ``_overhead`` counts what came since the last byte of a body or the end of a request:
    fields and chunk sizes, of which nobody sends much.
    """

    def __init__(
        self,
        config: GuardedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._guard = config.guard
        self._since = self._answered_at = self.loop.time()
        self._unread_since = _NEVER
        self._most_seconds = _NEVER
        self._in_headers = True
        self._moved = False
        self._fed = 0
        self._overhead = 0
        self._wrong = Refusal.MALFORMED_HTTP

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Where there are too many, one that has nothing to say makes room, or else this one is turned away."""
        super().connection_made(transport)
        if len(self.connections) <= self._guard.max_connections:
            return
        idle = (one for one in self.connections if isinstance(one, GuardedProtocol) and one.is_idle)
        next(idle, self).turn_away(Refusal.TOO_MANY_CONNECTIONS)

    @property
    def is_idle(self) -> bool:
        """Whether nobody would miss this connection: nothing was begun on it for a moment."""
        begun = self._overhead > 0 or not self._in_headers
        return not (begun or self._unanswered or self.transport.is_closing()) and (
            self.loop.time() - self._answered_at > _IDLE_SECONDS
        )

    @property
    def _unanswered(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Feed the parser; end the connection on whatever is not plain HTTP/1.1."""
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        if self._since == _NEVER:
            self._since = self.loop.time()
        self._moved = False
        self._fed = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # httptools leaves the body of such a request unread.
            self._in_headers = False
            self.turn_away(Refusal.MALFORMED_HTTP)
            return
        except httptools.HttpParserError:
            self.turn_away(self._wrong)
            return
        if not self._moved:
            self._overhead += len(data)
            if self._overhead > self._guard.max_header_bytes:
                self.turn_away(Refusal.HEADERS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The rest is body: a field that comes later finds nothing to be added to, which ends the connection."""
        if self._overhead + self._fed > self._guard.max_header_bytes < self._header_size():
            self._wrong = Refusal.HEADERS_TOO_LARGE
            raise httptools.HttpParserError
        if len(self.pipeline) >= _MOST_PIPELINED:
            raise httptools.HttpParserError
        self._in_headers = False
        self._overhead = 0
        super().on_headers_complete()
        self.headers = ()  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """Something of the body came."""
        self._moved = True
        self._overhead = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The sender has done its part."""
        self._since = _NEVER
        self._in_headers = self._moved = True
        self._overhead = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The worker has done its part."""
        self._answered_at = self.loop.time()
        super().on_response_complete()

    def shutdown(self) -> None:
        """Whoever is in the middle of a request has a moment for the rest of it: nobody keeps us from stopping."""
        self._most_seconds = _LAST_SECONDS
        super().shutdown()

    def end_if_overdue(self, now: float) -> None:
        """End the connection of a sender that takes too long, over its request or over reading the answers."""
        if self.transport.get_write_buffer_size() == 0:
            self._unread_since = _NEVER
        elif self._unread_since == _NEVER:
            self._unread_since = now
        elif now - self._unread_since > min(self._guard.request_seconds, self._most_seconds):
            self._guard.refused(Refusal.TOO_SLOW)
            self.transport.abort()
            return
        patience = self._guard.header_seconds if self._in_headers else self._guard.request_seconds
        if now - self._since > min(patience, self._most_seconds) and not self.transport.is_closing():
            self.turn_away(Refusal.TOO_SLOW)

    def _header_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)

    def turn_away(self, refusal: Refusal) -> None:
        """Say why and close."""
        self._guard.refused(refusal)
        unanswered = self._unanswered
        # While an earlier request of this connection waits for its answer, ours would be taken for it.
        if not unanswered or not (self._in_headers or self.pipeline or self.cycle.response_started):
            self.transport.write(raw_refusal(refusal))
        if unanswered:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()


def end_overdue(connections: Iterable[Any], now: float) -> None:
    """Look through a server's connections once."""
    for connection in list(connections):
        if isinstance(connection, GuardedProtocol):
            connection.end_if_overdue(now)
