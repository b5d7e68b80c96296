"""Any history, backed up at any moment and going on: restored, nothing that was deleted is back, and nothing comes back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from policies.event import Consent
from policies.record import State
from tests.databases import ENGINES, Databases, Provisioner
from tests.flows.dump import audit, dump
from tests.flows.harness import NOW, Replica, delivery, replicas, tenant
from tests.flows.histories import IDS, Batch, Told, histories, tellings
from tests.flows.vault import Vault
from worker.rights.erase import Eraser
from worker.store import suppressions
from worker.store.messages import contents, messages
from worker.store.people import conversations
from worker.store.suppressions import suppressions as suppressed

ACME = tenant()
NUMBERS = [bytes([number]) * 16 for number in range(3)]


def tell(replica: Replica, batches: Sequence[Batch]) -> None:
    """Have it committed."""
    for batch in batches:
        replica.write(*(delivery(ACME, *events, connector=connector) for connector, events in batch))
    assert not replica.failures


def opt(replica: Replica, random: Random) -> None:
    """Somebody opts out, or in again."""
    change = suppressions.Change(
        reference=random.choice(NUMBERS),
        consent=random.choice((Consent.WITHDRAWN, Consent.GRANTED)),
        source="keyword",
        changed_at=NOW + random.randrange(5),
    )
    with replica.store.transaction() as tx:
        suppressions.change(tx, "acme", [change], NOW)


def erase(replica: Replica, random: Random) -> None:
    """Somebody is erased."""
    with replica.store.reading() as tx:
        found = sorted(tx.execute(select(conversations.c.id)).scalars())
    if found:
        Eraser(replica.store, replica.keyring, replica.clock).conversation("acme", random.choice(found))


def live(replica: Replica, batches: Sequence[Batch], random: Random) -> None:
    """What is told, with opt-outs and erasures in between."""
    for batch in batches:
        tell(replica, [batch])
        if random.random() < 0.3:
            opt(replica, random)
        if random.random() < 0.2:
            erase(replica, random)


def deleted(replica: Replica) -> dict[bytes, int]:
    """The tombstones, by key; none of them has content."""
    with replica.store.reading() as tx:
        found = tx.execute(select(messages).where(messages.c.state >= State.UNSENT)).all()
        assert all(row.content is None for row in found)
        return {row.key: row.state for row in found}


def standing(replica: Replica) -> list[tuple[bytes, str]]:
    """Who opted out or in."""
    with replica.store.reading() as tx:
        rows = tx.execute(
            select(suppressed.c.reference, suppressed.c.consent).order_by(suppressed.c.reference)
        )
        return [tuple(row) for row in rows]


def keys(replica: Replica) -> set[bytes]:
    """Conversations that can be read."""
    with replica.store.reading() as tx:
        there = set(tx.execute(select(conversations.c.id)).scalars())
    return set(replica.keyring.keys("acme", there))


def told(replica: Replica) -> dict[str, Any]:
    """All transcripts. Of what was erased only its tombstone counts: whose it was is nobody's business any more."""
    whole = dump(replica.store, replica.keyring, "acme", IDS)
    whole["unattributed"] = [one for one in whole["unattributed"] if one["state"] != "erased"]
    return whole


def lived_and_restored(history: list[Told], seed: int, one: Databases, two: Databases, vault: Vault) -> None:
    """The property."""
    random = Random(seed)
    batches = tellings(history, random)
    # A keyring that was backed up before a tenant's first message does not hold the key of its references.
    at = random.randint(1, len(batches))
    with replicas(one) as [original], replicas(two) as [restored]:
        original.store.journal = vault.journal.append
        live(original, batches[:at], random)
        vault.back_up(original.store, original.keyring)
        begun = keys(original)
        live(original, batches[at:], random)
        vault.restore(two, now=NOW + 1)
        assert deleted(restored) == deleted(original)
        assert standing(restored) == standing(original)
        assert keys(restored) == keys(original) & begun
        audit(restored.store, "acme")
        # Platforms may send everything again, in any order: both end in the same.
        for replica in (original, restored):
            tell(replica, tellings(history, Random(seed)))
        assert told(restored) == told(original)
        with restored.store.reading() as tx:
            named = tx.execute(select(messages.c.content).where(messages.c.content.is_not(None))).scalars()
            assert sorted(named) == sorted(tx.execute(select(contents.c.id)).scalars())


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_that_was_deleted_comes_back(
    engine: str, provisioner: Provisioner, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Unsends, erasures, opt-outs and edits under other ids, before the backup and after it."""

    @settings(max_examples=20 if engine == "sqlite" else 6)
    @given(histories(), st.integers(0, 2**32))
    def holds(history: list[Told], seed: int) -> None:
        vault = Vault(Path(tmp_path_factory.mktemp("vault")))
        with provisioner.lent(engine) as one, provisioner.lent(engine) as two:
            lived_and_restored(history, seed, one, two, vault)

    holds()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_that_was_deleted_comes_back_in_many_histories(
    engine: str, provisioner: Provisioner, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same, many times, restored on the other engine."""
    other = next(one for one in ENGINES if one != engine)

    @settings(max_examples=300)
    @given(histories(most=14), st.integers(0, 2**32))
    def holds(history: list[Told], seed: int) -> None:
        vault = Vault(Path(tmp_path_factory.mktemp("vault")))
        with provisioner.lent(engine) as one, provisioner.lent(other) as two:
            lived_and_restored(history, seed, one, two, vault)

    holds()
