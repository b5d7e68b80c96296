"""Conversations and the identifiers that lead to them. One person may be known by several; links join them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select, update

from policies.message import Instant
from worker.store.statements import Row, insert_missing, insert_new, select_in
from worker.store.tables import ConsentRow, ConversationRow, IdentifierRow, LinkRow, Table

conversations = Table.metadata.tables[str(ConversationRow.__tablename__)]
identifiers = Table.metadata.tables[str(IdentifierRow.__tablename__)]
links = Table.metadata.tables[str(LinkRow.__tablename__)]
consents = Table.metadata.tables[str(ConsentRow.__tablename__)]


def find_conversations(tx: Connection, tenant: str, references: Sequence[bytes]) -> dict[bytes, bytes]:
    """Identifier reference → conversation, for those that are known."""
    rows = select_in(tx, identifiers.c.reference, tenant, references)
    return {row.reference: row.conversation for row in rows}


def add_conversations(tx: Connection, rows: Sequence[Row]) -> None:
    """Insert new conversations under fresh ids, as tuples in the table's order."""
    insert_new(tx, conversations, rows)


def add_identifiers(tx: Connection, rows: Sequence[Row]) -> None:
    """Insert identifiers that were not known. Raises Raced when another replica met the person too."""
    insert_new(tx, identifiers, rows)


def add_links(tx: Connection, tenant: str, pairs: Sequence[tuple[bytes, bytes]], now: Instant) -> None:
    """Remember that two conversations are one person's."""
    ordered = sorted({(min(pair), max(pair)) for pair in pairs})
    rows = [{"tenant": tenant, "one": one, "other": other, "linked_at": now} for one, other in ordered]
    insert_missing(tx, links, rows)


def is_with_nobody(tx: Connection, tenant: str, ids: Sequence[bytes]) -> bool:
    """Whether one of these conversations is that of messages for which no person was named."""
    of_nobody = select(identifiers.c.reference).where(
        identifiers.c.tenant == tenant, identifiers.c.conversation.in_(ids), identifiers.c.kind == ""
    )
    return tx.execute(of_nobody.limit(1)).first() is not None


def raise_watermarks(tx: Connection, tenant: str, marks: Mapping[tuple[bytes, str], Instant]) -> None:
    """Move (conversation, column) watermarks forward; a late report of an earlier one changes nothing."""
    for (conversation, column), until in sorted(marks.items()):
        target = conversations.c[column]
        tx.execute(
            update(conversations)
            .where(conversations.c.tenant == tenant, conversations.c.id == conversation, target < until)
            .values({column: until})
        )


def change_consents(tx: Connection, tenant: str, changes: Sequence[tuple[bytes, str, str, Instant]]) -> None:
    """(conversation, category, consent, at): the latest event wins; of two at once, the withdrawal."""
    for conversation, category, consent, at in sorted(changes):
        row = {
            "tenant": tenant,
            "conversation": conversation,
            "category": category,
            "consent": consent,
            "changed_at": at,
        }
        insert_missing(tx, consents, [row])
        newer = (consents.c.changed_at < at) | (
            (consents.c.changed_at == at) & (consents.c.consent < consent)
        )
        tx.execute(
            update(consents)
            .where(
                consents.c.tenant == tenant,
                consents.c.conversation == conversation,
                consents.c.category == category,
                newer,
            )
            .values(consent=consent, changed_at=at)
        )
