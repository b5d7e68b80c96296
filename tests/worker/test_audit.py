"""Evidence: whatever is done to a chain is named, up to the last head that is known outside; receipts are checked offline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import delete, update

from policies.lifecycle import CLAUSES, Duty
from tests.databases import Databases
from tests.flows.harness import NOW, Replica, message, replicas, tenant
from worker import chain
from worker.audit.inspection import Harm, Inspection, inspect
from worker.audit.receipts import LISTED, Destroyed, ReceiptRefused, make_receipt, verify_receipt
from worker.audit.seals import is_genuine, seal_chain
from worker.audit.signing import PublicKey, SigningKey
from worker.chain import Commit, DecisionRecord
from worker.crypto import CryptoError
from worker.store import decisions, seals
from worker.store.seals import Seal

ACME: Final = tenant()


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    """A key that signs."""
    return SigningKey.generate(tmp_path_factory.mktemp("keys") / "signing.key")


def chained(size: int) -> list[Commit]:
    """A chain of so many commits, two decisions each."""
    commits: list[Commit] = []
    for sequence in range(1, size + 1):
        records = [
            DecisionRecord(
                connector="x",
                account="1",
                event="message",
                disposition="stored",
                policy="p",
                subject=bytes([sequence, number]),
            )
            for number in range(2)
        ]
        stored, root = chain.encode(records)
        last = commits[-1].head if commits else chain.GENESIS
        head = chain.head(last, "acme", sequence, NOW + sequence, 2, root)
        commits.append(
            Commit(
                tenant="acme",
                sequence=sequence,
                committed_at=NOW + sequence,
                count=2,
                root=root,
                head=head,
                decisions=stored,
            )
        )
    return commits


def inspected(commits: Sequence[Commit], known: dict[int, str] | None = None) -> Inspection:
    """What an inspection without checkpoints says."""
    return inspect("acme", lambda: commits, [], [], known or {})


CHAIN: Final = chained(6)
END: Final = {6: CHAIN[-1].head.hex()}


def test_a_whole_chain_fits_and_says_how_far_it_is_vouched_for() -> None:
    assert inspected(CHAIN) == Inspection(commits=6)
    assert inspected(CHAIN, {4: CHAIN[3].head.hex()}) == Inspection(commits=6, vouched=4)
    assert inspected([]) == Inspection(commits=0)


@given(
    at=st.integers(0, 5),
    field=st.sampled_from(["root", "head", "decisions"]),
    where=st.integers(0, 400),
    bit=st.integers(0, 7),
)
def test_no_single_byte_of_a_chain_can_change(at: int, field: str, where: int, bit: int) -> None:
    """Each is found at the commit that holds it."""
    value = bytearray(getattr(CHAIN[at], field))
    value[where % len(value)] ^= 1 << bit
    harmed = [*CHAIN[:at], replace(CHAIN[at], **{field: bytes(value)}), *CHAIN[at + 1 :]]
    found = inspected(harmed, END)
    assert found.harm is not None
    assert found.sequence == at + 1


@given(st.integers(0, 5))
def test_a_commit_that_is_missing_is_named(at: int) -> None:
    found = inspected([*CHAIN[:at], *CHAIN[at + 1 :]], END)
    assert (found.harm, found.sequence) == (Harm.CUT if at == 5 else Harm.MISSING, at + 1)


@given(st.integers(0, 5), st.integers(0, 5))
def test_commits_that_changed_places_are_named(one: int, other: int) -> None:
    """Also when their numbers were changed to fit."""
    if one == other:
        return
    first = min(one, other)
    swapped = list(CHAIN)
    swapped[one] = replace(CHAIN[other], sequence=one + 1)
    swapped[other] = replace(CHAIN[one], sequence=other + 1)
    found = inspected(swapped, END)
    assert (found.harm, found.sequence) == (Harm.REORDERED, first + 1)


@given(st.integers(0, 5))
def test_a_chain_that_was_cut_is_noticed_up_to_the_last_head_known_outside(length: int) -> None:
    found = inspected(CHAIN[:length], END)
    assert (found.harm, found.sequence) == (Harm.CUT, length + 1)
    assert inspected(CHAIN[:length], {}).harm is None  # nobody knew of more: no one can tell


def rewritten() -> list[Commit]:
    """The same chain with another third commit, everything after it linked anew."""
    commits = list(CHAIN[:2])
    for old in CHAIN[2:]:
        stored, root = chain.encode(chain.decode(old.decisions)[::-1])
        head = chain.head(commits[-1].head, "acme", old.sequence, old.committed_at, 2, root)
        commits.append(replace(old, root=root, head=head, decisions=stored))
    return commits


def test_a_chain_that_was_written_anew_does_not_fit_what_is_known_outside() -> None:
    assert inspected(rewritten()).harm is None
    found = inspected(rewritten(), {2: CHAIN[1].head.hex(), **END})
    assert (found.harm, found.sequence, found.vouched) == (Harm.REWRITTEN, 3, 2)


def sealed(key: SigningKey, commits: Sequence[Commit]) -> Seal:
    """A checkpoint of a chain's end."""
    with_head = Seal(
        sequence=len(commits), head=commits[-1].head, sealed_at=NOW, key_id=key.public.id, signature=b""
    )
    from worker.audit.seals import _message  # noqa: PLC0415 - the form that is signed

    message_ = _message("acme", with_head.sequence, with_head.head, NOW)
    return replace(with_head, signature=key.sign(message_))


