"""What each standing job does, on both engines: checkpoints, deadlines, a change of the terms."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from prometheus_client import generate_latest
from pydantic import SecretStr

from tests.collected import Collected
from tests.databases import Databases
from tests.flows.harness import NOW, Replica, message, tenant
from worker.audit.seals import is_genuine
from worker.audit.signing import SigningKey
from worker.jobs.deadlines import show_due, tell_due
from worker.jobs.sealing import seal_all
from worker.jobs.terms import CURSOR, InForce, note_terms
from worker.log.lines import DeadlineLine, FaultLine, Level, TermsLine
from worker.metrics import Metrics
from worker.rights.deadlines import DAY, Deadlines
from worker.runtime import Runtime
from worker.settings import Settings
from worker.store import cursors, rights, seals
from worker.store.cursors import SHARED
from worker.store.rights import Kept
from worker.tenants.loading import Tenants, Version

DEADLINES = Deadlines()
SECOND = 1_000_000


@pytest.fixture
def replica(databases: Databases) -> Iterator[Replica]:
    opened = Replica(databases)
    yield opened
    opened.close()


def going_on() -> bool:
    return False


def test_chains_that_grew_are_sealed_and_the_others_are_not(replica: Replica, tmp_path: Path) -> None:
    """Every tenant's; a second run finds nothing; one that has to stop leaves the rest for the next."""
    key = SigningKey.generate(tmp_path / "signing.key")
    for name in ("acme", "bolt"):
        replica.tell(tenant(name), message(f"wamid.{name}"))

    def sealed() -> list[int]:
        with replica.store.reading() as tx:
            return [len(seals.all_seals(tx, name)) for name in ("acme", "bolt")]

    assert seal_all(replica.store, key, replica.clock, lambda: True)
    assert sealed() == [0, 0]
    assert seal_all(replica.store, key, replica.clock, going_on)
    assert sealed() == [1, 1]
    assert not seal_all(replica.store, key, replica.clock, going_on)
    replica.tell(tenant("bolt"), message("wamid.next"))
    assert seal_all(replica.store, key, replica.clock, going_on)
    assert sealed() == [1, 2]
    with replica.store.reading() as tx:
        (first, second) = seals.all_seals(tx, "bolt")
    assert is_genuine(first, "bolt", key.public)
    assert is_genuine(second, "bolt", key.public)
    assert first.sequence < second.sequence


def requests(replica: Replica, *ages: tuple[str, int]) -> None:
    """One request of a tenant for each: received so many days ago, due a month after."""
    with replica.store.transaction() as tx:
        for number, (name, days) in enumerate(ages):
            received = NOW - days * DAY
            kept = Kept(
                id=bytes([number]) * 16,
                kind="GDPR_EXPORT",
                status="IN_PROGRESS",
                source="person",
                step="search",
                received_at=received,
                due_at=received + 30 * DAY,
                sealed=b"x",
            )
            rights.add(tx, name, kept)


def test_what_is_due_soon_is_a_warning_and_what_is_overdue_an_error(replica: Replica) -> None:
    """One line for each request, with what is left of its time; fresh ones are left in peace."""
    log = Collected()
    assert not tell_due(replica.store, DEADLINES, log, NOW)
    requests(replica, ("acme", 1), ("acme", 24), ("bolt", 31))
    assert tell_due(replica.store, DEADLINES, log, NOW)
    soon, late = log.of(DeadlineLine)
    assert (soon.level, soon.tenant, soon.urgency) == (Level.WARNING, "acme", "due_soon")
    assert soon.seconds == 6 * DAY // SECOND
    assert (late.level, late.tenant, late.urgency) == (Level.ERROR, "bolt", "overdue")
    assert late.seconds == -DAY // SECOND
    assert late.request == (b"\2" * 16).hex()


