"""``sluicegate keys``: a key is shown once, works until it is revoked, and who did what stands on the record."""

from __future__ import annotations

import base64
import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.databases import Databases
from worker.acts import told
from worker.api.access import Caller, authenticate
from worker.commands.keys import app
from worker.errors import ConfigurationError
from worker.opening import open_all
from worker.settings import load_settings
from worker.store import decisions


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, databases: Databases) -> Path:
    """A store with a tenant, where the settings of this process say."""
    monkeypatch.setenv("SLUICEGATE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SLUICEGATE_DATABASE_URL", databases.store_url)
    monkeypatch.setenv("SLUICEGATE_KEYRING_URL", databases.keyring_url)
    (tmp_path / "master.key").write_bytes(base64.b64encode(bytes(range(32))))
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "acme.toml").write_text('name = "Acme"\n')
    return tmp_path


def run(*arguments: str) -> Result:
    """Run the command; what it raises is raised here."""
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def caller(key: str) -> Caller | None:
    """Who holds the key."""
    with closing(open_all(load_settings(), migrate=False)) as opened:
        return authenticate(opened.store, f"Bearer {key}")


def listed() -> list[dict[str, Any]]:
    """The list as JSON."""
    found: list[dict[str, Any]] = json.loads(run("list", "acme", "--json").stdout)
    return found


def test_a_key_is_shown_once_and_works() -> None:
    """On standard output alone, so that it can go straight into a file; the list shows its prefix and no secret."""
    done = run(
        "new", "acme", "--scope", "send", "--scope", "read", "--label", "booking system", "--by", "Ann"
    )
    key = done.stdout.strip()
    assert re.fullmatch(r"sg_acme_[0-9a-f]{10}_[\w-]{43}", key)
    assert "never shown again" in done.stderr
    assert key not in done.stderr
    found = caller(key)
    assert found is not None
    assert (found.tenant, found.label, sorted(found.scopes)) == ("acme", "booking system", ["read", "send"])
    (row,) = listed()
    assert (row["prefix"], row["scopes"], row["label"], row["revoked_at"]) == (
        found.key,
        "send read",
        "booking system",
        None,
    )
    shown = run("list", "acme").stdout
    assert found.key in shown
    assert key.split("_", 3)[3] not in shown


def test_a_revoked_key_is_none() -> None:
    """At once, for good, and only once; others go on."""
    keys = [run("new", "acme", "--scope", "send", "--label", name).stdout.strip() for name in ("one", "two")]
    prefix = keys[0].split("_")[2]
    assert run("revoke", "acme", prefix).stdout == f"revoked {prefix}\n"
    assert caller(keys[0]) is None
    assert caller(keys[1]) is not None
    assert [row["revoked_at"] is None for row in listed()] == [False, True]
    with pytest.raises(ConfigurationError):
        run("revoke", "acme", prefix)


def test_both_acts_stand_on_the_record() -> None:
    """Who and why, sealed; and a decision record for each, in a chain that holds."""
    key = run("new", "acme", "--scope", "send", "--label", "shop", "--by", "Ann", "--why", "new shop").stdout
    run("revoke", "acme", key.split("_")[2], "--by", "Bob", "--why", "shop closed")
    with closing(open_all(load_settings(), migrate=False)) as opened, opened.store.reading() as tx:
        acts = told(tx, opened.keyring, "acme")
        assert [(one.action, one.operator and (one.operator.name, one.operator.why)) for one in acts] == [
            ("key_issued", ("Ann", "new shop")),
            ("key_revoked", ("Bob", "shop closed")),
        ]
        assert decisions.verify(tx, "acme") is None
        assert decisions.end_of(tx, "acme")[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("new", "nobody", "--scope", "send", "--label", "x"),
        ("new", "../acme", "--scope", "send", "--label", "x"),
        ("new", "acme", "--scope", "send", "--label", "two\nlines"),
        ("new", "acme", "--scope", "send", "--label", " "),
        ("new", "acme", "--scope", "send", "--label", "x" * 129),
        ("revoke", "acme", "0000000000"),
        ("revoke", "nobody", "0000000000"),
    ],
)
def test_what_cannot_be_is_told(arguments: tuple[str, ...]) -> None:
    """And nothing is made."""
    with pytest.raises(ConfigurationError):
        run(*arguments)
    assert listed() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("new", "acme", "--label", "x"),
        ("new", "acme", "--scope", "send"),
        ("new", "acme", "--scope", "everything", "--label", "x"),
    ],
)
def test_a_key_needs_scopes_that_there_are_and_a_label(arguments: tuple[str, ...]) -> None:
    """Nothing is a default."""
    assert run(*arguments).exit_code == 2
    assert listed() == []


def test_a_hostile_label_does_nothing_to_a_terminal() -> None:
    """Labels of an older store may hold anything."""
    run("new", "acme", "--scope", "send", "--label", "[red]shop[/red] :smile:")
    assert "[red]shop[/red] :smile:" in run("list", "acme").stdout
