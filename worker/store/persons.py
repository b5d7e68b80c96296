"""Everything that the store holds of one person: found, counted, walked through, and taken away."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)

from policies.message import Instant
from policies.record import State, Withheld
from worker.store.alike import Role, alike
from worker.store.journal import Erased, note
from worker.store.journal import Gone as Tombstone
from worker.store.messages import aliases, delete_contents, messages
from worker.store.outbox import outbox
from worker.store.people import consents, conversations, identifiers, links
from worker.store.reviews import reviews
from worker.store.statements import select_in
from worker.store.submissions import submissions
from worker.store.tallies import TallyKey, tallies

_BY_KEY: Final = [
    (table, delete(table).where(table.c.tenant == bindparam("of"), table.c.key == bindparam("at")))
    for table in (outbox, reviews, submissions)
]

Place = tuple[str, str]
"""Connector and account."""

_ERASE: Final = (
    update(messages)
    .where(messages.c.tenant == bindparam("of"), messages.c.key == bindparam("at"))
    .values(
        state=State.ERASED,
        content=None,
        withheld=Withheld.NO,
        edit_number=0,
        reply_to=b"",
        unsent_at=func.coalesce(messages.c.unsent_at, bindparam("now")),
        changed_at=bindparam("now"),
    )
)
_UNGROUP: Final = (
    update(messages)
    .where(messages.c.tenant == bindparam("of"), messages.c.key == bindparam("at"))
    .values(conversation=None)
)


# -- looking -------------------------------------------------------------------------------------------------


def places(tx: Connection, tenant: str) -> list[Place]:
    """Every connector and account on which the tenant met anybody, whether or not it is configured still."""
    known = conversations.c
    wanted = select(known.connector, known.account).where(known.tenant == tenant).distinct()
    return sorted((row.connector, row.account) for row in tx.execute(wanted))


def conversation_rows(tx: Connection, tenant: str, ids: Collection[bytes]) -> list[Any]:
    """The conversations under these ids that are there, in the order in which they were opened."""
    return list(select_in(tx, conversations.c.id, tenant, sorted(ids)))


def consents_of(tx: Connection, tenant: str, conversation: bytes) -> Sequence[Any]:
    """What the person of a conversation last said, by category."""
    known = consents.c
    where = (known.tenant == tenant, known.conversation == conversation)
    return tx.execute(select(consents).where(*where).order_by(known.category)).all()


def count_messages(tx: Connection, tenant: str, conversation: bytes) -> int:
    """How many messages of the conversation have not been erased."""
    return int(tx.execute(select(func.count()).where(*_living(tenant, conversation))).scalar_one())


def message_keys(tx: Connection, tenant: str, conversation: bytes, *, erased: bool = False) -> list[bytes]:
    """The keys of its messages in order: of those that were not erased, or of those that were."""
    own = (messages.c.tenant == tenant, messages.c.conversation == conversation)
    state = messages.c.state == State.ERASED if erased else messages.c.state < State.ERASED
    return sorted(tx.execute(select(messages.c.key).where(*own, state)).scalars())


def message_pages(tx: Connection, tenant: str, conversation: bytes, size: int) -> Iterator[Sequence[Any]]:
    """The rows of its messages that were not erased, in the order of their times, a page at a time."""
    at, key = messages.c.occurred_at, messages.c.key
    # What is told of another id of a message stands with the message itself.
    alias = select(aliases.c.alias).where(aliases.c.tenant == tenant, aliases.c.alias == key)
    wanted = (
        select(messages).where(*_living(tenant, conversation), ~alias.exists()).order_by(at, key).limit(size)
    )
    page: Sequence[Any] = tx.execute(wanted).all()
    while page:
        yield page
        last = page[-1]
        further = and_(at >= last.occurred_at, or_(at > last.occurred_at, key > last.key))
        page = tx.execute(wanted.where(further)).all()


def content_pages(tx: Connection, tenant: str, connector: str, size: int) -> Iterator[Sequence[Any]]:
    """Rows (key, conversation, account, content) of a connector's messages that have content, by key."""
    known = messages.c
    wanted = (
        select(known.key, known.conversation, known.account, known.content)
        .where(known.tenant == tenant, known.key > bindparam("after"), known.connector == connector)
        .where(known.content.is_not(None), known.conversation.is_not(None))
        .order_by(known.key)
        .limit(size)
    )
    page: Sequence[Any] = tx.execute(wanted, {"after": b""}).all()
    while page:
        yield page
        page = tx.execute(wanted, {"after": page[-1].key}).all()