def test_every_worker_shows_what_is_due(replica: Replica) -> None:
    """A zero where nothing is; and a zero again when it is done, whoever did it."""
    metrics = Metrics("1")
    known = Tenants(versions={name: Version(tenant=tenant(name)) for name in ("acme", "calm")})
    requests(replica, ("acme", 24), ("acme", 25), ("acme", 40))

    def shown() -> list[str]:
        show_due(replica.store, DEADLINES, metrics, known, NOW)
        page = generate_latest(metrics.registry).decode().splitlines()
        return sorted(line for line in page if line.startswith("sluicegate_rights_due{"))

    def rows(soon: int, overdue: int) -> list[str]:
        return [
            f'sluicegate_rights_due{{tenant="acme",urgency="due_soon"}} {soon}.0',
            f'sluicegate_rights_due{{tenant="acme",urgency="overdue"}} {overdue}.0',
            'sluicegate_rights_due{tenant="calm",urgency="due_soon"} 0.0',
            'sluicegate_rights_due{tenant="calm",urgency="overdue"} 0.0',
        ]

    assert shown() == rows(2, 1)
    with replica.store.transaction() as tx:
        for number in range(3):
            rights.move(tx, "acme", bytes([number]) * 16, "search", status="COMPLETED")
    assert shown() == rows(0, 0)


def test_other_terms_are_told_once_with_what_was_before(replica: Replica) -> None:
    """The first register quietly, every other one as a warning, on whichever worker."""
    log = Collected()
    assert note_terms(replica.store, log, NOW)
    assert not note_terms(replica.store, log, NOW)
    (first,) = log.of(TermsLine)
    assert (first.level, first.before_digest, first.before_rule_pack) == (Level.INFO, "", "")
    with replica.store.transaction() as tx:
        older = msgspec.msgpack.encode(InForce("0" * 16, "2025-01.1"))
        cursors.move(tx, SHARED, CURSOR, older, NOW)
    assert note_terms(replica.store, log, NOW + 1)
    assert not note_terms(replica.store, log, NOW + 2)
    changed = log.of(TermsLine)[-1]
    assert changed.level is Level.WARNING
    assert (changed.before_digest, changed.before_rule_pack) == ("0" * 16, "2025-01.1")
    assert (changed.digest, changed.rule_pack) == (first.digest, first.rule_pack)


JOBS = {
    "checkpoints",
    "deadlines",
    "exclusions",
    "forget",
    "freshness",
    "holds",
    "productions",
    "reconciliation",
    "reload",
    "retention",
    "rights",
    "self_audit",
    "terms",
    "watch",
}
ALONE = {"forget", "productions", "reload", "watch"}


def test_every_job_of_a_worker_runs(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On either engine, with a tenant; those that are not shared are about a process, or about its machine."""
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "acme.toml").write_text(
        'name = "Acme"\n[connectors.x]\naccounts = ["1"]\nsigning_secrets = ["env:SLUICEGATE_SECRET_X"]\n'
    )
    monkeypatch.setenv("SLUICEGATE_SECRET_X", "invented")
    (tmp_path / "master.key").write_bytes(base64.b64encode(bytes(range(32))))
    made = Settings(
        data_dir=tmp_path,
        database_url=SecretStr(databases.store_url),
        keyring_url=SecretStr(databases.keyring_url),
        webhook_listen_port=0,
        admin_listen_port=0,
    )
    log = Collected()
    runtime = Runtime(made, log)
    try:
        runtime.tenants.reload(forced=True)
        for job in runtime.schedule._jobs:
            runtime.schedule._look(job)
        jobs = runtime.status()["jobs"]
        assert log.of(FaultLine) == []
        assert set(jobs) == JOBS
        assert {name for name, told in jobs.items() if not told["shared"]} == ALONE
        assert {told["outcome"] for told in jobs.values()} == {"done", "nothing"}
        assert all(told["last_run"] for told in jobs.values())
        assert len({told["by"] for told in jobs.values()}) == 1
        assert runtime.status()["state"] == "green"
    finally:
        runtime.schedule.stop()
        runtime.close()


def test_every_job_is_documented() -> None:
    """In the table of docs/operations.md, and no other."""
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text.partition("| job | how often | what |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == JOBS
