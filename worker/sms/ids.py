"""Our own ids of texts: UUIDv7 (RFC 9562) that never go backwards, because the order within a pair is theirs."""

from __future__ import annotations

import os
import threading
from typing import Final

from policies.message import Instant

_STEPS: Final = 4096
"""Parts of a millisecond that fit into ``rand_a`` (RFC 9562, 6.2, method 3)."""

_VERSION, _VARIANT = 0x7, 0b10


class Ids:
    """Gives out ids that grow, whatever the clock does and however many are asked for at once. From any thread."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self, now: Instant) -> bytes:
        """A new id: 16 bytes."""
        with self._lock:
            self._last = max(now * _STEPS // 1_000, self._last + 1)
            milliseconds, step = divmod(self._last, _STEPS)
        noise = int.from_bytes(os.urandom(8), "big") >> 2
        whole = milliseconds << 80 | _VERSION << 76 | step << 64 | _VARIANT << 62 | noise
        return whole.to_bytes(16, "big")