def _living(tenant: str, conversation: bytes) -> tuple[Any, ...]:
    known = messages.c
    return known.tenant == tenant, known.conversation == conversation, known.state < State.ERASED


# -- taking away ---------------------------------------------------------------------------------------------


def lock_messages(tx: Connection, tenant: str, conversation: bytes, keys: Sequence[bytes]) -> list[Any]:
    """The rows under these keys (in order) that still belong to the conversation and were not erased, locked."""
    found = select_in(tx, messages.c.key, tenant, keys, lock=True)
    return [row for row in found if row.conversation == conversation and row.state < State.ERASED]


def lock_conversation(tx: Connection, tenant: str, conversation: bytes) -> bool:
    """Whether the conversation is there; if so it is locked."""
    return any(True for _ in select_in(tx, conversations.c.id, tenant, [conversation], lock=True))


def erase_messages(tx: Connection, tenant: str, keys: Sequence[bytes], now: Instant) -> None:
    """Leave the tombstones of messages that are locked, and nothing of how they were handed in or waited."""
    if not keys:
        return
    tx.execute(_ERASE, [{"of": tenant, "at": key, "now": now} for key in keys])
    note(tx, (Tombstone(tenant=tenant, key=key, state=State.ERASED, at=now) for key in keys))
    for table, forget in _BY_KEY:
        found = [{"of": tenant, "at": row.key} for row in select_in(tx, table.c.key, tenant, keys)]
        if found:
            tx.execute(forget, found)


def erase_contents(tx: Connection, tenant: str, ids: Sequence[bytes]) -> None:
    """Delete contents."""
    delete_contents(tx, tenant, sorted(ids))


def remove(tx: Connection, tenant: str, conversation: bytes) -> int:
    """Delete a conversation with its identifiers, links and consents; how many rows there were."""
    gone = [(table, column == conversation) for table, column in _ABOUT]
    gone.append((links, or_(links.c.one == conversation, links.c.other == conversation)))
    note(tx, [Erased(tenant=tenant, conversation=conversation)])
    return sum(
        tx.execute(delete(table).where(table.c.tenant == tenant, which)).rowcount for table, which in gone
    )


def remains(tx: Connection, tenant: str, conversation: bytes) -> bool:
    """Whether anything of a conversation that was removed is there: somebody wrote it meanwhile."""
    asked: list[tuple[Table, Any]] = [
        (messages, and_(*_living(tenant, conversation))),
        *((table, column == conversation) for table, column in _ABOUT),
        (links, or_(links.c.one == conversation, links.c.other == conversation)),
    ]
    one = [
        select(literal(1)).where(table.c.tenant == tenant, which).limit(1).subquery()
        for table, which in asked
    ]
    return tx.execute(union_all(*(select(some) for some in one))).first() is not None


_ABOUT: Final = (
    (identifiers, identifiers.c.conversation),
    (conversations, conversations.c.id),
    (consents, consents.c.conversation),
)
"""Tables with rows about a conversation, besides its messages and links, and where they name it."""


def ungroup(tx: Connection, tenant: str, keys: Sequence[bytes]) -> None:
    """Let nobody see any more which tombstones were one person's."""
    if keys:
        tx.execute(_UNGROUP, [{"of": tenant, "at": key} for key in keys])


def clusters_of(tx: Connection, tenant: str, recipients: Sequence[bytes]) -> set[bytes]:
    """The clusters of near-duplicates that were sent to these recipients (keyed hashes)."""
    wanted = select(alike.c.cluster).where(*_received(tenant, recipients)).distinct()
    return set(tx.execute(wanted).scalars()) if recipients else set()


def forget_counts(
    tx: Connection, tenant: str, recipients: Sequence[bytes], names: Collection[TallyKey]
) -> int:
    """Delete what was counted of recipients, and tallies by kind and name (their windows do not matter)."""
    gone = 0
    if recipients:
        gone += tx.execute(delete(alike).where(*_received(tenant, recipients))).rowcount
    for kind, name, _ in sorted(names):
        known = tallies.c
        gone += tx.execute(
            delete(tallies).where(known.tenant == tenant, known.kind == kind, known.name == name)
        ).rowcount
    return gone


def _received(tenant: str, recipients: Sequence[bytes]) -> tuple[Any, ...]:
    return alike.c.tenant == tenant, alike.c.role == Role.RECIPIENT, alike.c.who.in_(recipients)
