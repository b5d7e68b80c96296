"""A worker is killed while it is backed up and takes messages back: no tombstone without its line, none lost by a restore."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select

from policies.record import State
from tests.databases import ENGINES, Databases, Provisioner
from tests.flows.senders import ACCOUNT, GUEST, Story, beside, sending
from tests.flows.vault import Vault
from worker.backup.journal import read
from worker.conformance.rig import SERVE, Rig
from worker.crypto import MasterKey
from worker.runtime import wall_clock
from worker.store.journal import Gone
from worker.store.messages import messages
from worker.transcripts import export, message_ref


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_while_it_takes_back_and_is_backed_up(
    engine: str, tmp_path: Path, provisioner: Provisioner
) -> None:
    """Every tombstone on disk has its line; restored, nothing whose unsend was acknowledged can be read."""
    random, vault = Random(), Vault(tmp_path)
    databases = provisioner.empty(engine)
    command = ("env", f"SLUICEGATE_JOURNAL_FILE={vault.journal.path}", *SERVE)
    rig = Rig(tmp_path / "worker", command, databases=(databases.store_url, databases.keyring_url))
    rig.admit(GUEST)
    stories = [Story(number, random.getrandbits(32)) for number in range(16)]
    master = MasterKey.load(tmp_path / "worker" / "master.key")
    for number in range(2):
        with rig.running(), sending(rig.url, stories):
            time.sleep(random.uniform(0.2, 0.5))
            with databases.opened() as (store, keyring):
                vault.content.unlink(missing_ok=True)
                vault.keys.unlink(missing_ok=True)
                vault.back_up(store, keyring, wall_clock(), master)
            time.sleep(random.uniform(0.2, 0.5))
            rig.stop(signal.SIGKILL)
        with beside(rig, tmp_path / f"copy{number}") as (store, _), store.reading() as tx:
            wanted = select(messages.c.key).where(messages.c.state >= State.UNSENT)
            gone = set(tx.execute(wanted).scalars())
        told = {line.key for line in read(vault.journal.path) if isinstance(line, Gone)}
        assert gone
        assert gone <= told
    with provisioner.lent(engine) as into:
        vault.restore(into, now=wall_clock(), master=master)
        assert taken_back(stories) & readable(into, stories) == set()
        assert readable(into, stories)


def taken_back(stories: list[Story]) -> set[str]:
    """Ids of messages whose unsend was acknowledged."""
    return {fate.id for story in stories for fate in story.fates if "unsend" in fate.acknowledged}


def readable(databases: Databases, stories: list[Story]) -> set[str]:
    """Ids of messages that can be read."""
    with databases.opened() as (store, keyring):
        told = export(store, keyring, GUEST.id)["conversations"]
        refs = {entry["ref"] for one in told for entry in one["entries"] if entry["text"] is not None}
        every = [fate.id for story in stories for fate in story.fates]
        return {id_ for id_ in every if message_ref(keyring, GUEST.id, "instagram", ACCOUNT, id_) in refs}
