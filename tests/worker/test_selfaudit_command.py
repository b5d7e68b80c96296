"""``sluicegate selfaudit``, and what a running worker shows: red while something survives, green again after."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from tests.collected import Collected
from tests.databases import Databases
from worker import govern
from worker.commands.selfaudit import selfaudit
from worker.errors import ConfigurationError, Failed, Unavailable
from worker.jobs.turns import Turns
from worker.log.lines import JobLine, SelfAuditLine
from worker.opening import open_all
from worker.runtime import Runtime
from worker.selfaudit.audit import SelfAudit
from worker.settings import load_settings

TENANT = """
name = "A"
[connectors.whatsapp]
accounts = ["{account}"]
signing_secrets = ["env:SLUICEGATE_SECRET_APP"]
verify_tokens = ["env:SLUICEGATE_SECRET_APP"]
"""

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(selfaudit)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, databases: Databases) -> Path:
    """Two tenants, neither of which has Instagram: the rules are the same for all."""
    monkeypatch.setenv("SLUICEGATE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SLUICEGATE_DATABASE_URL", databases.store_url)
    monkeypatch.setenv("SLUICEGATE_KEYRING_URL", databases.keyring_url)
    monkeypatch.setenv("SLUICEGATE_SECRET_APP", "invented")
    monkeypatch.setenv("SLUICEGATE_WEBHOOK_LISTEN_PORT", "0")
    monkeypatch.setenv("SLUICEGATE_ADMIN_LISTEN_PORT", "0")
    (tmp_path / "master.key").write_bytes(base64.b64encode(bytes(range(32))))
    (tmp_path / "tenants").mkdir()
    for number, name in enumerate(("acme", "bolt")):
        (tmp_path / "tenants" / f"{name}.toml").write_text(TENANT.format(account=number))
    return tmp_path


def run(*arguments: str) -> Result:
    """Run the command; what it raises is raised here."""
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_it_says_that_nothing_is_left() -> None:
    """For every tenant, or for one; as sentences or as JSON."""
    done = run()
    assert done.exit_code == 0
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["acme", "bolt"]
    assert done.stdout.count("nothing is left") == 2
    told: dict[str, Any] = json.loads(run("--tenant", "bolt", "--json").stdout)
    assert list(told) == ["bolt"]
    assert told["bolt"]["survivors"] == []


def test_it_names_what_was_found_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """What, and where; never the value."""
    monkeypatch.setattr(govern, "NEVER_RECORD", ())
    done = run("--tenant", "acme")
    assert done.exit_code == 1
    assert done.stdout == ("acme: found what must not be: government_id:transcript, story_url:transcript\n")


def test_an_audit_that_proves_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not say that nothing was found."""
    monkeypatch.setattr(SelfAudit, "_check_control", lambda *_: 1 / 0)
    with pytest.raises(Failed, match="nothing was proven of 2: ZeroDivisionError"):
        run()


def test_it_waits_for_nobody_and_disturbs_nobody() -> None:
    """Two audits of one tenant at once would take each other's story away."""
    with closing(open_all(load_settings(), migrate=False)) as opened:
        turn = Turns(opened.store).take("self_audit", 0)
        assert turn is not None
        with pytest.raises(Unavailable, match="try again"):
            run()
        turn.give_up()
    assert run().exit_code == 0


def test_an_unknown_tenant_is_told() -> None:
    """With what to do about it."""
    with pytest.raises(ConfigurationError, match="no tenant nobody"):
        run("--tenant", "nobody")


def test_a_worker_turns_red_and_green_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own schedule: broken rules show in the status, the log and the metrics, and mended ones too."""
    monkeypatch.setenv("SLUICEGATE_SELF_AUDIT_SECONDS", "0.2")
    log = Collected()
    runtime = Runtime(load_settings(), log)
    try:
        runtime.tenants.reload(forced=True)
        runtime.schedule.start()

        def says(state: str, alarms: list[str]) -> Callable[[], bool]:
            def is_so() -> bool:
                status = runtime.status()
                ran = status["jobs"]["self_audit"]["outcome"]
                return ran is not None and (status["state"], status["alarms"]) == (state, alarms)

            return is_so

        _until(says("green", []))
        with monkeypatch.context() as broken:
            broken.setattr(govern, "NEVER_RECORD", ())
            _until(says("red", ["self_audit"]))
        assert b'sluicegate_job_alarm{job="self_audit"} 1.0' in runtime.metrics.page()
        _until(says("green", []))
        assert b'sluicegate_job_alarm{job="self_audit"} 0.0' in runtime.metrics.page()
        assert {line.tenant for line in log.of(SelfAuditLine) if line.survivors} == {"acme", "bolt"}
        assert "alarm" in {line.outcome for line in log.of(JobLine)}
    finally:
        runtime.schedule.stop()
        runtime.close()


def _until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
