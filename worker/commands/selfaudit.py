"""``sluicegate selfaudit``: what must never be kept is sent through the worker's own code, and looked for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Annotated

import msgspec
import typer

from worker.errors import ConfigurationError, Failed, Unavailable
from worker.jobs.turns import Turns
from worker.log.faults import exception_types
from worker.log.writer import Log
from worker.opening import Opened, open_all
from worker.runtime import tenant_source, wall_clock
from worker.selfaudit.audit import Finding, SelfAudit
from worker.selfaudit.standing import JOB, keep_findings
from worker.settings import load_settings
from worker.tenants.loading import Tenant, load_all


def selfaudit(
    *,
    tenant: Annotated[str | None, typer.Option("--tenant", "-t", help="This tenant alone.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of sentences.")] = False,
) -> None:
    """Send a story mention, an unsend and a government id through the rules, as each tenant's shadow, and search for them.

    What is found makes the status of every worker red until an audit finds nothing. Exit code 1 when something is found.
    """
    settings = load_settings()
    tenants = load_all(tenant_source(settings))
    wanted = [one for one in tenants.serving if tenant in (None, one.id)]
    if tenant is not None and not wanted:
        raise ConfigurationError(f"no tenant {tenant} is in service: see `sluicegate tenants check`")
    with closing(open_all(settings, migrate=False)) as opened:
        findings, errors = _audit(opened, wanted)
    if json:
        typer.echo(msgspec.json.encode({id_: _told(one) for id_, one in findings.items()}))
    else:
        for id_, finding in findings.items():
            typer.echo(f"{id_}: {_sentence(finding)}")
    if errors:
        raise Failed(f"nothing was proven of {len(wanted) - len(findings)}: {', '.join(errors)}")
    raise typer.Exit(int(any(finding.survivors for finding in findings.values())))


def _audit(opened: Opened, tenants: Sequence[Tenant]) -> tuple[Mapping[str, Finding], list[str]]:
    errors: list[str] = []
    turn = Turns(opened.store).take(JOB, 0)
    if turn is None:
        raise Unavailable("a worker is at its self-audit: try again in a moment")
    log = Log(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), wall_clock)
    audit = SelfAudit(
        opened.store, opened.keyring, log, wall_clock, lambda error: errors.append(exception_types(error))
    )
    try:
        with turn:
            findings = audit.run(tenants)
            keep_findings(opened.store, findings, wall_clock)
    finally:
        turn.give_up()
    return findings, sorted(set(errors))


def _told(finding: Finding) -> Mapping[str, object]:
    return {"survivors": finding.survivors, "searched": finding.searched, "left_out": finding.left_out}


def _sentence(finding: Finding) -> str:
    if finding.survivors:
        return f"found what must not be: {', '.join(finding.survivors)}"
    rest = f"; {finding.left_out} bytes of older files were left out" if finding.left_out else ""
    return f"nothing is left of what must not be kept ({finding.searched} bytes of files searched{rest})"
