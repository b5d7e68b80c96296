"""`sluicegate hold` and `sluicegate produce`: what an officer types, what is refused, and that nothing held is shown."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from policies.message import IdentifierKind
from tests.databases import Databases
from tests.flows.harness import Replica, edit, message, person, tenant, unsend
from tests.worker.holding_house import ANNS_NUMBER
from worker.cli import app
from worker.crypto import MasterKey
from worker.errors import SluicegateError
from worker.rights.export import Head, stream
from worker.rights.request import Subject
from worker.rights.subject import claims_of, resolve
from worker.settings import PREFIX
from worker.stored import stored_messages

WHO: Final = person(IdentifierKind.PHONE, ANNS_NUMBER)
RECORD: Final = ("--by", "Ola Officer", "--why", "file 7")
HOLD: Final = ("hold", "add", "--tenant", "acme", "--matter", "file 7", "--authority", "the court", *RECORD)
ORDER: Final = ("--tenant", "acme", "--legal-basis", "18 USC 2703(d)", "--order-ref", "12", *RECORD)
SECRET: Final = "a sentence about heliotropes"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything below a directory of the test's own, with a migrated store."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SLUICEGATE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    assert run("migrate").exit_code == 0
    return tmp_path


@pytest.fixture
def replica(data: Path) -> Iterator[Replica]:
    """A store in which Ann said something, once."""
    opened = Replica(Databases.below(data), master=MasterKey.load(data / "master.key"))
    opened.tell(tenant(), message("m0", SECRET, who=WHO))
    yield opened
    opened.close()


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def refused(*words: str) -> str:
    """The sentences of a call that something has to be changed for."""
    error = run(*words).exception
    assert isinstance(error, SluicegateError), error
    assert error.exit_code == 2
    return str(error)


def shown(result: Result) -> str:
    assert result.exit_code == 0, result.exception
    return result.stdout


def test_a_hold_from_its_beginning_to_its_end(replica: Replica) -> None:
    id_ = shown(
        run(*HOLD, "--person", "+12025550123", "--since", "2026-09-01", "--until", "2026-09-30")
    ).strip()
    replica.tell(tenant(), unsend("m0"))
    [told] = json.loads(shown(run("hold", "list", "-t", "acme", "--json")))
    assert (told["id"], told["scope"], told["matter"], told["by"]) == (id_, "person", "file 7", "Ola Officer")
    assert (told["since"], told["until"]) == ("2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z")
    assert "the court" in shown(run("hold", "list", "-t", "acme"))
    assert "destroyed 1 restricted" in shown(run("hold", "lift", id_[:20], "-t", "acme", *RECORD))
    assert "lifted already" in refused("hold", "lift", id_, "-t", "acme", *RECORD)
    acts = shown(run("audit", "acts", "-t", "acme"))
    assert "hold_placed" in acts
    assert "hold_lifted" in acts
    assert "fit" in shown(run("audit", "verify"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((*HOLD, "--all", "--person", "+12025550123"), "one of them"),
        (HOLD, "one of them"),
        ((*HOLD, "--person", "+12025550177"), "knows nobody"),
        ((*HOLD, "--person", "+1"), "country code"),
        ((*HOLD, "--conversation", "zz"), "expected an id"),
        ((*HOLD, "--conversation", "00" * 16), "no such conversation"),
        ((*HOLD, "--all", "--since", "yesterday"), "expected a day"),
        ((*HOLD, "--all", "--since", "2026-02-01", "--until", "2026-01-01"), "later than"),
        ((*(word if word != "acme" else "globex" for word in HOLD), "--all"), "no such tenant"),
        ((*(word if word != "the court" else " " for word in HOLD), "--all"), "cannot be empty"),
        (("hold", "lift", "00", "-t", "acme", *RECORD), "no such hold"),
    ],
)
def test_what_makes_no_sense_changes_nothing(replica: Replica, words: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused(*words)
    assert json.loads(shown(run("hold", "list", "-t", "acme", "--json"))) == []


def _keys(data: Path) -> tuple[str, str]:
    private, public = data / "recipient.pem", data / "recipient.pub"
    public.write_text(shown(run("produce", "keygen", "--private", str(private))))
    return str(private), str(public)


def test_a_production_from_its_making_to_its_end(replica: Replica, data: Path) -> None:
    private, public = _keys(data)
    out, to = str(data / "out.bundle"), data / "opened"
    assert "1 messages" in shown(run("produce", *ORDER, "--recipient-key", public, "--all", out))
    signed = data / "signing.pub"
    signed.write_text(shown(run("audit", "key")))
    opened = shown(run("produce", "open", out, "--key", private, "--signed-by", str(signed), "--to", str(to)))
    assert "whole: " in opened
    [line] = (to / "messages" / "000001.jsonl").read_text().splitlines()
    assert json.loads(line)["text"] == SECRET
    [listed] = json.loads(shown(run("produce", "list", "-t", "acme", "--json")))
    assert (listed["order"], listed["destroyed_at"], listed["path"]) == ("12", None, out)
    assert listed["id"] in shown(run("produce", "list", "-t", "acme"))
    assert "vouches" in shown(run("produce", "destroy", listed["id"], "-t", "acme", *RECORD))
    assert not Path(out).exists()
    assert "destroyed already" in refused("produce", "destroy", listed["id"], "-t", "acme", *RECORD)


def test_what_is_no_order_and_no_bundle_is_refused(replica: Replica, data: Path) -> None:
    private, public = _keys(data)
    out = str(data / "out.bundle")
    make = ("produce", *ORDER, "--all", "--recipient-key")
    assert "private key" in refused(*make, private, out)
    assert "cannot be read" in refused(*make, str(data / "nothing"), out)
    assert "days or hours" in refused(*make, public, "--expires", "1000d", out)
    assert "overwrites nothing" in refused(*make, public, str(data / "master.key"))
    assert "no such file" in refused(*make, public, str(data / "nowhere" / "out"))
    assert not Path(out).exists()
    assert "never overwritten" in refused("produce", "keygen", "--private", private)
    assert "no production" in refused("produce", "open", public, "--key", private)
    shown(run(*make, public, "--expires", "1h", out))
    whole = Path(out).read_bytes()
    Path(out).write_bytes(whole[:-1])
    to = data / "to"
    assert "damaged or cut off in block" in refused("produce", "open", out, "--key", private, "--to", str(to))
    assert not to.exists()
    Path(out).write_bytes(whole)
    assert "is there already" in refused("produce", "open", out, "--key", private, "--to", str(data))


def test_nobody_reads_what_only_a_hold_keeps(replica: Replica) -> None:
    """Transcripts on a terminal and as JSON, a person's own export, simulations, lists and reports."""
    shown(run(*HOLD, "--all"))
    replica.tell(tenant(), message("m1", f"{SECRET}, once more", who=WHO))
    replica.tell(tenant(), edit("m1", "harmless", who=WHO), unsend("m0"))
    pages = [
        run("transcript", "show", "-t", "acme"),
        run("transcript", "show", "-t", "acme", "--json"),
        run("transcript", "list", "-t", "acme", "--json"),
        run("audit", "acts", "-t", "acme"),
        run("hold", "list", "-t", "acme"),
    ]
    assert "harmless" in shown(pages[0])
    assert all("heliotropes" not in shown(page) for page in pages)
    assert _exported(replica).count("harmless") == 1
    assert "heliotropes" not in _exported(replica)
    assert _simulated(replica) == ["harmless"]


def _exported(replica: Replica) -> str:
    head: Any = Head(request="r", tenant="acme", made_at=replica.clock())
    claims = claims_of(Subject(phone_numbers=("+12025550123",)))
    with replica.store.reading() as tx:
        who = resolve(tx, replica.keyring, "acme", claims)
        return b"".join(stream(tx, replica.keyring, head, who)).decode()


def _simulated(replica: Replica) -> list[str | None]:
    with replica.store.reading() as tx:
        return [one.message.content.text for one in stored_messages(tx, replica.keyring, "acme")]
