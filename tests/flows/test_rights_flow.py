"""Forgetting for good: no byte of an erased person is left in any file, and no kill at any moment leaves half of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import select

from policies.sms.purpose import Purpose
from tests.databases import ENGINES, MASTER, Databases, Provisioner
from tests.flows.canary import live
from tests.flows.dump import audit
from tests.flows.dying import Point, killed_at
from tests.flows.plaintext_worker import Plaintext
from tests.worker.asking import ACME, PEOPLE, Office, allowed, offices, said
from tests.worker.handing_in import Desk as Texts
from tests.worker.handing_in import text
from worker.backup.journal import Journal
from worker.conformance.search import Search
from worker.crypto import CipherFactory, MasterKey
from worker.keyring import Keyring
from worker.rights.files import planned
from worker.store import seals
from worker.store.tables import ConversationKeyRow, KeyringTable
from worker.transcripts import export

WHATSAPP: Final = PEOPLE["whatsapp"].subject
keys = KeyringTable.metadata.tables[str(ConversationKeyRow.__tablename__)]


@dataclass(frozen=True)
class InTheClear(Databases):
    """Databases whose ciphers hide nothing."""

    def keyring(self, master: MasterKey = MASTER, factory: CipherFactory = Plaintext) -> Keyring:
        """Open the keyring."""
        return super().keyring(master, factory)


@pytest.fixture(params=ENGINES)
def clear(request: pytest.FixtureRequest, provisioner: Provisioner) -> Iterator[InTheClear]:
    """The same on either engine."""
    with provisioner.lent(request.param) as lent:
        yield InTheClear(lent.store_url, lent.keyring_url)


def bytes_of(databases: Databases) -> bytes:
    """All that is stored: every file of SQLite, as it lies there; on PostgreSQL every value of every row."""
    if databases.engine == "sqlite":
        return b"\0\0".join(path.read_bytes() for path in sorted(databases.directory.iterdir()))
    return live(databases.store_url)


def found(needles: set[str], data: bytes) -> set[str]:
    """Which of them stand in it, in any spelling."""
    return {one.needle for one in Search(needles).look(data)}


def told_everything(office: Office) -> set[str]:
    """One person says something on every channel and is sent texts; every string that is theirs."""
    needles = {known.value.lstrip("+") for known in PEOPLE.values()}
    for connector in PEOPLE:
        words = {
            name: f"{name}-{secrets.token_hex(8)}" for name in ("text", "name", "username", "id", "detail")
        }
        event = said(
            connector,
            words["id"],
            words["text"],
            profile={"name": words["name"], "username": words["username"]},
            details={"context": {"note": words["detail"]}},
        )
        office.tell(ACME, connector, event, allowed(connector))
        needles |= set(words.values())
    desk = Texts(office.replica.databases)
    try:
        for purpose, word in (
            (Purpose.TRANSACTIONAL, "table"),
            (Purpose.MARKETING, "WINNER!!! free prize now"),
        ):
            canary = f"canary-{secrets.token_hex(8)}"
            desk.one(
                text(f"{word} {canary} http://bit.ly/{canary}", purpose=purpose, reference=f"ref-{canary}")
            )
            needles |= {canary}
    finally:
        desk.close()
    return needles


def test_no_byte_of_an_erased_person_is_left(clear: InTheClear, tmp_path: Path) -> None:
    """Not in the store, its log, the keyring, the journal or a file of an export, whatever the channel, with ciphers that hide nothing."""
    with offices(clear) as [office]:
        office.store.journal = Journal(tmp_path / "journal").append
        needles = told_everything(office)
        with office.keyring.store.reading() as tx:
            wrapped = set(tx.execute(select(keys.c.wrapped)).scalars())
        assert found(needles, bytes_of(clear)) == needles
        for number, known in enumerate(PEOPLE.values()):
            path = tmp_path / f"export{number}.json"
            office.ask("EXPORT", known.subject, file=planned(path)) if number in {0, 1} else None
        assert found(needles, (tmp_path / "export0.json").read_bytes())
        for connector in ("whatsapp", "facebook", "instagram", "x"):
            answer = office.ask("DELETE", PEOPLE[connector].subject)
            assert answer.status == "COMPLETED"
        left = bytes_of(clear)
        assert found(needles, left) == set()
        assert not [key for key in wrapped if key in left]
        others = [path for path in tmp_path.iterdir() if path.is_file()]
        assert [path.name for path in others] == ["journal"]
        assert found(needles, others[0].read_bytes()) == set()
        audit(office.store, "acme")


KILLS: Final[dict[str, Point]] = {
    "recorded": ("worker.rights.desk", "Desk._record", 1),
    "found": ("worker.rights.steps", "Steps._search", 1),
    "a batch erased, not committed": ("worker.store.persons", "erase_messages", 1),
    "a batch committed": ("worker.rights.erase", "Eraser._batch", 1),
    "contents erased": ("worker.rights.steps", "Steps._contents", 1),
    "rows removed, not committed": ("worker.store.persons", "remove", 1),
    "counted, not committed": ("worker.store.decisions", "count_erasures", 1),
    "one of two conversations gone": ("worker.rights.erase", "Eraser.rest", 1),
    "both gone": ("worker.rights.steps", "Steps._rest", 1),
    "keys destroyed": ("worker.keyring", "Keyring.destroy", 1),
    "files removed": ("worker.rights.steps", "Steps._files", 1),
    "receipt made, not committed": ("worker.store.seals", "add_receipts", 1),
    "proven": ("worker.rights.steps", "Steps._prove", 1),
    "some ungrouped": ("worker.store.persons", "ungroup", 1),
    "log cut off": ("worker.rights.steps", "empty", 1),
    "tidy": ("worker.rights.steps", "Steps._tidy", 1),
    "swept": ("worker.rights.steps", "Steps._sweep", 1),
}


def transcripts(office: Office) -> dict[str, Any]:
    """All that is kept of the tenant."""
    return export(office.store, office.keyring, "acme")


@pytest.mark.parametrize("point", KILLS)
def test_an_erasure_that_was_killed_is_completed_by_whoever_resumes(point: str, sqlite: Databases) -> None:
    """SIGKILL at any of its moments; then nothing of the person is there, and one receipt says so."""
    killed_and_resumed(point, sqlite)


@pytest.mark.parametrize("point", ["a batch committed", "counted, not committed", "keys destroyed", "proven"])
def test_the_same_on_postgresql(point: str, postgresql: Databases) -> None:
    """Where the dead process's transaction is undone by the server."""
    killed_and_resumed(point, postgresql)


def killed_and_resumed(point: str, databases: Databases) -> None:
    """Kill, resume, look."""
    with offices(databases) as [office]:
        office.tell(ACME, "whatsapp", *(said("whatsapp", f"m{n}", "words") for n in range(600)))
        office.tell(ACME, "sms-console", said("sms-console", "m1", "words"))
    killed_at(databases, KILLS[point], WHATSAPP)
    with offices(databases) as [office]:
        for resumed in office.desk.resume():
            assert resumed.error is None
        [answer] = office.desk.all("acme")
        assert (answer.status, len(answer.receipts)) == ("COMPLETED", 1)
        with office.store.reading() as tx:
            assert len(seals.receipts_since(tx, "acme", 0)) == 1
        whole = transcripts(office)
        assert whole["conversations"] == []
        assert [entry["state"] for entry in whole["unattributed"]] == ["erased"] * 601
        with office.keyring.store.reading() as tx:
            assert tx.execute(select(keys)).all() == []
        audit(office.store, "acme")
