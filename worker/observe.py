"""What happened, told once to the log and once to the metrics. Nothing here ever raises into the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from policies.message import Instant
from worker.inbound import Committed, Disposition, Settled
from worker.log.faults import fault
from worker.log.lines import (
    ApiLine,
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
from worker.log.writer import Log
from worker.metrics import Metrics
from worker.tenants.loading import Tenants

_SECOND = 1_000_000

Word = TypeVar("Word")
Tally = dict[Word, int]


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
            lines: list[Line] = []
            for one in batch:
                _tell(one, now, lines)
            self._log.emit_all(lines)
            self._count_batch(batch, now)
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
        # Whoever asks for what is not there is the internet; what concerns a tenant concerns its operator.
        level = Level.WARNING if tenant else Level.INFO
        self._log.emit(
            RefusalLine(
                level=level, tenant=tenant, connector=connector, refusal=refusal, status=status, size=size
            )
        )

    def shaken(self, tenant: str, connector: str, status: int) -> None:
        """A handshake was answered."""
        now = self._clock()
        self.handshakes[tenant, connector] = now
        self._metrics.handshakes.set(now / _SECOND, tenant, connector)
        self._log.emit(HandshakeLine(tenant=tenant, connector=connector, status=status))

    def shaken_elsewhere(self, tenant: str, connector: str, at: Instant) -> None:
        """Another worker, or this one before it was started again, answered a handshake."""
        self.handshakes[tenant, connector] = max(at, self.handshakes.get((tenant, connector), 0))
        self._metrics.handshakes.set(self.handshakes[tenant, connector] / _SECOND, tenant, connector)

    def called_back(self, tenant: str, connector: str, callback: str) -> None:
        """A deauthorise or data-deletion callback was recorded."""
        self._metrics.callbacks.add(1, tenant, connector, callback)
        self._log.emit(CallbackLine(tenant=tenant, connector=connector, callback=callback))

    def called(self, call: str, tenant: str, key: str, status: int, why: str, texts: int) -> None:
        """The programming interface answered a call. Tenant and key are those of a key that is in force, or empty."""
        self._metrics.calls.add(1, tenant, call, str(status))
        level = Level.WARNING if status in {401, 403, 503} else Level.INFO
        self._log.emit(
            ApiLine(level=level, tenant=tenant, key=key, call=call, status=status, why=why, texts=texts)
        )

    def now(self) -> Instant:
        """The time of this process."""
        return self._clock()

    def job(self, name: str, outcome: str, microseconds: int) -> None:
        """A scheduled job ran: ``done``, or ``alarm`` where it found what must not be."""
        self._metrics.jobs.add(1, name, outcome)
        level = Level.INFO if outcome == "done" else Level.ERROR
        self._log.emit(JobLine(level=level, job=name, outcome=outcome, duration_us=microseconds))

    def job_seen(self, name: str, ran_at: Instant, *, alarm: bool) -> None:
        """When a job ran last, on whichever replica, and whether it found what must not be."""
        self._metrics.job_ran.set(ran_at / _SECOND, name)
        self._metrics.job_alarm.set(float(alarm), name)

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

    def _count_batch(self, batch: Sequence[Committed], now: Instant) -> None:
        """Count by the batch: a counter's lock is taken once for all of its deliveries."""
        deliveries: Tally[tuple[str, str]] = {}
        sizes: Tally[tuple[str, str]] = {}
        events: Tally[tuple[str, str, str]] = {}
        reasons: Tally[tuple[str, str, str]] = {}
        shadow: Tally[tuple[str, str, str]] = {}
        for one in batch:
            delivery = one.delivery
            tenant, connector = place = delivery.tenant.id, delivery.source.connector.name
            self.heads[tenant] = (one.sequence, one.head)
            deliveries[place] = deliveries.get(place, 0) + 1
            sizes[place] = sizes.get(place, 0) + delivery.size
            if delivery.foreign:
                word = (tenant, connector, Disposition.FOREIGN.value)
                events[word] = events.get(word, 0) + delivery.foreign
            for settled in one.settled:
                word = (tenant, connector, settled.disposition.value)
                events[word] = events.get(word, 0) + 1
                for reason in settled.reasons:
                    word = (tenant, connector, reason.code.value)
                    tally = shadow if reason.shadow else reasons
                    tally[word] = tally.get(word, 0) + 1
        metrics = self._metrics
        metrics.deliveries.add_all(deliveries)
        metrics.bytes.add_all(sizes)
        metrics.events.add_all(events)
        metrics.reasons.add_all(reasons)
        metrics.shadow.add_all(shadow)
        metrics.seconds.observe_all([(now - one.delivery.received_at) / _SECOND for one in batch])
        metrics.queued.observe_all([one.queued / _SECOND for one in batch])
        metrics.commits.observe_all([one.commit / _SECOND for one in batch[:1]])
        metrics.batches.observe_all([float(one.batch) for one in batch[:1]])


def _tell(one: Committed, now: Instant, lines: list[Line]) -> None:
    """Append the delivery's own line, then one for each decision."""
    lines.append(_delivery_line(one, now))
    lines += [_decision_line(one, settled) for settled in one.settled]


def _delivery_line(one: Committed, now: Instant) -> DeliveryLine:
    delivery = one.delivery
    events: Tally[str] = {}
    dispositions: Tally[str] = {}
    reasons: Tally[str] = {}
    shadow: Tally[str] = {}
    for settled in one.settled:
        events[settled.event] = events.get(settled.event, 0) + 1
        dispositions[settled.disposition] = dispositions.get(settled.disposition, 0) + 1
        for reason in settled.reasons:
            tally = shadow if reason.shadow else reasons
            tally[reason.code] = tally.get(reason.code, 0) + 1
    return DeliveryLine(
        tenant=delivery.tenant.id,
        connector=delivery.source.connector.name,
        accounts=sorted({settled.account for settled in one.settled if settled.account}),
        events=events,
        dispositions=dispositions,
        reasons=reasons,
        shadow=shadow,
        foreign=delivery.foreign,
        damaged=delivery.replaced_characters,
        policy=delivery.tenant.policy_digest,
        sequence=one.sequence,
        head=one.head,
        batch=one.batch,
        size=delivery.size,
        queued_us=one.queued,
        commit_us=one.commit,
        total_us=now - delivery.received_at,
    )


def _decision_line(one: Committed, settled: Settled) -> DecisionLine:
    delivery = one.delivery
    return DecisionLine(
        tenant=delivery.tenant.id,
        connector=delivery.source.connector.name,
        account=settled.account,
        event=settled.event,
        disposition=settled.disposition,
        reasons=settled.reasons,
        ref=settled.ref,
        person=settled.person,
        shape=settled.shape,
        policy=delivery.tenant.policy_digest,
        sequence=one.sequence,
    )
