"""`sluicegate retention` and `sluicegate tenants offboard`: what they say, what they refuse, what they change."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from tests.databases import Databases
from tests.flows.harness import ACCOUNTS, Replica, message, tenant
from worker.cli import app
from worker.errors import ConfigurationError, SluicegateError
from worker.runtime import wall_clock
from worker.settings import PREFIX

DAY: Final = 86_400 * 1_000_000
FILE: Final = f"""
name = "Acme"
[agreement]
ends = 2030-12-31
zone = "Europe/Berlin"
[retention.any]
text = {{ ceiling = "30 days" }}
[connectors.whatsapp]
accounts = ["{ACCOUNTS["whatsapp"]}"]
signing_secrets = ["file:app"]
verify_tokens = ["file:verify"]
"""
WHO: Final = ("--by", "Ola Officer", "--why", "the monthly round")


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A migrated store with one tenant in service, below a directory of the test's own."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SLUICEGATE_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["migrate"]).exit_code == 0
    for folder in ("tenants", "secrets/acme"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / "tenants" / "acme.toml").write_text(FILE)
    for secret in ("app", "verify"):
        file = tmp_path / "secrets" / "acme" / secret
        file.write_text("invented")
        file.chmod(0o600)
    return tmp_path


@pytest.fixture
def old(data: Path) -> None:
    """A message of forty days ago, and one of today."""
    from worker.crypto import MasterKey  # noqa: PLC0415 - the key that migrating made

    master = MasterKey.load(data / "master.key")
    now = wall_clock()
    for name, at in (("old", now - 40 * DAY), ("new", now)):
        replica = Replica(Databases.below(data), clock=lambda at=at: at, master=master)  # type: ignore[misc]
        replica.tell(tenant("acme"), message(name, name))
        replica.close()


def run(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def shown(*words: str) -> Any:
    result = run("retention", "show", "--json", *words)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def refused(*words: str) -> str:
    error = run(*words).exception
    assert isinstance(error, SluicegateError)
    assert isinstance(error, ConfigurationError)
    assert error.exit_code == 2
    return str(error)


@pytest.mark.usefixtures("old")
def test_what_is_kept_is_shown_and_what_is_due_goes() -> None:
    """Counted first, then done, with an act on the record; then nothing is due."""
    (one,) = shown()
    assert (one["tenant"], one["attended"], one["kept_until"]) == ("acme", True, "2031-12-31T23:00:00Z")
    (kept,) = one["contents"]
    assert (kept["channel"], kept["content"], kept["count"], kept["ceiling"]) == (
        "whatsapp",
        "text",
        2,
        "30 days",
    )
    text = run("retention", "show").stdout
    assert "whatsapp text: 2, at most 30 days" in text
    dry = run("retention", "run", "--dry-run")
    assert "acme: 1 contents would go" in dry.stdout
    assert shown() == [one]
    done = run("retention", "run", *WHO)
    assert (done.exit_code, "acme: 1 contents gone" in done.stdout) == (0, True)
    (after,) = shown()
    assert after["contents"][0]["count"] == 1
    assert after["records"]["tombstones"] == 1
    assert "acme: 0 contents gone" in run("retention", "run", *WHO).stdout
    assert run("audit", "acts", "--tenant", "acme").stdout.count("by Ola Officer: the monthly round") == 2
    assert run("audit", "verify").exit_code == 0


@pytest.mark.usefixtures("old")
def test_a_receipt_is_handed_out_as_it_was_signed(data: Path) -> None:
    assert run("retention", "run", *WHO).exit_code == 0
    (listed,) = run("receipt", "list", "--tenant", "acme").stdout.splitlines()
    id_, *_ = listed.split()
    (data / "receipt.json").write_text(run("receipt", "show", id_, "--tenant", "acme").stdout)
    (data / "public.pem").write_text(run("audit", "key").stdout)
    checked = run("receipt", "verify", "receipt.json", "--key", "public.pem")
    assert (checked.exit_code, checked.stdout.startswith("genuine: ")) == (0, True)
    for unknown in ("00" * 16, "no id"):
        assert "has no receipt of this id" in refused("receipt", "show", unknown, "--tenant", "acme")


@pytest.mark.usefixtures("old")
def test_who_and_why_are_asked_for_and_tenants_are_known() -> None:
    before = shown()
    assert "--by and --why" in refused("retention", "run")
    assert "--by and --why" in refused("retention", "run", "--by", "Ola", "--why", " ")
    assert "--by and --why" in refused("tenants", "offboard", "acme", "--agreement-ends", "2026-01-01")
    for command in (("retention", "show"), ("retention", "run", *WHO)):
        assert "there is no tenant nobody" in refused(*command, "--tenant", "nobody")
    assert "no such tenant" in refused(
        "tenants", "offboard", "nobody", "--agreement-ends", "2026-01-01", *WHO
    )
    assert "expected a day" in refused("tenants", "offboard", "acme", "--agreement-ends", "soon", *WHO)
    assert shown() == before


@pytest.mark.usefixtures("old")
def test_a_tenant_is_offboarded_and_its_report_is_checked_offline(data: Path) -> None:
    """The file's zone counts; after that its file may go; again is an error."""
    offboard = ("tenants", "offboard", "acme", "--agreement-ends", "2026-01-31")
    dry = run(*offboard, "--dry-run")
    assert (dry.exit_code, "2 contents would go" in dry.stdout, "2026-01-31T23:00:00Z" in dry.stdout) == (
        0,
        True,
        True,
    )
    assert shown()[0]["contents"][0]["count"] == 2
    done = run(*offboard, *WHO)
    assert done.exit_code == 0
    assert "remove acme.toml" in done.stdout
    (data / "public.pem").write_text(run("audit", "key").stdout)
    checked = run("receipt", "verify", "acme-offboarding.json", "--key", "public.pem")
    assert checked.stdout.startswith("genuine: offboarding of acme")
    assert "2 messages, 1 conversations, 1 keys destroyed" in checked.stdout
    assert "was offboarded" in refused(*offboard, *WHO)
    (data / "tenants" / "acme.toml").unlink()
    (one,) = shown()
    assert (one["step"], one["contents"], one["attended"]) == ("reported", [], True)
    assert "offboarding: reported" in run("retention", "show").stdout
    assert "was offboarded" in refused(*offboard, *WHO)
    assert run("audit", "verify").exit_code == 0


@pytest.mark.usefixtures("old")
def test_a_tenant_without_a_file_is_shown_and_keeps_everything(data: Path) -> None:
    (data / "tenants" / "acme.toml").unlink()
    assert "nothing goes" in run("retention", "show").stdout
    assert run("retention", "run", *WHO).exit_code == 0
    assert shown()[0]["contents"][0]["count"] == 2
