"""The job that asks platforms: every tenant that configured it, one after the other; lines and counts of what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connectors.x.compliance import JobType
from policies.message import Private
from worker.jobs import Stop
from worker.log.lines import FreshnessLine, Level, Place, ReconciliationLine
from worker.log.writer import Log
from worker.metrics import Metrics
from worker.observe import Observer
from worker.reconcile import instagram, tokens, x
from worker.reconcile.run import Case, Tally, Tools, cases
from worker.tenants.loading import Tenant

_PASSING = frozenset({"", "budget", "stopped"})
_SECOND = 1_000_000


class Telling(Private, frozen=True, kw_only=True):
    """Where it is told."""

    log: Log
    metrics: Metrics
    observer: Observer


def reconcile_all(tools: Tools, telling: Telling, tenants: Iterable[Tenant], stop: Stop) -> bool:
    """Ask every platform of every tenant; whether there was anything to ask. What fails for one does not keep the others."""
    told = False
    everybody = list(tenants)
    for name, asked in (("instagram", _instagram), ("x", _x)):
        for case in cases(iter(everybody), name):
            if stop():
                return told
            told |= _told(telling, case, asked(tools, telling, case, stop))
    return told


def show_tokens(tools: Tools, metrics: Metrics, tenants: Iterable[Tenant]) -> None:
    """When access tokens end, whichever worker asked; 0 for one that is worth nothing already."""
    metrics.token_expires.clear()
    for case in cases(iter(list(tenants)), "instagram"):
        expiry = tokens.last_told(tools, case)
        if expiry is not None and (expiry.ends_at or not expiry.valid):
            ends = (expiry.ends_at or 0) / _SECOND if expiry.valid else 0.0
            metrics.token_expires.set(ends, case.tenant.id, case.source.connector.name)


def _instagram(tools: Tools, telling: Telling, case: Case, stop: Stop) -> Iterator[Tally]:
    yield instagram.reconcile(tools, case, stop)
    tally, expiry = tokens.check(tools, case, stop)
    left = tokens.seconds_left(expiry, tools.clock()) if expiry else None
    if left is not None:
        telling.log.emit(
            FreshnessLine(
                level=Level.WARNING if left else Level.ERROR,
                tenant=case.tenant.id,
                connector=case.source.connector.name,
                what="access_token",
                seconds=left,
            )
        )
    yield tally


def _x(tools: Tools, _telling: Telling, case: Case, stop: Stop) -> Iterator[Tally]:
    for type_ in JobType:
        yield x.reconcile(tools, case, type_, stop)


def _told(telling: Telling, case: Case, tallies: Iterator[Tally]) -> bool:
    told = False
    try:
        for tally in tallies:
            if tally.is_telling:
                _tell(telling, case, tally)
                told = True
    except Exception as error:  # noqa: BLE001 - the other tenants are reconciled all the same
        telling.observer.fault(Place.JOB, error)
    return told


def _tell(telling: Telling, case: Case, tally: Tally) -> None:
    place = (case.tenant.id, case.source.connector.name, tally.about)
    telling.log.emit(
        ReconciliationLine(
            level=Level.INFO if tally.why in _PASSING else Level.WARNING,
            tenant=place[0],
            connector=place[1],
            about=tally.about,
            asked=tally.asked,
            gone=tally.gone,
            unsure=tally.unsure,
            calls=tally.calls,
            why=tally.why,
        )
    )
    counts = {"asked": tally.asked, "gone": tally.gone, "unsure": tally.unsure}
    telling.metrics.reconciled.add_all({(*place, result): count for result, count in counts.items()})
