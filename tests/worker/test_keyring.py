"""The keyring: one key for each tenant and conversation, opened by its own master key alone, gone when deleted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import SQLAlchemyError

from tests.databases import MASTER, Databases
from tests.flows.children import in_processes, keys_of
from tests.flows.harness import NOW, Replica, edit, in_threads, message, replicas, tenant, unsend
from worker.crypto import CryptoError, MasterKey
from worker.keyring import PSEUDONYM, RECORDS, Keyring
from worker.store.engine import StoreError
from worker.store.messages import contents
from worker.store.statements import insert_missing
from worker.store.tables import ConversationKeyRow, KeyringTable, TenantKeyRow
from worker.transcripts import export

OTHER_MASTER = MasterKey(bytes(32))
CONVERSATIONS = [bytes([number]) * 16 for number in range(20)]

tenant_keys = KeyringTable.metadata.tables[str(TenantKeyRow.__tablename__)]
conversation_keys = KeyringTable.metadata.tables[str(ConversationKeyRow.__tablename__)]


@pytest.fixture
def keyring(databases: Databases) -> Iterator[Keyring]:
    """An open keyring."""
    opened = databases.keyring()
    yield opened
    opened.close()


@pytest.fixture
def replica(databases: Databases) -> Iterator[Replica]:
    """A replica over a fresh store."""
    with replicas(databases) as [opened]:
        yield opened


def again(databases: Databases, master: MasterKey = MASTER) -> Keyring:
    """The same keyring with nothing in memory."""
    return databases.keyring(master)


def test_a_key_is_the_same_after_a_restart(databases: Databases, keyring: Keyring) -> None:
    """Durable before it is first used."""
    made = keyring.tenant_key("acme", PSEUDONYM)
    keyring.make("acme", CONVERSATIONS)
    salts = {id_: key.salt for id_, key in keyring.keys("acme", CONVERSATIONS).items()}
    later = again(databases)
    assert later.tenant_key("acme", PSEUDONYM) == made
    assert {id_: key.salt for id_, key in later.keys("acme", CONVERSATIONS).items()} == salts
    later.close()


def test_every_tenant_purpose_and_conversation_has_its_own(keyring: Keyring) -> None:
    """No two share a key."""
    for one in ("acme", "globex"):
        keyring.make(one, CONVERSATIONS)
    made = {keyring.tenant_key(one, what) for one in ("acme", "globex") for what in (PSEUDONYM, RECORDS)}
    salts = {key.salt for one in ("acme", "globex") for key in keyring.keys(one, CONVERSATIONS).values()}
    assert (len(made), len(salts)) == (4, 2 * len(CONVERSATIONS))


def test_making_a_key_again_changes_nothing(databases: Databases, keyring: Keyring) -> None:
    """Of two who make the same key, the first one's stands."""
    keyring.make("acme", CONVERSATIONS[:1])
    before = keyring.keys("acme", CONVERSATIONS[:1])[CONVERSATIONS[0]].salt
    keyring.make("acme", CONVERSATIONS[:1])
    later = again(databases)
    assert later.keys("acme", CONVERSATIONS[:1])[CONVERSATIONS[0]].salt == before
    later.close()


def test_two_threads_make_the_same_keys_at_once(databases: Databases) -> None:
    """Each with a keyring of its own."""
    keyrings = [again(databases) for _ in range(4)]
    assert len(set(in_threads(*(partial(one.tenant_key, "acme", PSEUDONYM) for one in keyrings)))) == 1
    in_threads(*(partial(one.make, "acme", CONVERSATIONS) for one in keyrings))
    salts = [{id_: key.salt for id_, key in one.keys("acme", CONVERSATIONS).items()} for one in keyrings]
    assert salts == salts[:1] * 4
    for one in keyrings:
        one.close()


def test_two_processes_make_the_same_keys_at_once(databases: Databases) -> None:
    """Both end with the same."""
    made = in_processes(keys_of, *[(databases, "acme", CONVERSATIONS)] * 2)
    assert made[0] == made[1]
    assert len(made[0][1]) == len(CONVERSATIONS)


def test_the_wrong_master_key_is_refused(databases: Databases, keyring: Keyring) -> None:
    """Before anything is written with it, and again on the next try."""
    keyring.check()
    keyring.tenant_key("acme", PSEUDONYM)
    wrong = again(databases, OTHER_MASTER)
    for _ in range(2):
        with pytest.raises(StoreError, match="not the one of this keyring"):
            wrong.check()
    with pytest.raises(CryptoError):
        wrong.tenant_key("acme", PSEUDONYM)
    wrong.close()
    keyring.check()


def test_two_replicas_check_a_new_keyring_at_once(databases: Databases) -> None:
    """With the same master key both may; with two keys one is refused, and that is the one that may not write."""
    keyrings = [again(databases) for _ in range(4)]
    in_threads(*(one.check for one in keyrings))
    for one in keyrings:
        one.close()


