"""The journal: a line for everything that was taken away, durable first; torn, altered and missing lines are told."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.event import Consent, ConsentChanged
from tests.databases import Databases
from tests.flows.harness import NOW, SOMEBODY, Replica, delivery, edit, message, replicas, tenant, unsend
from worker.backup.journal import Journal, JournalDamaged, JournalError, Position, identity, read
from worker.inbound import Answer
from worker.store import decisions, suppressions
from worker.store.journal import (
    Alias,
    Consented,
    Erased,
    Gone,
    Line,
    Restricted,
    Suppressed,
    note,
    take_notes,
)

KEY = bytes(range(16))


def gone(number: int = 0) -> Gone:
    """A line."""
    key = number.to_bytes(16, "big")
    return Gone(tenant="acme", key=key, connector="whatsapp", account="106540", state=2, at=NOW)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal that is not there yet."""
    return Journal(tmp_path / "journal")


@pytest.fixture
def replica(databases: Databases, journal: Journal) -> Iterator[Replica]:
    """A replica that keeps a journal."""
    with replicas(databases) as [one]:
        one.store.journal = journal.append
        yield one


def lines(journal: Journal) -> list[Line]:
    """All that it says."""
    return list(read(journal.path)) if journal.path.exists() else []


# -- the file ------------------------------------------------------------------------------------------------


def test_what_was_appended_is_read_in_order(journal: Journal) -> None:
    """By one object or by several, as by processes that take turns."""
    journal.append([gone(1), gone(2)])
    Journal(journal.path).append([gone(3)])
    journal.append([gone(4)])
    assert lines(journal) == [gone(number) for number in (1, 2, 3, 4)]
    assert journal.path.stat().st_mode & 0o777 == 0o600


def test_every_kind_of_line_comes_back(journal: Journal) -> None:
    """With all of its fields."""
    every: list[Line] = [
        gone(),
        Alias(tenant="acme", alias=KEY, key=KEY),
        Erased(tenant="acme", conversation=KEY),
        Suppressed(tenant="a", reference=KEY, consent="withdrawn", source="keyword", changed_at=NOW),
        Consented(tenant="a", conversation=KEY, category="all", consent="granted", changed_at=NOW),
        Restricted(tenant="a", key=KEY, conversation=KEY, why="erasure", occurred_at=NOW, at=NOW),
    ]
    journal.append(every)
    assert lines(journal) == every


def test_a_journal_has_a_position_that_it_is_known_by(journal: Journal) -> None:
    """And it keeps that position, whatever is appended."""
    assert journal.position() is None
    journal.append([gone(1), gone(2)])
    position = journal.position()
    assert position is not None
    assert (position.number, position.journal) == (2, identity(journal.path))
    journal.append([gone(3)])
    assert len(list(read(journal.path, [position]))) == 3


@pytest.mark.parametrize("torn", [1, 7, 60])
def test_a_torn_end_is_taken_away_by_the_next_line(journal: Journal, torn: int) -> None:
    """It was never committed; what was before it stays."""
    journal.append([gone(1), gone(2)])
    whole = journal.path.read_bytes()
    journal.append([gone(3)])
    journal.path.write_bytes(journal.path.read_bytes()[: len(whole) + torn])
    assert lines(journal) == [gone(1), gone(2)]
    journal.append([gone(4)])
    assert lines(journal) == [gone(1), gone(2), gone(4)]


def test_a_torn_beginning_is_begun_again(journal: Journal) -> None:
    """The process died while it made the file."""
    journal.path.write_bytes(b"0 12")
    journal.append([gone(1)])
    assert lines(journal) == [gone(1)]


