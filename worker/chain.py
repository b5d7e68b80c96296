"""The decision chain: what was decided in each commit, linked so that nothing can be altered or left out.

A leaf is SHA-256(0x00, record); nodes are SHA-256(0x01, left, right) over leaves in order, an odd last one
carried up (the construction of RFC 6962). ``head`` covers the previous head and the commit's own fields.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

GENESIS: Final = bytes(32)


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One decision, without content. ``subject`` is a salted commitment to the message's reference.

    The salt lives with the conversation's key: when that is destroyed, nobody can tell whom the record was
    about, and it still verifies. ``reasons`` are (code, rule, clauses); ``shadow`` are those of rules that a tenant only
    tries: nothing was done for them.
    """

    connector: str
    account: str
    event: str
    disposition: str
    policy: str
    subject: bytes
    reasons: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    shape: str = ""
    shadow: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """One link of a tenant's chain as it is stored; ``decisions`` as ``encode`` made them."""

    tenant: str
    sequence: int
    committed_at: int
    count: int
    root: bytes
    head: bytes
    decisions: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])
_record_decoder = msgspec.msgpack.Decoder(DecisionRecord)


def encode(records: Sequence[DecisionRecord]) -> tuple[bytes, bytes]:
    """The stored form of a commit's decisions and their Merkle root (32 bytes)."""
    encoded = [_encoder.encode(record) for record in records]
    return _encoder.encode([msgspec.Raw(item) for item in encoded]), merkle_root(encoded)


def decode(stored: bytes) -> list[DecisionRecord]:
    """The decisions of a commit. Raises MsgspecError or ValueError when they are damaged."""
    return [_record_decoder.decode(item) for item in _decoder.decode(stored)]


def root_of(stored: bytes) -> bytes:
    """The Merkle root of a stored commit."""
    return merkle_root([bytes(item) for item in _decoder.decode(stored)])


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root over ``leaves``; 32 zero bytes for none."""
    level = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        level = _above(level)
    return level[0] if level else GENESIS


def decode_one(record: bytes) -> DecisionRecord:
    """One encoded record. Raises MsgspecError."""
    return _record_decoder.decode(record)


def leaves(stored: bytes) -> list[bytes]:
    """The encoded records of a stored commit. Raises MsgspecError."""
    return [bytes(item) for item in _decoder.decode(stored)]


def merkle_paths(records: Sequence[bytes], indexes: Iterable[int]) -> Iterator[list[tuple[bool, bytes]]]:
    """What leads from each of these records to the root: at each level whether the neighbour is on the left, its hash."""
    levels = [[hashlib.sha256(b"\0" + record).digest() for record in records]]
    while len(levels[-1]) > 1:
        levels.append(_above(levels[-1]))
    for index in indexes:
        path = ((index >> height, level) for height, level in enumerate(levels))
        yield [(at & 1 == 1, level[at ^ 1]) for at, level in path if at ^ 1 < len(level)]


def root_by(record: bytes, path: Iterable[tuple[bool, bytes]]) -> bytes:
    """The root that a record and its path lead to."""
    node = hashlib.sha256(b"\0" + record).digest()
    for on_the_left, other in path:
        node = hashlib.sha256(b"\1" + (other + node if on_the_left else node + other)).digest()
    return node


def _above(level: list[bytes]) -> list[bytes]:
    pairs = zip(level[::2], level[1::2], strict=False)
    odd = level[-1:] if len(level) % 2 else []
    return [hashlib.sha256(b"\1" + left + right).digest() for left, right in pairs] + odd


def head(previous: bytes, tenant: str, sequence: int, committed_at: int, count: int, root: bytes) -> bytes:
    """The chain's head after this commit."""
    fields = msgspec.msgpack.encode((previous, tenant, sequence, committed_at, count, root))
    return hashlib.sha256(fields).digest()


def verify(commits: Iterable[Commit], end: tuple[int, bytes] | None = None) -> int | None:
    """The sequence number of the first commit that is missing or altered; None when all of them fit.

    ``commits`` in order, from the first. ``end`` is the sequence number and head that the chain is said to
    have: without it, nobody could tell that the last commits are gone.
    """
    sequence, last = 0, GENESIS
    for commit in commits:
        sequence += 1
        if commit.sequence != sequence or not follows(commit, last):
            return sequence
        last = commit.head
    return sequence + 1 if end is not None and end != (sequence, last) else None


def follows(commit: Commit, previous: bytes) -> bool:
    """Whether the commit is whole and links to that head."""
    try:
        records = decode(commit.decisions)
        root = root_of(commit.decisions)
    except (msgspec.MsgspecError, ValueError):
        return False
    fields = (commit.tenant, commit.sequence, commit.committed_at, len(records), root)
    return commit.count == len(records) and commit.root == root and commit.head == head(previous, *fields)
