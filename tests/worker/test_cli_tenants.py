"""`sluicegate tenants` and `sluicegate policy`: files are begun and never overwritten, secrets are never shown."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.registry import CONNECTORS
from policies.rules import GATES
from policies.verdict import ReasonCode
from worker.cli import app
from worker.errors import ConfigurationError, SluicegateError
from worker.settings import PREFIX
from worker.tenants.begin import begin_tenant, tenant_text, write_private
from worker.tenants.file import read_tenant


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything below a directory of the test's own."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SLUICEGATE_DATA_DIR", str(tmp_path))
    return tmp_path


def run(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def new(*more: str) -> Any:
    return run("tenants", "new", "acme", "--name", "Acme \u201cLtd\u201d", "--account", "whatsapp=111", *more)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_tenant_is_a_file_and_random_tokens_for_its_owner_alone(data: Path) -> None:
    """What is missing is the one thing that only the platform knows; the output says where to put it."""
    result = new("--account", "whatsapp=222", "--account", "x=333")
    assert result.exit_code == 0
    file, folder = data / "tenants" / "acme.toml", data / "secrets" / "acme"
    token = folder / "whatsapp_verify_token"
    assert [_mode(path) for path in (file, token, folder)] == [0o600, 0o600, 0o700]
    assert sorted(path.name for path in folder.iterdir()) == ["whatsapp_verify_token"]
    assert len(token.read_text().strip()) >= 32
    assert token.read_text().strip() not in result.stdout
    assert str(folder / "whatsapp_app_secret") in result.stdout
    assert str(folder / "x_consumer_secret") in result.stdout
    entry, problems = read_tenant("acme.toml", file.read_bytes(), CONNECTORS)
    assert problems == []
    assert entry is not None
    assert entry.name == "Acme \u201cLtd\u201d"
    assert entry.connectors["whatsapp"].accounts == {"111", "222"}


def test_a_new_tenant_serves_once_its_secret_is_there(data: Path) -> None:
    """`tenants check` says what is missing, and then that nothing is."""
    new()
    missing = run("tenants", "check")
    assert missing.exit_code == 2
    assert "whatsapp_app_secret" in missing.stdout
    (data / "secrets" / "acme" / "whatsapp_app_secret").write_text("hush\n")
    fine = run("tenants", "check")
    assert (fine.exit_code, fine.stdout) == (0, "tenants: 1; connectors that can serve: 1; errors: 0\n")
    assert json.loads(run("tenants", "check", "--json").stdout) == []


def test_nothing_is_overwritten(data: Path) -> None:
    """Neither the file, nor a token that a platform knows already."""
    (data / "secrets" / "acme").mkdir(parents=True)
    token = data / "secrets" / "acme" / "whatsapp_verify_token"
    token.write_text("known")
    result = new()
    assert f"kept {token}" in result.stdout
    assert token.read_text() == "known"
    before = (data / "tenants" / "acme.toml").read_bytes()
    again = new("--account", "x=1")
    assert isinstance(again.exception, ConfigurationError)
    assert (data / "tenants" / "acme.toml").read_bytes() == before


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Nobody reads half of it, and no draft stays behind."""
    assert write_private(tmp_path / "one", "text")
    assert not write_private(tmp_path / "one", "other")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert (tmp_path / "one").read_text() == "text"


