"""What is wrong with a decision chain: recomputed from its first commit, against signed checkpoints and heads known outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from worker.audit.seals import is_genuine
from worker.audit.signing import PublicKey
from worker.chain import GENESIS, Commit, follows, head
from worker.store.seals import Seal


class Harm(StrEnum):
    """What was done to a chain. ``CUT``: its end is gone, as far as a checkpoint or a head known outside can tell."""

    ALTERED = "altered"
    MISSING = "missing"
    REORDERED = "reordered"
    CUT = "cut"
    REWRITTEN = "rewritten"
    FORGED_SEAL = "forged_seal"


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """``harm`` and the sequence number of the first commit that it concerns; None where everything fits.

    ``commits`` were recomputed; ``vouched`` is the last sequence number that a checkpoint or a head from outside confirms.
    """

    commits: int
    vouched: int = 0
    harm: Harm | None = None
    sequence: int = 0


def inspect(
    tenant: str,
    read: Callable[[], Iterable[Commit]],
    seals: Sequence[Seal],
    keys: Sequence[PublicKey],
    known: Mapping[int, str],
    end: int = 0,
) -> Inspection:
    """Recompute a tenant's chain. ``read`` gives its commits in order, ``known`` heads (hex) that were seen elsewhere.

    ``end`` is how long the store itself says that the chain is, which vouches for nothing.
    """
    for seal in seals:
        if not any(is_genuine(seal, tenant, key) for key in keys):
            return Inspection(commits=0, harm=Harm.FORGED_SEAL, sequence=seal.sequence)
    told = {seal.sequence: seal.head for seal in seals}
    sequence, last, vouched = 0, GENESIS, 0
    for commit in read():
        sequence += 1
        if commit.tenant != tenant or commit.sequence != sequence or not follows(commit, last):
            harm = _harm(commit, sequence, last, read)
            return Inspection(commits=sequence - 1, vouched=vouched, harm=harm, sequence=sequence)
        last = commit.head
        if told.get(sequence, last) != last or known.get(sequence, last.hex()) != last.hex():
            first = vouched + 1
            return Inspection(commits=sequence, vouched=vouched, harm=Harm.REWRITTEN, sequence=first)
        vouched = sequence if sequence in told or sequence in known else vouched
    if any(length > sequence for length in (end, *told, *known)):
        return Inspection(commits=sequence, vouched=vouched, harm=Harm.CUT, sequence=sequence + 1)
    return Inspection(commits=sequence, vouched=vouched)


def _harm(commit: Commit, sequence: int, last: bytes, read: Callable[[], Iterable[Commit]]) -> Harm:
    """The true commit may stand elsewhere (reordered), nowhere while later ones do (missing), or be this one, altered."""
    for other in read():
        fits = head(last, other.tenant, sequence, other.committed_at, other.count, other.root) == other.head
        if fits and other.sequence != sequence:
            return Harm.REORDERED
    return Harm.MISSING if commit.sequence > sequence else Harm.ALTERED
