"""Self-audits on a schedule: a survivor is told in the log, kept until a later audit finds none, and an alarm on every worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from worker.jobs import Alarm, Stop
from worker.ledger import Clock
from worker.log.lines import Level, SelfAuditLine
from worker.log.writer import Log
from worker.metrics import Metrics
from worker.selfaudit.audit import AuditFailed, Finding, SelfAudit
from worker.store import cursors
from worker.store.engine import Store
from worker.tenants.loading import Tenant, Tenants

JOB: Final = "self_audit"
CURSOR: Final = JOB

MOST_TENANTS: Final = 100
"""Of one run; the next one goes on with those that were audited longest ago."""

_decoder: Final = msgspec.msgpack.Decoder(Finding)


def audit_tenants(
    store: Store, audit: SelfAudit, log: Log, clock: Clock, tenants: Tenants, stop: Stop
) -> bool:
    """Audit tenants, and keep what was found. Raises Alarm while the last audit of any tenant found a survivor.

    Raises AuditFailed where nothing could be proven of somebody.
    """
    wanted = [] if stop() else _next(store, tenants)
    findings = audit.run(wanted)
    keep_findings(store, findings, clock)
    log.emit_all([_line(tenant, finding) for tenant, finding in findings.items()])
    if any(finding.survivors for finding in last_findings(store, tenants).values()):
        raise Alarm
    if len(findings) < len(wanted):
        raise AuditFailed
    return bool(findings)


def keep_findings(store: Store, findings: Mapping[str, Finding], clock: Clock) -> None:
    """So that every worker knows of them, until the next audit of each tenant."""
    with store.transaction() as tx:
        for tenant in sorted(findings):
            cursors.move(tx, tenant, CURSOR, msgspec.msgpack.encode(findings[tenant]), clock())


def show_survivors(store: Store, metrics: Metrics, tenants: Tenants) -> None:
    """What the last audit of each tenant found, whichever worker ran it."""
    metrics.survivors.clear()
    for tenant, finding in last_findings(store, tenants).items():
        metrics.survivors.set(len(finding.survivors), tenant)


def last_findings(store: Store, tenants: Tenants) -> dict[str, Finding]:
    """By tenant that is served and was audited."""
    with store.reading() as tx:
        known = dict(cursors.latest(tx, CURSOR))
    return {tenant: _decoder.decode(one.value) for tenant, one in known.items() if tenant in tenants.versions}


def _line(tenant: str, finding: Finding) -> SelfAuditLine:
    """What the log says of an audit."""
    return SelfAuditLine(
        level=Level.ERROR if finding.survivors else Level.INFO,
        tenant=tenant,
        survivors=list(finding.survivors),
        searched=finding.searched,
        left_out=finding.left_out,
    )


def _next(store: Store, tenants: Tenants) -> list[Tenant]:
    with store.reading() as tx:
        audited = {tenant: cursor.moved_at for tenant, cursor in cursors.latest(tx, CURSOR)}
    return sorted(tenants.serving, key=lambda tenant: audited.get(tenant.id, 0))[:MOST_TENANTS]
