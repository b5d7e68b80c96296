"""The table of jobs: what runs when, and what each needs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from policies.message import Private
from worker.holds.jobs import hold_jobs
from worker.jobs import Job, Stop, reconciling
from worker.jobs.deadlines import show_due, tell_due
from worker.jobs.freshness import share_handshakes, tell_stale
from worker.jobs.sealing import seal_all
from worker.jobs.terms import note_terms
from worker.ledger import Clock
from worker.log.lines import Place
from worker.log.writer import Log
from worker.metrics import Metrics
from worker.observe import Observer
from worker.opening import Opened
from worker.reconcile.run import Tools
from worker.retention.run import run_due
from worker.retention.telling import telling
from worker.rights.attending import attend
from worker.rights.desk import Desk
from worker.rights.excluding import erase_excluded
from worker.rights.opening import tools_of
from worker.rights.steps import Tools as RightsTools
from worker.selfaudit import standing
from worker.selfaudit.audit import SelfAudit
from worker.settings import Settings
from worker.sms.forgetting import FORGETTING_SECONDS, forget
from worker.tenants.loading import Tenants

RELOAD: Final = "reload"

_QUARTER: Final = 15.0
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


class Means(Private, frozen=True, kw_only=True):
    """What jobs work with. ``reload`` looks at tenant files; ``tenants`` are those in force; ``asking`` is what platforms are asked with."""

    opened: Opened
    settings: Settings
    log: Log
    metrics: Metrics
    observer: Observer
    clock: Clock
    reload: Callable[[], bool]
    tenants: Callable[[], Tenants]
    asking: Tools


def standing_jobs(means: Means) -> tuple[Job, ...]:
    """Every job of a process."""
    opened, settings, clock = means.opened, means.settings, means.clock
    store, log = opened.store, means.log
    tools = tools_of(opened, settings, clock)
    seal = partial(seal_all, store, opened.signing, clock)
    audits = (
        (_shared(standing.JOB, settings.self_audit_seconds, partial(_audit, means)),)
        if settings.self_audit_seconds
        else ()
    )
    return (
        Job(name=RELOAD, seconds=settings.reload_seconds, run=lambda _: means.reload()),
        Job(name="forget", seconds=FORGETTING_SECONDS, run=lambda _: forget(store, means.tenants(), clock())),
        Job(name="watch", seconds=_MINUTE, run=lambda _: _watch(means, tools)),
        _shared("checkpoints", settings.seal_seconds, seal),
        _shared("terms", _HOUR, lambda _: note_terms(store, log, clock())),
        _shared("deadlines", _HOUR, lambda _: tell_due(store, tools.deadlines, log, clock())),
        _shared("rights", _MINUTE, lambda _: _attend(means, tools)),
        _shared("exclusions", _QUARTER, lambda _: bool(erase_excluded(Desk(tools), tools))),
        _shared("retention", _HOUR, partial(_retain, means)),
        _shared("freshness", _HOUR, lambda _: tell_stale(store, log, means.tenants(), clock())),
        _shared("reconciliation", settings.reconcile_seconds, partial(_reconcile, means)),
        *hold_jobs(opened, clock, means.tenants),
        *audits,
    )


def _shared(name: str, seconds: float, run: Callable[[Stop], bool]) -> Job:
    return Job(name=name, seconds=seconds, run=run, shared=True)


def _attend(means: Means, tools: RightsTools) -> bool:
    """Go on with persons' requests, and make requests of what Meta asks for; its status pages follow."""
    attended = attend(Desk(tools), tools)
    for one in attended.resumed:
        if one.error is not None:
            means.observer.fault(Place.JOB, one.error)
    return bool(attended.resumed)


def _retain(means: Means, stop: Stop) -> bool:
    opened = means.opened
    return run_due(
        opened.store,
        opened.keyring,
        means.tenants().serving,
        means.clock,
        signing=opened.signing,
        tell=telling(means.log, means.metrics),
        stop=stop,
    )


def _reconcile(means: Means, stop: Stop) -> bool:
    telling_ = reconciling.Telling(log=means.log, metrics=means.metrics, observer=means.observer)
    return reconciling.reconcile_all(means.asking, telling_, means.tenants().serving, stop)


def _audit(means: Means, stop: Stop) -> bool:
    store, keyring = means.opened.store, means.opened.keyring
    fault = partial(means.observer.fault, Place.JOB)
    audit = SelfAudit(store, keyring, means.log, means.clock, fault)
    return standing.audit_tenants(store, audit, means.log, means.clock, means.tenants(), stop)


def _watch(means: Means, tools: RightsTools) -> bool:
    """What every worker shows, whichever of them ran the jobs. Nothing is said of it."""
    store, tenants = means.opened.store, means.tenants()
    show_due(store, tools.deadlines, means.metrics, tenants, means.clock())
    standing.show_survivors(store, means.metrics, tenants)
    share_handshakes(store, means.observer, tenants, means.clock())
    reconciling.show_tokens(means.asking, means.metrics, tenants.serving)
    return False
