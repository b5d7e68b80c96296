"""`sluicegate doctor`: each thing that can be wrong is found, and the sentence says what to do."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import time_machine
from typer.testing import CliRunner

from tests.databases import Databases, Provisioner
from worker import doctor
from worker.chain import DecisionRecord
from worker.cli import app
from worker.doctor import CHECKS, Health, examine
from worker.runtime import tenant_source
from worker.settings import PREFIX, Settings, load_settings
from worker.store.decisions import append

TENANT = """
name = "Acme"
[connectors.instagram]
accounts = ["1"]
signing_secrets = ["file:app"]
verify_tokens = ["file:app"]
"""


class House:
    """A worker's files, all of them fine."""

    def __init__(self, directory: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.databases = databases
        self.key = directory / "master.key"
        self.key.write_bytes(base64.b64encode(bytes(range(32))))
        self.secret = directory / "secrets" / "acme" / "app"
        self.secret.parent.mkdir(parents=True)
        self.secret.write_text("hush")
        for private in (self.key, self.secret):
            private.chmod(0o600)
        directory.chmod(0o700)
        self.tenant = directory / "tenants" / "acme.toml"
        self.tenant.parent.mkdir()
        self.tenant.write_text(TENANT)
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            monkeypatch.delenv(name)
        for name, value in {
            "DATA_DIR": str(directory),
            "DATABASE_URL": databases.store_url,
            "KEYRING_URL": databases.keyring_url,
            "PUBLIC_URL": "https://hooks.example.org",
            "JOURNAL_FILE": str(directory.with_suffix(".journal")),
        }.items():
            monkeypatch.setenv(PREFIX + name, value)

    def findings(self, **changed: Any) -> Mapping[str, list[tuple[Health, str]]]:
        settings = load_settings().model_copy(update=changed)
        found: dict[str, list[tuple[Health, str]]] = {name: [] for name in CHECKS}
        for finding in examine(settings, tenant_source(settings)):
            found[finding.check].append((finding.health, finding.told))
        return found

    def unwell(self, **changed: Any) -> dict[str, tuple[Health, str]]:
        """By check, the last finding that is not fine."""
        every = self.findings(**changed)
        return {name: one for name, some in every.items() for one in some if one[0] is not Health.FINE}


@pytest.fixture
def house(tmp_path: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> House:
    """On SQLite and on PostgreSQL."""
    return House(tmp_path, databases, monkeypatch)


@pytest.fixture
def small(tmp_path: Path, sqlite: Databases, monkeypatch: pytest.MonkeyPatch) -> House:
    """On SQLite alone."""
    return House(tmp_path, sqlite, monkeypatch)


def test_a_house_in_order_has_nothing_to_say(house: House) -> None:
    """Every check was made and is fine; nothing was changed by looking."""
    findings = house.findings()
    assert house.unwell() == {}
    assert all(findings[name] for name in CHECKS)


def _no_key(house: House) -> None:
    house.key.unlink()


def _open_key(house: House) -> None:
    house.key.chmod(0o644)


def _bad_key(house: House) -> None:
    house.key.write_bytes(b"hush")


def _open_directory(house: House) -> None:
    house.directory.chmod(0o755)


def _open_secret(house: House) -> None:
    house.secret.chmod(0o640)


def _no_secret(house: House) -> None:
    house.secret.unlink()


def _no_tenants(house: House) -> None:
    house.tenant.unlink()


def _no_tenants_directory(house: House) -> None:
    house.tenant.unlink()
    house.tenant.parent.rmdir()


def _bad_tenant(house: House) -> None:
    house.tenant.write_text("nom = 1")


def _another_key(house: House) -> None:
    house.key.write_bytes(base64.b64encode(bytes(32)))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_no_key, {"master key": "only for a new store", "keyring": "without the master key"}),
        (_open_key, {"master key": "chmod 600"}),
        (_bad_key, {"master key": "", "keyring": "without the master key"}),
        (_another_key, {"keyring": "give the right key file"}),
        (_open_directory, {"data directory": "chmod 700"}),
        (_open_secret, {"secrets": "chmod 600"}),
        (_no_secret, {"tenants": "verify_tokens[0] (file:app)"}),
        (_no_tenants, {"tenants": "`sluicegate tenants new` begins one"}),
        (_no_tenants_directory, {"tenants": "`sluicegate tenants new` begins the first one"}),
        (_bad_tenant, {"tenants": "acme.toml"}),
    ],
)
def test_what_is_wrong_with_files_is_found(
    change: Callable[[House], None], expected: dict[str, str], small: House
) -> None:
    """By the check that looks at it, with what to do, and no other check complains."""
    change(small)
    unwell = small.unwell()
    assert set(unwell) == set(expected)
    assert all(words in unwell[name][1] for name, words in expected.items())
    assert "hush" not in str(small.findings())


