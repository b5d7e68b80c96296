"""Signed checkpoints of decision chains, and deletion receipts. Append-only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from policies.message import Instant, Private
from worker.store.statements import insert_missing, insert_new, row_of
from worker.store.tables import ReceiptRow, SealRow, Table

seals = Table.metadata.tables[str(SealRow.__tablename__)]
receipts = Table.metadata.tables[str(ReceiptRow.__tablename__)]


class Seal(Private, frozen=True, kw_only=True):
    """A tenant's chain had this head at this sequence number: signed by the key whose id this is."""

    sequence: int
    head: bytes
    sealed_at: Instant
    key_id: bytes
    signature: bytes


class Receipt(Private, frozen=True, kw_only=True):
    """A deletion receipt as it is handed out: signed JSON without personal data."""

    id: bytes
    kind: str
    made_at: Instant
    receipt: bytes


def add_seal(tx: Connection, tenant: str, seal: Seal) -> None:
    """Keep a checkpoint; of two for the same sequence number, made by two replicas, the first."""
    values = {name: getattr(seal, name) for name in Seal.__struct_fields__}
    insert_missing(tx, seals, [{"tenant": tenant, **values}])


def all_seals(tx: Connection, tenant: str) -> list[Seal]:
    """A tenant's checkpoints in order."""
    wanted = select(seals).where(seals.c.tenant == tenant).order_by(seals.c.sequence)
    return [_seal(row) for row in tx.execute(wanted)]


def last_sealed(tx: Connection, tenant: str) -> int:
    """The sequence number up to which the chain is sealed, 0 for nothing."""
    return tx.execute(select(func.max(seals.c.sequence)).where(seals.c.tenant == tenant)).scalar() or 0


def any_evidence(tx: Connection) -> bool:
    """Whether anything was ever signed here."""
    return any(tx.execute(select(table.c.tenant).limit(1)).first() is not None for table in (seals, receipts))


def add_receipts(tx: Connection, tenant: str, new: Sequence[Receipt]) -> None:
    """Keep receipts, in the transaction that destroys."""
    insert_new(tx, receipts, [row_of(receipts, tenant, one) for one in new])


def receipts_since(tx: Connection, tenant: str, since: Instant) -> list[Receipt]:
    """The receipts from that instant on, the oldest first."""
    wanted = select(receipts).where(receipts.c.tenant == tenant, receipts.c.made_at >= since)
    return [_receipt(row) for row in tx.execute(wanted.order_by(receipts.c.id))]


def find_receipt(tx: Connection, tenant: str, id_: bytes) -> Receipt | None:
    """The receipt under this id."""
    row = tx.execute(select(receipts).where(receipts.c.tenant == tenant, receipts.c.id == id_)).one_or_none()
    return None if row is None else _receipt(row)


def _seal(row: Any) -> Seal:
    return Seal(**{name: getattr(row, name) for name in Seal.__struct_fields__})


def _receipt(row: Any) -> Receipt:
    return Receipt(**{name: getattr(row, name) for name in Receipt.__struct_fields__})
