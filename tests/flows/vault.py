"""Backups in tests: made of a replica's databases, restored into others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.databases import MASTER, Databases
from tests.flows.harness import NOW
from worker.acts import Operator
from worker.backup.dump import back_up_keyring, back_up_store
from worker.backup.journal import Journal
from worker.backup.restore import Restored, Sources, Target, examine_sources, restore
from worker.crypto import MasterKey
from worker.keyring import Keyring
from worker.store.engine import Store

ANN: Final = Operator(name="Ann", why="the disk died")
HORIZON: Final = 14


@dataclass(frozen=True)
class Vault:
    """Where backups and the journal of one test are."""

    directory: Path

    @property
    def content(self) -> Path:
        """The store's backup."""
        return self.directory / "store.backup"

    @property
    def keys(self) -> Path:
        """The keyring's backup."""
        return self.directory / "keyring.backup"

    @property
    def journal(self) -> Journal:
        """The journal."""
        return Journal(self.directory / "journal")

    def back_up(self, store: Store, keyring: Keyring, now: int = NOW, master: MasterKey = MASTER) -> None:
        """Both, in the order in which the command does it."""
        back_up_store(store, master, self.content, now, self.journal.position)
        back_up_keyring(keyring, master, self.keys, now)

    def sources(self, *, journal: bool = True, master: MasterKey = MASTER) -> Sources:
        """What was backed up; ``journal``: with what was deleted since, where anything was."""
        told = (self.journal.path,) if journal and self.journal.path.exists() else ()
        return Sources(content=self.content, keyring=self.keys, master=master, journals=told)

    def restore(
        self, into: Databases, *, journal: bool = True, now: int = NOW, master: MasterKey = MASTER
    ) -> Restored:
        """Restore into databases that are there and empty."""
        plan = examine_sources(self.sources(journal=journal, master=master), HORIZON, now)
        with into.opened() as (store, keyring):
            return restore(plan, Target(store=store, keyring=keyring, master=MASTER), ANN, now)
