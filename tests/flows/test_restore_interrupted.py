"""A restore dies, fails or is refused: the store is empty or refused, never half; then it is run again."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from tests.databases import MASTER, Databases, Provisioner
from tests.flows.harness import NOW, message, replicas, tenant, unsend
from tests.flows.vault import Vault
from worker.backup import restore as module
from worker.backup.container import BackupDamaged
from worker.backup.horizon import DAY
from worker.backup.journal import JournalDamaged
from worker.crypto import MasterKey, MasterKeys
from worker.errors import ConfigurationError, Failed
from worker.keyring import PSEUDONYM
from worker.opening import open_all
from worker.settings import Settings
from worker.store.messages import contents, messages
from worker.store.tables import KeyringTable, Table
from worker.transcripts import export

ACME = tenant()
STEPS = ("_load_keys", "_load_rows", "replay", "_end")


@pytest.fixture
def vault(tmp_path: Path, provisioner: Provisioner) -> Vault:
    """A backup with a journal that goes on after it."""
    vault = Vault(tmp_path)
    with provisioner.lent("sqlite") as databases, replicas(databases) as [replica]:
        replica.store.journal = vault.journal.append
        replica.tell(ACME, message("m1", "taken back"), message("m2", "stays"))
        replica.tell(ACME, unsend("m0"))
        vault.back_up(replica.store, replica.keyring)
        replica.tell(ACME, unsend("m1"))
    return vault


def rows(databases: Databases) -> int:
    """How many rows there are, in both."""
    with databases.opened() as (store, keyring), store.reading() as tx, keyring.store.reading() as keys:
        return sum(len(tx.execute(select(one)).all()) for one in Table.metadata.tables.values()) + sum(
            len(keys.execute(select(one)).all())
            for name, one in KeyringTable.metadata.tables.items()
            if name != "master_check"
        )


def opening(databases: Databases, directory: Path) -> None:
    """What every command and every worker does first."""
    key = directory / "master.key"
    if not key.exists():
        MasterKeys(bytes(range(32))).create(key)
    settings = Settings(
        data_dir=directory,
        database_url=databases.store_url,  # type: ignore[arg-type]
        keyring_url=databases.keyring_url,  # type: ignore[arg-type]
        master_key_file=key,
    )
    open_all(settings, migrate=False).close()


def texts(databases: Databases) -> set[str | None]:
    """What can be read."""
    with databases.opened() as (store, keyring):
        [told] = export(store, keyring, "acme")["conversations"]
    return {entry["text"] for entry in told["entries"]}


def dies(vault: Vault, databases: Databases, step: str, *, after: bool) -> None:
    """A process that restores and is gone at that step, before it or behind it."""
    real: Callable[..., Any] = getattr(module, step)

    def die(*arguments: Any) -> None:
        if after:
            real(*arguments)
        os._exit(9)

    setattr(module, step, die)
    vault.restore(databases)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_crash_leaves_a_store_that_is_refused(
    vault: Vault, databases: Databases, tmp_path: Path, step: str, when: str
) -> None:
    """At every step; a restore that is run again begins anew. At the very end it was done."""
    child = multiprocessing.get_context("fork").Process(
        target=dies, args=(vault, databases, step), kwargs={"after": when == "after"}
    )
    child.start()
    child.join(60)
    assert child.exitcode == 9
    if (step, when) == ("_end", "after"):
        opening(databases, tmp_path)
        return
    with pytest.raises(ConfigurationError, match="run `sluicegate restore` again"):
        opening(databases, tmp_path)
    vault.restore(databases)
    opening(databases, tmp_path)
    assert texts(databases) == {"stays", None}


@pytest.mark.parametrize("step", STEPS)
def test_a_failure_leaves_both_empty(
    vault: Vault, databases: Databases, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was changed, and the next one works."""

    def fail(*_: Any) -> None:
        raise OperationalError("a secret statement", {}, Exception("a secret value"))

    with monkeypatch.context() as patch:
        patch.setattr(module, step, fail)
        with pytest.raises(Failed) as failed:
            vault.restore(databases)
    assert "secret" not in str(failed.value)
    assert rows(databases) == 0
    opening(databases, tmp_path)
    vault.restore(databases)
    assert texts(databases) == {"stays", None}


