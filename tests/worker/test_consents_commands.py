"""`sluicegate consents` and `sluicegate exclusions`: what is typed, what is refused, and what it comes to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from policies.message import IdentifierKind
from tests.databases import Databases
from tests.flows.harness import NOW, Replica, message, person, tenant
from worker.acts import told
from worker.cli import app
from worker.crypto import MasterKey
from worker.errors import SluicegateError
from worker.settings import PREFIX
from worker.transcripts import export

RECORD = ("--tenant", "acme", "--by", "Ola Officer", "--why", "a letter")
WHO = person(IdentifierKind.PHONE, "12025550143")
FILE = """
name = "Acme"
[connectors.whatsapp]
accounts = ["106540"]
signing_secrets = ["file:app"]
verify_tokens = ["file:app"]
"""
LINE: dict[str, Any] = {
    "connector": "whatsapp",
    "account": "106540",
    "person": {"kind": "phone", "value": "12025550143"},
    "category": "sensitive_health",
    "consent": "granted",
    "given_at": "2026-09-01T08:00:00Z",
}


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of the test's own, with a migrated store and a tenant."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SLUICEGATE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    assert run("migrate").exit_code == 0
    (tmp_path / "tenants").mkdir(exist_ok=True)
    (tmp_path / "tenants" / "acme.toml").write_text(FILE)
    secrets = tmp_path / "secrets" / "acme"
    secrets.mkdir(parents=True)
    (secrets / "app").write_text("made-up-secret")
    return tmp_path


@pytest.fixture
def replica(data: Path) -> Iterator[Replica]:
    opened = Replica(Databases.below(data), master=MasterKey.load(data / "master.key"))
    yield opened
    opened.close()


def run(*words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=given)


def refused(*words: str, given: str | None = None) -> str:
    """The sentences of a call that something has to be changed for."""
    error = run(*words, given=given).exception
    assert isinstance(error, SluicegateError)
    assert error.exit_code == 2
    return "\n".join(error.sentences)


def lines(*documents: Any) -> str:
    return "\n".join(json.dumps(one) for one in documents) + "\n"


def consents() -> list[tuple[str, str, str]]:
    found = json.loads(run("consents", "list", "-t", "acme", "--json").stdout)
    return [(one["category"], one["consent"], one["source"]) for one in found]


# --- consents --------------------------------------------------------------------------------------------------------------


def test_a_file_is_imported_once_it_is_right(replica: Replica) -> None:
    """A dry run counts; the import is an act on the record; again, it changes nothing."""
    given = lines(LINE, LINE | {"category": "marketing_messages", "consent": "withdrawn"})
    assert "2 consents could" in run("consents", "import", "-", "-t", "acme", "--dry-run", given=given).stdout
    assert json.loads(run("consents", "list", "-t", "acme", "--json").stdout or "[]") == []
    for _ in range(2):
        assert "2 consents recorded" in run("consents", "import", "-", *RECORD, given=given).stdout
    assert consents() == [
        ("marketing_messages", "withdrawn", "import"),
        ("sensitive_health", "granted", "import"),
    ]
    assert "12025550143" not in run("consents", "list", "-t", "acme").stdout
    with replica.store.reading() as tx:
        acts = told(tx, replica.keyring, "acme")
    assert [one.action for one in acts] == ["consents_imported"] * 2


def test_every_wrong_line_is_named_and_nothing_is_recorded() -> None:
    """By its number, without what stands in it."""
    given = lines(LINE, LINE | {"consent": "CANARY8"}, LINE | {"account": "CANARY9"}) + "{not json\n"
    said = refused("consents", "import", "-", *RECORD, given=given)
    assert [one.split(":")[0] for one in said.splitlines()] == [
        "line 2",
        "line 3",
        "line 4",
        "nothing was recorded",
    ]
    assert "CANARY" not in said
    assert consents() == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("import", "-", "-t", "acme"), "--by and --why"),
        (("import", "/no/such/file", *RECORD), "cannot be read"),
        (("import", "-", *RECORD[2:], "-t", "nobody"), "no tenant"),
    ],
)
def test_what_has_to_be_changed_is_said(words: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused("consents", *words, given="")


# --- exclusions ------------------------------------------------------------------------------------------------------------


def said(replica: Replica) -> list[str]:
    found = export(replica.store, replica.keyring, "acme")
    return [entry["text"] for talk in found["conversations"] for entry in talk["entries"] if entry["text"]]


def excluded() -> list[tuple[str, str, int]]:
    found = json.loads(run("exclusions", "list", "-t", "acme", "--json").stdout or "[]")
    return [(one["mark"], one["source"], one["identifiers"]) for one in found]


def test_who_is_named_is_recorded_no_more_and_what_there_was_is_erased(replica: Replica) -> None:
    """Until it is lifted."""
    replica.tell(tenant(), message("m1", "hello", who=WHO))
    done = run("exclusions", "add", "+12025550143", *RECORD)
    assert "1 conversations erased" in done.stdout
    replica.restart()
    replica.tell(tenant(), message("m2", "more", who=WHO))
    assert said(replica) == []
    assert [one[:2] for one in excluded()] == [("under_13", "confirmed")]
    assert "lifted" in run("exclusions", "lift", "+1 202 555 0143", *RECORD).stdout
    replica.tell(tenant(), message("m3", "and again", who=WHO))
    assert said(replica) == ["and again"]
    with replica.store.reading() as tx:
        actions = [one.action for one in told(tx, replica.keyring, "acme")]
    assert {"exclusion_added", "exclusion_lifted"} <= set(actions)


def test_what_a_child_declared_waits_to_be_confirmed(replica: Replica) -> None:
    """By its id; both identifiers of the person go together."""
    both = (*WHO, *person(IdentifierKind.BSUID, "US.991"))
    replica.tell(tenant(), message("m1", "I'm 11", who=both, at=NOW))
    assert excluded() == [("under_13", "declared", 2)]
    [one] = json.loads(run("exclusions", "list", "-t", "acme", "--json").stdout)
    assert one["id"][:12] in run("exclusions", "list", "-t", "acme").stdout
    assert "confirmed" in run("exclusions", "confirm", one["id"][:10], *RECORD).stdout
    assert excluded() == [("under_13", "confirmed", 2)]
    assert run("exclusions", "lift", "US.991", *RECORD).exit_code == 0
    assert excluded() == []
    replica.tell(tenant(), message("m2", "I am her father", who=WHO))
    assert said(replica) == ["I am her father"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("lift", "+12025550143", *RECORD), "nobody"),
        (("confirm", "abcd", *RECORD), "nobody"),
        (("add", "+1", *RECORD), ""),
        (("add", "+12025550143", "-t", "acme", "--by", " ", "--why", "x"), "--by and --why"),
        (("list", "-t", "nobody"), "no such tenant"),
    ],
)
def test_what_cannot_be_done_is_refused(words: tuple[str, ...], sentence: str) -> None:
    """And nobody is excluded by it."""
    assert sentence in refused("exclusions", *words)
    assert excluded() == []
