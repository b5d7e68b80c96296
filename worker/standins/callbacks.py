"""Posting callbacks to a worker on this machine, from few threads."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from worker.standins.provider import Post

ATTEMPTS: Final = 3
_THREADS = 2
_PENDING = 1000
_TIMEOUT = 10.0
_PAUSE = 0.05


class NotLoopback(Exception):
    """A stand-in speaks to this machine and to nobody else."""


def is_loopback(host: str | None) -> bool:
    """Whether an address, or ``localhost``, is this machine."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ip_address(host or "").is_loopback
    return False


class Callbacks:
    """Posts in the order in which they come; what is not answered 2xx is posted again. ``statuses``: all answers."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self._closing = threading.Event()
        self._slots = threading.BoundedSemaphore(_PENDING)
        self._pending = 0
        self._idle = threading.Condition()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="standin-callback")

    def post(self, posts: list[Post]) -> None:
        """Post them one after the other, soon. Raises NotLoopback; waits while too many are on their way."""
        _check(posts)
        if posts:
            self._slots.acquire()
            self._count(1)
            self._pool.submit(self._work, posts)

    def post_now(self, posts: list[Post]) -> None:
        """Post them on this thread. Raises NotLoopback."""
        _check(posts)
        for post in posts:
            self._deliver(post)

    @contextmanager
    def expected(self) -> Iterator[None]:
        """While something will be posted soon, nothing is settled."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def settled(self, seconds: float = 10.0) -> bool:
        """Wait until nothing is on its way. Whether that came to pass."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._pending, seconds)

    def close(self) -> None:
        """Give up what is on its way, and end the threads."""
        self._closing.set()
        self._pool.shutdown(cancel_futures=True)

    def _work(self, posts: list[Post]) -> None:
        try:
            for post in posts:
                self._deliver(post)
        finally:
            self._slots.release()
            self._count(-1)

    def _count(self, more: int) -> None:
        with self._idle:
            self._pending += more
            self._idle.notify_all()

    def _deliver(self, post: Post) -> None:
        for attempt in range(ATTEMPTS):
            if attempt:
                self._closing.wait(_PAUSE)
            if self._closing.is_set():
                return
            status = _posted(post)
            self.statuses.append(status)
            if 200 <= status < 300:
                return


def _check(posts: list[Post]) -> None:
    if not all(is_loopback(urlsplit(post.url).hostname) for post in posts):
        raise NotLoopback


def _posted(post: Post) -> int:
    """The answer's status, 0 where none came."""
    parts = urlsplit(post.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIMEOUT)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body=post.body, headers=dict(post.headers))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def now() -> int:
    """The time that a signature says, in seconds."""
    return int(time.time())
