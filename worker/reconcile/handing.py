"""Handing events to the ledger from within, and waiting until they are committed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from policies.event import Event
from policies.tenant import Facts
from worker.govern import govern
from worker.inbound import Answer, Answers, Delivery, Posted
from worker.ledger import Clock
from worker.tenants.loading import Tenant, TenantConnector

MOST_EVENTS: Final = 500
"""Of one delivery: nobody waits long for it."""

_SECONDS: Final = 60.0


class NotCommitted(Exception):
    """The ledger did not take, or did not commit, what it was handed: the next run hands it in again."""


class Waiter:
    """Somebody of this process who waits for the answer to a delivery."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._answer: Answer | None = None

    def tell(self, answer: Answer) -> None:
        """The batch is done."""
        self._answer = answer
        self._done.set()

    def wait(self, seconds: float) -> Answer | None:
        """The answer, None where it does not come in time."""
        self._done.wait(seconds)
        return self._answer


def answering(others: Answers) -> Answers:
    """Answers for those who wait here; for all others as before."""

    def answer(batch: Sequence[tuple[Delivery | Posted, Answer]]) -> None:
        for delivery, told in batch:
            if isinstance(delivery.token, Waiter):
                delivery.token.tell(told)
        rest = [one for one in batch if not isinstance(one[0].token, Waiter)]
        if rest:
            others(rest)

    return answer


class Hand:
    """Hands events of a tenant's connector in."""

    def __init__(self, submit: Callable[[Delivery], bool], clock: Clock) -> None:
        self._submit = submit
        self._clock = clock

    def give(self, tenant: Tenant, source: TenantConnector, events: Sequence[Event]) -> None:
        """Have the events committed, in order, governed like any others. Raises NotCommitted."""
        for some in _portions(events):
            facts = Facts(now=self._clock(), policy=tenant.policy)
            waiter = Waiter()
            delivery = Delivery(
                tenant=tenant,
                source=source,
                received_at=facts.now,
                size=0,
                events=[govern(one, facts) for one in some],
                token=waiter,
            )
            if not self._submit(delivery) or waiter.wait(_SECONDS) is not Answer.COMMITTED:
                raise NotCommitted


def _portions(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    return (events[at : at + MOST_EVENTS] for at in range(0, len(events), MOST_EVENTS))