def test_a_checkpoint_vouches_for_the_chain_and_notices_its_rewriting(key: SigningKey) -> None:
    seal = sealed(key, CHAIN)
    good = inspect("acme", lambda: CHAIN, [seal], [key.public], {})
    assert good == Inspection(commits=6, vouched=6)
    bad = inspect("acme", rewritten, [seal], [key.public], {})
    assert bad.harm is Harm.REWRITTEN


@given(field=st.sampled_from(["sequence", "head", "sealed_at", "key_id", "signature", "tenant"]))
def test_nothing_of_a_checkpoint_can_change(key: SigningKey, field: str) -> None:
    seal = sealed(key, CHAIN)
    if field == "tenant":
        assert not is_genuine(seal, "globex", key.public)
        return
    value = getattr(seal, field)
    other = value - 1 if isinstance(value, int) else bytes([value[0] ^ 1]) + value[1:]
    forged = replace(seal, **{field: other})
    assert not is_genuine(forged, "acme", key.public)
    assert inspect("acme", lambda: CHAIN, [forged], [key.public], {}).harm is Harm.FORGED_SEAL


def test_a_checkpoint_of_an_earlier_key_is_checked_with_that_key(key: SigningKey, tmp_path: Path) -> None:
    earlier = SigningKey.generate(tmp_path / "earlier.key")
    seal = sealed(earlier, CHAIN)
    assert inspect("acme", lambda: CHAIN, [seal], [key.public], {}).harm is Harm.FORGED_SEAL
    assert inspect("acme", lambda: CHAIN, [seal], [key.public, earlier.public], {}).harm is None


@pytest.fixture
def replica(databases: Databases) -> Iterator[Replica]:
    """A replica over a fresh store."""
    with replicas(databases) as [opened]:
        yield opened


def test_the_store_s_chain_is_sealed_once_for_what_is_new(replica: Replica, key: SigningKey) -> None:
    with replica.store.transaction() as tx:
        assert seal_chain(tx, "acme", key, NOW) is None
    replica.tell(ACME, message("m1"))
    with replica.store.transaction() as tx:
        first = seal_chain(tx, "acme", key, NOW)
        assert first is not None
        assert seal_chain(tx, "acme", key, NOW + 1) is None
    replica.tell(ACME, message("m2"))
    with replica.store.transaction() as tx:
        second = seal_chain(tx, "acme", key, NOW + 2)
        assert second is not None
        assert [one.sequence for one in seals.all_seals(tx, "acme")] == [1, 2]
        found = inspect(
            "acme", lambda: decisions.read(tx, "acme"), seals.all_seals(tx, "acme"), [key.public], {}
        )
        assert found == Inspection(commits=2, vouched=2)