def test_nothing_is_restored_over_anything(vault: Vault, databases: Databases) -> None:
    """Be it one message or one key; what was there stays."""
    with replicas(databases) as [replica]:
        replica.keyring.tenant_key("globex", PSEUDONYM)
        with pytest.raises(ConfigurationError, match="into empty ones alone"):
            vault.restore(databases)
        replica.tell(tenant("globex"), message("m1", "mine"))
        with pytest.raises(ConfigurationError, match="into empty ones alone"):
            vault.restore(databases)
        [told] = export(replica.store, replica.keyring, "globex")["conversations"]
    assert [entry["text"] for entry in told["entries"]] == ["mine"]


def _bytes(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def _other_keyring(vault: Vault) -> None:
    vault.keys.write_bytes(vault.content.read_bytes())


def _another_journal(vault: Vault) -> None:
    lines = vault.journal.path.read_bytes()
    vault.journal.path.unlink()
    vault.journal.append([])
    assert vault.journal.path.read_bytes() not in lines


def _cut_journal(vault: Vault) -> None:
    vault.journal.path.write_bytes(vault.journal.path.read_bytes().splitlines(keepends=True)[0])


DAMAGES: dict[str, tuple[type[Exception], Callable[[Vault], Any]]] = {
    "content altered": (BackupDamaged, lambda vault: _bytes(vault.content, -400)),
    "content cut": (
        BackupDamaged,
        lambda vault: vault.content.write_bytes(vault.content.read_bytes()[:-10]),
    ),
    "keys altered": (BackupDamaged, lambda vault: _bytes(vault.keys, -100)),
    "keys missing": (ConfigurationError, lambda vault: vault.keys.unlink()),
    "content for keys": (ConfigurationError, _other_keyring),
    "journal altered": (JournalDamaged, lambda vault: _bytes(vault.journal.path, -30)),
    "another journal": (ConfigurationError, _another_journal),
    "journal cut": (JournalDamaged, _cut_journal),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_refused_and_nothing_changed(
    vault: Vault, databases: Databases, damage: str
) -> None:
    """Before the first row is written."""
    error, do = DAMAGES[damage]
    do(vault)
    with pytest.raises(error):
        vault.restore(databases)
    assert rows(databases) == 0


def test_a_wrong_master_key_is_refused(vault: Vault, databases: Databases) -> None:
    """It is named which one is needed."""
    with pytest.raises(ConfigurationError, match=MASTER.fingerprint):
        vault.restore(databases, master=MasterKey(bytes(32)))
    assert rows(databases) == 0


def test_a_keyring_beyond_its_horizon_is_refused(vault: Vault, databases: Databases) -> None:
    """It may hold keys that were destroyed."""
    with pytest.raises(ConfigurationError, match="KEYRING_HORIZON_DAYS"):
        vault.restore(databases, now=NOW + 15 * DAY)
    assert rows(databases) == 0


def test_a_backup_of_an_earlier_master_key_is_restored_under_the_one_in_use(
    vault: Vault, databases: Databases, provisioner: Provisioner, tmp_path: Path
) -> None:
    """Its keys are wrapped anew: the earlier one opens nothing of what was restored."""
    earlier = MasterKey(bytes(32))
    old = Vault(tmp_path / "old")
    old.directory.mkdir()
    with provisioner.empty("sqlite").opened() as (store, _):
        urls = Databases(str(store.url), str(store.url).replace("sluicegate.db", "keyring.db"))
    with urls.opened() as (store, _):
        store.migrate()
    keyring = urls.keyring(earlier)
    keyring.migrate()
    keyring.close()
    with replicas(urls, master=earlier) as [replica]:
        replica.tell(ACME, message("m1", "long ago"))
        old.back_up(replica.store, replica.keyring, master=earlier)
    old.restore(databases, master=MasterKey(bytes(range(32)), bytes(32)))
    assert texts(databases) == {"long ago"}


def test_no_byte_of_what_was_unsent_is_left_where_it_was_restored(
    vault: Vault, provisioner: Provisioner
) -> None:
    """Not even as a row that nothing names."""
    with provisioner.lent("sqlite") as databases:
        vault.restore(databases)
        with databases.opened() as (store, _), store.reading() as tx:
            kept = (
                tx.execute(select(messages.c.content).where(messages.c.content.is_not(None))).scalars().all()
            )
            assert kept == tx.execute(select(contents.c.id)).scalars().all()
