"""What is stored, as the messages that the rules judge: decrypted in memory, one by one, and never written anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from connectors.registry import CONNECTORS
from policies.message import (
    Channel,
    Content,
    Direction,
    Identifier,
    IdentifierKind,
    Media,
    Message,
    MessageKind,
    Private,
)
from policies.record import Part, State
from policies.sensitive.marks import marks, withheld_without_consent
from worker.consents import granted
from worker.crypto import CryptoError
from worker.directory import identifier_place
from worker.keyring import ConversationKey, Keyring
from worker.store import messages, people

_PAGE: Final = 500


class Stored(Private, frozen=True, kw_only=True):
    """A stored message under its keyed reference. ``conversation`` is the opaque id of whom it was exchanged with.

    ``withheld``: the sensitive categories because of which nobody but the conversation's own parties may use it (PP-4).
    """

    key: bytes
    conversation: bytes
    message: Message
    withheld: frozenset[str] = frozenset()


def stored_messages(tx: Connection, keyring: Keyring, tenant: str) -> Iterator[Stored]:
    """Every message of a tenant that has content which opens, conversation by conversation.

    Holds a page of rows at a time. What is unsent, erased or restricted has no content and is left out.
    """
    table = people.conversations
    for row in tx.execute(select(table.c.id).where(table.c.tenant == tenant).order_by(table.c.id)).all():
        key = keyring.keys(tenant, [row.id]).get(row.id)
        if key is not None:
            person = _person(tx, tenant, row.id, key)
            allowed = granted(tx, tenant, row.id)
            for stored in _of_conversation(tx, tenant, row.id, key, person):
                withheld = withheld_without_consent({*stored.withheld, *marks(stored.message)}, allowed)
                yield msgspec.structs.replace(stored, withheld=withheld)


def _of_conversation(
    tx: Connection, tenant: str, conversation: bytes, key: ConversationKey, person: tuple[Identifier, ...]
) -> Iterator[Stored]:
    table, last = messages.messages, b""
    while True:
        page = (
            select(table)
            .where(
                table.c.tenant == tenant,
                table.c.conversation == conversation,
                table.c.state == State.STORED,
                table.c.content.is_not(None),
                table.c.key > last,
            )
            .order_by(table.c.key)
            .limit(_PAGE)
        )
        rows = tx.execute(page).all()
        sealed = messages.read_contents(tx, tenant, [row.content for row in rows])
        for row in rows:
            opened = _opened(tenant, row, sealed, key, person)
            if opened is not None:
                message, marked = opened
                yield Stored(key=row.key, conversation=conversation, message=message, withheld=marked)
        if len(rows) < _PAGE:
            return
        last = rows[-1].key


def _opened(
    tenant: str,
    row: Any,
    sealed: Mapping[bytes, bytes],
    key: ConversationKey,
    person: tuple[Identifier, ...],
) -> tuple[Message, frozenset[str]] | None:
    """The message, and what it was marked with."""
    if row.content not in sealed:
        return None
    try:
        parts = messages.open_parts(key.cipher, tenant, row.key, sealed[row.content])
        values = {name: part.value for name, part in parts.items()}
        return _message(row, values, parts, person), frozenset(map(str, values.get("marks") or ()))
    except (CryptoError, msgspec.MsgspecError, ValueError):
        return None


def _message(
    row: Any, values: Mapping[str, Any], parts: Mapping[str, Part], person: tuple[Identifier, ...]
) -> Message:
    content = Content(
        text=values.get("text"),
        media=tuple(msgspec.convert(values.get("media") or [], list[Media])),
        details=values.get("details") or {},
        profile=values.get("profile") or {},
    )
    return Message(
        channel=_channel(row.connector),
        account=row.account,
        id=str(values.get("id") or ""),
        direction=Direction(row.direction),
        kind=MessageKind(row.kind),
        person=person,
        occurred_at=row.occurred_at,
        content=content,
        thread=values.get("thread") if "thread" in parts else None,
        standby=bool(row.standby),
        history=bool(row.history),
    )


def _channel(connector: str) -> Channel:
    """What has no connector is a text that nobody could have sent."""
    known = CONNECTORS.get(connector)
    return known.channel if known is not None else Channel.SMS


def _person(tx: Connection, tenant: str, conversation: bytes, key: ConversationKey) -> tuple[Identifier, ...]:
    found = []
    for row in people.identifiers_of(tx, tenant, conversation):
        if row.kind:
            value = key.cipher.open(row.sealed, identifier_place(tenant, row.reference)).decode()
            found.append(Identifier(kind=IdentifierKind(row.kind), value=value))
    return tuple(found)
