"""A provider's API on loopback: it checks what it gets, notes every text that it accepted, and misbehaves when told to."""

from __future__ import annotations

import secrets
import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

import msgspec

from worker.standins.callbacks import Callbacks, NotLoopback, is_loopback, now
from worker.standins.provider import (
    Account,
    Behaviour,
    Conduct,
    Inbound,
    Post,
    Provider,
    Received,
    Reply,
    Taken,
)

MOST_BYTES: Final = 1 << 20
_IDLE_SECONDS = 30.0
_RESET = struct.pack("ii", 1, 0)  # closing with nothing lingering sends RST


class StandIn:
    """One provider, one account, one address. ``conduct`` is how it treats every text that ``then`` says nothing of."""

    def __init__(
        self, provider: Provider, account: Account, *, address: str = "127.0.0.1", port: int = 0
    ) -> None:
        if not is_loopback(address):
            raise NotLoopback
        self.provider = provider
        self.account = account if account.token else _with_token(account)
        self.conduct = Conduct()
        self.callbacks = Callbacks()
        self.closing = threading.Event()
        self.requests = 0
        self._next: deque[Conduct] = deque()
        self._accepted: list[Taken] = []
        self._lock = threading.Lock()
        self._server = _Server((address, port), self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, name=f"standin-{provider.name}"
        )

    @property
    def url(self) -> str:
        """Where it is: what a tenant writes as ``base_url``."""
        host, port = self._server.server_address[:2]
        shown = host.decode() if isinstance(host, (bytes, bytearray)) else host
        return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"

    @property
    def accepted(self) -> tuple[Taken, ...]:
        """Every text that counts as sent, in the order of acceptance."""
        with self._lock:
            return tuple(self._accepted)

    def texts(self) -> Counter[str]:
        """How often each text was accepted, by our id: never more than once, if the worker keeps its promise."""
        return Counter(taken.ours for taken in self.accepted)

    def then(self, *conducts: Conduct) -> None:
        """How it treats the next texts, one each."""
        with self._lock:
            self._next.extend(conducts)

    def revoke(self) -> None:
        """Take back the access token; the next request for one grants another."""
        self.account = _with_token(self.account)

    def receive(self, *texts: Inbound) -> None:
        """People send texts: they are posted to the account's webhook, in this order."""
        self.callbacks.post([self.provider.inbound(text, self.account, now()) for text in texts])

    def start(self) -> Self:
        """Serve, on a thread of its own."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End everything: waits, connections, callbacks."""
        self.closing.set()
        self._server.shutdown()
        self._server.end_connections()
        self._server.server_close()
        self._thread.join()
        self.callbacks.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def conduct_now(self) -> Conduct:
        """How to treat the text that comes in now."""
        with self._lock:
            self.requests += 1
            return self._next.popleft() if self._next else self.conduct

    def accept(self, received: Received) -> Taken | Reply:
        """Note the text, or say what is wrong with it."""
        taken = self.provider.take(received, self.account, secrets.token_hex(16))
        if isinstance(taken, Reply):
            return taken
        taken = msgspec.structs.replace(taken, at=now())
        with self._lock:
            self._accepted.append(taken)
        return taken

    def reports(self, taken: Taken, conduct: Conduct) -> list[Post]:
        """The callbacks of a text that was accepted; none where nobody said where to."""
        if not (taken.callback or self.account.webhook):
            return []
        return [self.provider.report(taken, report, self.account, now()) for report in conduct.reports]


def _with_token(account: Account) -> Account:
    return msgspec.structs.replace(account, token=secrets.token_hex(16))


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # stop() waits for every connection's thread
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], standin: StandIn) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.standin = standin
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        for connection in tuple(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none of our errors; the address and the trace are not printed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        """Nothing: a request line holds account ids."""

    def _serve(self) -> None:
        standin = self.server.standin
        path = urlsplit(self.path).path
        if standin.provider.sends.fullmatch(f"{self.command} {path}") is None:
            received = self._received()
            self._send((standin.provider.other(received, standin.account, standin.accepted),))
            return
        conduct = standin.conduct_now()
        if conduct.behaviour is Behaviour.RESETTING_UNREAD:
            self._reset()
            return
        received = self._received()
        if conduct.behaviour is Behaviour.RESETTING_BEFORE:
            self._reset()
        elif (refusal := self._refusal(conduct)) is not None:
            self._send((refusal,))
        else:
            self._accept(received, conduct)

    def _refusal(self, conduct: Conduct) -> Reply | None:
        """What is answered instead of looking at the text."""
        provider = self.server.standin.provider
        match conduct.behaviour:
            case Behaviour.THROTTLING:
                said = provider.refuse(conduct.code or provider.throttled, 429)
            case Behaviour.ERROR:
                said = provider.refuse(conduct.code, conduct.status or 400)
            case Behaviour.FAILING_BEFORE:
                said = Reply(status=conduct.status or 503, body=b"", content_type="text/html")
            case _:
                return None
        if conduct.retry_after is None:
            return said
        return msgspec.structs.replace(said, headers={"Retry-After": str(conduct.retry_after)})

    def _accept(self, received: Received, conduct: Conduct) -> None:
        standin = self.server.standin
        if conduct.behaviour is Behaviour.SLOW:
            standin.closing.wait(conduct.seconds)
        with standin.callbacks.expected():
            taken = standin.accept(received)
            if isinstance(taken, Reply):
                self._send((taken,))
                return
            reports = standin.reports(taken, conduct)
            if conduct.reports_first:
                standin.callbacks.post_now(reports)
            if conduct.behaviour is not Behaviour.LATE:
                self._answer(taken, conduct)
            if not conduct.reports_first:
                standin.callbacks.post(reports)
        if conduct.behaviour is Behaviour.LATE:
            standin.closing.wait(conduct.seconds)
            self._send((standin.provider.answer(taken),))

    def _answer(self, taken: Taken, conduct: Conduct) -> None:
        """What is answered once the text counts as sent."""
        standin = self.server.standin
        answer = standin.provider.answer(taken)
        match conduct.behaviour:
            case Behaviour.RESETTING_AFTER:
                self._reset()
            case Behaviour.FAILING_AFTER:
                self._send((Reply(status=conduct.status or 500, body=b"", content_type="text/html"),))
            case Behaviour.GARBLED:
                self._send((Reply(status=200, body=b"<html>", content_type="text/html"),))
            case Behaviour.TWICE:
                self._send((answer, answer))
            case _:
                self._send((answer,))

    def _received(self) -> Received:
        length = min(int(self.headers.get("content-length") or 0), MOST_BYTES)
        parts = urlsplit(self.path)
        return Received(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )

    def _send(self, replies: Iterable[Reply]) -> None:
        # A client that gave up waiting has closed the connection: its text was accepted all the same.
        with suppress(OSError):
            for one in replies:
                self.send_response(one.status)
                for name, value in one.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", one.content_type)
                self.send_header("Content-Length", str(len(one.body)))
                self.end_headers()
                self.wfile.write(one.body)

    def _reset(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.close()