def test_two_master_keys_over_a_new_keyring(postgresql: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose key came first is the keyring's; the other is refused at once, not at its next start."""
    first, second = again(postgresql), again(postgresql, OTHER_MASTER)
    with first.store.transaction() as tx:
        tx.execute(delete(KeyringTable.metadata.tables["master_check"]))

    def come_first(*arguments: Any) -> None:
        monkeypatch.setattr("worker.keyring.insert_missing", insert_missing)
        first.check()
        insert_missing(*arguments)

    monkeypatch.setattr("worker.keyring.insert_missing", come_first)
    with pytest.raises(StoreError, match="not the one of this keyring"):
        second.check()
    first.close()
    second.close()


def test_a_wrapped_key_in_another_row_does_not_open(databases: Databases, keyring: Keyring) -> None:
    """Swapping two tenants' keys gives nobody the other's."""
    for one in ("acme", "globex"):
        keyring.tenant_key(one, PSEUDONYM)
    with keyring.store.transaction() as tx:
        theirs = tx.execute(
            select(tenant_keys.c.wrapped).where(tenant_keys.c.tenant == "globex")
        ).scalar_one()
        tx.execute(update(tenant_keys).where(tenant_keys.c.tenant == "acme").values(wrapped=theirs))
    later = again(databases)
    with pytest.raises(CryptoError):
        later.tenant_key("acme", PSEUDONYM)
    later.close()


def test_no_key_stands_unwrapped_in_the_database(databases: Databases, keyring: Keyring) -> None:
    """Neither in a row nor, where it is a file, anywhere in that."""
    key = keyring.tenant_key("acme", PSEUDONYM)
    keyring.make("acme", CONVERSATIONS[:1])
    salt = keyring.keys("acme", CONVERSATIONS[:1])[CONVERSATIONS[0]].salt
    rows: list[Any] = []
    with keyring.store.reading() as tx:
        for table in KeyringTable.metadata.tables.values():
            rows += tx.execute(select(table)).all()
    held = b"".join(value for row in rows for value in row if isinstance(value, bytes))
    if keyring.store.path is not None:
        held += b"".join(path.read_bytes() for path in keyring.store.path.parent.glob("keyring.db*"))
    assert key not in held
    assert salt not in held


def test_a_content_moved_to_another_row_does_not_open(replica: Replica) -> None:
    """Two messages of one conversation change ciphertexts: neither is read under the other's name."""
    acme = tenant()
    replica.tell(acme, message("m1", "one"), message("m2", "two"))
    with replica.store.transaction() as tx:
        rows = tx.execute(select(contents.c.id, contents.c.sealed)).all()
        for row, other in (rows, rows[::-1]):
            tx.execute(update(contents).where(contents.c.id == row.id).values(sealed=other.sealed))
    with pytest.raises(CryptoError):
        export(replica.store, replica.keyring, acme.id)


def test_without_its_key_a_conversation_is_unreadable_and_still_exported(replica: Replica) -> None:
    """What is left shows that there was something, and neither text, id, name nor number."""
    acme = tenant()
    replica.tell(acme, message("m1", "a secret", profile={"name": "Ann"}))
    [before] = export(replica.store, replica.keyring, acme.id)["conversations"]
    with replica.keyring.store.transaction() as tx:
        tx.execute(delete(conversation_keys))
    replica.restart()
    [after] = export(replica.store, replica.keyring, acme.id)["conversations"]
    assert after["id"] == before["id"]
    assert after["identifiers"] == [{"kind": "phone", "value": None}]
    [entry] = after["entries"]
    assert (entry["text"], entry["id"], entry["profile"]) == (None, None, {})
    assert (entry["state"], entry["ref"]) == ("stored", before["entries"][0]["ref"])


def test_what_comes_to_a_conversation_without_a_key(replica: Replica) -> None:
    """Nothing fails: duplicates, receipts and unsends of what nobody can read any more are taken."""
    acme = tenant()
    replica.tell(acme, message("m1", "a secret"))
    with replica.keyring.store.transaction() as tx:
        tx.execute(delete(conversation_keys))
    replica.restart()
    for event in (message("m1", "a secret"), edit("m1", "another", at=NOW + 1), unsend("m1")):
        replica.tell(acme, event)
    assert not replica.failures
    [after] = export(replica.store, replica.keyring, acme.id)["conversations"]
    assert [entry["state"] for entry in after["entries"]] == ["unsent"]


def test_an_unreachable_keyring_says_so(databases: Databases) -> None:
    """In a sentence of ours where a person reads it."""
    nowhere = Databases(databases.store_url, "postgresql+psycopg://nobody@127.0.0.1:1/none").keyring()
    with pytest.raises(StoreError, match="does not answer"):
        nowhere.check()
    with pytest.raises(SQLAlchemyError):
        nowhere.tenant_key("acme", PSEUDONYM)
    nowhere.close()


def test_looking_for_a_keyring_does_not_make_one(keyring: Keyring, tmp_path: Path) -> None:
    """Where none is, there is no schema; only migrating makes one."""
    missing = Databases.below(tmp_path / "none").keyring()
    assert missing.store.revision() is None
    assert not (tmp_path / "none").exists()
    assert keyring.store.revision() is not None
