"""The programming interface over HTTP: routes on the admin listener. No answer repeats what was sent.

A call in order: is there room, whose key is it, may the key do this, the body within its bounds, JSON, fields, work. The
loop reads bodies and nothing else; all that asks the store runs in threads of its own, so that probes and metrics of the
same listener never wait for it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from worker.api.access import Caller, authenticate
from worker.api.calls import LOOK, SUBMIT, Asked, Call, Services, Told, as_json, first_code, refusal
from worker.api.consents import RECORD as CONSENTS
from worker.api.errors import problem
from worker.api.openapi import DOCUMENT
from worker.api.reading import MOST_BYTES
from worker.api.rights import CALLS as RIGHTS
from worker.log.lines import Place
from worker.observe import Observer
from worker.tenants.loading import Tenant, Tenants

MOST_CALLS: Final = 32
"""Calls at one time; one tenant has at most half of them, and of the bytes, and of the threads."""

MOST_BYTES_IN_FLIGHT: Final = 4 * MOST_BYTES

MOST_STREAMS: Final = 2
"""Answers in pieces at one time: each holds a connection to the store for as long as its reader takes."""

_THREADS: Final = 4
_JSON: Final = "application/json"
_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_NOT_FOUND: Final = refusal(404, problem("not_found"))

T = TypeVar("T")


class Api:
    """The calls and what they share. ``in_service``: whether calls are taken now; ``tenants``: those in force."""

    def __init__(
        self,
        services: Services,
        tenants: Callable[[], Tenants],
        in_service: Callable[[], bool],
        observer: Observer,
        retry_after_seconds: int,
    ) -> None:
        self._services = services
        self._tenants = tenants
        self._in_service = in_service
        self._observer = observer
        self._retry_after = {"retry-after": str(retry_after_seconds)}
        self._threads = ThreadPoolExecutor(_THREADS, "api")
        self._calls: Counter[str] = Counter()
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(_THREADS // 2)
        )
        self._in_flight = 0
        self._streams = 0
        self._bytes: Counter[str] = Counter()

    @property
    def routes(self) -> list[Route]:
        """The routes, for the admin listener's application."""
        return [
            Route("/openapi.json", self._document, methods=["GET"]),
            Route("/v1/tenants/{tenant}/sms", self._endpoint(SUBMIT), methods=["POST"]),
            Route("/v1/tenants/{tenant}/sms/{id}", self._endpoint(LOOK), methods=["GET"]),
            Route("/v1/tenants/{tenant}/consents", self._endpoint(CONSENTS), methods=["POST"]),
            *(
                Route(f"/v1/tenants/{{tenant}}/rights{path}", self._endpoint(call), methods=[method])
                for (method, path), call in RIGHTS.items()
            ),
        ]

    def close(self) -> None:
        """End the threads, after what they are doing."""
        self._threads.shutdown()

    # -- one call ------------------------------------------------------------------------------------------------------------

    def _endpoint(self, call: Call) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            return await self._serve(call, request)

        return endpoint

    async def _serve(self, call: Call, request: Request) -> Response:
        """Answer one call; whatever fails unexpectedly is a 503, and nothing was done."""
        if self._in_flight >= MOST_CALLS or not self._in_service():
            return self._answered(call, None, refusal(503, problem("busy")))
        self._in_flight += 1
        caller = None
        try:
            caller = await self._in_thread(authenticate, self._services.store, _key_of(request))
            told = await self._admitted(call, caller, request)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - never a 500, never a text from outside
            self._observer.fault(Place.API, error)
            told = refusal(503, problem("busy"))
        finally:
            self._in_flight -= 1
        return self._answered(call, caller, told)

    async def _admitted(self, call: Call, caller: Caller | None, request: Request) -> Told:
        if caller is None:
            return refusal(401, problem("unauthorized"))
        if caller.tenant != request.path_params["tenant"]:
            return _NOT_FOUND
        if not any(map(caller.may, call.scopes)):
            return refusal(403, problem("forbidden"))
        tenant = self._tenant(caller.tenant)
        if isinstance(tenant, Told):
            return tenant
        if self._calls[tenant.id] >= MOST_CALLS // 2:
            return refusal(503, problem("busy"))
        self._calls[tenant.id] += 1
        try:
            return await self._work(call, caller, tenant, request)
        finally:
            self._calls[tenant.id] -= 1

    def _tenant(self, id_: str) -> Tenant | Told:
        tenants = self._tenants()
        if id_ in tenants.versions:
            return tenants.versions[id_].tenant
        return refusal(503, problem("busy")) if id_ in tenants.refused else _NOT_FOUND

    async def _work(self, call: Call, caller: Caller, tenant: Tenant, request: Request) -> Told:
        id_, query = request.path_params.get("id", ""), dict(request.query_params)
        if not call.has_body:
            asked = Asked(tenant=tenant, caller=caller, id=id_, query=query)
            return await self._in_turn(call, asked)
        if not _is_plain_json(request):
            return refusal(415, problem("media_type"))
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                self._bytes[tenant.id] += len(chunk)
                if size > MOST_BYTES:
                    return refusal(413, problem("too_large"))
                if self._holds_too_much(tenant.id):
                    return refusal(503, problem("busy"))
                chunks.append(chunk)
            asked = Asked(tenant=tenant, caller=caller, id=id_, query=query, body=b"".join(chunks))
            return await self._in_turn(call, asked)
        finally:
            self._bytes[tenant.id] -= size

    def _holds_too_much(self, tenant: str) -> bool:
        mine, everybodys = self._bytes[tenant], self._bytes.total()
        return mine > MOST_BYTES_IN_FLIGHT // 2 or everybodys > MOST_BYTES_IN_FLIGHT

    async def _in_turn(self, call: Call, asked: Asked) -> Told:
        """A call may take seconds, and whose key it is has to be found out for everybody meanwhile."""
        async with self._turns[asked.tenant.id]:
            return await self._in_thread(call.work, self._services, asked)

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    # -- answers -------------------------------------------------------------------------------------------------------------

    def _answered(self, call: Call, caller: Caller | None, told: Told) -> Response:
        if told.pieces is not None and self._streams >= MOST_STREAMS:
            told = refusal(503, problem("busy"))
        tenant, key = (caller.tenant, caller.key) if caller is not None else ("", "")
        self._observer.called(call.name, tenant, key, told.status, first_code(told.body), told.texts)
        headers = dict(_HEADERS)
        if told.status == 503:
            headers |= self._retry_after
        if told.status == 401:
            headers["www-authenticate"] = "Bearer"
        if told.pieces is not None:
            self._streams += 1
            return _Stream(told.pieces, told.status, headers, _JSON, BackgroundTask(self._streamed))
        return Response(as_json(told.body), told.status, headers, _JSON)

    async def _streamed(self) -> None:
        self._streams -= 1

    async def _document(self, _request: Request) -> Response:
        return Response(DOCUMENT, 200, _HEADERS, _JSON)


class _Stream(StreamingResponse):
    """An answer in pieces. Its background task runs however it ended: whoever goes away leaves nothing behind."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ended, self.background = self.background, None
        try:
            await super().__call__(scope, receive, send)
        finally:
            if ended is not None:
                await ended()


def _key_of(request: Request) -> str:
    return request.headers.get("authorization", "")


def _is_plain_json(request: Request) -> bool:
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    return (
        kind.strip().lower() == _JSON
        and charset in {"", "charset=utf-8"}
        and "content-encoding" not in request.headers
    )
