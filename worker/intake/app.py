"""The socket side of a webhook, the only asynchronous file: reads a request, answers after the commit.

Path, tenant, method, encoding, length, body, signature, JSON, events, accounts, rules, ledger, answer: in this
order, each before the next costs anything. Handshakes touch neither store nor ledger. No answer shows what was sent.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from socket import socket
from typing import Any, Final, Protocol, TypeVar

import uvicorn
import uvloop

from connectors.contract import Connector, SignedRequest, WebhookRequest
from policies.message import Instant, Private
from worker.inbound import Answer, Delivery, Posted
from worker.intake import replies
from worker.intake.admission import (
    Kind,
    Route,
    admit,
    admit_large,
    asked,
    greet,
    route_table,
    strangers,
    verify_callback,
)
from worker.intake.protocol import end_overdue
from worker.intake.replies import Reply
from worker.log.lines import Place, Refusal
from worker.observe import Observer
from worker.tenants.loading import Tenants

LARGE_BODY: Final = 256 * 1024
"""A larger body is worked on in a thread, so that nobody else waits for it. Bytes."""

SMALL_BODY: Final = 64 * 1024
"""A body up to this size is taken however many bytes are in flight: the number of connections bounds these. Bytes."""

_CALLBACK_BODY = 64 * 1024
_LONGEST_CODE = 64
_THREADED_AT_ONCE = 32
_DELETION_PAGES = b"/data-deletion/"
_WEBHOOKS = b"/webhooks/"

T = TypeVar("T")
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class Limits(Private, frozen=True, kw_only=True):
    """What the intake takes at most. Bytes and seconds."""

    body_bytes: int
    bytes_in_flight: int
    answer_seconds: float
    retry_after_seconds: int


class Found(Private, frozen=True, kw_only=True):
    """A recorded callback as its status page shows it."""

    status: str
    received_at: Instant


class Callbacks(Protocol):
    """Where verified callbacks are recorded. Called in threads; may raise anything."""

    def record(self, route: Route, signed: SignedRequest, now: Instant) -> str:
        """Record durably; the code of the status page."""

    def find(self, tenant: str, code: str) -> Found | None:
        """What is known of a code."""


class Intake:
    """The ASGI application of the webhook listener."""

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        limits: Limits,
        observer: Observer,
        callbacks: Callbacks,
        clock: Callable[[], Instant],
        public_url: str,
    ) -> None:
        self.submit: Callable[[Delivery | Posted], bool] = lambda _delivery: False
        self.bytes_in_flight = 0
        self._connectors = connectors
        self._limits = limits
        self._observer = observer
        self._callbacks = callbacks
        self._clock = clock
        self._public_url = public_url
        self._routes: Mapping[bytes, Route] = {}
        self._tenants: frozenset[str] = frozenset()
        self._strangers = strangers(connectors, public_url)
        self._refusals = replies.refusals(limits.retry_after_seconds)
        self._accepted = {name: replies.accepted(row.accepted) for name, row in connectors.items()}
        self._waiting: dict[asyncio.Future[Answer], float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._report = partial(observer.fault, Place.INTAKE)
        self._large = ThreadPoolExecutor(2, "large-body")
        self._storing = ThreadPoolExecutor(4, "callbacks")
        self._in_threads = 0

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answers come to this loop."""
        self._loop = loop

    # -- what other threads call -------------------------------------------------------------------------

    def serve(self, tenants: Tenants) -> None:
        """Answer for these tenants from now on."""
        self._routes = route_table(tenants, self._connectors, self._public_url)
        self._tenants = frozenset(tenants.versions)

    def answers(self, batch: Sequence[tuple[Delivery | Posted, Answer]]) -> None:
        """Wake the requests of a batch, all of them with one call into the loop."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended, and with it everybody who waited
                self._loop.call_soon_threadsafe(self._resolve, batch)

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest unanswered delivery has been waiting."""
        # Reading a dictionary's first entry while the loop changes it can fail; it is a gauge.
        try:
            since = next(iter(self._waiting.values()), None)
        except RuntimeError:
            since = None
        return self._loop.time() - since if since is not None and self._loop is not None else 0.0

    # -- one request -------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; an unexpected failure is a 503, so that the platform sends again."""
        try:
            reply = await self._answer(scope, receive)
        except asyncio.CancelledError:
            # The time for draining is over: whatever becomes of the delivery, its sender has to come again.
            reply = self._refuse(Refusal.NOT_COMMITTED)
        except Exception as error:  # noqa: BLE001 - never a 500, never a text from outside
            self._observer.fault(Place.INTAKE, error)
            reply = self._refusals[Refusal.NOT_COMMITTED]
        if reply is not None:
            await send(reply.start)
            await send(reply.body)

    async def _answer(self, scope: Scope, receive: Receive) -> Reply | None:
        path, method = scope["raw_path"], scope["method"]
        route = self._routes.get(path) or self._stranger(path)
        if route is None:
            if method == "GET" and path.startswith(_DELETION_PAGES):
                return await self._page(path)
            return self._refuse(Refusal.UNKNOWN_ROUTE)
        if method == "GET" and route.kind is Kind.DELIVERIES:
            return self._greet(route, scope["query_string"])
        if method != "POST":
            return self._refuse(Refusal.UNKNOWN_ROUTE if route.is_stranger else Refusal.METHOD, route)
        if route.source is None:
            return self._refuse(Refusal.OUT_OF_SERVICE, route)
        return await self._post(route, dict(scope["headers"]), scope["query_string"], receive)

    def _stranger(self, path: bytes) -> Route | None:
        """Somebody who asks for a tenant or connector that is not there costs what a known one does."""
        if not path.startswith(_WEBHOOKS):
            return None
        connector = path.rpartition(b"/")[2].decode("latin-1")
        return self._strangers.get(connector) or next(iter(self._strangers.values()), None)

    def _greet(self, route: Route, query: bytes) -> Reply:
        if route.source is None:
            return self._refuse(Refusal.OUT_OF_SERVICE, route)
        answer = greet(route.source, query)
        if route.is_stranger:
            return self._refuse(Refusal.UNKNOWN_ROUTE)
        if answer is None:
            return self._refuse(Refusal.NO_HANDSHAKE, route)
        if answer.status != 200:
            return self._refuse(Refusal.VERIFY_TOKEN if answer.status == 403 else Refusal.NO_HANDSHAKE, route)
        self._observer.shaken(route.tenant_id, route.connector, answer.status)
        return replies.greeting(answer)

    async def _post(
        self, route: Route, headers: dict[bytes, bytes], query: bytes, receive: Receive
    ) -> Reply | None:
        cap = self._limits.body_bytes if route.kind is Kind.DELIVERIES else _CALLBACK_BODY
        declared = int(headers.get(b"content-length", b"0"))
        refusal = self._refusal_of(headers, declared, cap)
        if refusal is not None:
            return self._refuse(refusal, route, declared)
        size = 0
        try:
            chunks: list[bytes] = []
            more = True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    self._refuse(Refusal.DISCONNECTED, route, size)
                    return None
                more = message["more_body"]
                chunks.append(message["body"])
                # What is announced costs nothing: only what came is held, and only large bodies have to share.
                size += len(message["body"])
                self.bytes_in_flight += len(message["body"])
                refusal = self._overload(size, 0, cap)
                if refusal is not None:
                    return self._refuse(refusal, route, size)
            body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            if route.kind is Kind.DELIVERIES:
                request = asked(route, headers, query, body, self._clock())
                return await self._deliver(route, request)
            return await self._call_back(route, body)
        finally:
            self.bytes_in_flight -= size

    def _refusal_of(self, headers: Mapping[bytes, bytes], declared: int, cap: int) -> Refusal | None:
        if b"content-encoding" in headers:
            return Refusal.CONTENT_ENCODING
        if headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            return Refusal.MALFORMED_HTTP
        return self._overload(declared, declared, cap)

    def _overload(self, size: int, to_come: int, cap: int) -> Refusal | None:
        """Whoever fills the room with large bodies, even with such as never end, keeps no small one out."""
        if size > cap:
            return Refusal.TOO_LARGE
        full = self.bytes_in_flight + to_come > self._limits.bytes_in_flight
        return Refusal.BUSY if full and size > SMALL_BODY else None

    async def _deliver(self, route: Route, request: WebhookRequest) -> Reply:
        loop = asyncio.get_running_loop()
        size = len(request.body)
        answered: asyncio.Future[Answer] = loop.create_future()
        work = (route, request, answered, self._report)
        if size > LARGE_BODY:
            outcome: Delivery | Posted | Refusal = await loop.run_in_executor(self._large, admit_large, *work)
        else:
            outcome = admit(*work)
        if isinstance(outcome, Refusal):
            return self._refuse(outcome, route, size)
        if not self.submit(outcome):
            return self._refuse(Refusal.QUEUE_FULL, route, size)
        self._waiting[answered] = loop.time()
        try:
            answer = await answered
        finally:
            del self._waiting[answered]
        if answer is Answer.COMMITTED:
            return self._accepted[route.connector]
        refusal = Refusal.NOT_JSON if answer is Answer.NOT_JSON else Refusal.NOT_COMMITTED
        return self._refuse(refusal, route, size)

    async def _call_back(self, route: Route, body: bytes) -> Reply:
        now = self._clock()
        signed = verify_callback(route, body, now, self._report)
        if route.is_stranger or isinstance(signed, Refusal):
            refusal = (
                signed if isinstance(signed, Refusal) and not route.is_stranger else Refusal.UNKNOWN_ROUTE
            )
            return self._refuse(refusal, route, len(body))
        code = await self._in_thread(self._callbacks.record, route, signed, now)
        if isinstance(code, Refusal):
            return self._refuse(code, route, len(body))
        self._observer.called_back(route.tenant_id, route.connector, route.kind)
        if route.kind is Kind.DEAUTHORIZE:
            return replies.OK
        return replies.confirmation(f"{self._public_url}/data-deletion/{route.tenant_id}/{code}", code)

    async def _page(self, path: bytes) -> Reply:
        tenant, _, code = path[len(_DELETION_PAGES) :].decode("latin-1").partition("/")
        if tenant not in self._tenants or not 0 < len(code) <= _LONGEST_CODE or not code.isascii():
            return self._refuse(Refusal.UNKNOWN_ROUTE)
        found = await self._in_thread(self._callbacks.find, tenant, code)
        if isinstance(found, Refusal):
            return self._refuse(found)
        if found is None:
            return self._refuse(Refusal.UNKNOWN_ROUTE)
        return replies.status_page(code, found.status, found.received_at)

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T | Refusal:
        """Ask the store, off the loop. Nobody can pile up requests here by asking for pages."""
        if self._in_threads >= _THREADED_AT_ONCE:
            return Refusal.BUSY
        self._in_threads += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._storing, function, *arguments)
        except Exception as error:  # noqa: BLE001 - the platform sends again, a person reloads
            self._observer.fault(Place.CALLBACK, error)
            return Refusal.NOT_COMMITTED
        finally:
            self._in_threads -= 1

    def _refuse(self, refusal: Refusal, route: Route | None = None, size: int = 0) -> Reply:
        reply = self._refusals[refusal]
        tenant, connector = (
            (route.tenant_id, route.connector) if route and not route.is_stranger else ("", "")
        )
        self._observer.refused(refusal, reply.status, tenant, connector, size)
        return reply

    # -- on the loop -------------------------------------------------------------------------------------

    def _resolve(self, batch: Sequence[tuple[Delivery | Posted, Answer]]) -> None:
        for delivery, answer in batch:
            if not delivery.token.done():
                delivery.token.set_result(answer)

    def expire(self, now: float) -> None:
        """Ask those to come again whose commit takes too long: platforms hang up after ten seconds."""
        for answered, since in list(self._waiting.items()):
            if now - since < self._limits.answer_seconds:
                break
            if not answered.done():
                answered.set_result(Answer.UNAVAILABLE)

    async def watch(self, *servers: uvicorn.Server) -> None:
        """Once a second, end what takes too long. Runs until it is cancelled."""
        while True:
            await asyncio.sleep(1)
            now = asyncio.get_running_loop().time()
            for server in servers:
                end_overdue(server.server_state.connections, now)
            self.expire(now)


