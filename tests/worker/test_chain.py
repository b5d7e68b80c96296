"""The decision chain: anybody can recompute it, and whatever was altered, dropped or swapped shows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import delete, select, update

from policies.event import Unrecognised
from policies.message import IdentifierKind
from policies.verdict import Reason, ReasonCode
from tests.databases import Databases
from tests.flows.harness import NOW, Replica, delivery, edit, message, person, replicas, tenant, unsend
from worker import chain
from worker.chain import GENESIS, Commit, DecisionRecord
from worker.inbound import Answer, Governed
from worker.store import accounts, decisions

ACME: Final = tenant()


def record(number: int) -> DecisionRecord:
    """A decision unlike others."""
    return DecisionRecord(
        connector="whatsapp",
        account="1",
        event="message",
        disposition="stored",
        policy="0" * 16,
        subject=number.to_bytes(16, "big"),
    )


def chained(counts: Sequence[int], missing: int = 0) -> list[Commit]:
    """A chain with so many decisions in each commit; ``missing`` is a number that it leaves out."""
    made: list[Commit] = []
    previous = GENESIS
    for number, count in enumerate(counts, 1):
        sequence = number + (0 < missing <= number)
        stored, root = chain.encode([record(sequence * 100 + one) for one in range(count)])
        at = NOW + sequence
        previous = chain.head(previous, "acme", sequence, at, count, root)
        made.append(
            Commit(
                tenant="acme",
                sequence=sequence,
                committed_at=at,
                count=count,
                root=root,
                head=previous,
                decisions=stored,
            )
        )
    return made


def plainly_rooted(leaves: list[bytes]) -> bytes:
    """The Merkle root by the recursive definition of RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    left, right = plainly_rooted(leaves[:split]), plainly_rooted(leaves[split:])
    return hashlib.sha256(b"\1" + left + right).digest()


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40))
def test_the_root_is_that_of_rfc_6962(leaves: list[bytes]) -> None:
    """Computed in another way."""
    assert chain.merkle_root(leaves) == plainly_rooted(leaves)


def test_a_commit_s_decisions_are_read_back() -> None:
    """As they were written, and their root with them."""
    records = [record(number) for number in range(5)]
    stored, root = chain.encode(records)
    assert chain.decode(stored) == records
    assert chain.root_of(stored) == root
    assert chain.merkle_root([]) == GENESIS


@given(st.lists(st.integers(1, 5), max_size=6))
def test_a_whole_chain_verifies(counts: list[int]) -> None:
    """Also an empty one; and to its end."""
    commits = chained(counts)
    end = (len(commits), commits[-1].head) if commits else (0, GENESIS)
    assert chain.verify(commits) is None
    assert chain.verify(commits, end) is None


Damage = Callable[[list[Commit]], list[Commit]]


def _flipped(stored: bytes) -> bytes:
    return stored[:-1] + bytes([stored[-1] ^ 1])


DAMAGES: Final[dict[str, tuple[int, Damage]]] = {
    "a byte of the decisions": (
        3,
        lambda c: [*c[:2], replace(c[2], decisions=_flipped(c[2].decisions)), *c[3:]],
    ),
    "a byte of the root": (3, lambda c: [*c[:2], replace(c[2], root=_flipped(c[2].root)), *c[3:]]),
    "a byte of the head": (3, lambda c: [*c[:2], replace(c[2], head=_flipped(c[2].head)), *c[3:]]),
    "the time": (3, lambda c: [*c[:2], replace(c[2], committed_at=1), *c[3:]]),
    "the count": (3, lambda c: [*c[:2], replace(c[2], count=9), *c[3:]]),
    "another tenant's": (3, lambda c: [*c[:2], replace(c[2], tenant="globex"), *c[3:]]),
    "no decisions at all": (3, lambda c: [*c[:2], replace(c[2], decisions=b""), *c[3:]]),
    "one commit dropped": (3, lambda c: [*c[:2], *c[3:]]),
    "the first dropped": (1, lambda c: c[1:]),
    "two swapped": (3, lambda c: [*c[:2], c[3], c[2], *c[4:]]),
    "two swapped and renumbered": (
        3,
        lambda c: [*c[:2], replace(c[3], sequence=3), replace(c[2], sequence=4), *c[4:]],
    ),
    "one twice": (4, lambda c: [*c[:3], c[2], *c[3:]]),
    "one decision dropped": (
        3,
        lambda c: [*c[:2], replace(c[2], decisions=_without_last(c[2].decisions), count=1), *c[3:]],
    ),
    "two decisions swapped": (
        3,
        lambda c: [*c[:2], replace(c[2], decisions=_reversed(c[2].decisions)), *c[3:]],
    ),
    "one of another chain": (2, lambda c: [c[0], chained([9, 9])[1], *c[2:]]),
    "the last dropped": (5, lambda c: c[:-1]),
    "all dropped": (1, lambda _: []),
}