@given(data=st.data())
def test_no_byte_can_be_altered_unnoticed(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Wherever it is, and whatever it becomes, the line is named; only a cut off end is a torn one."""
    journal = Journal(tmp_path_factory.mktemp("journal") / "journal")
    journal.append([gone(number) for number in range(4)])
    position, whole = journal.position(), journal.path.read_bytes()
    assert position is not None
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    journal.path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
    with pytest.raises(JournalDamaged):
        list(read(journal.path, [position]))


@pytest.mark.parametrize("what", ["drop", "swap", "repeat", "first", "cut"])
def test_lines_that_are_missing_or_moved_are_told(journal: Journal, what: str) -> None:
    """Also at the end, as far as a backup knows how long it was."""
    journal.append([gone(number) for number in range(6)])
    position = journal.position()
    kept = journal.path.read_bytes().splitlines(keepends=True)
    changed = {
        "drop": kept[:3] + kept[4:],
        "swap": [*kept[:3], kept[4], kept[3], *kept[5:]],
        "repeat": kept[:4] + kept[3:],
        "first": kept[1:],
        "cut": kept[:-1],
    }[what]
    journal.path.write_bytes(b"".join(changed))
    assert position is not None
    with pytest.raises(JournalDamaged, match="line"):
        list(read(journal.path, [position]))


def test_another_journal_does_not_pass_for_the_one_that_a_backup_knows(
    journal: Journal, tmp_path: Path
) -> None:
    """Each has an id of its own; one that was rewritten from some line on has other hashes."""
    journal.append([gone(1), gone(2)])
    other = Journal(tmp_path / "other")
    other.append([gone(1), gone(2)])
    mine, theirs = journal.position(), other.position()
    assert mine is not None
    assert theirs is not None
    assert mine.journal != theirs.journal
    forged = Position(journal=mine.journal, number=mine.number, hash=theirs.hash)
    with pytest.raises(JournalDamaged, match="line 2"):
        list(read(journal.path, [forged]))


@pytest.mark.parametrize("content", [b"", b"nothing\n", b"0 00 {}\n", os.urandom(100) + b"\n"])
def test_what_is_no_journal_is_not_read_as_one(tmp_path: Path, content: bytes) -> None:
    """And not written to, where somebody's file lies there."""
    path = tmp_path / "journal"
    path.write_bytes(content)
    with pytest.raises(JournalDamaged):
        list(read(path))
    if content:
        with pytest.raises(JournalError, match="damaged"):
            Journal(path).append([gone()])
        assert path.read_bytes() == content


def test_a_journal_that_was_moved_away_is_begun_anew(journal: Journal, tmp_path: Path) -> None:
    """Old ones are put away while the worker runs."""
    journal.append([gone(1)])
    journal.path.rename(tmp_path / "put away")
    journal.append([gone(2)])
    assert list(read(tmp_path / "put away")) == [gone(1)]
    assert lines(journal) == [gone(2)]


def _appends(path: str, first: int) -> None:
    for number in range(first, first + 50):
        Journal(Path(path)).append([gone(number), gone(number)])


def test_processes_append_to_one_file(journal: Journal) -> None:
    """Each line once, the lines of one transaction together."""
    context = multiprocessing.get_context("forkserver")
    children = [
        context.Process(target=_appends, args=(str(journal.path), first)) for first in (0, 1000, 2000)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0, 0]
    found = lines(journal)
    assert found[::2] == found[1::2]
    assert sorted(int.from_bytes(line.key, "big") for line in found[::2] if isinstance(line, Gone)) == [
        *range(50),
        *range(1000, 1050),
        *range(2000, 2050),
    ]


# -- what is noted -------------------------------------------------------------------------------------------


def test_an_unsend_is_on_the_journal_before_it_is_acknowledged(replica: Replica, journal: Journal) -> None:
    """Also one whose message never came; messages, edits and repetitions write nothing."""
    acme = tenant()
    replica.tell(acme, message("m1"), message("m2"), edit("m1", "hello!"))
    assert not journal.path.exists()
    replica.tell(acme, unsend("m1"), unsend("m9"), message("m2"))
    replica.tell(acme, unsend("m1"), message("m1"))
    told = lines(journal)
    assert len(told) == 2
    assert all(
        isinstance(one, Gone) and (one.state, one.connector, one.account) == (2, "whatsapp", "106540")
        for one in told
    )


def test_nothing_is_committed_that_the_journal_did_not_take(
    replica: Replica, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform is told to come again; when the journal is back, what it sends again is taken."""
    acme = tenant()
    replica.tell(acme, message("m1", "still here"))
    journal.path.mkdir()
    assert replica.write(delivery(acme, unsend("m1"))) == [Answer.UNAVAILABLE]
    assert replica.write(delivery(acme, message("m3"))) == [Answer.COMMITTED]
    with replica.store.reading() as tx:
        assert decisions.end_of(tx, "acme")[0] == 2
    assert isinstance(replica.failures[0], JournalError)
    journal.path.rmdir()
    assert replica.write(delivery(acme, unsend("m1"))) == [Answer.COMMITTED]
    assert len(lines(journal)) == 1


def test_a_transaction_that_is_undone_writes_nothing(replica: Replica, journal: Journal) -> None:
    """And leaves nothing behind for the next one on the same connection."""
    with suppress(ZeroDivisionError), replica.store.transaction() as tx:
        note(tx, [gone()])
        raise ZeroDivisionError
    with replica.store.transaction():
        pass
    assert not journal.path.exists()


def test_opt_outs_and_consents_are_noted(replica: Replica, journal: Journal) -> None:
    """As they were told, so that telling them again ends in the same."""
    consent = ConsentChanged(
        account="106540",
        person=SOMEBODY,
        consent=Consent.WITHDRAWN,
        category="marketing_messages",
        occurred_at=NOW,
    )
    replica.tell(tenant(), consent)
    change = suppressions.Change(reference=KEY, consent=Consent.WITHDRAWN, source="keyword", changed_at=NOW)
    with replica.store.transaction() as tx:
        suppressions.change(tx, "acme", [change], NOW)
    first, second = lines(journal)
    assert isinstance(first, Consented)
    assert (first.category, first.consent, first.changed_at) == ("marketing_messages", "withdrawn", NOW)
    assert second == Suppressed(
        tenant="acme", reference=KEY, consent="withdrawn", source="keyword", changed_at=NOW
    )


def test_what_a_hold_keeps_is_told_before_what_is_gone(replica: Replica) -> None:
    """Who tells it again must not delete the content in between."""
    held = Restricted(tenant="a", key=KEY, conversation=KEY, why="erasure", occurred_at=NOW, at=NOW)
    with replica.store.transaction() as tx:
        note(tx, [gone(1), held, gone(2)])
        assert take_notes(tx) == [held, gone(1), gone(2)]


def test_no_line_holds_content(replica: Replica, journal: Journal) -> None:
    """Neither what was said nor who said it, nor an id of the platform."""
    replica.tell(tenant(), message("wamid.secret", "a canary sings", profile={"name": "Canary"}))
    replica.tell(tenant(), unsend("wamid.secret"))
    written = journal.path.read_bytes()
    assert written
    assert not [word for word in (b"secret", b"canary", b"Canary", b"15550123") if word in written]
