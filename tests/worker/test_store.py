"""The store's functions, on both engines: what is there stays, what is newer wins, what is long is cut into pieces."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import permutations
from typing import Any, Final

import pytest
from sqlalchemy import select, text

from policies.event import AccountAspect, AccountChanged, AccountState
from policies.message import Instant
from policies.record import Part, State, record_of_message, record_of_unsend
from tests.databases import Databases
from tests.flows.harness import NOW, Replica, delivery, edit, message, replicas, tenant, unsend
from worker.crypto import Aes256Gcm, CryptoError
from worker.inbound import Answer
from worker.store import checkpoint, messages, people
from worker.store.accounts import account_states, change_accounts, count, counters
from worker.store.checkpoint import Checkpointer
from worker.store.engine import Store
from worker.store.messages import Held, aliases
from worker.store.statements import MOST_VALUES, Raced, insert_missing, insert_new, select_in

ACME: Final = tenant()
KEY: Final = bytes(range(32))


@pytest.fixture
def store(databases: Databases) -> Iterator[Store]:
    """A fresh store."""
    with closing(databases.store()) as opened:
        yield opened


def key(number: int) -> bytes:
    """A key of sixteen bytes."""
    return number.to_bytes(16, "big")


# -- statements ----------------------------------------------------------------------------------------------


def test_long_lists_are_looked_up_in_pieces(store: Store) -> None:
    """However many keys are asked for: each once, in order, of this tenant alone."""
    for number in (0, 1, 2, 7, 8, 9, 63, 64, 65, MOST_VALUES, MOST_VALUES + 1, 3 * MOST_VALUES):
        of, asked = f"t{number}", [key(n) for n in range(number + 5)]
        with store.transaction() as tx:
            insert_new(tx, aliases, [(of, key(n), key(0)) for n in range(number)])
            insert_new(tx, aliases, [(f"other{number}", one, key(1)) for one in asked])
            found = [row.alias for row in select_in(tx, aliases.c.alias, of, asked)]
        assert found == asked[:number]


def test_inserting_what_was_free_and_is_not(postgresql: Databases) -> None:
    """Another replica came first: the transaction is told, and nothing of its own is there."""
    with closing(postgresql.store()) as store:
        with store.transaction() as tx:
            insert_new(tx, aliases, [("acme", key(2), key(0))])
        with pytest.raises(Raced), store.transaction() as tx:
            insert_new(tx, aliases, [("acme", key(n), key(1)) for n in range(4)])
        with store.reading() as tx:
            assert [tuple(row) for row in tx.execute(select(aliases))] == [("acme", key(2), key(0))]


def test_inserting_what_is_missing(store: Store) -> None:
    """What is there stays as it is."""
    with store.transaction() as tx:
        for target in (1, 2):
            rows = [{"tenant": "acme", "alias": key(n), "key": key(target)} for n in range(target)]
            insert_missing(tx, aliases, rows)
        insert_missing(tx, aliases, [])
        assert sorted((row.alias, row.key) for row in tx.execute(select(aliases))) == [
            (key(0), key(1)),
            (key(1), key(2)),
        ]


# -- messages ------------------------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_went(store: Store) -> None:
    """Every column, of a message with everything and of a tombstone without anything."""
    full = message("m", standby=True, history=True)
    records = {
        key(1): record_of_message(full, key(7), key(8)),
        key(2): record_of_unsend(unsend("m"), None),
    }
    with store.transaction() as tx:
        rows = [
            messages.row_of(
                "acme", at, ("whatsapp", "1"), Held(record=record, content=None, recorded_at=NOW), NOW
            )
            for at, record in records.items()
        ]
        messages.insert_messages(tx, rows)
        held = messages.load(tx, "acme", sorted(records))
        assert messages.load(tx, "globex", sorted(records)) == {}
    for at, record in records.items():
        assert held[at].record.circumstances == record.circumstances
        assert held[at].record.state is record.state
        assert (held[at].record.conversation, held[at].record.unsent_at) == (
            record.conversation,
            record.unsent_at,
        )
    assert held[key(2)].record.state is State.UNSENT


AWKWARD: Final[dict[str, Any]] = {
    "nothing": None,
    "numbers at their limits": [2**63 - 1, -(2**63), 2**64 - 1, 0.1, -0.0],
    "nested": {"a": [{"b": []}]},
    "empty keys": {"": ""},
    "zero": "a\0b",
    "emoji": "👩‍👩‍👧‍👦",
}


@pytest.mark.parametrize("case", AWKWARD)
def test_parts_come_back_as_they_went(case: str) -> None:
    """Sealed for their place, with their versions."""
    cipher, parts = Aes256Gcm(KEY), {"details": Part(3, NOW, AWKWARD[case])}
    sealed = messages.seal_parts(cipher, "acme", key(1), parts)
    assert messages.open_parts(cipher, "acme", key(1), sealed) == parts
    for of, at in (("globex", key(1)), ("acme", key(2))):
        with pytest.raises(CryptoError):
            messages.open_parts(cipher, of, at, sealed)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (2**64, str(2**64)),
        (-(2**70), str(-(2**70))),
        ("\ud83d", "?"),
        ({"\udc00": [10**40]}, {"?": [str(10**40)]}),
    ],
)
def test_what_cannot_be_encoded_is_kept_as_text(value: Any, kept: Any) -> None:
    """Rather than the whole delivery being lost for it."""
    cipher = Aes256Gcm(KEY)
    sealed = messages.seal_parts(cipher, "acme", key(1), {"details": Part(0, NOW, value)})
    assert messages.open_parts(cipher, "acme", key(1), sealed)["details"].value == kept


def test_an_unsent_message_s_content_is_deleted_not_hidden(databases: Databases) -> None:
    """The row of the content is gone in the same transaction, also when the unsend comes by itself."""
    with replicas(databases) as [replica]:
        replica.tell(ACME, message("m1"), message("m2"))
        replica.tell(ACME, unsend("m1"))
        with replica.store.reading() as tx:
            assert len(tx.execute(select(messages.contents)).all()) == 1
            states = tx.execute(select(messages.messages.c.state, messages.messages.c.content)).all()
        assert sorted((row.state, row.content is None) for row in states) == [(1, False), (2, True)]


def test_an_edit_rewrites_the_content_in_place(databases: Databases) -> None:
    """The old text is nowhere left to be read."""
    with replicas(databases) as [replica]:
        replica.tell(ACME, message("m"))
        before = contents(replica)
        replica.tell(ACME, edit("m", "new"))
        assert contents(replica).keys() == before.keys()
        assert contents(replica) != before


def contents(replica: Replica) -> dict[bytes, bytes]:
    """All sealed contents."""
    with replica.store.reading() as tx:
        return {row.id: row.sealed for row in tx.execute(select(messages.contents))}


# -- what the latest event decides ---------------------------------------------------------------------------

STANDINGS: Final[list[tuple[Instant, AccountState, str]]] = [
    (NOW, AccountState.ACTIVE, ""),
    (NOW, AccountState.ACTIVE, "again"),
    (NOW, AccountState.SUSPENDED, ""),
    (NOW + 1, AccountState.ACTIVE, "later"),
]


def standing(at: Instant, state: AccountState, detail: str, subject: str = "1") -> AccountChanged:
    """A change of standing."""
    return AccountChanged(
        account="1",
        aspect=AccountAspect.TEMPLATE,
        state=state,
        occurred_at=at,
        subject=subject,
        detail=detail,
    )


@pytest.mark.parametrize("known", [3, 4])
def test_the_latest_standing_stands(store: Store, known: int) -> None:
    """In any order of arrival; of several at one instant always the same one; of each subject its own."""
    for number, order in enumerate(permutations(STANDINGS[:known])):
        with store.transaction() as tx:
            for at, state, detail in order:
                change_accounts(tx, f"t{number}", [("whatsapp", standing(at, state, detail))])
            others = [
                standing(NOW, AccountState.REVOKED, "", "2"),
                standing(NOW - 1, AccountState.ACTIVE, "", "2"),
            ]
            change_accounts(tx, f"t{number}", [("whatsapp", other) for other in others])
    with store.reading() as tx:
        found = {tuple(row)[4:] for row in tx.execute(select(account_states))}
    winner = ("1", "suspended", "", NOW) if known == 3 else ("1", "active", "later", NOW + 1)
    assert found == {winner, ("2", "revoked", "", NOW)}


def test_the_latest_consent_stands(store: Store) -> None:
    """In any order; of two at one instant the withdrawal."""
    told = [(NOW, "granted"), (NOW, "withdrawn"), (NOW - 1, "granted"), (NOW, "unknown")]
    for number, order in enumerate(permutations(told)):
        with store.transaction() as tx:
            people.change_consents(tx, "acme", [(key(number), "all", word, at) for at, word in order[:2]])
            people.change_consents(tx, "acme", [(key(number), "all", word, at) for at, word in order[2:]])
    with store.reading() as tx:
        found = {(row.consent, row.changed_at) for row in tx.execute(select(people.consents))}
    assert found == {("withdrawn", NOW)}


def test_counters_add_up(store: Store) -> None:
    """Over batches, apart by tenant, day and every word."""
    one, other = (1, "whatsapp", "message", "stored", ""), (1, "whatsapp", "message", "stored", "unsent")
    with store.transaction() as tx:
        count(tx, "acme", {one: 2, other: 1})
        count(tx, "acme", {one: 3})
        count(tx, "globex", {one: 1})
        count(tx, "acme", {})
    with store.reading() as tx:
        found = {(row.tenant, row.reason): row[-1] for row in tx.execute(select(counters))}
    assert found == {("acme", ""): 5, ("acme", "unsent"): 1, ("globex", ""): 1}


# -- the write-ahead log -------------------------------------------------------------------------------------


def log_size(databases: Databases, name: str = "sluicegate") -> int:
    """Bytes of a database's write-ahead log."""
    path = databases.directory / f"{name}.db-wal"
    return path.stat().st_size if path.exists() else 0


