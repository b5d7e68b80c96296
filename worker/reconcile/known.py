"""What is stored of a platform, as a reconciliation asks about it: conversations in their order, messages by platform id."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from policies.message import INTERACTIONS, IdentifierKind, Instant, Private
from policies.record import State
from worker.crypto import CryptoError
from worker.directory import identifier_place
from worker.keyring import ConversationKey, Keyring
from worker.store import messages, people

_INTERACTIONS: Final = tuple(kind.value for kind in INTERACTIONS)


class Known(Private, frozen=True, kw_only=True):
    """A stored message that has content: under which id its platform knows it, and when it was sent."""

    id: str
    kind: str
    direction: str
    sent_at: Instant
    place: tuple[Instant, bytes]


def conversations_after(
    tx: Connection, tenant: str, connector: str, account: str, after: bytes, limit: int
) -> list[bytes]:
    """The next conversations of an account, in the order in which they were opened."""
    table = people.conversations
    wanted = select(table.c.id).where(
        table.c.tenant == tenant,
        table.c.connector == connector,
        table.c.account == account,
        table.c.id > after,
    )
    return list(tx.execute(wanted.order_by(table.c.id).limit(limit)).scalars())


def person_of(
    tx: Connection, keyring: Keyring, tenant: str, conversation: bytes, kind: IdentifierKind
) -> str:
    """The person's identifier of a kind; "" where there is none, or not exactly one."""
    key = keyring.keys(tenant, [conversation]).get(conversation)
    rows = [row for row in people.identifiers_of(tx, tenant, conversation) if row.kind == kind]
    if key is None or len(rows) != 1:
        return ""
    try:
        return key.cipher.open(rows[0].sealed, identifier_place(tenant, rows[0].reference)).decode()
    except CryptoError:
        return ""


def messages_after(  # noqa: PLR0913 - which of them, by name
    tx: Connection,
    keyring: Keyring,
    tenant: str,
    conversation: bytes,
    *,
    after: tuple[Instant, bytes] = (0, b""),
    before: Instant,
    kinds: Collection[str] = (),
    limit: int,
) -> list[Known]:
    """The next messages of a conversation that have content, by their own times; of some kinds, or all that are messages."""
    table = messages.messages
    at, key = after
    wanted = select(table).where(
        table.c.tenant == tenant,
        table.c.conversation == conversation,
        table.c.occurred_at >= at,
        (table.c.occurred_at > at) | (table.c.key > key),
        table.c.occurred_at < before,
        table.c.state == State.STORED,
        table.c.content.is_not(None),
        table.c.kind.in_(kinds) if kinds else table.c.kind.not_in(_INTERACTIONS),
    )
    rows = tx.execute(wanted.order_by(table.c.occurred_at, table.c.key).limit(limit)).all()
    return list(_opened(tx, keyring, tenant, conversation, rows))


def _opened(
    tx: Connection, keyring: Keyring, tenant: str, conversation: bytes, rows: Sequence[Any]
) -> Iterator[Known]:
    key = keyring.keys(tenant, [conversation]).get(conversation)
    if key is None:
        return
    sealed = messages.read_contents(tx, tenant, [row.content for row in rows])
    for row in rows:
        yield Known(
            id=_platform_id(key, tenant, row.key, sealed.get(row.content, b"")),
            kind=row.kind,
            direction=row.direction,
            sent_at=row.occurred_at,
            place=(row.occurred_at, row.key),
        )


def _platform_id(key: ConversationKey, tenant: str, name: bytes, sealed: bytes) -> str:
    """Empty where it cannot be told: nothing is asked about such a message."""
    try:
        return str(messages.open_parts(key.cipher, tenant, name, sealed)["id"].value)
    except (CryptoError, msgspec.MsgspecError, KeyError):
        return ""
