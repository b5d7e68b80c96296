"""Productions under legal process, and what goes into one: a tenant's messages, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, and_, or_, select, update

from policies.message import Instant, Private
from worker.store.messages import aliases, messages
from worker.store.people import conversations
from worker.store.statements import insert_new, row_of
from worker.store.tables import ProductionRow, Table

productions = Table.metadata.tables[str(ProductionRow.__tablename__)]


class Production(Private, frozen=True, kw_only=True):
    """A production. ``digest`` is the SHA-256 of its file, empty while it is written; ``sealed``: where, for whom, why."""

    id: bytes
    made_at: Instant
    expires_at: Instant
    destroyed_at: Instant | None = None
    digest: bytes = b""
    sealed: bytes


def add(tx: Connection, tenant: str, production: Production) -> None:
    """Remember a production before its file is written."""
    insert_new(tx, productions, [row_of(productions, tenant, production)])


def finish(tx: Connection, tenant: str, id_: bytes, digest: bytes) -> None:
    """Its file is whole and durable."""
    tx.execute(update(productions).where(*_one(tenant, id_)).values(digest=digest))


def mark_destroyed(tx: Connection, tenant: str, id_: bytes, now: Instant) -> bool:
    """Its file is gone; False when somebody else said so first."""
    wanted = (*_one(tenant, id_), productions.c.destroyed_at.is_(None))
    return tx.execute(update(productions).where(*wanted).values(destroyed_at=now)).rowcount == 1


def all_productions(tx: Connection, tenant: str) -> list[Production]:
    """A tenant's productions in the order in which they were made."""
    wanted = select(productions).where(productions.c.tenant == tenant).order_by(productions.c.id)
    return [_production(row) for row in tx.execute(wanted)]


def expired(tx: Connection, now: Instant) -> list[tuple[str, Production]]:
    """Tenant and production of all that have expired and were not destroyed."""
    wanted = select(productions).where(productions.c.expires_at <= now, productions.c.destroyed_at.is_(None))
    rows = tx.execute(wanted.order_by(productions.c.tenant, productions.c.id))
    return [(row.tenant, _production(row)) for row in rows]


def conversation_pages(tx: Connection, tenant: str, size: int) -> Iterator[Sequence[bytes]]:
    """Every conversation's id in order, a page at a time."""
    wanted = select(conversations.c.id).where(conversations.c.tenant == tenant).order_by(conversations.c.id)
    page = tx.execute(wanted.limit(size)).scalars().all()
    while page:
        yield page
        page = tx.execute(wanted.where(conversations.c.id > page[-1]).limit(size)).scalars().all()


def message_pages(
    tx: Connection,
    tenant: str,
    conversation: bytes | None,
    since: Instant | None,
    until: Instant | None,
    size: int,
) -> Iterator[Sequence[Any]]:
    """The rows of its messages from ``since`` on and before ``until``, tombstones too, in the order of their times."""
    at, key = messages.c.occurred_at, messages.c.key
    # What is told of another id of a message stands with the message itself.
    alias = select(aliases.c.alias).where(aliases.c.tenant == tenant, aliases.c.alias == key)
    wanted = select(messages).where(
        messages.c.tenant == tenant, messages.c.conversation == conversation, ~alias.exists()
    )
    wanted = wanted if since is None else wanted.where(at >= since)
    wanted = wanted if until is None else wanted.where(at < until)
    wanted = wanted.order_by(at, key).limit(size)
    page: Sequence[Any] = tx.execute(wanted).all()
    while page:
        yield page
        last = page[-1]
        further = and_(at >= last.occurred_at, or_(at > last.occurred_at, key > last.key))
        page = tx.execute(wanted.where(further)).all()


def _one(tenant: str, id_: bytes) -> tuple[Any, Any]:
    return productions.c.tenant == tenant, productions.c.id == id_


def _production(row: Any) -> Production:
    return Production(**{name: getattr(row, name) for name in Production.__struct_fields__})
