"""``sluicegate backup``, ``verify``, ``restore`` and the master key's ``keys``: what they say, refuse and put on the record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from tests.databases import Databases, Provisioner
from tests.flows.harness import Replica, message, replicas, tenant, unsend
from worker.acts import told
from worker.backup.container import BackupDamaged
from worker.backup.escrow import split
from worker.backup.horizon import DAY
from worker.backup.journal import Journal
from worker.commands import backup, keys, restore, verify
from worker.crypto import MasterKey, MasterKeys
from worker.errors import ConfigurationError
from worker.opening import open_all
from worker.runtime import wall_clock
from worker.settings import load_settings
from worker.status import journal_status
from worker.store.journal import Erased
from worker.transcripts import export

ACME = tenant()
RESTORE = ("--by", "Ann", "--why", "the disk died")


class House:
    """Where the commands of this process find everything."""

    def __init__(self, directory: Path, databases: Databases, patch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self._patch = patch
        self.content = directory / "backups" / "store"
        self.keys = directory / "keyrings" / "keyring"
        self.journal = directory / "journal"
        for path in (self.content, self.keys):
            path.parent.mkdir()
        MasterKeys(bytes(range(32))).create(directory / "master.key")
        patch.setenv("SLUICEGATE_DATA_DIR", str(directory))
        patch.setenv("SLUICEGATE_JOURNAL_FILE", str(self.journal))
        self.use(databases)

    def use(self, databases: Databases) -> None:
        """Have these databases in the settings from now on."""
        self.databases = databases
        self._patch.setenv("SLUICEGATE_DATABASE_URL", databases.store_url)
        self._patch.setenv("SLUICEGATE_KEYRING_URL", databases.keyring_url)

    @contextmanager
    def replica(self) -> Iterator[Replica]:
        """A worker."""
        opened = open_all(load_settings(), migrate=False)
        journal = opened.store.journal
        opened.close()
        with replicas(self.databases, master=MasterKey.load(self.directory / "master.key")) as [one]:
            one.store.journal = journal
            yield one

    def acts(self) -> list[tuple[str, str, str]]:
        """What stands on the tenant's record."""
        opened = open_all(load_settings(), migrate=False)
        try:
            with opened.store.reading() as tx:
                found = told(tx, opened.keyring, "acme")
        finally:
            opened.close()
        return [(one.action, one.operator.name, one.operator.why) for one in found if one.operator]

    def back_up(self) -> Result:
        """Both."""
        return run(backup.app, str(self.content), "--keyring", str(self.keys), "--by", "Ann")


@pytest.fixture
def house(tmp_path: Path, sqlite: Databases, monkeypatch: pytest.MonkeyPatch) -> House:
    """With a message."""
    house = House(tmp_path, sqlite, monkeypatch)
    with house.replica() as replica:
        replica.tell(ACME, message("m1", "taken back"), message("m2", "stays"))
    return house


def run(app: Typer, *arguments: str) -> Result:
    """Run a command; what it raises is raised here."""
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def single(function: object) -> Typer:
    """An application of one command."""
    app = Typer()
    app.command()(function)  # type: ignore[type-var]
    return app


def test_there_and_back(house: House, provisioner: Provisioner) -> None:
    """Backed up, verified, lost, restored: on the record, and what was unsent since is gone."""
    made = house.back_up()
    assert "store: store, " in made.stdout
    assert "keyring: keyring, " in made.stdout
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (house.content, house.keys))
    assert run(single(verify.verify), str(house.content)).stdout.endswith("whole\n")
    assert run(single(verify.verify), str(house.keys)).stdout.endswith("whole\n")
    with house.replica() as replica:
        replica.tell(ACME, unsend("m1"))
    with provisioner.lent("sqlite") as fresh:
        house.use(fresh)
        arguments = (
            str(house.content),
            "--keyring",
            str(house.keys),
            "--journal",
            str(house.journal),
            *RESTORE,
        )
        app = single(restore.restore)
        assert run(app, *arguments, "--dry-run").stdout.endswith("nothing was changed\n")
        assert "restored" in run(app, *arguments).stdout
        assert house.acts() == [("restored", "Ann", "the disk died")]
        with house.replica() as replica:
            [found] = export(replica.store, replica.keyring, "acme")["conversations"]
            assert {entry["text"] for entry in found["entries"]} == {"stays", None}
        with pytest.raises(ConfigurationError, match="into empty ones alone"):
            run(app, *arguments)


def test_without_a_journal_loss_has_to_be_accepted(house: House, provisioner: Provisioner) -> None:
    """And stands on the record."""
    house.back_up()
    with provisioner.lent("sqlite") as fresh:
        house.use(fresh)
        app, arguments = single(restore.restore), (str(house.content), "--keyring", str(house.keys), *RESTORE)
        with pytest.raises(ConfigurationError, match="--accept-loss"):
            run(app, *arguments)
        run(app, *arguments, "--accept-loss")
        assert house.acts() == [("restored_with_loss", "Ann", "the disk died")]


def test_a_backup_stands_on_the_record(house: House) -> None:
    """Somebody has a copy of everything."""
    house.back_up()
    assert house.acts() == [("backed_up", "Ann", "backup")]


def test_keys_never_lie_beside_what_they_open(house: House) -> None:
    """Also not by another name of the directory."""
    for beside in (house.content.parent, house.content.parent / ".." / "backups"):
        with pytest.raises(ConfigurationError, match="another directory"):
            run(backup.app, str(house.content), "--keyring", str(beside / "keyring"))
    assert list(house.content.parent.iterdir()) == []


