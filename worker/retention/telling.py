"""One run of retention in the log and the metrics."""

from __future__ import annotations

from typing import Final

from worker.log.lines import Level, RetentionLine
from worker.log.writer import Log
from worker.metrics import Metrics
from worker.retention.run import Tell, Tended

_COUNTED: Final = ("contents", "restricted", "persons", "keys", "records", "leftovers")


def telling(log: Log, metrics: Metrics) -> Tell:
    """Tells what each run did; of a tenant with whom there was nothing to do, nothing."""

    def tell(one: Tended) -> None:
        metrics.retention_held.set(one.held, one.tenant)
        if one.changed:
            metrics.retention.add_all({(one.tenant, what): getattr(one, what) for what in _COUNTED})
            log.emit(_line(one))

    return tell


def _line(one: Tended) -> RetentionLine:
    return RetentionLine(
        level=Level.INFO,
        tenant=one.tenant,
        contents=one.contents,
        restricted=one.restricted,
        held=one.held,
        persons=one.persons,
        keys=one.keys,
        records=one.records,
        leftovers=one.leftovers,
        step=one.step,
        sequence=one.sequence,
        head=one.head,
        duration_us=one.duration_us,
    )
