"""The log: typed lines in, JSON out on one file descriptor, written by a thread of its own.

Whoever logs appends to a bounded queue and goes on, whatever became of standard output. While it is blocked the
queue fills: from a quarter of its bound on, light lines are dropped, from a half deliveries, and only at the bound
decisions, after the writer of a batch has waited a moment for room. Every drop is counted and told by a ``lost``
line as soon as there is room again. Decisions are never lost from the record: the store has them all.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from policies.message import Instant
from worker.log.faults import fault
from worker.log.lines import Level, Line, LostLine, Place, Weight

PATIENCE_SECONDS: Final = 0.25
"""How long a batch's decisions wait for room, all together."""

RECENT_BYTES: Final = 4 << 20
"""So much of what was written last stays in memory, for the self-audit to search."""

_BATCH = 256
_POLL_SECONDS = 0.5
_WAIT_SECONDS = 0.005


class Log:
    """Lines on their way to a file descriptor. Safe to use from every thread."""

    def __init__(self, descriptor: int, clock: Callable[[], Instant], bound: int = 65536) -> None:
        self._descriptor = descriptor
        self._clock = clock
        self._queue: deque[tuple[Instant, Line]] = deque()
        self._bounds = {Weight.LIGHT: bound // 4, Weight.MIDDLE: bound // 2, Weight.HEAVY: bound}
        self._lost = dict.fromkeys(Weight, 0)
        self._reported = dict.fromkeys(Weight, 0)
        self._losing = threading.Lock()
        self._wake = threading.Event()
        self._idle = False
        self._closing = False
        self._broken = False
        self._format = _Format()
        self._recent: deque[bytes] = deque()
        self._recent_bytes = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def start(self) -> None:
        """Start writing. Lines that were emitted before are written first."""
        self._thread.start()

    def emit(self, line: Line) -> None:
        """Take a line, or drop it when there is no room for one of its weight. Never waits."""
        if len(self._queue) >= self._bounds[line.weight]:
            self._lose(line)
            return
        self._queue.append((self._clock(), line))
        if self._idle:
            self._wake.set()

    def emit_all(self, lines: Sequence[Line]) -> None:
        """Take a batch's lines; decisions wait for room up to PATIENCE_SECONDS, all together."""
        if len(self._queue) + len(lines) < self._bounds[Weight.LIGHT]:
            at = self._clock()
            self._queue.extend([(at, line) for line in lines])
            if self._idle:
                self._wake.set()
            return
        deadline = time.monotonic() + PATIENCE_SECONDS
        for line in lines:
            if line.weight is Weight.HEAVY and len(self._queue) >= self._bounds[Weight.HEAVY]:
                self._wait_for_room(deadline)
            self.emit(line)

    @property
    def lost(self) -> dict[Weight, int]:
        """Lines dropped since the start, by weight."""
        return dict(self._lost)

    def recent(self) -> bytes:
        """The last lines, as they were written."""
        return b"".join(self._recent.copy())

    def close(self, timeout: float = 2.0) -> bool:
        """Write what is left. Whether that was possible within ``timeout`` seconds."""
        self._closing = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _lose(self, line: Line) -> None:
        with self._losing:
            self._lost[line.weight] += 1

    def _wait_for_room(self, deadline: float) -> None:
        while len(self._queue) >= self._bounds[Weight.HEAVY] and time.monotonic() < deadline:
            time.sleep(_WAIT_SECONDS)

    def _run(self) -> None:
        while True:
            batch = self._take()
            if batch:
                self._write(b"".join([self._format.line(at, line) for at, line in batch]))
            elif self._closing:
                return
            else:
                self._rest()

    def _take(self) -> Sequence[tuple[Instant, Line]]:
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), _BATCH))]
        if self._lost == self._reported:
            return batch
        now = self.lost
        new = {weight: now[weight] - self._reported[weight] for weight in Weight}
        self._reported = now
        line = LostLine(
            level=Level.WARNING,
            decisions=new[Weight.HEAVY],
            deliveries=new[Weight.MIDDLE],
            others=new[Weight.LIGHT],
        )
        return [(self._clock(), line), *batch]

    def _rest(self) -> None:
        self._wake.clear()
        self._idle = True
        # A line that came before the flag was up is seen here; one after it wakes us.
        if not self._queue and not self._closing:
            self._wake.wait(_POLL_SECONDS)
        self._idle = False

    def _remember(self, data: bytes) -> None:
        self._recent.append(data)
        self._recent_bytes += len(data)
        while self._recent_bytes > RECENT_BYTES and len(self._recent) > 1:
            self._recent_bytes -= len(self._recent.popleft())

    def _write(self, data: bytes) -> None:
        self._remember(data)
        view = memoryview(data)
        while view and not self._broken:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [], _POLL_SECONDS)
            except OSError:
                # Whoever read us is gone. The work goes on; there is nobody to tell.
                self._broken = True


class _Format:
    """Lines as bytes: ``{"at":"2026-11-21T09:30:00.123456Z","line":"delivery",…}`` and a newline."""

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder()
        self._second = -1
        self._prefix = b""

    def line(self, at: Instant, line: Line) -> bytes:
        second, micros = divmod(at, 1_000_000)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime('{"at":"%Y-%m-%dT%H:%M:%S.', time.gmtime(second)).encode()
        return b'%b%06dZ",%b\n' % (self._prefix, micros, self._encoded(line)[1:])

    def _encoded(self, line: Line) -> bytes:
        try:
            return self._encoder.encode(line)
        except (msgspec.MsgspecError, ValueError, TypeError) as error:
            return self._encoder.encode(fault(Place.LOG, error))
