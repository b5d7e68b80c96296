"""Conversations and the identifiers that lead to them. One person may be known by several; links join them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec
from sqlalchemy import BindParameter, Connection, Update, bindparam, select, update

from policies.message import Instant
from worker.store.journal import Consented, note
from worker.store.statements import Row, insert_missing, insert_new, replace_older, select_in
from worker.store.tables import ConsentRow, ConversationRow, IdentifierRow, LinkRow, Table

conversations = Table.metadata.tables[str(ConversationRow.__tablename__)]
identifiers = Table.metadata.tables[str(IdentifierRow.__tablename__)]
links = Table.metadata.tables[str(LinkRow.__tablename__)]
consents = Table.metadata.tables[str(ConsentRow.__tablename__)]


def find_conversations(tx: Connection, tenant: str, references: Sequence[bytes]) -> dict[bytes, bytes]:
    """Identifier reference → conversation, for those that are known."""
    rows = select_in(tx, identifiers.c.reference, tenant, references)
    return {row.reference: row.conversation for row in rows}


def existing(tx: Connection, tenant: str, ids: Sequence[bytes]) -> set[bytes]:
    """Those of the conversations (in order) that are there now."""
    return {row.id for row in select_in(tx, conversations.c.id, tenant, ids)}


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


def identifiers_of(tx: Connection, tenant: str, conversation: bytes) -> Sequence[Any]:
    """What the person of a conversation is known by: rows of reference, kind and sealed value."""
    wanted = select(identifiers.c.reference, identifiers.c.kind, identifiers.c.sealed)
    where = (identifiers.c.tenant == tenant, identifiers.c.conversation == conversation)
    return tx.execute(wanted.where(*where).order_by(identifiers.c.reference)).all()


def is_with_nobody(tx: Connection, tenant: str, ids: Sequence[bytes]) -> bool:
    """Whether one of these conversations is that of messages for which no person was named."""
    of_nobody = select(identifiers.c.reference).where(
        identifiers.c.tenant == tenant, identifiers.c.conversation.in_(ids), identifiers.c.kind == ""
    )
    return tx.execute(of_nobody.limit(1)).first() is not None


def raise_watermarks(tx: Connection, tenant: str, marks: Mapping[tuple[bytes, str], Instant]) -> None:
    """Move (conversation, column) watermarks forward; a late report of an earlier one changes nothing."""
    for column in sorted({column for _, column in marks}):
        rows = [
            {"of": tenant, "conversation": conversation, "until": until}
            for (conversation, one), until in sorted(marks.items())
            if one == column
        ]
        tx.execute(_raise_watermark(column), rows)


@cache
def _raise_watermark(column: str) -> Update:
    known = conversations.c
    until: BindParameter[Instant] = bindparam("until")
    where = (known.tenant == bindparam("of"), known.id == bindparam("conversation"), known[column] < until)
    return update(conversations).where(*where).values({column: until})


def consents_given(tx: Connection, tenant: str, only: Collection[bytes] | None = None) -> Sequence[Any]:
    """Every consent with its conversation's connector and account, of these conversations or of all."""
    wanted = (
        select(consents, conversations.c.connector, conversations.c.account)
        .join(
            conversations,
            (conversations.c.tenant == consents.c.tenant) & (conversations.c.id == consents.c.conversation),
        )
        .where(consents.c.tenant == tenant)
        .order_by(consents.c.conversation, consents.c.category)
    )
    if only is not None:
        wanted = wanted.where(consents.c.conversation.in_(sorted(only)))
    return tx.execute(wanted).all()


CHANNEL: Final = "channel"
"""Source of a consent that a platform told."""


def change_consents(
    tx: Connection,
    tenant: str,
    changes: Sequence[tuple[bytes, str, str, Instant] | tuple[bytes, str, str, Instant, str]],
) -> None:
    """(conversation, category, consent, at, source): the latest event wins; of two at once, the withdrawal.

    Where no source is named, a channel told it.
    """
    names = ("conversation", "category", "changed_at", "consent", "source")
    told = sorted((who, what, at, consent, *(of or (CHANNEL,))) for who, what, consent, at, *of in changes)
    rows = [{"tenant": tenant, **dict(zip(names, change, strict=True))} for change in told]
    replace_older(tx, consents, rows, ("changed_at", "consent", "source"))
    note(tx, (msgspec.convert(row, Consented) for row in rows))
