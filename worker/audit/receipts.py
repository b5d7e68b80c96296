"""Deletion receipts: what was destroyed, by which rule and clause, when, and which keys with it; signed, for anybody to check.

No personal data: messages and conversations are named by keyed references, which nobody can lead back once their keys
are gone.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from policies.lifecycle import CLAUSES, Duty
from policies.message import Instant
from worker.audit.signing import PublicKey, SigningKey
from worker.chain import merkle_root
from worker.directory import new_id
from worker.store.seals import Receipt
from worker.transcripts import iso

FORMAT: Final = "sluicegate deletion receipt 1"
LISTED: Final = 1_000
"""So many references stand on a receipt; of more, their number and Merkle root (RFC 6962, over the sorted list)."""


class Destroyed(msgspec.Struct, frozen=True, kw_only=True):
    """What one act destroyed: messages and conversations by reference; ``keys`` are conversations whose keys are gone.

    ``files`` by their SHA-256.
    """

    kind: str
    duty: Duty
    messages: Sequence[bytes] = ()
    conversations: Sequence[bytes] = ()
    keys: Sequence[bytes] = ()
    files: Sequence[bytes] = ()
    others: int = 0


class ReceiptRefused(Exception):
    """A receipt is not what it says. The text says why and repeats nothing of it."""


def make_receipt(key: SigningKey, tenant: str, destroyed: Destroyed, now: Instant) -> Receipt:
    """A signed receipt."""
    id_ = new_id(now)
    told: dict[str, Any] = {
        "format": FORMAT,
        "id": id_.hex(),
        "tenant": tenant,
        "kind": destroyed.kind,
        "at": iso(now),
        "rule": destroyed.duty.value,
        "clauses": list(CLAUSES[destroyed.duty]),
        "messages": _listed(destroyed.messages),
        "conversations": _listed(destroyed.conversations),
        "keys_destroyed": _listed(destroyed.keys),
        "other_rows": destroyed.others,
    }
    if destroyed.files:
        told["files"] = _listed(destroyed.files)
    return Receipt(id=id_, kind=destroyed.kind, made_at=now, receipt=signed(told, key))


def signed(told: dict[str, Any], key: SigningKey) -> bytes:
    """What is told (``format`` says what it is) as JSON, with its signature and the id of the key."""
    whole = told | {"key_id": key.public.id.hex()}
    return msgspec.json.encode(whole | {"signature": base64.b64encode(key.sign(_message(whole))).decode()})


def verify_receipt(receipt: bytes, key: PublicKey, formats: Sequence[str] = (FORMAT,)) -> dict[str, Any]:
    """What a receipt says, when its signature is the key's. Raises ReceiptRefused."""
    try:
        told = msgspec.json.decode(receipt, type=dict[str, Any])
        signature = base64.b64decode(told.pop("signature"), validate=True)
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError):
        raise ReceiptRefused("this is no deletion receipt") from None
    if told.get("format") not in formats:
        raise ReceiptRefused("this is no deletion receipt of a format that this version knows")
    if told.get("key_id") != key.id.hex():
        raise ReceiptRefused("it was signed with another key: give the public key of that time")
    if not key.verifies(signature, _message(told)):
        raise ReceiptRefused("it was altered, or it was not signed with this key")
    return told


def _listed(references: Sequence[bytes]) -> dict[str, Any]:
    in_order = sorted(set(references))
    told: dict[str, Any] = {"count": len(in_order), "root": merkle_root(in_order).hex()}
    return told | ({"references": [one.hex() for one in in_order]} if len(in_order) <= LISTED else {})


def _message(told: dict[str, Any]) -> bytes:
    return str(told["format"]).encode() + b"\0" + msgspec.json.encode(told, order="sorted")
