"""The sockets below the client: one resolution, a vetted address, a deadline, and a note of the first byte written."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import httpcore

from worker.egress.addresses import Network, Resolver, vetted

_SHORTEST = 0.001


class Forbidden(Exception):
    """None of the host's addresses may be connected to."""


class Call(threading.local):
    """What the thread's own call may still take, and whether anything of its request was written.

    A call runs on one thread from its connection to its last byte, so that its streams find it here.
    """

    deadline: float = 0.0
    plain: bool = False
    written: bool = False

    def begin(self, seconds: float, *, plain: bool) -> None:
        """``plain``: without TLS, which only addresses of the operator's own list may be spoken to."""
        self.deadline, self.plain, self.written = time.monotonic() + seconds, plain, False

    def left(self, timeout: float | None) -> float:
        """Seconds until the step has to be done: its own limit, or less where the call's end is nearer.

        Raises httpcore.TimeoutException past the end: whoever never stops talking is never waited for.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore.TimeoutException
        return max(min(left, left if timeout is None else timeout), _SHORTEST)


class Backend(httpcore.NetworkBackend):
    """Connects to vetted addresses. The name goes on to TLS as it was: who answers has to prove that it is its."""

    def __init__(self, call: Call, allowed: Sequence[Network], resolve: Resolver) -> None:
        self._call, self._allowed, self._resolve = call, allowed, resolve
        self._sockets: Final = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """The first of the host's vetted addresses that takes the connection. Raises Forbidden or httpcore's errors."""
        end = time.monotonic() + self._call.left(timeout)
        found = _within(self._resolve, host, port, seconds=end - time.monotonic())
        addresses = vetted(found, self._allowed, only_allowed=self._call.plain)
        if not addresses:
            raise Forbidden
        failed: Exception = httpcore.ConnectTimeout()
        for address in addresses:
            left = end - time.monotonic()
            if left <= 0:
                break
            try:
                stream = self._sockets.connect_tcp(str(address), port, left, local_address, socket_options)
                return _Stream(stream, self._call)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, call: Call) -> None:
        self._inner, self._call = inner, call

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._call.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._call.written = True
        self._inner.write(buffer, self._call.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, self._call.left(timeout))
        return _Stream(inner, self._call)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def look_up(host: str, port: int) -> list[str]:
    """The system's own resolution."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _within(resolve: Resolver, host: str, port: int, *, seconds: float) -> Sequence[str]:
    """What ``resolve`` says, on a thread of its own: the system's resolution knows no time-out."""
    answers: queue.SimpleQueue[Sequence[str] | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve(host, port))
        except (OSError, UnicodeError):
            answers.put(None)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        found = answers.get(timeout=max(seconds, _SHORTEST))
    except queue.Empty:
        raise httpcore.ConnectTimeout from None
    if found is None:
        raise httpcore.ConnectError
    return found