def write_much(replica: Replica, checkpointer: Checkpointer, batches: int) -> None:
    """Many commits, as the worker makes them."""
    with replica.serving(between_batches=checkpointer.between_batches) as send:
        for number in range(batches):
            assert send(delivery(ACME, message(f"m{number}", "x" * 2_000))) is Answer.COMMITTED


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints as often as can be."""
    monkeypatch.setattr(checkpoint, "INTERVAL_SECONDS", 0.002)
    monkeypatch.setattr(checkpoint, "MOST_FRAMES", 50)


def test_the_log_stays_short(sqlite: Databases, impatient: None) -> None:
    """However much is written, and nothing is lost on the way into the file."""
    with replicas(sqlite) as [replica]:
        checkpointer = Checkpointer(replica.store)
        write_much(replica, checkpointer, 50)
        unattended = log_size(sqlite)
        checkpointer.start()
        time.sleep(0.05)
        write_much(replica, checkpointer, 300)
        checkpointer.stop()
        assert log_size(sqlite) < unattended * 3
        with replica.store.reading() as tx:
            assert tx.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
            assert len(tx.execute(select(messages.contents.c.id)).all()) == 300


def test_a_long_log_is_noticed(sqlite: Databases, impatient: None) -> None:
    """The writer is asked to finish a pass: a background thread alone never catches up with a busy one."""
    with replicas(sqlite) as [replica]:
        checkpointer = Checkpointer(replica.store)
        write_much(replica, checkpointer, 50)
        checkpointer.start()
        wait_for(lambda: checkpointer._due)
        checkpointer.stop()


def test_the_writer_finishes_a_pass(sqlite: Databases) -> None:
    """When it is asked to: then the log begins again at its beginning."""
    with replicas(sqlite) as [replica]:
        checkpointer = Checkpointer(replica.store)
        write_much(replica, checkpointer, 50)
        before, checkpointer._due = log_size(sqlite), True
        write_much(replica, checkpointer, 40)
        checkpointer.stop()
        assert log_size(sqlite) < before * 1.2


def wait_for(happens: Callable[[], bool]) -> None:
    """Wait until it happens, at most ten seconds."""
    deadline = time.monotonic() + 10
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_reader_delays_the_log_and_nothing_else(sqlite: Databases, impatient: None) -> None:
    """Somebody reads for long: writers go on, and the reader sees one moment."""
    with replicas(sqlite) as [replica]:
        checkpointer = Checkpointer(replica.store)
        checkpointer.start()
        write_much(replica, checkpointer, 10)
        with replica.store.reading() as tx:
            assert len(tx.execute(select(messages.messages.c.key)).all()) == 10
            write_much(replica, checkpointer, 60)
            assert len(tx.execute(select(messages.messages.c.key)).all()) == 10
        write_much(replica, checkpointer, 80)
        checkpointer.stop()
        with replica.store.reading() as tx:
            assert len(tx.execute(select(messages.messages.c.key)).all()) == 80


def test_nothing_is_left_of_the_log_when_all_is_closed(sqlite: Databases, impatient: None) -> None:
    """A copy of the one file is a copy of the store."""
    with replicas(sqlite) as [replica]:
        checkpointer = Checkpointer(replica.store)
        checkpointer.start()
        write_much(replica, checkpointer, 100)
        checkpointer.stop()
    assert [path.name for path in sorted(sqlite.directory.iterdir())] == ["keyring.db", "sluicegate.db"]


def test_the_keyring_s_log_stays_short_by_itself(sqlite: Databases) -> None:
    """Nobody attends to it: it is small, and SQLite does it."""
    with closing(sqlite.keyring()) as keyring:
        for number in range(1_500):
            keyring.make("acme", [key(number)])
        assert log_size(sqlite, "keyring") < 5_000_000


def test_there_is_no_log_to_attend_to_on_postgresql(postgresql: Databases) -> None:
    """The same calls do nothing."""
    with closing(postgresql.store()) as store:
        checkpointer = Checkpointer(store)
        checkpointer.start()
        checkpointer.between_batches()
        checkpointer.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "checkpoint"]
