"""What was noted of texts for a time only is forgotten: answers, counts, near-duplicates, rows that are done.

Every replica may do it at once: a row that somebody is busy with is left to them. Transcripts and decision records have
their own times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection

from policies.message import Instant
from policies.sms.policy import SmsPolicy
from worker.sms.drafts import texts_of
from worker.sms.facts import ALIKE_WINDOW, DAY, WINDOW, Counted
from worker.sms.optouts import CONFIRMED, CONFIRMED_WINDOW, HELP, HELP_WINDOW
from worker.sms.outbound import REMEMBERED
from worker.store import alike, buckets, outbox, reviews, submissions, tallies
from worker.store.engine import Store
from worker.tenants.loading import Tenant, Tenants

FORGETTING_SECONDS: Final = 600.0
"""How often it is done."""

SOME: Final = 500
"""Rows of one transaction: few, so that nobody waits for it."""

_MOST_ROUNDS: Final = 100
_FULL: Final[Instant] = 7 * DAY * 1_000_000
"""A bucket from which nobody took for so long begins anew with no more than it would hold."""

Purge = Callable[[Connection, str, Instant, int], int]


def forget(store: Store, tenants: Tenants, now: Instant) -> bool:
    """Forget what nobody will ask for any more; whether there was anything."""
    forgotten = [
        _purged(store, tenant, purge, before)
        for tenant in tenants.serving
        for purge, before in due(texts_of(tenant).policy, now)
    ]
    return any(forgotten)


def due(policy: SmsPolicy, now: Instant) -> Sequence[tuple[Purge, Instant]]:
    """What is purged, and what it has to be older than."""
    counted = max(DAY, policy.recipient_rate.seconds, policy.burst.seconds) * 1_000_000
    return [
        (submissions.purge, now - REMEMBERED),
        (outbox.purge, now - REMEMBERED),
        (reviews.purge, now - REMEMBERED),
        (alike.purge, now - ALIKE_WINDOW),
        *((partial(_purge_counts, kind.value, WINDOW), now - counted - WINDOW) for kind in Counted),
        (partial(_purge_counts, HELP, HELP_WINDOW), now - DAY * 1_000_000),
        (partial(_purge_counts, CONFIRMED, CONFIRMED_WINDOW), now - DAY * 1_000_000),
        (buckets.purge, now - _FULL),
    ]


def _purge_counts(kind: str, window: int, tx: Connection, tenant: str, before: Instant, limit: int) -> int:
    return tallies.purge(tx, tenant, kind, before // window, limit)


def _purged(store: Store, tenant: Tenant, purge: Purge, before: Instant) -> int:
    """How many rows went, in small transactions; what is left after so many of them comes the next time."""
    gone = 0
    for _ in range(_MOST_ROUNDS):
        with store.transaction() as tx:
            some = purge(tx, tenant.id, before, SOME)
        gone += some
        if some < SOME:
            break
    return gone
