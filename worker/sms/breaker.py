"""Circuit breakers: what fails again and again is left alone for a while, then asked once whether it works again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Generic, TypeVar

import msgspec

FAILURES: Final = 5
"""So many in a row open a breaker."""

_FIRST_SECONDS: Final = 15.0
_MOST_SECONDS: Final = 900.0

Key = TypeVar("Key")


class BreakerState(StrEnum):
    """``HALF_OPEN``: one call is on its way to find out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker(msgspec.Struct, kw_only=True):
    """One breaker. ``until``: nothing is called before then (monotonic seconds); ``probing``: the one call that finds out."""

    failures: int = 0
    seconds: float = 0.0
    until: float = 0.0
    probing: bool = False

    @property
    def is_closed(self) -> bool:
        """Whether calls go through as they come."""
        return self.seconds == 0.0


class Breakers(Generic[Key]):
    """A breaker for each key, from any thread. Whoever was let through says how it ended, or that it did not call."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._breakers: dict[Key, Breaker] = {}

    def enter(self, key: Key) -> bool:
        """Whether a call may go. Through an open breaker, once its time has come, goes one call: the probe."""
        with self._lock:
            breaker = self._breakers.get(key)
            if breaker is None or breaker.is_closed:
                return True
            if breaker.probing or self._clock() < breaker.until:
                return False
            breaker.probing = True
            return True

    def leave(self, key: Key) -> None:
        """Nobody was called after all, or it told nothing: a probe is still to be made."""
        with self._lock:
            if (breaker := self._breakers.get(key)) is not None:
                breaker.probing = False

    def worked(self, key: Key) -> bool:
        """A call went well: closed. Whether it was open before."""
        with self._lock:
            breaker = self._breakers.pop(key, None)
            return breaker is not None and not breaker.is_closed

    def failed(self, key: Key, *, at_once: bool = False) -> bool:
        """A call failed; ``at_once``: one failure is enough. Whether the breaker has opened by it."""
        with self._lock:
            breaker = self._breakers.setdefault(key, Breaker())
            was_closed = breaker.is_closed
            breaker.failures += 1
            if at_once or not was_closed or breaker.failures >= FAILURES:
                # What failed while it was open began before it opened, unless it was the probe.
                if was_closed or breaker.probing:
                    breaker.seconds = min(max(breaker.seconds * 2, _FIRST_SECONDS), _MOST_SECONDS)
                breaker.until = self._clock() + breaker.seconds
            breaker.probing = False
            return was_closed and not breaker.is_closed

    def reset(self, wanted: Callable[[Key], bool]) -> None:
        """Forget the breakers of these keys: what they were opened for was changed."""
        with self._lock:
            self._breakers = {key: one for key, one in self._breakers.items() if not wanted(key)}

    def seconds_left(self, key: Key) -> float:
        """How long nothing will be called; 0 where it is closed or may be probed."""
        with self._lock:
            breaker = self._breakers.get(key)
            return 0.0 if breaker is None else max(0.0, breaker.until - self._clock())

    def states(self) -> dict[Key, BreakerState]:
        """Every breaker that is not closed."""
        with self._lock:
            return {
                key: BreakerState.HALF_OPEN if one.probing else BreakerState.OPEN
                for key, one in self._breakers.items()
                if not one.is_closed
            }
