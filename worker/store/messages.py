"""Messages and their content: rows in, records out, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, update

from policies.message import Instant
from policies.record import Circumstances, Part, Receipt, Record, State, Withheld
from worker.crypto import Cipher
from worker.store.journal import Alias, Gone, note
from worker.store.statements import Row, insert_missing, insert_new, select_in
from worker.store.tables import AliasRow, ContentRow, MessageRow, Table

messages = Table.metadata.tables[str(MessageRow.__tablename__)]
contents = Table.metadata.tables[str(ContentRow.__tablename__)]
aliases = Table.metadata.tables[str(AliasRow.__tablename__)]

_PARAMETERS = ("of_tenant", "of_key", *[column.name for column in messages.columns][2:])
_STATE, _UNSENT_AT, _CHANGED_AT = (
    messages.columns.keys().index(name) for name in ("state", "unsent_at", "changed_at")
)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[str, Part])

_update_message = update(messages).where(
    messages.c.tenant == bindparam("of_tenant"), messages.c.key == bindparam("of_key")
)
_update_content = (
    update(contents)
    .where(contents.c.tenant == bindparam("of_tenant"), contents.c.id == bindparam("of_id"))
    .values(sealed=bindparam("new_sealed"))
)
_delete_content = delete(contents).where(
    contents.c.tenant == bindparam("of_tenant"), contents.c.id == bindparam("of_id")
)


class Held(msgspec.Struct, kw_only=True):
    """A message as it stands in the store.

    ``opened`` says that ``record.parts`` is all of its content; ``edit_number`` is what its row says.
    """

    record: Record
    content: bytes | None
    recorded_at: Instant
    opened: bool = True
    edit_number: int = 0

    def __repr__(self) -> str:
        return "<Held>"


def load(tx: Connection, tenant: str, keys: Sequence[bytes]) -> dict[bytes, Held]:
    """The messages under ``keys``, locked for this transaction in key order, content unread."""
    rows = select_in(tx, messages.c.key, tenant, keys, lock=True)
    return {row.key: held_from_row(row) for row in rows}


def statuses(tx: Connection, tenant: str, keys: Sequence[bytes]) -> dict[bytes, int]:
    """Message key → the rank of the highest status that was reported of it."""
    return {row.key: row.status for row in select_in(tx, messages.c.key, tenant, sorted(keys))}


def held_from_row(row: Any) -> Held:
    """A row of the message table as a record, content unread."""
    record = Record(
        state=State(row.state),
        circumstances=Circumstances(
            rank=row.rank,
            standby=bool(row.standby),
            occurred_at=row.occurred_at,
            kind=row.kind,
            direction=row.direction,
            reply_to=row.reply_to,
            history=bool(row.history),
        ),
        conversation=row.conversation,
        unsent_at=row.unsent_at,
        receipt=Receipt(row.status, row.status_at, row.error_code),
        withheld=Withheld(row.withheld),
    )
    return Held(
        record=record,
        content=row.content,
        recorded_at=row.recorded_at,
        opened=row.content is None,
        edit_number=row.edit_number,
    )


def read_contents(tx: Connection, tenant: str, ids: Iterable[bytes]) -> dict[bytes, bytes]:
    """The sealed contents under ``ids``."""
    return {row.id: row.sealed for row in select_in(tx, contents.c.id, tenant, sorted(ids))}


def seal_parts(cipher: Cipher, tenant: str, key: bytes, parts: Mapping[str, Part]) -> bytes:
    """A message's parts sealed for their place: they open under no other message's key."""
    try:
        plain = _encoder.encode(parts)
    except (OverflowError, UnicodeEncodeError):
        plain = _encoder.encode({name: Part(*_storable(list(_tuple(part)))) for name, part in parts.items()})
    return cipher.seal(plain, _place(tenant, key))


def open_parts(cipher: Cipher, tenant: str, key: bytes, sealed: bytes) -> dict[str, Part]:
    """The parts of a message. Raises CryptoError, or msgspec.MsgspecError when damaged."""
    return _decoder.decode(cipher.open(sealed, _place(tenant, key)))


def insert_messages(tx: Connection, rows: Sequence[Row]) -> None:
    """Insert messages that were not there, as ``row_of`` makes them. Raises Raced."""
    insert_new(tx, messages, rows)
    _note_gone(tx, rows)


def insert_contents(tx: Connection, rows: Sequence[Row]) -> None:
    """Insert new contents (tenant, id, sealed) under fresh ids."""
    insert_new(tx, contents, rows)


def update_messages(tx: Connection, rows: Sequence[Row]) -> None:
    """Write every column of these messages anew."""
    if rows:
        tx.execute(_update_message, [dict(zip(_PARAMETERS, row, strict=True)) for row in rows])
        _note_gone(tx, rows)


def update_contents(tx: Connection, tenant: str, sealed: Mapping[bytes, bytes]) -> None:
    """Replace contents by id."""
    if sealed:
        rows = [{"of_tenant": tenant, "of_id": id_, "new_sealed": new} for id_, new in sealed.items()]
        tx.execute(_update_content, rows)


def delete_contents(tx: Connection, tenant: str, ids: Sequence[bytes]) -> None:
    """Remove contents by id."""
    if ids:
        tx.execute(_delete_content, [{"of_tenant": tenant, "of_id": id_} for id_ in ids])


def row_of(tenant: str, key: bytes, place: tuple[str, str], held: Held, now: Instant) -> Row:
    """All columns of a message, in the table's order. ``place`` is its connector and account."""
    record = held.record
    seen = record.circumstances
    receipt = record.receipt
    known = held.opened or held.content is None
    return (
        tenant,
        key,
        *place,
        record.conversation,
        int(record.state),
        seen.rank,
        int(seen.standby),
        int(seen.history),
        int(record.withheld),
        seen.kind,
        seen.direction,
        record.edit_number if known else held.edit_number,
        seen.occurred_at,
        held.recorded_at,
        now,
        record.unsent_at,
        receipt.status,
        receipt.at,
        receipt.error_code,
        seen.reply_to,
        held.content,
    )


def add_aliases(tx: Connection, tenant: str, pairs: Mapping[bytes, bytes]) -> None:
    """Remember that each alias means the message under its key."""
    rows = [{"tenant": tenant, "alias": alias, "key": key} for alias, key in sorted(pairs.items())]
    insert_missing(tx, aliases, rows)
    note(tx, (Alias(tenant=tenant, alias=alias, key=key) for alias, key in pairs.items()))


def resolve_aliases(tx: Connection, tenant: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    """Alias → key of the message it means, for those of ``keys`` that are aliases."""
    return {row.alias: row.key for row in select_in(tx, aliases.c.alias, tenant, keys)}


def _note_gone(tx: Connection, rows: Sequence[Row]) -> None:
    gone = [row for row in rows if row[_STATE] >= State.UNSENT]
    if gone:
        told = ((*row[:4], row[_STATE], row[_UNSENT_AT] or row[_CHANGED_AT]) for row in gone)
        note(tx, (Gone(**dict(zip(Gone.__struct_fields__, one, strict=True))) for one in told))


def _place(tenant: str, key: bytes) -> bytes:
    return b"content\0001\0" + tenant.encode() + b"\0" + key


def _tuple(part: Part) -> tuple[int, Instant, Any]:
    return part.edit_number, part.at, part.value


def _storable(value: Any) -> Any:
    """Numbers beyond 64 bits and lone surrogates cannot be encoded: they are kept as text."""
    if isinstance(value, dict):
        return {str(_storable(key)): _storable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value
