"""Transcripts: what was kept of each conversation, opened for whoever may read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select

from policies.event import DeliveryStatus
from policies.message import INTERACTIONS, Instant
from policies.record import Part, State, Withheld
from worker.directory import identifier_place
from worker.keyring import PSEUDONYM, ConversationKey, Keyring
from worker.settle import message_key
from worker.store import messages, people
from worker.store.engine import Store
from worker.store.messages import aliases

Export = dict[str, Any]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STATUSES: Final = tuple(DeliveryStatus)
_INTERACTIONS: Final = frozenset(kind.value for kind in INTERACTIONS)


class UnknownConversation(Exception):
    """There is no such conversation of this tenant."""


def message_ref(keyring: Keyring, tenant: str, connector: str, account: str, platform_id: str) -> str:
    """The reference (32 hex digits) under which logs and transcripts speak of a platform's message."""
    return message_key(keyring.tenant_key(tenant, PSEUDONYM), connector, account, platform_id).hex()


def conversations(store: Store, keyring: Keyring, tenant: str) -> list[Export]:
    """A tenant's conversations without their entries, in the order in which they were opened."""
    with store.reading() as tx:
        found = _conversations(tx, tenant, None)
        return [_conversation(tx, keyring, tenant, row) for row in found]


def export(store: Store, keyring: Keyring, tenant: str, conversation: str | None = None) -> Export:
    """A tenant's transcripts as JSON values, decrypted; ``conversation`` (hex) limits it to one.

    Entries stand in the order of their own times. ``unattributed`` holds tombstones and receipts of messages
    that never came. Raises UnknownConversation.
    """
    wanted = _conversation_id(conversation)
    with store.reading() as tx:
        rows = list(_conversations(tx, tenant, wanted))
        if conversation is not None and not rows:
            raise UnknownConversation
        whole = [_with_entries(tx, keyring, tenant, row) for row in rows]
        loose = _entries(tx, tenant, None, None) if conversation is None else []
    return {"tenant": tenant, "conversations": whole, "unattributed": loose}


def _conversation_id(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise UnknownConversation from None


def _conversations(tx: Connection, tenant: str, only: bytes | None) -> Sequence[Any]:
    table = people.conversations
    statement = select(table).where(table.c.tenant == tenant).order_by(table.c.id)
    if only is not None:
        statement = statement.where(table.c.id == only)
    return tx.execute(statement).all()


def _conversation(tx: Connection, keyring: Keyring, tenant: str, row: Any) -> Export:
    key = keyring.keys(tenant, [row.id]).get(row.id)
    return {
        "id": row.id.hex(),
        "connector": row.connector,
        "account": row.account,
        "opened_at": iso(row.opened_at),
        "identifiers": _identifiers(tx, tenant, row.id, key),
        "linked": _linked(tx, tenant, row.id),
        "delivered_until": iso(row.delivered_until),
        "read_until": iso(row.read_until),
    }


def _with_entries(tx: Connection, keyring: Keyring, tenant: str, row: Any) -> Export:
    key = keyring.keys(tenant, [row.id]).get(row.id)
    entries = _entries(tx, tenant, row.id, key)
    return {**_conversation(tx, keyring, tenant, row), "entries": entries}


def _identifiers(
    tx: Connection, tenant: str, conversation: bytes, key: ConversationKey | None
) -> list[Export]:
    table = people.identifiers
    statement = select(table.c.reference, table.c.kind, table.c.sealed).where(
        table.c.tenant == tenant, table.c.conversation == conversation, table.c.kind != ""
    )
    found = []
    for row in tx.execute(statement.order_by(table.c.kind, table.c.reference)):
        place = identifier_place(tenant, row.reference)
        value = key.cipher.open(row.sealed, place).decode() if key is not None else None
        found.append({"kind": row.kind, "value": value})
    return found


def _linked(tx: Connection, tenant: str, conversation: bytes) -> list[str]:
    """The other conversations of the same person, however many links away."""
    table = people.links
    seen, edge = {conversation}, {conversation}
    while edge:
        statement = select(table.c.one, table.c.other).where(
            table.c.tenant == tenant, table.c.one.in_(edge) | table.c.other.in_(edge)
        )
        edge = {id_ for row in tx.execute(statement) for id_ in row} - seen
        seen |= edge
    return sorted(id_.hex() for id_ in seen - {conversation})


def _entries(
    tx: Connection, tenant: str, conversation: bytes | None, key: ConversationKey | None
) -> list[Export]:
    table = messages.messages
    # What is told of another id of a message stands with the message itself.
    alias = select(aliases.c.alias).where(aliases.c.tenant == tenant, aliases.c.alias == table.c.key)
    statement = (
        select(table)
        .where(table.c.tenant == tenant, table.c.conversation == conversation, ~alias.exists())
        .order_by(table.c.occurred_at, table.c.recorded_at, table.c.key)
    )
    rows = tx.execute(statement).all()
    sealed = messages.read_contents(tx, tenant, [row.content for row in rows if row.content is not None])
    return [entry(row, _parts(tenant, row, sealed, key)) for row in rows]


def _parts(tenant: str, row: Any, sealed: dict[bytes, bytes], key: ConversationKey | None) -> dict[str, Part]:
    if row.content not in sealed or key is None:
        return {}
    return messages.open_parts(key.cipher, tenant, row.key, sealed[row.content])


def entry(row: Any, parts: Mapping[str, Part]) -> Export:
    """A message's row and its opened parts as a transcript shows them."""
    value = {name: part.value for name, part in parts.items()}
    return {
        "ref": row.key.hex(),
        "id": value.get("id"),
        "connector": row.connector,
        "account": row.account,
        "kind": row.kind or None,
        "interaction": row.kind in _INTERACTIONS,
        "direction": row.direction or None,
        "state": State(row.state).name.lower(),
        "withheld": row.withheld == Withheld.WAITING,
        "edits": row.edit_number,
        "occurred_at": iso(row.occurred_at),
        "recorded_at": iso(row.recorded_at),
        "unsent_at": iso(row.unsent_at),
        "text": value.get("text"),
        "media": value.get("media", []),
        "details": value.get("details", {}),
        "profile": value.get("profile", {}),
        "thread": value.get("thread"),
        "status": _STATUSES[row.status].value if row.status else None,
        "status_at": iso(row.status_at),
        "error_code": row.error_code or None,
        "reply_to": row.reply_to.hex() or None,
        "standby": bool(row.standby),
        "history": bool(row.history),
    }


def iso(moment: Instant | None) -> str | None:
    """ISO 8601 in UTC; None for an instant that is not there, or in no calendar."""
    if not moment:
        return None
    try:
        return (_EPOCH + timedelta(microseconds=moment)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return None