def _without_last(stored: bytes) -> bytes:
    return chain.encode(chain.decode(stored)[:-1])[0]


def _reversed(stored: bytes) -> bytes:
    return chain.encode(chain.decode(stored)[::-1])[0]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_where_it_is(damage: str) -> None:
    """The first commit that does not fit is named."""
    commits = chained([1, 3, 2, 1, 4])
    first, harm = DAMAGES[damage]
    assert chain.verify(harm(commits), (5, commits[-1].head)) == first


def test_a_number_that_was_left_out_is_noticed() -> None:
    """Also when whoever did it linked the rest anew."""
    assert chain.verify(chained([1, 1, 1, 1], missing=3)) == 3


@given(position=st.integers(0), bit=st.integers(0, 7))
def test_no_byte_of_a_commit_can_change(position: int, bit: int) -> None:
    """Whichever byte of its decisions, root or head it is."""
    commits = chained([3, 3])
    for field in ("decisions", "root", "head"):
        altered = bytearray(getattr(commits[0], field))
        altered[position % len(altered)] ^= 1 << bit
        assert chain.verify([replace(commits[0], **{field: bytes(altered)}), commits[1]]) == 1


@pytest.fixture
def replica(databases: Databases) -> Iterator[Replica]:
    """A replica over a fresh store."""
    with replicas(databases) as [opened]:
        yield opened


def test_every_commit_of_the_ledger_is_chained(replica: Replica) -> None:
    """One link for each batch and tenant; the log's sequence and head are those of the store."""
    others = tenant("globex")
    for number in range(3):
        mine, theirs = delivery(ACME, message(f"m{number}")), delivery(others, message("m"), unsend("m"))
        assert replica.write(mine, theirs, delivery(ACME, edit(f"m{number}", "x"))) == [Answer.COMMITTED] * 3
    with replica.store.reading() as tx:
        for of in (ACME, others):
            commits = list(decisions.read(tx, of.id))
            assert [one.sequence for one in commits] == [1, 2, 3]
            assert [one.count for one in commits] == [2, 2, 2]
            assert decisions.verify(tx, of.id) is None
            told = {(one.sequence, one.head) for one in replica.committed if one.delivery.tenant is of}
            assert told == {(one.sequence, one.head.hex()) for one in commits}
            assert decisions.end_of(tx, of.id) == (3, commits[-1].head)
        assert decisions.end_of(tx, "nobody") == (0, GENESIS)
        assert decisions.verify(tx, "nobody") is None


def test_what_is_only_tried_is_recorded_and_counted_apart(replica: Replica) -> None:
    """A record tells why something was done, and beside it why a rule in trial would have done something."""
    acted = Reason(code=ReasonCode.STORY_MENTION, rule="story_mention", clauses=("SM-6",))
    tried = Reason(code=ReasonCode.BURST, rule="burst", clauses=("VT-1.5",), shadow=True)
    governed = [Governed(message("a"), (acted, tried)), Governed(message("b"), (tried,))]
    replica.write(delivery(ACME, *governed))
    with replica.store.reading() as tx:
        (commit,) = decisions.read(tx, ACME.id)
        counted = tx.execute(select(accounts.counters.c.reason, accounts.counters.c.count)).all()
    one, other = chain.decode(commit.decisions)
    assert one.reasons == (("story_mention", "story_mention", ("SM-6",)),)
    assert one.shadow == other.shadow == (("burst", "burst", ("VT-1.5",)),)
    assert other.reasons == ()
    assert sorted(map(tuple, counted)) == [("", 1), ("story_mention", 1)]


