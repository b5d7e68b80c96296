"""Checkpoints: the end of a tenant's decision chain, signed, so that rewriting all of it is noticed."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from policies.message import Instant
from worker.audit.signing import PublicKey, SigningKey
from worker.store import decisions, seals
from worker.store.seals import Seal


def seal_chain(tx: Connection, tenant: str, key: SigningKey, now: Instant) -> Seal | None:
    """Seal what was decided since the last checkpoint; None when nothing was."""
    sequence, head = decisions.end_of(tx, tenant)
    if sequence == 0 or sequence == seals.last_sealed(tx, tenant):
        return None
    signature = key.sign(_message(tenant, sequence, head, now))
    seal = Seal(sequence=sequence, head=head, sealed_at=now, key_id=key.public.id, signature=signature)
    seals.add_seal(tx, tenant, seal)
    return seal


def is_genuine(seal: Seal, tenant: str, key: PublicKey) -> bool:
    """Whether the key's other half made this checkpoint."""
    message = _message(tenant, seal.sequence, seal.head, seal.sealed_at)
    return seal.key_id == key.id and key.verifies(seal.signature, message)


def _message(tenant: str, sequence: int, head: bytes, at: Instant) -> bytes:
    return b"sluicegate checkpoint 1\0" + msgspec.msgpack.encode((tenant, sequence, head, at))
