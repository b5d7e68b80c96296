"""Asking one platform for one tenant: at its pace, within a budget, again after what passes, never beyond declared hosts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import Final, Protocol

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from connectors.asking import Trouble, trouble
from connectors.contract import HttpAnswer, HttpRequest
from connectors.sms import retry_after
from policies.message import Private
from worker.egress.client import FORBIDDEN, CallFailed
from worker.jobs import Stop

TRIES: Final = 3
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
"""Seconds between two tries at most: who asks for more is asked again in the next run."""

BUDGET: Final = "budget"
STOPPED: Final = "stopped"

_LOOK_SECONDS: Final = 0.2
_PASSES: Final = frozenset({Trouble.THROTTLED, Trouble.UNAVAILABLE})


class CutShort(Exception):
    """A run ends here; the next one goes on. ``why`` is a word, and all that is said.

    ``is_here``: it may be this very question that has no answer, for ever: the next run had better ask others.
    """

    def __init__(self, why: str, *, is_here: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.is_here = is_here


class _Again(Exception):
    """It may pass. ``seconds``: what the platform asks to wait, None where it does not say."""

    def __init__(self, why: str, seconds: float | None = None) -> None:
        super().__init__(why)
        self.why, self.seconds = why, seconds


class Carrier(Protocol):
    """What carries a request out (worker.egress.client.Client)."""

    def send(self, request: HttpRequest, hosts: Collection[str], seconds: float) -> HttpAnswer:
        """The answer. Raises CallFailed."""


class Limits(Private, frozen=True, kw_only=True):
    """Calls of a run, seconds between two of them, and what one may take."""

    calls: int
    pace: float
    seconds: float


class Asker:
    """Asks one platform for one tenant, on one thread. ``calls`` counts what was sent."""

    def __init__(
        self,
        carrier: Carrier,
        hosts: Collection[str],
        limits: Limits,
        stop: Stop,
        judge: Callable[[HttpAnswer], Trouble | None] = trouble,
    ) -> None:
        self.calls = 0
        self._carrier = carrier
        self._hosts = hosts
        self._limits = limits
        self._stop = stop
        self._judge = judge
        self._next = 0.0
        self._idle = threading.Event()  # never set: to wait on

    def ask(self, request: HttpRequest, *, tries: int = TRIES) -> HttpAnswer:
        """The answer, whatever it says about what was asked. Raises CutShort where there is none.

        UNEXPECTED answers are handed out: what they mean depends on the question. ``tries`` is 1 for what must not be
        done twice.
        """
        persist = Retrying(
            retry=retry_if_exception_type(_Again),
            stop=stop_after_attempt(tries),
            wait=self._wait,
            sleep=self._rest,
            reraise=True,
        )
        try:
            return persist(self._once, request)
        except _Again as error:
            raise CutShort(error.why, is_here=error.why != Trouble.THROTTLED) from None

    def _once(self, request: HttpRequest) -> HttpAnswer:
        self._rest(self._next - time.monotonic())
        if self.calls >= self._limits.calls:
            raise CutShort(BUDGET)
        self.calls += 1
        self._next = time.monotonic() + self._limits.pace
        try:
            answer = self._carrier.send(request, self._hosts, self._limits.seconds)
        except CallFailed as error:
            if error.why in FORBIDDEN:
                raise CutShort(error.why.value) from None
            raise _Again(error.why.value) from None
        found = self._judge(answer)
        if found in _PASSES:
            raise _Again(found.value, retry_after(answer))
        if found is Trouble.UNAUTHORISED:
            raise CutShort(found.value)
        return answer

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        told = error.seconds if isinstance(error, _Again) else None
        return min(FIRST_WAIT * 2 ** (state.attempt_number - 1) if told is None else told, LONGEST_WAIT)

    def _rest(self, seconds: float) -> None:
        """Wait, unless the run has to stop."""
        ends = time.monotonic() + seconds
        while not self._stop():
            left = ends - time.monotonic()
            if left <= 0:
                return
            self._idle.wait(min(left, _LOOK_SECONDS))
        raise CutShort(STOPPED)