@pytest.mark.parametrize(("harm", "sequence"), [(Harm.ALTERED, 2), (Harm.MISSING, 2), (Harm.CUT, 3)])
def test_what_was_done_to_the_store_is_named(replica: Replica, harm: Harm, sequence: int) -> None:
    for number in range(3):
        replica.tell(ACME, message(f"m{number}"))
    rows = decisions.commits
    with replica.store.transaction() as tx:
        end = {3: decisions.end_of(tx, "acme")[1].hex()}
        if harm is Harm.ALTERED:
            tx.execute(update(rows).where(rows.c.sequence == 2).values(committed_at=1))
        else:
            tx.execute(delete(rows).where(rows.c.sequence == sequence))
        found = inspect("acme", lambda: decisions.read(tx, "acme"), [], [], end)
    assert (found.harm, found.sequence) == (harm, sequence)


# --- receipts ---------------------------------------------------------------------------------------------------------------


def test_a_receipt_is_checked_with_the_public_key_alone(key: SigningKey, tmp_path: Path) -> None:
    (tmp_path / "public.pem").write_bytes(key.public.pem)
    destroyed = Destroyed(
        kind="erasure", duty=Duty.ERASURE, messages=[b"\2" * 16, b"\1" * 16], keys=[b"\3" * 16]
    )
    receipt = make_receipt(key, "acme", destroyed, NOW)
    told = verify_receipt(receipt.receipt, PublicKey.load(tmp_path / "public.pem"))
    assert (told["rule"], told["clauses"]) == ("erasure", list(CLAUSES[Duty.ERASURE]))
    assert told["messages"]["references"] == [(b"\1" * 16).hex(), (b"\2" * 16).hex()]
    assert told["keys_destroyed"]["count"] == 1


def test_a_long_receipt_names_its_messages_by_their_root(key: SigningKey) -> None:
    many = [number.to_bytes(16, "big") for number in range(LISTED + 1)]
    told = verify_receipt(
        make_receipt(
            key, "acme", Destroyed(kind="purge", duty=Duty.RETENTION_CEILING, messages=many), NOW
        ).receipt,
        key.public,
    )
    assert told["messages"] == {"count": LISTED + 1, "root": chain.merkle_root(many).hex()}


@given(where=st.integers(0, 2000), bit=st.integers(0, 7))
def test_no_byte_of_a_receipt_can_change(key: SigningKey, where: int, bit: int) -> None:
    receipt = make_receipt(
        key, "acme", Destroyed(kind="erasure", duty=Duty.ERASURE, keys=[b"\1" * 16]), NOW
    ).receipt
    altered = bytearray(receipt)
    altered[where % len(altered)] ^= 1 << bit
    try:
        told = verify_receipt(bytes(altered), key.public)
    except ReceiptRefused:
        return
    assert told == verify_receipt(receipt, key.public)  # the same value, spelt otherwise


def test_another_key_and_other_files_are_told_apart(key: SigningKey, tmp_path: Path) -> None:
    other = SigningKey.generate(tmp_path / "other.key").public
    receipt = make_receipt(key, "acme", Destroyed(kind="erasure", duty=Duty.ERASURE), NOW).receipt
    with pytest.raises(ReceiptRefused, match="another key"):
        verify_receipt(receipt, other)
    for text in (b"", b"{}", b"[]", b'{"signature": 1}', b'{"signature": "AA=="}', b"\xff"):
        with pytest.raises(ReceiptRefused, match="no deletion receipt"):
            verify_receipt(text, key.public)


def test_a_key_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    made = SigningKey.generate(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        SigningKey.generate(path)
    assert SigningKey.load(path).public.id == made.public.id
    path.write_bytes(b"-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n")
    with pytest.raises(CryptoError):
        SigningKey.load(path)
    assert "nonsense" not in repr(made)
    assert msgspec.json.encode(made.public.id.hex())