@pytest.mark.parametrize(
    ("id_", "name", "accounts"),
    [
        ("ACME", "Acme", {"x": ["1"]}),
        ("../acme", "Acme", {"x": ["1"]}),
        ("", "Acme", {"x": ["1"]}),
        ("acme", "", {"x": ["1"]}),
        ("acme", "a\nb", {"x": ["1"]}),
        ("acme", "Acme", {}),
        ("acme", "Acme", {"x": []}),
        ("acme", "Acme", {"x": ["1", "1"]}),
        ("acme", "Acme", {"x": ["a\u202eb"]}),
    ],
)
def test_what_would_be_no_good_tenant_is_not_begun(
    id_: str, name: str, accounts: dict[str, list[str]], tmp_path: Path
) -> None:
    """Refused with nothing written."""
    with pytest.raises(ConfigurationError):
        begin_tenant(tmp_path / "t", tmp_path / "s", id_, name, accounts, CONNECTORS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("account", ["whatsapp", "fax=1", "=1", "whatsapp="])
def test_an_account_names_its_connector(account: str) -> None:
    """The expected form is said, the value is not repeated."""
    result = run("tenants", "new", "acme", "--name", "Acme", "--account", account)
    assert isinstance(result.exception, ConfigurationError)
    assert "expected CONNECTOR=ID" in str(result.exception)


def test_names_are_quoted() -> None:
    """A name cannot become a line of its own."""
    text = tenant_text('a"\\b', {"x": ['"]']}, CONNECTORS)
    entry, _ = read_tenant("a.toml", text.encode(), CONNECTORS)
    assert entry is not None
    assert entry.name == 'a"\\b'
    assert entry.connectors["x"].accounts == {'"]'}


def test_show_tells_where_secrets_come_from_and_not_what_they_are(data: Path) -> None:
    """References, accounts, the effective policy with its defaults, and what is in service."""
    new()
    (data / "secrets" / "acme" / "whatsapp_app_secret").write_text("hush-hush\n")
    shown = json.loads(run("tenants", "show", "acme", "--json").stdout)["acme"]
    assert shown["policy"]["oldest_days"] == 3650
    assert shown["connectors"]["whatsapp"]["signing_secrets"] == ["file:whatsapp_app_secret"]
    assert shown["connectors"]["whatsapp"]["in_service"] is True
    assert shown["connectors"]["whatsapp"]["webhook"] == "http://127.0.0.1:8080/webhooks/acme/whatsapp"
    told = run("tenants", "show").stdout
    assert "the defaults" in told
    assert "http://127.0.0.1:8080/webhooks/acme/whatsapp" in told
    assert "file:whatsapp_app_secret" in told
    file = data / "tenants" / "acme.toml"
    file.write_text(file.read_text() + "[policy]\noldest_days = 30\n")
    assert ": oldest_days = 30\n" in run("tenants", "show").stdout
    for words in (("tenants", "show"), ("tenants", "show", "--json")):
        assert "hush" not in run(*words).stdout


def test_show_tells_what_is_wrong(data: Path) -> None:
    """A refused tenant is listed with its errors."""
    (data / "tenants").mkdir()
    (data / "tenants" / "bad.toml").write_text("nom = 1")
    assert json.loads(run("tenants", "show", "--json").stdout)["bad"]["in_service"] is False
    assert "sluicegate tenants check" in run("tenants", "show").stdout
    assert isinstance(run("tenants", "show", "nobody").exception, SluicegateError)


def test_policy_list_shows_every_rule_with_its_clauses() -> None:
    """Nothing that is in force is left out, for people or for programs."""
    rules = [(gate, rule) for gate, table in GATES.items() for rule in table]
    listed = json.loads(run("policy", "list", "--json").stdout)["rules"]
    assert [(row["gate"], row["rule"]) for row in listed] == [(gate, rule.name) for gate, rule in rules]
    assert all(row["clauses"] and row["reasons"] and row["summary"] for row in listed)
    told: str = run("policy", "list").stdout
    assert all(rule.name in told and rule.clauses[0] in told for _, rule in rules)


@pytest.mark.parametrize("code", ReasonCode)
def test_every_reason_code_is_explained(code: ReasonCode) -> None:
    """Whatever stands in a log line can be asked about."""
    result = run("policy", "explain", code.value)
    assert result.exit_code == 0
    assert len(result.stdout) > 40


def test_a_reason_of_a_text_is_explained_with_its_own_clauses() -> None:
    """Its rule gives many, each for another clause."""
    told = " ".join(run("policy", "explain", "snowshoeing").stdout.split())
    assert "out of sight: a person looks at it. (VT-1.5, VT-6)" in told


def test_a_clause_is_explained_by_its_rules() -> None:
    """Whoever reads the terms asks by clause."""
    told = run("policy", "explain", "sm-9").stdout
    assert "unsent  SM-9" in told
    assert "too_old  SM-9" in told


def test_an_unknown_reason_is_told_its_neighbour() -> None:
    """And what was asked is shown as text only."""
    assert "is view_once meant" in str(run("policy", "explain", "view_onc").exception)
    assert "\x1b" not in str(run("policy", "explain", "\x1b[2J").exception)
