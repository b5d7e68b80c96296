"""A backup is made of a running worker and restored elsewhere: what was deleted since does not come back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from policies.event import Consent
from policies.lifecycle import Duty
from policies.message import IdentifierKind
from policies.record import State
from tests.databases import ENGINES, MASTER, Databases, Provisioner
from tests.flows.harness import NOW, Replica, delivery, edit, message, person, replicas, tenant, unsend
from tests.flows.vault import ANN, HORIZON, Vault
from worker.acts import told
from worker.backup.examine import examine
from worker.backup.horizon import DAY, prune
from worker.backup.restore import RESTORED, RESTORED_WITH_LOSS, Sources, Target, examine_sources, restore
from worker.conformance.search import Search
from worker.holds.holding import Holds
from worker.rights.erase import Eraser, Gone
from worker.store import decisions, holds, marks, suppressions
from worker.store.messages import contents, messages
from worker.store.outbox import OutboxState, outbox
from worker.store.people import conversations, identifiers
from worker.transcripts import export

ACME = tenant()
CANARY = "canary-7f3a9c1e55d0"
PAIRS = [(one, other) for one in ENGINES for other in ENGINES]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """An empty one."""
    return Vault(tmp_path)


@contextmanager
def kept(databases: Databases, vault: Vault) -> Iterator[Replica]:
    """A replica that keeps a journal."""
    with replicas(databases) as [one]:
        one.store.journal = vault.journal.append
        yield one


def eraser(replica: Replica) -> Eraser:
    """What erases."""
    return Eraser(replica.store, replica.keyring, replica.clock)


def only_conversation(replica: Replica) -> bytes:
    """The id of the one conversation."""
    with replica.store.reading() as tx:
        return bytes(tx.execute(select(conversations.c.id)).scalar_one())


# -- what was there is there ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("engine", "other"), PAIRS)
def test_everything_is_there_again(engine: str, other: str, vault: Vault, provisioner: Provisioner) -> None:
    """On the same engine or the other one: transcripts, keys, opt-outs, chains; and work goes on."""
    with provisioner.lent(engine) as one, provisioner.lent(other) as two:
        with kept(one, vault) as replica:
            replica.tell(ACME, message("m1", "hello", profile={"name": "Ann"}), message("m2", "Grüße"))
            replica.tell(ACME, edit("m1", "hello!"), message("m3", "away"))
            replica.tell(ACME, unsend("m3"))
            before = export(replica.store, replica.keyring, "acme")
            vault.back_up(replica.store, replica.keyring)
        vault.restore(two)
        with replicas(two) as [restored]:
            assert export(restored.store, restored.keyring, "acme") == before
            restored.tell(ACME, message("m3", "away"), message("m4", "next"))
            [conversation] = export(restored.store, restored.keyring, "acme")["conversations"]
            assert {entry["text"] for entry in conversation["entries"]} == {"hello!", "Grüße", None, "next"}
            with restored.store.reading() as tx:
                assert decisions.verify(tx, "acme") is None


def test_the_restore_stands_on_the_record_of_every_tenant(
    databases: Databases, vault: Vault, provisioner: Provisioner
) -> None:
    """Who and why; and whether what was deleted since may be back."""
    with kept(databases, vault) as replica:
        for one in (ACME, tenant("globex")):
            replica.tell(one, message("m1"))
        vault.back_up(replica.store, replica.keyring)
        replica.tell(ACME, unsend("m1"))
    for journal, action in ((True, RESTORED), (False, RESTORED_WITH_LOSS)):
        with provisioner.lent(databases.engine) as into:
            vault.restore(into, journal=journal)
            with into.opened() as (store, keyring), store.reading() as tx:
                for id_ in ("acme", "globex"):
                    [act] = told(tx, keyring, id_)
                    assert (act.action, act.operator) == (action, ANN)


def test_a_backup_is_of_one_moment(sqlite: Databases, vault: Vault) -> None:
    """What is committed while it is made is in it wholly or not at all: the chain in it fits the rest."""
    with kept(sqlite, vault) as replica, replica.serving() as send:
        for number in range(20):
            send(delivery(ACME, message(f"m{number}")))
        vault.back_up(replica.store, replica.keyring)
        send(delivery(ACME, message("later")))
        found = examine(vault.content, MASTER)
    assert found.rows["message"] == found.rows["content"] == 20
    assert found.heads["acme"][0] == found.rows["decision_commit"]


# -- what was deleted does not come back ---------------------------------------------------------------------


def test_what_was_unsent_since_does_not_come_back(
    databases: Databases, vault: Vault, provisioner: Provisioner
) -> None:
    """Neither by the restore nor when a platform sends it again; nor what the backup never knew."""
    with kept(databases, vault) as replica:
        replica.tell(ACME, message("m1", "taken back"), message("m2", "stays"))
        vault.back_up(replica.store, replica.keyring)
        replica.tell(ACME, unsend("m1"), message("m9", "never in the backup"))
        replica.tell(ACME, unsend("m9"))
    with provisioner.lent(databases.engine) as into:
        vault.restore(into)
        with replicas(into) as [restored]:
            restored.tell(ACME, message("m1", "taken back"), message("m9", "never in the backup"))
            [conversation] = export(restored.store, restored.keyring, "acme")["conversations"]
            texts = {entry["text"] for entry in conversation["entries"]}
            with restored.store.reading() as tx:
                assert len(tx.execute(select(contents)).all()) == 1
    assert texts == {"stays", None}


def tombstones(databases: Databases) -> list[tuple[bytes, int]]:
    """Keys and states of what is gone."""
    with databases.opened() as (store, _), store.reading() as tx:
        rows = tx.execute(select(messages.c.key, messages.c.state).where(messages.c.state >= State.UNSENT))
        return sorted((row.key, row.state) for row in rows)


def test_a_post_that_was_deleted_by_another_id_does_not_come_back(
    databases: Databases, vault: Vault, provisioner: Provisioner
) -> None:
    """The backup knows a version alone; since then it was told whose version it is, and that was deleted."""
    dora = person(IdentifierKind.X_ID, "7000001")
    version = message("101", "second version", connector="x", who=dora)
    with kept(databases, vault) as replica:
        replica.tell(ACME, version, connector="x")
        vault.back_up(replica.store, replica.keyring)
        whole = message("100", "first version", connector="x", who=dora, also_known_as=("101",))
        replica.tell(ACME, whole, connector="x")
        replica.tell(ACME, unsend("100", connector="x"), connector="x")
    with provisioner.lent(databases.engine) as into:
        vault.restore(into)
        with replicas(into) as [restored]:
            restored.tell(ACME, version, connector="x")
            with restored.store.reading() as tx:
                assert tx.execute(select(contents)).all() == []
        assert tombstones(into) == tombstones(databases)


def test_a_line_from_before_the_backup_changes_nothing(
    databases: Databases, vault: Vault, provisioner: Provisioner
) -> None:
    """A version was deleted, then it was told whose version it was: that is the tombstone, and the only one."""
    dora = person(IdentifierKind.X_ID, "7000001")
    with kept(databases, vault) as replica:
        replica.tell(ACME, unsend("101", connector="x"), connector="x")
        whole = message("100", "whole", connector="x", who=dora, also_known_as=("101",))
        replica.tell(ACME, whole, connector="x")
        vault.back_up(replica.store, replica.keyring)
    with provisioner.lent(databases.engine) as into:
        vault.restore(into)
        assert tombstones(into) == tombstones(databases)
        assert len(tombstones(into)) == 1


def test_whoever_was_erased_since_does_not_come_back(
    databases: Databases, vault: Vault, provisioner: Provisioner
) -> None:
    """Not even the key is restored; a delivery that comes again does not meet the person anew."""
    with kept(databases, vault) as replica:
        replica.tell(ACME, message("m1", "forget me", profile={"name": "Ann"}))
        conversation = only_conversation(replica)
        vault.back_up(replica.store, replica.keyring)
        replica.tell(ACME, message("m2", "me too"))
        assert eraser(replica).conversation("acme", conversation) is Gone.ERASED
    with provisioner.lent(databases.engine) as into:
        vault.restore(into)
        with replicas(into) as [restored]:
            assert restored.keyring.keys("acme", [conversation]) == {}
            restored.tell(ACME, message("m1", "forget me"), message("m2", "me too"))
            with restored.store.reading() as tx:
                for table in (contents, conversations, identifiers):
                    assert tx.execute(select(table)).all() == []
                states = tx.execute(select(messages.c.state)).scalars().all()
                assert states == [State.ERASED, State.ERASED]
                assert decisions.verify(tx, "acme") is None


def test_who_opted_out_since_stays_so(databases: Databases, vault: Vault, provisioner: Provisioner) -> None:
    """And who opted in again is in."""
    one, other = bytes(16), bytes([1]) * 16

    def say(replica: Replica, reference: bytes, consent: Consent, at: int) -> None:
        change = suppressions.Change(reference=reference, consent=consent, source="keyword", changed_at=at)
        with replica.store.transaction() as tx:
            suppressions.change(tx, "acme", [change], at)

    with kept(databases, vault) as replica:
        say(replica, other, Consent.WITHDRAWN, NOW)
        vault.back_up(replica.store, replica.keyring)
        say(replica, one, Consent.WITHDRAWN, NOW + 1)
        say(replica, other, Consent.GRANTED, NOW + 1)
    with provisioner.lent(databases.engine) as into:
        vault.restore(into)
        with into.opened() as (store, _), store.reading() as tx:
            assert suppressions.standing(tx, "acme", [one, other]) == {one}


def test_who_is_known_to_be_a_child_stays_so(
    databases: Databases, vault: Vault, provisioner: Provisioner
) -> None:
    """And whose mark was taken away has none, be it from before the backup or since."""
    one, lifted, forgotten, before = (
        marks.Marked(marked_at=NOW + number, reference=bytes([number]) * 16, mark="m", source="s")
        for number in range(4)
    )
    with kept(databases, vault) as replica:
        with replica.store.transaction() as tx:
            marks.add(tx, "acme", [lifted, before])
        with replica.store.transaction() as tx:
            marks.lift(tx, "acme", [before])
        vault.back_up(replica.store, replica.keyring)
        with replica.store.transaction() as tx:
            marks.add(tx, "acme", [one, forgotten])
        with replica.store.transaction() as tx:
            marks.lift(tx, "acme", [lifted])
            marks.forget(tx, "acme", "m", [forgotten.reference])
    with provisioner.lent(databases.engine) as into:
        vault.restore(into)
        with into.opened() as (store, _), store.reading() as tx:
            assert marks.all_of(tx, "acme", ["m"]) == [one]


def test_what_a_hold_keeps_back_is_kept_back_again(
    databases: Databases, vault: Vault, provisioner: Provisioner
) -> None:
    """The hold came after the backup, the unsend after the hold: out of sight, and still there; lifted, it goes."""
    with kept(databases, vault) as replica:
        replica.tell(ACME, message("m1", "evidence"), message("m2", "none"))
        conversation = only_conversation(replica)
        vault.back_up(replica.store, replica.keyring)
        hold = holds.Hold(
            id=bytes(16), scope="conversation", since=None, until=None, placed_at=NOW, sealed=b"x"
        )
        with replica.store.transaction() as tx:
            holds.add_hold(tx, "acme", hold, [conversation])
        replica.tell(ACME, unsend("m1"))
    with provisioner.lent(databases.engine) as into:
        vault.restore(into)
        with into.opened() as (store, keyring):
            [shown] = export(store, keyring, "acme")["conversations"]
            assert {entry["text"] for entry in shown["entries"]} == {"none", None}
            with store.reading() as tx:
                [row] = holds.restricted_of(tx, "acme", conversation)
                assert row.why == Duty.PLATFORM_DELETION
                assert holds.read_content(tx, "acme", row.content) is not None
                assert Holds(tx, "acme").covers(conversation, NOW)


def test_a_text_on_its_way_is_not_sent_twice(
    sqlite: Databases, vault: Vault, provisioner: Provisioner
) -> None:
    """It may have been sent since the backup was made: a person says what became of it."""
    row = {
        "tenant": "acme",
        "connector": "sms_console",
        "account": "1",
        "purpose": "",
        "state": 0,
        "not_before": NOW,
        "attempts": 0,
        "epoch": 0,
        "lease_until": 0,
        "submitted_at": NOW,
        "changed_at": NOW,
        "failure": "",
        "code": 0,
        "sealed": b"x",
        "conversation": bytes(16),
    }
    with kept(sqlite, vault) as replica:
        with replica.store.transaction() as tx:
            for number, state in enumerate((0, 1, 2, 3, 7)):
                key = bytes([number]) * 16
                tx.execute(
                    outbox.insert().values(**{**row, "key": key, "id": key, "pair": key, "state": state})
                )
        vault.back_up(replica.store, replica.keyring)
    with provisioner.lent("sqlite") as into:
        vault.restore(into, journal=False)
        with into.opened() as (store, _), store.reading() as tx:
            states = tx.execute(select(outbox.c.state).order_by(outbox.c.key)).scalars().all()
    unresolved = OutboxState.UNRESOLVED
    assert states == [unresolved, unresolved, unresolved, OutboxState.SENT, unresolved]


def test_what_was_erased_is_unreadable_once_the_horizon_has_passed(
    sqlite: Databases, vault: Vault, provisioner: Provisioner
) -> None:
    """With the backup of the store from before, every keyring that is left, the master key and no journal."""
    bob = person(IdentifierKind.PHONE, "12025550456")
    with kept(sqlite, vault) as replica:
        replica.tell(ACME, message("m1", CANARY, profile={"name": CANARY}), message("m2", "stays", who=bob))
        vault.back_up(replica.store, replica.keyring)
        [erased] = [
            one["id"]
            for one in export(replica.store, replica.keyring, "acme")["conversations"]
            if CANARY in str(one)
        ]
        eraser(replica).conversation("acme", bytes.fromhex(erased))
        later = replace(vault, directory=vault.directory / "later")
        later.directory.mkdir()
        later.back_up(replica.store, replica.keyring, NOW + 2 * DAY)
    with provisioner.lent("sqlite") as into:
        vault.restore(into, journal=False)
        assert CANARY in readable(into), "before the horizon it can be: that is what the journal is for"
    assert prune(vault.directory, HORIZON, NOW + 15 * DAY) == [vault.keys]
    mixed = Sources(content=vault.content, keyring=later.keys, master=MASTER, journals=())
    with provisioner.lent("sqlite") as into:
        plan = examine_sources(mixed, HORIZON, NOW + 15 * DAY)
        with into.opened() as (store, keyring):
            restore(plan, Target(store=store, keyring=keyring, master=MASTER), ANN, NOW)
        told = readable(into)
    assert CANARY not in told
    assert "stays" in told


def test_no_canary_is_in_a_backup_or_comes_out_of_a_restore(
    sqlite: Databases, vault: Vault, provisioner: Provisioner
) -> None:
    """In any spelling: not in the files, not in the journal, and what was unsent in no row of the restored store."""
    with kept(sqlite, vault) as replica:
        replica.tell(ACME, message("m1", CANARY, profile={"name": CANARY}))
        vault.back_up(replica.store, replica.keyring)
        replica.tell(ACME, unsend("m1"))
    with provisioner.lent("sqlite") as into:
        vault.restore(into)
        assert CANARY not in readable(into)
        files = [*vault.directory.iterdir(), *into.directory.iterdir()]
        search = Search([CANARY])
        assert {path.name for path in files if list(search.look(path.read_bytes()))} == set()
        with into.opened() as (store, _), store.reading() as tx:
            assert tx.execute(select(contents)).all() == []


def readable(databases: Databases) -> str:
    """Everything that a transcript tells."""
    with databases.opened() as (store, keyring):
        return str(export(store, keyring, "acme"))
