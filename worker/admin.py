"""The second listener: metrics, liveness, readiness, status. No content, and no part of the public listener."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from policies.message import Private
from worker.metrics import CONTENT_TYPE

_JSON = "application/json"


class Views(Private, frozen=True, kw_only=True):
    """What the admin listener shows. All are called in threads.

    ``ready`` names what this process needs to serve, each true or false: never a shared dependency, or one
    fault would take every replica out of the balancer.
    """

    metrics: Callable[[], bytes]
    ready: Callable[[], Mapping[str, bool]]
    status: Callable[[], Mapping[str, Any]]


def admin_app(views: Views, more: Sequence[Route] = ()) -> Starlette:
    """The admin listener's application; ``more`` are the routes of the programming interface."""

    def metrics(_request: Request) -> Response:
        return Response(views.metrics(), headers={"content-type": CONTENT_TYPE})

    def livez(_request: Request) -> Response:
        return Response(b"ok\n", media_type="text/plain")

    def readyz(_request: Request) -> Response:
        checks = views.ready()
        ready = all(checks.values())
        return _json({"ready": ready, "checks": checks}, 200 if ready else 503)

    def status(_request: Request) -> Response:
        return _json(views.status())

    pages = {"/metrics": metrics, "/livez": livez, "/readyz": readyz, "/status": status}
    app = Starlette(routes=[*(Route(path, page, methods=["GET"]) for path, page in pages.items()), *more])
    # Its redirect would lead to wherever the Host header says.
    app.router.redirect_slashes = False
    return app


def _json(value: Mapping[str, Any], status: int = 200) -> Response:
    return Response(
        msgspec.json.encode(value), status, media_type=_JSON, headers={"cache-control": "no-store"}
    )