def test_records_that_know_of_no_trial_are_still_read() -> None:
    """What an earlier version wrote has a field less."""
    fields = list(msgspec.structs.astuple(record(1)))[:-1]
    assert chain.decode(msgspec.msgpack.encode([fields])) == [record(1)]


@pytest.mark.parametrize("damage", ["altered", "dropped", "last dropped", "all dropped"])
def test_damage_in_the_store_is_noticed(replica: Replica, damage: str) -> None:
    """By recomputing from the rows alone."""
    for number in range(3):
        replica.tell(ACME, message(f"m{number}"))
    rows, second = decisions.commits, decisions.commits.c.sequence == 2
    with replica.store.transaction() as tx:
        match damage:
            case "altered":
                stored = tx.execute(select(rows.c.decisions).where(second)).scalar_one()
                tx.execute(update(rows).where(second).values(decisions=_flipped(stored)))
            case "dropped":
                tx.execute(delete(rows).where(second))
            case "last dropped":
                tx.execute(delete(rows).where(rows.c.sequence == 3))
            case _:
                tx.execute(delete(rows))
    with replica.store.reading() as tx:
        assert decisions.verify(tx, ACME.id) == {"last dropped": 3, "all dropped": 1}.get(damage, 2)


def test_decisions_hold_nothing_that_was_said(replica: Replica) -> None:
    """No text, id, name, number or key of a message stands in them, in any spelling of bytes."""
    who = person(IdentifierKind.PHONE, "15559998877")
    said = message(
        "wamid.SECRETID", "secret text", who=who, profile={"name": "Secret Name"}, details={"k": "hidden"}
    )
    replica.tell(
        ACME, said, edit("wamid.SECRETID", "secret edit", who=who), unsend("wamid.SECRETID", who=who)
    )
    replica.tell(ACME, Unrecognised(account="106540", shape="object{entry}", why="field"))
    replica.write(delivery(ACME, Governed(said, dropped=True)))
    with replica.store.reading() as tx:
        commits = list(decisions.read(tx, ACME.id))
    held = b"".join(one.decisions for one in commits)
    secrets = ("secret", "SECRETID", "15559998877", "Secret Name", "hidden")
    assert not [word for word in secrets for code in ("utf-8", "utf-16-le") if word.encode(code) in held]
    refs = {bytes.fromhex(one.ref) for done in replica.committed for one in done.settled if one.ref}
    assert refs
    assert not [ref for ref in refs if ref in held or ref.hex().encode() in held]


def test_a_decision_can_be_matched_with_its_message_while_the_key_lives(replica: Replica) -> None:
    """Whoever has the conversation's salt can tell; the same message has the same subject, others have others."""
    replica.tell(ACME, message("m1"), message("m2"))
    replica.tell(ACME, edit("m1", "again"))
    with replica.store.reading() as tx:
        subjects = [one.subject for row in decisions.read(tx, ACME.id) for one in chain.decode(row.decisions)]
    assert subjects[0] == subjects[2] != subjects[1]


def test_records_are_read_by_position() -> None:
    """The stored form is an array in the order of the fields: adding one at the end keeps old chains."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(record(1)))[:2] == ["whatsapp", "1"]


@given(st.lists(st.binary(max_size=4), max_size=20))
def test_a_path_leads_from_every_record_to_the_root(records: list[bytes]) -> None:
    """And from no other record."""
    indexes = range(len(records))
    for record, path in zip(records, chain.merkle_paths(records, indexes), strict=True):
        assert chain.root_by(record, path) == chain.merkle_root(records)
        assert chain.root_by(record + b"!", path) != chain.merkle_root(records)
