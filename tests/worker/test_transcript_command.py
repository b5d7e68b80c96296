"""Transcripts on a terminal: what was said is shown as it is, and cannot do anything to whoever looks at it."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from connectors.contract import Credentials
from connectors.registry import CONNECTORS
from policies.tenant import TenantPolicy
from worker.commands.transcript import app
from worker.crypto import MasterKey
from worker.errors import ConfigurationError
from worker.inbound import Answer, Delivery, Posted
from worker.intake.admission import examine
from worker.keyring import open_keyring
from worker.ledger import Ledger
from worker.settings import load_settings
from worker.store.engine import open_store
from worker.tenants.loading import Tenant, TenantConnector
from worker.tour import samples

HOSTILE = "first \x1b[2J[red]line[/red]\nsecond \u202egnp.exe\u2069 :smile: \x9b31m"
ACCOUNT = "100000000000003"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> samples.Scene:
    """A store with one message of one person in it, where the settings of this process say."""
    monkeypatch.setenv("SLUICEGATE_DATA_DIR", str(tmp_path))
    settings = load_settings()
    store = open_store(settings.database_url.get_secret_value())
    store.migrate()
    master = MasterKey.generate(settings.master_key_file)
    keyring = open_keyring(settings.keyring_url.get_secret_value(), master)
    keyring.migrate()
    scene = samples.Scene.fresh(ACCOUNT)
    answered: list[Answer] = []
    ledger = Ledger(
        store,
        keyring,
        answers=lambda batch: answered.extend(answer for _, answer in batch),
        committed=lambda _batch: None,
        failed=lambda _error, _deliveries: None,
        clock=lambda: time.time_ns() // 1000,
    )
    ledger.start()
    ledger.submit(_delivery(samples.text("instagram", scene, HOSTILE, "m_1")))
    assert ledger.stop(10)
    assert answered == [Answer.COMMITTED]
    keyring.close()
    store.close()
    return scene


def _delivery(body: bytes) -> Delivery:
    source = TenantConnector(
        connector=CONNECTORS["instagram"],
        accounts=frozenset({ACCOUNT}),
        credentials=Credentials(signing_secrets=(b"secret",)),
    )
    policy = TenantPolicy()
    tenant = Tenant(id="acme", name="Acme", policy=policy, policy_digest="", connectors={"instagram": source})
    posted = Posted(tenant=tenant, source=source, received_at=time.time_ns() // 1000, body=body)
    delivery = examine(posted, lambda _error: None)
    assert delivery is not None
    return delivery


def run(*arguments: str) -> str:
    """What the command prints."""
    outcome = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert outcome.exit_code == 0
    return outcome.output


def test_hostile_text_is_shown_and_does_nothing(kept: samples.Scene) -> None:
    """No escape sequence, no bidirectional mark, no markup, no emoji code: only letters, line by line."""
    shown = run("show", "--tenant", "acme")
    assert kept.person in shown
    assert "first \\u{1b}[2J[red]line[/red]" in shown
    assert "second \\u{202e}gnp.exe\\u{2069} :smile: \\u{9b}31m" in shown
    assert all(character.isprintable() or character == "\n" for character in shown)


def test_conversations_are_listed(kept: samples.Scene) -> None:
    """One line per conversation, with its id, which `show` takes."""
    (talk,) = msgspec.json.decode(run("list", "--tenant", "acme", "--json"))
    listed = run("list", "--tenant", "acme")
    assert talk["id"] in listed
    assert "…" not in listed
    assert kept.person in run("list", "--tenant", "acme")
    assert "first" in run("show", "--tenant", "acme", "--conversation", talk["id"])


def test_json_is_the_export(kept: samples.Scene) -> None:
    """With --json the text is whole, as JSON."""
    exported = msgspec.json.decode(run("show", "--tenant", "acme", "--json"))
    (entry,) = exported["conversations"][0]["entries"]
    assert entry["text"] == HOSTILE


def test_another_tenant_sees_nothing(kept: samples.Scene) -> None:
    """A transcript belongs to its tenant."""
    assert msgspec.json.decode(run("list", "--tenant", "other", "--json")) == []
    for words in ("list", "show"):
        assert run(words, "--tenant", "other") == "nothing is kept of a tenant other\n"


@pytest.mark.parametrize("conversation", ["00" * 16, "no hex"])
def test_a_conversation_that_is_not_there(kept: samples.Scene, conversation: str) -> None:
    """It is said in a sentence."""
    with pytest.raises(ConfigurationError, match="no such conversation"):
        run("show", "--tenant", "acme", "--conversation", conversation)


@pytest.mark.usefixtures("kept")
def test_without_the_master_key_nothing_is_shown(tmp_path: Path) -> None:
    """A missing or another master key is named, and no traceback."""
    (tmp_path / "master.key").unlink()
    with pytest.raises(ConfigurationError, match="give the key file"):
        run("list", "--tenant", "acme")
    MasterKey.generate(tmp_path / "master.key")
    with pytest.raises(ConfigurationError, match="not the one of this keyring"):
        run("list", "--tenant", "acme")
