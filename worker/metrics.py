"""Metrics for Prometheus. Labels are words of closed tables and configured tenants and connectors, nothing else.

Bound children are kept: looking a child up by its labels each time costs three times as much as counting.
"""

from __future__ import annotations

import platform
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Info,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from worker.log.lines import Refusal, Weight

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

# The library would add a second series to each, with the time of its making, which is the start of the process.
disable_created_metrics()  # type: ignore[no-untyped-call]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_EVENTS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2000)

Probe = Callable[[], float]
"""Reads a value at the moment of the scrape."""


class Children:
    """The bound children of one metric, made at first use."""

    def __init__(self, metric: Counter | Gauge) -> None:
        self._metric = metric
        self._children: dict[tuple[str, ...], Counter | Gauge] = {}

    def add(self, amount: float, *labels: str) -> None:
        """Count."""
        self._child(labels).inc(amount)

    def add_all(self, counts: Mapping[Any, float]) -> None:
        """Count by labels, the tuples that are the keys."""
        for labels, amount in counts.items():
            self._child(labels).inc(amount)

    def set(self, value: float, *labels: str) -> None:
        """Set a gauge."""
        child = self._child(labels)
        if isinstance(child, Gauge):
            child.set(value)

    def clear(self) -> None:
        """Forget every child."""
        self._children.clear()
        self._metric.clear()

    def _child(self, labels: tuple[str, ...]) -> Counter | Gauge:
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = self._metric.labels(*labels)
        return child


class Observations(Collector):
    """A histogram that takes many values at once, under one lock; otherwise like the library's."""

    def __init__(self, name: str, text: str, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name, self._text = name, text
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()
        registry.register(self)

    def observe_all(self, values: Sequence[float]) -> None:
        """Count each value in its bucket."""
        with self._lock:
            for value in values:
                self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += sum(values)

    def collect(self) -> Iterable[Metric]:
        """Buckets add up from the smallest bound to infinity."""
        with self._lock:
            counts, total = list(accumulate(self._counts)), self._sum
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        family = HistogramMetricFamily(self._name, self._text)
        family.add_metric([], buckets=list(zip(names, counts, strict=True)), sum_value=total)
        yield family


class Metrics:
    """All metrics of a process, in a registry of its own."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        tenant = ("tenant", "connector")
        self.deliveries = self._counter("deliveries", "Deliveries committed and acknowledged", *tenant)
        self.bytes = self._counter("delivery_bytes", "Bytes of deliveries acknowledged", *tenant)
        self.events = self._counter("events", "What was done with events", *tenant, "disposition")
        self.reasons = self._counter("reasons", "Why rules acted", *tenant, "reason")
        self.shadow = self._counter(
            "shadow_reasons", "Why rules that are only tried would have acted", *tenant, "reason"
        )
        self.refusals = self._counter("refusals", "Requests not taken", *tenant, "refusal")
        self.callbacks = self._counter(
            "callbacks", "Deauthorise and data-deletion callbacks", *tenant, "callback"
        )
        self.calls = self._counter(
            "api_calls", "Calls of the programming interface", "tenant", "call", "status"
        )
        self.faults = self._counter("faults", "Unexpected exceptions caught", "place")
        self.jobs = self._counter("jobs", "Runs of scheduled jobs", "job", "outcome")
        self.job_ran = self._gauge(
            "job_ran_timestamp_seconds", "When a scheduled job ran last, on any worker", "job"
        )
        self.job_alarm = self._gauge("job_alarm", "1 where its last run found what must not be", "job")
        self.rights_due = self._gauge(
            "rights_due", "Persons' requests that are due soon, or overdue", "tenant", "urgency"
        )
        self.retention = self._counter(
            "retention", "What retention took away of a tenant, by what it was", "tenant", "what"
        )
        self.retention_held = self._gauge(
            "retention_held", "Contents past their ceiling that a legal hold keeps", "tenant"
        )
        self.reconciled = self._counter(
            "reconciled", "Ids that a platform was asked about", *tenant, "about", "result"
        )
        self.token_expires = self._gauge(
            "access_token_expires_timestamp_seconds", "When an access token ends", *tenant
        )
        self.survivors = self._gauge(
            "self_audit_survivors", "What the last self-audit found that must never be kept", "tenant"
        )
        self.handshakes = self._gauge(
            "handshake_answered_timestamp_seconds", "When a platform's challenge was last answered", *tenant
        )
        self.in_force = self._gauge("connector_in_service", "1 in service, 0 refused", *tenant)
        self.problems = Gauge(
            "sluicegate_configuration_problems", "Errors in tenant files and secrets", registry=self.registry
        )
        self.seconds = self._histogram("delivery_seconds", "From arrival to acknowledgement", _SECONDS)
        self.queued = self._histogram("queued_seconds", "Waiting for the writer", _SECONDS)
        self.commits = self._histogram("commit_seconds", "One transaction, with its fsync", _SECONDS)
        self.batches = self._histogram("batch_deliveries", "Deliveries in one transaction", _EVENTS)
        self.sends = self._counter(
            "sends", "What became of texts on their way out", *tenant, "state", "failure"
        )
        self.outbox = self._gauge("outbox", "Texts that are not done, by state", "tenant", "state")
        self.overdue = self._gauge("outbox_overdue_seconds", "How long the first of them is due", "tenant")
        self.out_of_service = self._gauge(
            "sender_out_of_service",
            "1 while a sender, or a whole connector, is left alone",
            *tenant,
            "account",
        )
        self.send_seconds = self._histogram("send_seconds", "One call to a provider", _SECONDS)
        Info("sluicegate_build", "Versions", registry=self.registry).info(
            {"version": version, "python": platform.python_version()}
        )
        for refusal in Refusal:
            self.refusals.add(0, "", "", refusal)

    def _counter(self, name: str, text: str, *labels: str) -> Children:
        return Children(Counter(f"sluicegate_{name}", text, labels, registry=self.registry))

    def _gauge(self, name: str, text: str, *labels: str) -> Children:
        return Children(Gauge(f"sluicegate_{name}", text, labels, registry=self.registry))

    def _histogram(self, name: str, text: str, bounds: tuple[float, ...]) -> Observations:
        return Observations(f"sluicegate_{name}", text, bounds, self.registry)

    def probe(self, name: str, text: str, read: Probe) -> None:
        """A gauge that is read when it is asked for."""
        Gauge(f"sluicegate_{name}", text, registry=self.registry).set_function(read)

    def watch_log(self, lost: Callable[[], dict[Weight, int]]) -> None:
        """Report the log's dropped lines."""
        self.registry.register(_LostLines(lost))

    def page(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry)


class _LostLines(Collector):
    _words: Final = {Weight.HEAVY: "decision", Weight.MIDDLE: "delivery", Weight.LIGHT: "other"}

    def __init__(self, lost: Callable[[], dict[Weight, int]]) -> None:
        self._lost = lost

    def collect(self) -> Iterable[Metric]:
        """Counters by weight."""
        family = CounterMetricFamily(
            "sluicegate_log_lines_dropped",
            "Log lines dropped while standard output was blocked",
            labels=["kind"],
        )
        for weight, count in self._lost().items():
            family.add_metric([self._words[weight]], count)
        yield family
