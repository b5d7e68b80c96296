"""What happened, told once to the log and once to the metrics. Nothing here ever raises into the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from policies.message import Instant
from worker.faults import fault
from worker.inbound import Committed
from worker.log import Log
from worker.log_lines import (
    CallbackLine,
    ConfigurationLine,
    DecisionLine,
    DeliveryLine,
    HandshakeLine,
    JobLine,
    Level,
    Line,
    Place,
    Refusal,
    RefusalLine,
)
from worker.metrics import Metrics
from worker.tenants import Tenants

_SECOND = 1_000_000


class Observer:
    """Takes reports from every part of the worker. ``heads`` are the ends of the decision chains seen here."""

    def __init__(self, log: Log, metrics: Metrics, clock: Callable[[], Instant]) -> None:
        self._log = log
        self._metrics = metrics
        self._clock = clock
        self.heads: dict[str, tuple[int, str]] = {}
        self.handshakes: dict[tuple[str, str], Instant] = {}

    def committed(self, batch: Sequence[Committed]) -> None:
        """A transaction with these deliveries is on disk."""
        try:
            now = self._clock()
            self._count_batch(batch, now)
            self._log.emit_all(line for one in batch for line in _lines(one, now))
        except Exception as error:  # noqa: BLE001 - what is committed stays committed, whatever becomes of its lines
            self.fault(Place.OBSERVER, error)

    def failed(self, error: Exception, deliveries: int) -> None:
        """A transaction did not come about; the senders of its deliveries are asked to come again."""
        self.fault(Place.WRITER, error, deliveries)

    def fault(self, place: Place, error: BaseException, affected: int = 0) -> None:
        """Something unexpected was caught."""
        self._metrics.faults.add(1, place)
        self._log.emit(fault(place, error, affected))

    def refused(
        self, refusal: Refusal, status: int, tenant: str = "", connector: str = "", size: int = 0
    ) -> None:
        """A request was not taken. Tenant and connector are configured ones, or empty."""
        self._metrics.refusals.add(1, tenant, connector, refusal)
        line = RefusalLine(
            level=Level.WARNING, tenant=tenant, connector=connector, refusal=refusal, status=status, size=size
        )
        self._log.emit(line)

    def shaken(self, tenant: str, connector: str, status: int) -> None:
        """A handshake was answered."""
        now = self._clock()
        self.handshakes[tenant, connector] = now
        self._metrics.handshakes.set(now / _SECOND, tenant, connector)
        self._log.emit(HandshakeLine(tenant=tenant, connector=connector, status=status))

    def called_back(self, tenant: str, connector: str, callback: str) -> None:
        """A deauthorise or data-deletion callback was recorded."""
        self._metrics.callbacks.add(1, tenant, connector, callback)
        self._log.emit(CallbackLine(tenant=tenant, connector=connector, callback=callback))

    def job(self, name: str, microseconds: int) -> None:
        """A scheduled job ran."""
        self._metrics.jobs.add(1, name, "done")
        self._log.emit(JobLine(job=name, duration_us=microseconds))

    def job_failed(self, name: str, error: Exception) -> None:
        """A scheduled job did not come to its end."""
        self._metrics.jobs.add(1, name, "failed")
        self.fault(Place.JOB, error)

    def tenants(self, tenants: Tenants) -> None:
        """Tenant files were loaded."""
        self._metrics.problems.set(len(tenants.problems))
        self._metrics.in_force.clear()
        for version in tenants.versions.values():
            for name in version.tenant.connectors:
                self._metrics.in_force.set(1, version.tenant.id, name)
            for name in version.out_of_service:
                self._metrics.in_force.set(0, version.tenant.id, name)
        for tenant in tenants.refused:
            self._metrics.in_force.set(0, tenant, "")
        for problem in tenants.problems:
            self._log.emit(
                ConfigurationLine(
                    level=Level.ERROR, file=problem.file, key=problem.key, expected=problem.expected
                )
            )

    def say(self, line: Line) -> None:
        """Any other line."""
        self._log.emit(line)

    def _count_batch(self, batch: Sequence[Committed], now: Instant) -> None:
        metrics = self._metrics
        for one in batch:
            delivery = one.delivery
            place = (delivery.tenant.id, delivery.source.connector.name)
            self.heads[place[0]] = (one.sequence, one.head)
            metrics.deliveries.add(1, *place)
            metrics.bytes.add(delivery.size, *place)
            for disposition, count in _tally(settled.disposition for settled in one.settled).items():
                metrics.events.add(count, *place, disposition)
            if delivery.foreign:
                metrics.events.add(delivery.foreign, *place, "foreign")
            for reason, count in _tally(r.code for settled in one.settled for r in settled.reasons).items():
                metrics.reasons.add(count, *place, reason)
            metrics.seconds.observe((now - delivery.received_at) / _SECOND)
            metrics.queued.observe(one.queued / _SECOND)
        if batch:
            metrics.commits.observe(batch[0].commit / _SECOND)
            metrics.batches.observe(batch[0].batch)


def _lines(one: Committed, now: Instant) -> Iterator[Line]:
    """The delivery's own line, then one for each decision."""
    delivery = one.delivery
    tenant, connector = delivery.tenant, delivery.source.connector.name
    yield DeliveryLine(
        tenant=tenant.id,
        connector=connector,
        accounts=sorted({settled.account for settled in one.settled if settled.account}),
        events=_tally(settled.event for settled in one.settled),
        dispositions=_tally(settled.disposition.value for settled in one.settled),
        reasons=_tally(reason.code.value for settled in one.settled for reason in settled.reasons),
        foreign=delivery.foreign,
        damaged=delivery.replaced_characters,
        policy=tenant.policy_digest,
        sequence=one.sequence,
        head=one.head,
        batch=one.batch,
        size=delivery.size,
        queued_us=one.queued,
        commit_us=one.commit,
        total_us=now - delivery.received_at,
    )
    for settled in one.settled:
        yield DecisionLine(
            tenant=tenant.id,
            connector=connector,
            account=settled.account,
            event=settled.event,
            disposition=settled.disposition.value,
            reasons=settled.reasons,
            ref=settled.ref,
            person=settled.person,
            shape=settled.shape,
            policy=tenant.policy_digest,
            sequence=one.sequence,
        )


def _tally(words: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts
