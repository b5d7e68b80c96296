"""What happened to texts on their way out, told once to the log and once to the metrics."""

from __future__ import annotations

from collections.abc import Mapping

from policies.event import Failure
from policies.message import Private
from policies.verdict import Reason
from worker.log.lines import Level, Place, SenderLine, SendLine
from worker.log.writer import Log
from worker.metrics import Metrics
from worker.observe import Observer
from worker.sms.recording import Recorded
from worker.sms.senders import Switch
from worker.store.outbox import Backlog, OutboxState, Outgoing

_SECOND = 1_000_000
REPORTED = "reported"
_LEVELS = {
    OutboxState.UNKNOWN: Level.WARNING,
    OutboxState.FAILED: Level.WARNING,
    OutboxState.UNRESOLVED: Level.ERROR,
}


class Told(Private, frozen=True, kw_only=True):
    """What became of a row. Durations in microseconds."""

    tenant: str
    row: Outgoing
    state: OutboxState
    failure: Failure | None = None
    code: int = 0
    alert: bool = False
    reasons: tuple[Reason, ...] = ()
    recorded: Recorded | None = None
    waited: int = 0
    call: int = 0
    record: int = 0


class Reports:
    """Takes reports from the threads that send. Nothing here ever raises into the work."""

    def __init__(self, log: Log, metrics: Metrics, observer: Observer) -> None:
        self._log = log
        self._metrics = metrics
        self._observer = observer

    def fault(self, error: BaseException) -> None:
        """Something unexpected was caught."""
        self._observer.fault(Place.SENDING, error)

    def told(self, told: Told) -> None:
        """Something became of a row."""
        row, word, failure = told.row, told.state.name.lower(), told.failure or ""
        self._metrics.sends.add(1, told.tenant, row.connector, word, failure)
        if told.call:
            self._metrics.send_seconds.observe_all([told.call / _SECOND])
        recorded = told.recorded
        if recorded is not None and recorded.head:
            self._observer.heads[told.tenant] = (recorded.sequence, recorded.head)
        self._log.emit(
            SendLine(
                level=Level.ERROR if told.alert else _LEVELS.get(told.state, Level.INFO),
                tenant=told.tenant,
                connector=row.connector,
                account=row.account,
                ref=row.key.hex(),
                state=word,
                failure=failure,
                code=told.code,
                attempt=row.attempts,
                reasons=told.reasons,
                sequence=recorded.sequence if recorded else 0,
                head=recorded.head if recorded else "",
                waited_us=told.waited,
                call_us=told.call,
                record_us=told.record,
            )
        )

    def heard(self, tenant: str, connector: str, account: str, failure: Failure, code: int) -> None:
        """A provider says of a text that it had taken, that it did not deliver it, for a reason somebody should know."""
        self._metrics.sends.add(1, tenant, connector, REPORTED, failure)
        self._log.emit(
            SendLine(
                level=Level.ERROR,
                tenant=tenant,
                connector=connector,
                account=account,
                ref="",
                state=REPORTED,
                failure=failure,
                code=code,
                attempt=0,
                reasons=(),
                sequence=0,
                head="",
                waited_us=0,
                call_us=0,
                record_us=0,
            )
        )

    def switched(self, switch: Switch, why: str, in_service: bool) -> None:  # noqa: FBT001 - senders.Told
        """A connector or sender went out of service, or works again."""
        tenant, connector, account = switch
        self._metrics.out_of_service.set(0 if in_service else 1, *switch)
        level = Level.INFO if in_service else Level.ERROR
        self._log.emit(
            SenderLine(
                level=level,
                tenant=tenant,
                connector=connector,
                account=account,
                in_service=in_service,
                why=why,
            )
        )

    def backlog(self, tenant: str, backlog: Mapping[OutboxState, Backlog], overdue: int) -> None:
        """What is not done. ``overdue`` in microseconds."""
        for state in (OutboxState.QUEUED, OutboxState.CALLING, OutboxState.UNKNOWN, OutboxState.UNRESOLVED):
            found = backlog.get(state)
            self._metrics.outbox.set(found.count if found else 0, tenant, state.name.lower())
        self._metrics.overdue.set(max(overdue, 0) / _SECOND, tenant)
