"""Stand-ins for Graph and X on loopback: they page, forget, refuse, throttle and break off as they are told."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from policies.message import Instant

TOKEN = b"token-of-a-test"
DETAILED = 20


@dataclass
class Said:
    """One answer. ``length``: what Content-Length claims, where the body breaks off."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None

    @property
    def raw(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    authorization: str


Fault = Callable[[Asked], Said | None]
"""Answers instead, or lets the platform answer."""


class Platform:
    """What both share. ``faults`` are tried on the next requests, one each; ``always`` on every one."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.faults: deque[Fault] = deque()
        self.always: Fault = lambda _: None
        self.url = ""

    def answer(self, asked: Asked) -> Said:
        self.asked.append(asked)
        fault = self.faults.popleft()(asked) if self.faults else None
        return fault or self.always(asked) or self.own(asked)

    def own(self, asked: Asked) -> Said:
        raise NotImplementedError


def error(status: int, code: int, subcode: int = 0, **headers: str) -> Said:
    """As Graph says it."""
    body = {"error": {"message": "…", "code": code, "error_subcode": subcode}}
    return Said(status, body, headers={name.replace("_", "-"): value for name, value in headers.items()})


class Graph(Platform):
    """Conversations of one account: by person, the messages that there are, the newest first."""

    def __init__(self, page: int = 50) -> None:
        super().__init__()
        self.page = page
        self.messages: dict[str, list[tuple[str, Instant]]] = {}
        self.token_ends = 0

    def own(self, asked: Asked) -> Said:
        _, _version, *path = asked.path.split("/")
        if asked.authorization != f"Bearer {TOKEN.decode()}":
            return error(400, 190)
        if path == ["debug_token"]:
            return Said(body={"data": {"is_valid": True, "expires_at": self.token_ends}})
        if path[-1] == "conversations":
            person = asked.query["user_id"]
            return Said(body={"data": [{"id": f"c.{person}"}] if person in self.messages else []})
        if path[-1] == "messages":
            return self._list(path[0].removeprefix("c."), int(asked.query.get("after", 0)))
        return self._one(path[0])

    def _list(self, person: str, start: int) -> Said:
        every = self._newest_first(person)
        data = [{"id": id_, "created_time": iso(at)} for id_, at in every[start : start + self.page]]
        body: dict[str, Any] = {"data": data}
        if start + self.page < len(every):
            after = {"after": str(start + self.page)}
            body["paging"] = {"cursors": after, "next": "https://elsewhere.example/?access_token=x"}
        return Said(body=body)

    def _one(self, id_: str) -> Said:
        for person in self.messages:
            for known, at in self._newest_first(person)[:DETAILED]:
                if known == id_:
                    return Said(body={"id": id_, "created_time": iso(at)})
        return error(400, 100, 33)

    def _newest_first(self, person: str) -> list[tuple[str, Instant]]:
        return sorted(self.messages[person], key=lambda one: -one[1])


class X(Platform):
    """Compliance jobs. ``reasons`` by type and id; ``polls``: so often a job is in progress."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[tuple[str, str], str] = {}
        self.polls = 0
        self.jobs: dict[str, dict[str, Any]] = {}
        self.uploads: list[list[str]] = []
        self.further: list[bytes] = []
        self.ends = "complete"

    def own(self, asked: Asked) -> Said:
        match [asked.method, *asked.path.strip("/").split("/")]:
            case ["POST", "2", "compliance", "jobs"]:
                return self._create(json.loads(asked.body)["type"])
            case ["GET", "2", "compliance", "jobs", id_]:
                return self._poll(id_)
            case ["PUT", "storage", id_]:
                ids = asked.body.decode().split()
                self.uploads.append(ids)
                self.jobs[id_] |= {"ids": ids, "polls": self.polls}
                return Said(body=b"")
            case ["GET", "storage", id_]:
                return Said(body=b"\n".join([*self._results(self.jobs[id_]), *self.further]) + b"\n")
            case _:
                return Said(404, {})

    def _create(self, type_: str) -> Said:
        id_ = str(1000 + len(self.jobs))
        self.jobs[id_] = {"type": type_, "ids": None, "polls": 0}
        return self._told(id_)

    def _poll(self, id_: str) -> Said:
        if id_ not in self.jobs:
            return Said(404, {})
        self.jobs[id_]["polls"] -= 1
        return self._told(id_)

    def _told(self, id_: str) -> Said:
        job = self.jobs[id_]
        status = "created" if job["ids"] is None else "in_progress" if job["polls"] >= 0 else self.ends
        place = f"{self.url}/storage/{id_}"
        told = {"id": id_, "type": job["type"], "status": status, "upload_url": place, "download_url": place}
        return Said(body={"data": told})

    def _results(self, job: dict[str, Any]) -> Iterator[bytes]:
        for id_ in job["ids"]:
            reason = self.reasons.get((job["type"], id_))
            if reason is not None:
                yield result(id_, reason)


def result(id_: str, reason: str, action: str = "delete") -> bytes:
    """A line of a job's results."""
    line = {"id": id_, "action": action, "created_at": iso(0), "redacted_at": iso(0), "reason": reason}
    return json.dumps(line).encode()


def iso(at: Instant) -> str:
    return datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


@contextmanager
def serving(platform: Platform) -> Iterator[str]:
    """The platform's address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(
                method=self.command,
                path=parts.path,
                query={name: values[0] for name, values in parse_qs(parts.query).items()},
                body=self.rfile.read(int(self.headers.get("content-length", 0))),
                authorization=self.headers.get("authorization", ""),
            )
            said = platform.answer(asked)
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            length = len(said.raw) if said.length is None else said.length
            self.send_header("content-length", str(length))
            self.end_headers()
            self.wfile.write(said.raw)
            self.close_connection = True

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - the names that are called

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    platform.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield platform.url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


BREAKING: Mapping[str, Said] = {
    "token_refused": error(401, 190),
    "token_ended": error(400, 190, 463),
    "no_permission": error(403, 200),
    "permission_taken": error(400, 10),
    "too_many": error(429, 4, retry_after="0"),
    "too_many_as_400": error(400, 613),
    "internal": error(500, 1),
    "bad_gateway": Said(502, b"<html>bad gateway</html>"),
    "unavailable": Said(503, {}, {"retry-after": "0"}),
    "empty_body": Said(200, b""),
    "empty_object": Said(200, b"{}"),
    "empty_page": Said(200, {"data": []}),
    "page_of_nothing": Said(200, {"data": [{}]}),
    "broken_off": Said(200, b'{"data": [{"id": "m', length=4000),
    "no_text": Said(200, b"\xff\xfe"),
    "redirect": Said(301, b"", {"location": "https://elsewhere.example/"}),
    "not_found": Said(404, {}),
    "unknown_alias": error(404, 803),
    "without_subcode": error(400, 100),
    "another_subcode": error(400, 100, 34),
}
"""What a platform may say instead of an answer; none of it says that anything is gone."""
