"""What operators do: who and why, sealed, and a record in the tenant's decision chain, in the transaction that does it."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection

from policies.message import Instant, Private
from worker.chain import DecisionRecord
from worker.crypto import CryptoError, derive
from worker.directory import new_id
from worker.keyring import PSEUDONYM, RECORDS, Keyring
from worker.settle import commitment
from worker.store import acts, decisions
from worker.store.engine import Store

DONE: Final = "done"
"""Disposition of an act in a decision record."""


class Operator(Private, frozen=True, kw_only=True):
    """Who does something, and why: both are kept, neither is ever logged."""

    name: str
    why: str


class ActTold(Private, frozen=True, kw_only=True):
    """An act as an auditor reads it. ``operator`` is None where its seal does not open."""

    id: str
    action: str
    about: str
    done_at: Instant
    operator: Operator | None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Operator)


def record_act(
    tx: Connection,
    keyring: Keyring,
    tenant: str,
    *,
    action: str,
    about: bytes,
    operator: Operator,
    now: Instant,
) -> tuple[int, bytes]:
    """Record one act as the last thing of a transaction (the chain is locked by it); the chain's sequence and head.

    ``action`` is a word of our own, ``about`` a key, an id or a cluster; the decision record holds a commitment to it.
    """
    id_ = new_id(now)
    sealed = keyring.cipher(tenant, RECORDS).seal(_encoder.encode(operator), _place(tenant, id_))
    acts.append(tx, tenant, [acts.Act(id=id_, action=action, about=about, done_at=now, sealed=sealed)])
    salt = derive(keyring.tenant_key(tenant, PSEUDONYM), b"decisions")
    record = DecisionRecord(
        connector="",
        account="",
        event=action,
        disposition=DONE,
        policy="",
        subject=commitment(salt, about),
    )
    return decisions.append(tx, tenant, now, [record])


def record_everywhere(
    store: Store, keyring: Keyring, *, action: str, about: bytes, operator: Operator, now: Instant
) -> None:
    """Record an act that concerns all tenants in the chain of each, in one transaction."""
    with store.transaction() as tx:
        for tenant in decisions.tenants(tx):
            record_act(tx, keyring, tenant, action=action, about=about, operator=operator, now=now)


def told(tx: Connection, keyring: Keyring, tenant: str, limit: int = 1000) -> list[ActTold]:
    """The last acts, opened, in the order in which they were done."""
    cipher = keyring.cipher(tenant, RECORDS)

    def operator(act: acts.Act) -> Operator | None:
        try:
            return _decoder.decode(cipher.open(act.sealed, _place(tenant, act.id)))
        except (CryptoError, msgspec.MsgspecError):
            return None

    return [
        ActTold(
            id=act.id.hex(),
            action=act.action,
            about=_named(act.about),
            done_at=act.done_at,
            operator=operator(act),
        )
        for act in acts.latest(tx, tenant, limit)
    ]


def _named(about: bytes) -> str:
    # What has a name (a tenant, an interface key's prefix) is shown by it, ids and keys of messages in hexadecimal.
    text = about.decode("ascii", "replace")
    return text if about.isascii() and text.isprintable() else about.hex()


def _place(tenant: str, id_: bytes) -> bytes:
    return b"act\0001\0" + tenant.encode() + b"\0" + id_