@pytest.mark.parametrize(
    ("changed", "check", "words"),
    [
        ({"public_url": None}, "public address", "nobody outside can open"),
        ({"public_url": "http://hooks.example.org"}, "public address", "not https"),
        ({"data_dir": Path("/proc/none")}, "data directory", "cannot be made"),
        ({"journal_file": None}, "journal", "brings back what was deleted"),
        ({"journal_file": Path("/proc/none/journal")}, "journal", "nothing can be deleted"),
    ],
)
def test_what_is_wrong_with_settings_is_found(
    changed: dict[str, Any], check: str, words: str, small: House
) -> None:
    """Each by its check."""
    assert words in small.unwell(**changed)[check][1]


def test_a_journal_beside_the_databases_or_damaged_is_found(small: House) -> None:
    """It would be lost with them; or nothing could be deleted any more."""
    journal = small.directory / "journal"
    assert "belongs on another disk" in small.unwell(journal_file=journal)["journal"][1]
    journal.write_bytes(b"what is this\n")
    assert small.unwell(journal_file=journal)["journal"] == (
        Health.WRONG,
        "the end of the journal is damaged: move the file away and keep it",
    )


def test_a_signature_over_an_address_that_nobody_configured_is_found(small: House) -> None:
    """Every delivery would be refused."""
    small.tenant.write_text(
        TENANT + '[connectors.sms-twilio]\naccounts = ["2"]\nsigning_secrets = ["file:app"]\n'
    )
    assert small.unwell() == {}
    told = small.findings(public_url=None)["public address"]
    assert any(health is Health.WRONG and "sms-twilio signs the address" in words for health, words in told)


def test_a_database_without_schema_is_found_and_not_made(
    tmp_path: Path, provisioner: Provisioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking for a database file does not create one."""
    databases = provisioner.empty("sqlite")
    house = House(tmp_path, databases, monkeypatch)
    unwell = house.unwell()
    assert "run `sluicegate migrate`" in unwell["store"][1]
    assert "run `sluicegate migrate`" in unwell["keyring"][1]
    assert not Path(databases.store_url.removeprefix("sqlite:///")).exists()


def test_a_database_that_is_down_is_found_without_its_address(
    small: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address may hold a password."""
    monkeypatch.setenv("SLUICEGATE_DATABASE_URL", "postgresql+psycopg://u:hush@127.0.0.1:9/x")
    findings = small.findings()
    assert findings["store"] == [(Health.WRONG, "the store database does not answer")]
    assert "hush" not in str(findings)


def test_a_clock_that_is_wrong_is_found(house: House) -> None:
    """Against the disk's and the database's; SQLite has this machine's clock and agrees with it."""
    with time_machine.travel("2031-01-01", tick=True):
        unwell = house.unwell()
    assert unwell["clock"][0] is Health.WRONG
    assert "ahead of" in unwell["clock"][1]


def test_a_clock_that_was_set_back_is_found(small: House) -> None:
    """What was committed last cannot be in the future."""
    with small.databases.opened() as (store, _keyring), store.transaction() as tx:
        record = DecisionRecord(
            connector="x", account="1", event="message", disposition="stored", policy="p", subject=b""
        )
        append(tx, "acme", 4_000_000_000_000_000, [record])
    assert "was its clock set back?" in small.unwell()["clock"][1]


class Usage(NamedTuple):
    """What the disk says."""

    total: int
    used: int
    free: int


@pytest.mark.parametrize(("free", "health"), [(50, Health.FINE), (8, Health.WARNING), (1, Health.WRONG)])
def test_a_disk_that_fills_is_found(
    free: int, health: Health, small: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First somebody should look, then it is nearly full."""
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage(100, 100 - free, free))
    assert small.findings()["disk"][0][0] is health


def test_a_check_that_fails_is_a_finding(small: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are made all the same, and its text is not repeated."""

    def fail(_settings: Settings, _source: object) -> Any:
        raise RuntimeError("canary-9")

    monkeypatch.setitem(doctor.CHECKS, "disk", fail)
    findings = small.findings()
    assert findings["disk"] == [(Health.WRONG, "could not be checked: RuntimeError")]
    assert findings["store"]


def test_the_command_shows_findings_and_exits_1_when_something_is_wrong(small: House) -> None:
    """Warnings alone are 0; JSON for programs; settings with their meaning, secrets as stars."""
    run = CliRunner().invoke
    assert run(app, ["doctor"]).exit_code == 0
    small.secret.chmod(0o644)
    assert run(app, ["doctor"]).exit_code == 0
    small.tenant.write_text("nom = 1")
    told = run(app, ["doctor", "--json"])
    assert told.exit_code == 1
    assert {finding["health"] for finding in json.loads(told.stdout)} == {"fine", "warning", "wrong"}
    settings = json.loads(run(app, ["doctor", "--settings", "--json"]).stdout)
    assert settings["SLUICEGATE_DATA_DIR"] == str(small.directory)
    assert settings["SLUICEGATE_DATABASE_URL"] == "**********"
    assert "SLUICEGATE_QUEUE_SIZE" in run(app, ["doctor", "--settings"]).stdout