class Listeners:
    """Both servers on one event loop in a thread of its own: the public one, and the admin's."""

    def __init__(
        self,
        intake: Intake,
        webhooks: tuple[uvicorn.Config, socket],
        admin: tuple[uvicorn.Config, socket],
        prepare: Callable[[asyncio.AbstractEventLoop], None],
    ) -> None:
        self._intake = intake
        self._webhooks, self._webhook_socket = uvicorn.Server(webhooks[0]), webhooks[1]
        self._admin, self._admin_socket = uvicorn.Server(admin[0]), admin[1]
        self._prepare = prepare
        self._started, self._drained = threading.Event(), threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining = asyncio.Event()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def start(self) -> None:
        """Serve. The sockets listen already: whoever connects before the loop runs waits a moment."""
        self._thread.start()
        self._started.wait()

    @property
    def alive(self) -> bool:
        """Whether the loop runs."""
        return self._thread.is_alive()

    def drain(self, timeout: float) -> bool:
        """Take no new requests and finish those in flight. Whether that was done within ``timeout`` seconds."""
        self._set(self._draining)
        return self._drained.wait(timeout)

    def stop(self, timeout: float) -> bool:
        """End the admin listener and the loop, after draining."""
        self._set(self._draining)
        self._set(self._stopping)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _set(self, event: asyncio.Event) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(event.set)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                self._loop = runner.get_loop()
                self._prepare(self._loop)
                runner.run(self._serve())
        finally:
            self._started.set()
            self._drained.set()

    async def _serve(self) -> None:
        self._intake.bind(asyncio.get_running_loop())
        self._started.set()
        webhooks = asyncio.create_task(self._webhooks.serve([self._webhook_socket]))
        admin = asyncio.create_task(self._admin.serve([self._admin_socket]))
        watch = asyncio.create_task(self._intake.watch(self._webhooks, self._admin))
        await self._draining.wait()
        self._webhooks.should_exit = True
        await webhooks
        self._drained.set()
        await self._stopping.wait()
        self._admin.should_exit = True
        await admin
        watch.cancel()
