"""Which connectors and senders may be called now: what fails is left alone for a while, none takes every thread."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from connectors.contract import Refused, Sent, Unknown
from policies.event import Failure
from policies.message import Instant
from worker.egress.client import FORBIDDEN
from worker.sms.breaker import Breakers, BreakerState
from worker.sms.calls import CallResult, Renewed, Unreached
from worker.sms.outcomes import COURSES, Stops
from worker.store.outbox import Outgoing

Switch = tuple[str, str, str]
"""Tenant, connector, account: "" for the whole connector."""

Told = Callable[[Switch, str, bool], None]
"""Told of a connector or sender that goes out of service (False) or works again (True), and of the word for why."""

CONFIGURED: Final = "configured"
"""Why something is tried again before its time."""

_SECOND: Final = 1_000_000
_IN_DOUBT: Final = frozenset({Failure.THROTTLED, Failure.PROVIDER})
"""Refusals after which the provider itself is in doubt, once there are several."""


class Senders:
    """Says of each row whether it may be called now, and learns from how calls end. From any thread."""

    def __init__(self, threads: int, told: Told, clock: Callable[[], float] = time.monotonic) -> None:
        self._told = told
        self._clock = clock
        self._most = max(1, (threads + 1) // 2)
        self._breakers: Breakers[Switch] = Breakers(clock)
        self._lock = threading.Lock()
        self._busy: Counter[tuple[str, str]] = Counter()
        self._why: dict[Switch, str] = {}
        self._pauses: dict[tuple[str, str], float] = {}

    @property
    def in_flight(self) -> int:
        """Rows that were let through and are not done."""
        with self._lock:
            return self._busy.total()

    # -- before a call -----------------------------------------------------------------------------------

    def enter(self, tenant: str, row: Outgoing) -> bool:
        """Whether the row may be called now. If so, ``leave`` follows, or one of those that tell how it ended."""
        connector, sender = _switches(tenant, row)
        with self._lock:
            if self._busy[connector[:2]] >= self._most or not self._breakers.enter(connector):
                return False
            if not self._breakers.enter(sender):
                self._breakers.leave(connector)
                return False
            self._busy[connector[:2]] += 1
            return True

    def closed_connectors(self, tenant: str) -> frozenset[str]:
        """Connectors of the tenant that take no call now."""
        with self._lock:
            full = {name for (id_, name), busy in self._busy.items() if id_ == tenant and busy >= self._most}
        return frozenset(
            full | {name for id_, name, account in self._shut() if id_ == tenant and not account}
        )

    def silent_accounts(self, tenant: str) -> frozenset[str]:
        """Senders of the tenant that take no call now."""
        now = self._clock()
        with self._lock:
            self._pauses = {key: until for key, until in self._pauses.items() if until > now}
            waiting = {account for id_, account in self._pauses if id_ == tenant}
        return frozenset(waiting | {account for id_, _, account in self._shut() if id_ == tenant and account})

    def pause(self, tenant: str, account: str, wait: Instant) -> None:
        """The sender's rate is used up for so many microseconds."""
        with self._lock:
            self._pauses[tenant, account] = self._clock() + wait / _SECOND

    def seconds_to_pause(self) -> float | None:
        """When the first pause ends."""
        with self._lock:
            first = min(self._pauses.values(), default=None)
        return None if first is None else max(first - self._clock(), 0.0)

    # -- after it ----------------------------------------------------------------------------------------

    def leave(self, tenant: str, row: Outgoing) -> None:
        """Nobody was called."""
        for switch in _switches(tenant, row):
            self._breakers.leave(switch)
        self._done(tenant, row)

    def learn(self, tenant: str, row: Outgoing, result: CallResult) -> None:
        """How a call ended."""
        connector, sender = _switches(tenant, row)
        match result:
            case Renewed():
                self._breakers.leave(connector)
                self._breakers.leave(sender)
            case Unreached():
                self._failed(connector, result.why.value, at_once=result.why in FORBIDDEN)
                self._breakers.leave(sender)
            case Unknown():
                self._failed(connector, "unknown", at_once=False)
                self._breakers.leave(sender)
            case Sent():
                self._worked(connector)
                self._worked(sender)
            case Refused():
                self._refused(connector, sender, result.failure)
        self._done(tenant, row)

    def heard(self, tenant: str, connector: str, account: str, failure: Failure) -> None:
        """A provider reported later that it did not deliver a text, and why."""
        stops = COURSES[failure].stops
        if stops is not Stops.NOTHING:
            about = account if stops is Stops.SENDER else ""
            self._failed((tenant, connector, about), failure.value, at_once=True)

    def forget(self, tenant: str) -> None:
        """The tenant's configuration has changed: everything is tried again."""
        shut = [switch for switch in self._breakers.states() if switch[0] == tenant]
        self._breakers.reset(lambda switch: switch[0] == tenant)
        for switch in shut:
            self._told(switch, CONFIGURED, True)

    def status(self) -> list[Mapping[str, Any]]:
        """What sends nothing now, why (a word of ``Failure`` or ``Why``), and for how many seconds at least."""
        return [
            {
                "tenant": switch[0],
                "connector": switch[1],
                "account": switch[2],
                "state": state.value,
                "why": self._why.get(switch, ""),
                "seconds": round(self._breakers.seconds_left(switch), 1),
            }
            for switch, state in sorted(self._breakers.states().items())
        ]

    # -- details -----------------------------------------------------------------------------------------

    def _refused(self, connector: Switch, sender: Switch, failure: Failure) -> None:
        stops = COURSES[failure].stops
        if stops is Stops.CONNECTOR or failure in _IN_DOUBT:
            self._failed(connector, failure.value, at_once=stops is Stops.CONNECTOR)
            self._breakers.leave(sender)
        elif stops is Stops.SENDER:
            self._worked(connector)
            self._failed(sender, failure.value, at_once=True)
        else:
            self._worked(connector)
            self._worked(sender)

    def _failed(self, switch: Switch, why: str, *, at_once: bool) -> None:
        self._why[switch] = why
        if self._breakers.failed(switch, at_once=at_once):
            self._told(switch, why, False)

    def _worked(self, switch: Switch) -> None:
        if self._breakers.worked(switch):
            self._told(switch, self._why.pop(switch, ""), True)

    def _done(self, tenant: str, row: Outgoing) -> None:
        with self._lock:
            self._busy[tenant, row.connector] -= 1
            self._busy += Counter()  # forget who has nothing on its way

    def _shut(self) -> Iterator[Switch]:
        """What is open and may not be probed yet."""
        for switch, state in self._breakers.states().items():
            if state is BreakerState.HALF_OPEN or self._breakers.seconds_left(switch) > 0:
                yield switch


def _switches(tenant: str, row: Outgoing) -> tuple[Switch, Switch]:
    return (tenant, row.connector, ""), (tenant, row.connector, row.account)
