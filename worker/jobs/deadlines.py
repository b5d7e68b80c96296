"""Persons' requests that are due soon, or overdue: told in the log by one worker, shown as a metric by all."""

from __future__ import annotations

from collections import Counter

from policies.message import Instant
from worker.log.lines import DeadlineLine, Level
from worker.log.writer import Log
from worker.metrics import Metrics
from worker.rights.deadlines import Deadlines, Due, Urgency, due
from worker.store.engine import Store
from worker.tenants.loading import Tenants

_SECOND = 1_000_000


def tell_due(store: Store, deadlines: Deadlines, log: Log, now: Instant) -> bool:
    """One line for each; whether there was any."""
    found = _due(store, deadlines, now)
    log.emit_all([_line(one, now) for one in found])
    return bool(found)


def show_due(store: Store, deadlines: Deadlines, metrics: Metrics, tenants: Tenants, now: Instant) -> None:
    """How many there are, by tenant and urgency: a zero for every tenant that has none."""
    counts = Counter((one.tenant, one.urgency.value) for one in _due(store, deadlines, now))
    metrics.rights_due.clear()
    for tenant in {*tenants.versions, *(tenant for tenant, _ in counts)}:
        for urgency in Urgency:
            metrics.rights_due.set(counts[tenant, urgency.value], tenant, urgency.value)


def _due(store: Store, deadlines: Deadlines, now: Instant) -> list[Due]:
    with store.reading() as tx:
        return due(tx, now, deadlines)


def _line(one: Due, now: Instant) -> DeadlineLine:
    return DeadlineLine(
        level=Level.ERROR if one.urgency is Urgency.OVERDUE else Level.WARNING,
        tenant=one.tenant,
        request=one.id.hex(),
        kind=one.kind,
        source=one.source,
        urgency=one.urgency.value,
        seconds=(one.due_at - now) // _SECOND,
    )
