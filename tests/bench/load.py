"""The load generator: a process of its own that keeps N connections busy with signed webhooks.

It reads a `LoadPlan` as JSON from standard input, prepares every request, says READY, waits for
one line, loads the server for the planned time, and prints a `LoadResult` as JSON. The one who
started it reads the server's counters between READY and that line, and again after the result:
preparing the bodies is in no measurement.

Start it with the repository root on the module path: `python -m tests.bench.load < plan.json`.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from array import array
from itertools import cycle, islice
from typing import cast

import uvloop

from tests.bench.bodies import signed_requests
from tests.bench.plan import LoadPlan, LoadResult

READY = "READY"
GRACE_SECONDS = 15.0


class Window:
    """The shared state of one timed window: the requests left, the answers seen."""

    def __init__(self, requests: list[bytes], seconds: float) -> None:
        """Arm the window; it opens with `open`."""
        self.requests = requests
        self.seconds = seconds
        self.latencies = array("d")
        self.answered_other = 0
        self.failed_connections = 0
        self.first_refusal = ""
        self.closes_at = 0.0

    def open(self) -> None:
        """Start the clock."""
        self.closes_at = time.perf_counter() + self.seconds

    def next_request(self, now: float) -> bytes | None:
        """The next request to send, or None when time or requests have run out."""
        if now >= self.closes_at or not self.requests:
            return None
        return self.requests.pop()


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request under way at a time."""

    def __init__(self, window: Window) -> None:
        """Belong to a window; send nothing before `start`."""
        self.window = window
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self.sent_at = 0.0
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a connection that the server closed before its last answer."""
        if not self.finished.done():
            self.window.failed_connections += 1
            self.finished.set_result(None)

    def start(self) -> None:
        """Send the first request."""
        self._send(time.perf_counter())

    def data_received(self, data: bytes) -> None:
        """Take one answer when it is complete and send the next request."""
        answer = self.received + data if self.received else data
        if not is_complete(answer):
            self.received = answer
            return
        self.received = b""
        now = time.perf_counter()
        self._count(answer, now)
        self._send(now)

    def _count(self, answer: bytes, now: float) -> None:
        if answer.startswith(b"HTTP/1.1 200"):
            self.window.latencies.append(now - self.sent_at)
            return
        self.window.answered_other += 1
        if not self.window.first_refusal:
            self.window.first_refusal = answer[:400].decode("latin-1")

    def _send(self, now: float) -> None:
        request = self.window.next_request(now)
        if request is None:
            self.finished.set_result(None)
            return
        self.sent_at = now
        if self.transport is not None:
            self.transport.write(request)


def is_complete(answer: bytes) -> bool:
    """Whether the bytes hold a whole answer; servers under test send a Content-Length."""
    head_end = answer.find(b"\r\n\r\n")
    if head_end < 0:
        return False
    head = answer[:head_end].lower()
    at = head.find(b"content-length:")
    if at < 0:
        return True
    length_end = head.find(b"\r\n", at)
    length = head[at + 15 : length_end if length_end > 0 else head_end]
    return len(answer) >= head_end + 4 + int(length)


def prepare(plan: LoadPlan) -> list[bytes]:
    """All requests of a plan, the targets taking turns."""
    share = -(-plan.most_requests // len(plan.targets))
    streams = [signed_requests(target, share, plan.run) for target in plan.targets]
    return [next(stream) for stream in islice(cycle(streams), plan.most_requests)]


async def load(plan: LoadPlan, requests: list[bytes]) -> LoadResult:
    """Run the timed window; every request sent is waited for."""
    window = Window(requests, plan.seconds)
    loop = asyncio.get_running_loop()
    connections: list[Connection] = []
    for _ in range(plan.connections):
        _, connection = await loop.create_connection(lambda: Connection(window), "127.0.0.1", plan.port)
        connections.append(connection)
    window.open()
    began = time.perf_counter()
    for connection in connections:
        connection.start()
    await asyncio.wait(
        [connection.finished for connection in connections], timeout=plan.seconds + GRACE_SECONDS
    )
    took = time.perf_counter() - began
    unanswered = sum(not connection.finished.done() for connection in connections)
    window.failed_connections += unanswered
    return summary(window, took)


def summary(window: Window, took: float) -> LoadResult:
    """Rates and percentiles of a window that has ended."""
    ordered = sorted(window.latencies)
    return LoadResult(
        answered_200=len(ordered),
        answered_other=window.answered_other,
        failed_connections=window.failed_connections,
        seconds=took,
        rate=len(ordered) / took,
        p50=percentile(ordered, 0.50),
        p99=percentile(ordered, 0.99),
        slowest=percentile(ordered, 1.0),
        first_refusal=window.first_refusal,
    )


def percentile(ordered: list[float], share: float) -> float:
    """The value in milliseconds below which `share` of the ordered seconds lie."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def main() -> None:
    """Prepare, say READY, wait for the word, load, answer."""
    plan = LoadPlan.from_json(sys.stdin.readline())
    requests = prepare(plan)
    gc.collect()
    gc.freeze()
    gc.disable()
    print(READY, flush=True)
    if not sys.stdin.readline():
        return
    print(uvloop.run(load(plan, requests)).to_json(), flush=True)


if __name__ == "__main__":
    main()