def test_a_backup_takes_no_other_file_s_place(house: House) -> None:
    """Neither that of a backup nor of anything else; and a place that is not there is told."""
    house.content.write_text("mine")
    with pytest.raises(ConfigurationError, match="there already"):
        house.back_up()
    assert house.content.read_text() == "mine"
    with pytest.raises(ConfigurationError, match="cannot be written"):
        run(backup.app, str(house.directory / "none" / "store"))


def test_a_damaged_backup_is_told_by_its_place(house: House) -> None:
    """On standard error, with exit code 1 (worker/errors.py)."""
    house.back_up()
    data = bytearray(house.content.read_bytes())
    data[-1] ^= 1
    house.content.write_bytes(data)
    with pytest.raises(BackupDamaged, match=r"chunk \d+ at byte \d+ was altered"):
        run(single(verify.verify), str(house.content))


def test_without_a_journal_it_is_said(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every time."""
    monkeypatch.delenv("SLUICEGATE_JOURNAL_FILE")
    assert "SLUICEGATE_JOURNAL_FILE" in house.back_up().stderr


def test_the_status_tells_whether_a_journal_is_kept(tmp_path: Path) -> None:
    """And whether it can be written."""
    journal = Journal(tmp_path / "journal")
    assert journal_status(None) == {"kept": False}
    assert journal_status(journal.path) == {"kept": True, "lines": 0}
    journal.append([Erased(tenant="acme", conversation=bytes(16))])
    assert journal_status(journal.path) == {"kept": True, "lines": 1}
    journal.path.write_bytes(b"what is this\n")
    assert journal_status(journal.path) == {"kept": True, "lines": None}


def test_old_keyrings_are_told_and_deleted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are older than the horizon."""
    house.back_up()
    live_later(monkeypatch)
    other = house.keys.with_name("second")
    done = run(backup.app, str(house.content.with_name("second")), "--keyring", str(other))
    assert "1 backups of the keyring" in done.stderr
    assert f"deleted {house.keys}" in run(backup.app, "prune", str(house.keys.parent)).stdout
    assert list(house.keys.parent.iterdir()) == [other]


def live_later(patch: pytest.MonkeyPatch) -> None:
    """Have the command live fifteen days later."""
    later = wall_clock() + 15 * DAY
    patch.setattr("worker.commands.backup.wall_clock", lambda: later)


def test_the_master_key_is_exchanged(house: House) -> None:
    """Staged, rotated, finished; on the record; and a backup of before asks for the key of its time."""
    house.back_up()
    path = house.directory / "master.key"
    assert "give the file to every worker" in run(keys.app, "rotate", "--stage", "--why", "yearly").stdout
    staged = MasterKeys.read(path).next
    assert "wrapped anew" in run(keys.app, "rotate", "--by", "Ann", "--why", "yearly").stdout
    assert MasterKeys.read(path).current == staged
    finished = run(keys.app, "rewrap", "--by", "Ann", "--why", "yearly").stdout
    assert MasterKeys.read(path).previous is None
    assert house.acts()[1:] == [("master_key_rotated", "Ann", "yearly")]
    with pytest.raises(ConfigurationError, match="--master-key"):
        run(single(verify.verify), str(house.content))
    [aside] = house.directory.glob("master.key.*")
    assert str(aside) in finished
    assert "whole" in run(single(verify.verify), str(house.content), "--master-key", str(aside)).stdout
    with house.replica() as replica:
        replica.tell(ACME, message("m3"))


def test_the_master_key_is_split_and_put_together(house: House) -> None:
    """Enough parts give it back where it was lost; never over another."""
    safe, path = house.directory / "safe", house.directory / "master.key"
    run(
        keys.app,
        "escrow",
        "split",
        str(safe),
        "--parts",
        "5",
        "--needed",
        "3",
        "--why",
        "policy",
        "--by",
        "Ann",
    )
    assert house.acts() == [("master_key_escrowed", "Ann", "policy")]
    parts = [str(one) for one in sorted(safe.iterdir())]
    assert len(parts) == 5
    assert all(Path(one).stat().st_mode & 0o777 == 0o600 for one in parts)
    with pytest.raises(ConfigurationError, match="already"):
        run(keys.app, "escrow", "restore", *parts[:3])
    path.unlink()
    with pytest.raises(ConfigurationError, match="3 different parts"):
        run(keys.app, "escrow", "restore", *parts[:2])
    run(keys.app, "escrow", "restore", *parts[2:])
    assert MasterKeys.read(path) == MasterKeys(bytes(range(32)))
    with pytest.raises(ConfigurationError, match="not empty"):
        run(keys.app, "escrow", "split", str(safe), "--parts", "5", "--needed", "3", "--why", "again")


def test_parts_of_another_key_are_refused(house: House, tmp_path: Path) -> None:
    """Where there is a keyring, it is asked."""
    (house.directory / "master.key").unlink()
    files = []
    for part in split(bytes(32), 2, 2):
        files.append(tmp_path / f"{part.number}")
        files[-1].write_text(part.line)
    with pytest.raises(ConfigurationError, match="not the one of this keyring"):
        run(keys.app, "escrow", "restore", *map(str, files))
    assert not (house.directory / "master.key").exists()


def test_a_key_that_is_being_exchanged_is_not_split(house: House) -> None:
    """There are two of them."""
    run(keys.app, "rotate", "--stage", "--why", "yearly")
    with pytest.raises(ConfigurationError, match="being exchanged"):
        run(
            keys.app,
            "escrow",
            "split",
            str(house.directory / "x"),
            "--parts",
            "3",
            "--needed",
            "2",
            "--why",
            "w",
        )
