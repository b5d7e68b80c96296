"""Legal holds, whom they are about, and what is restricted because of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, func, select, update

from policies.message import Instant, Private
from worker.store import journal
from worker.store.journal import note
from worker.store.messages import contents, delete_contents, messages
from worker.store.people import identifiers, links
from worker.store.statements import MOST_VALUES, insert_missing, insert_new, row_of, select_in
from worker.store.tables import HoldRow, HoldTargetRow, RestrictedRow, Table

holds = Table.metadata.tables[str(HoldRow.__tablename__)]
targets = Table.metadata.tables[str(HoldTargetRow.__tablename__)]
restricted = Table.metadata.tables[str(RestrictedRow.__tablename__)]

NO_CONTENT: Final = b""
"""Names no row of content: a restriction that only says that something is due (worker/holds/holding.py)."""


class Hold(Private, frozen=True, kw_only=True):
    """A legal hold. ``scope`` is a word of worker/holds/holding.py; ``sealed``: matter, authority, who, why."""

    id: bytes
    scope: str
    since: Instant | None
    until: Instant | None
    placed_at: Instant
    lifted_at: Instant | None = None
    sealed: bytes

    def spans(self, at: Instant) -> bool:
        """Whether something of that time lies within its bounds (``until`` is the first instant beyond them)."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


class Restricted(Private, frozen=True, kw_only=True):
    """Content that only a hold keeps. ``why`` is the duty that asked for it to go; ``since`` when it did.

    ``key`` is the message's, or that of an earlier version of one (worker/holds/holding.py).
    """

    key: bytes
    content: bytes
    conversation: bytes
    why: str
    occurred_at: Instant
    since: Instant


def add_hold(tx: Connection, tenant: str, hold: Hold, about: Iterable[bytes]) -> None:
    """Place a hold on these targets: conversations' ids, or keyed references of identifiers."""
    insert_new(tx, holds, [row_of(holds, tenant, hold)])
    targeted = tuple(sorted(set(about)))
    _target(tx, tenant, hold.id, targeted)
    placed = {name: getattr(hold, name) for name in ("scope", "since", "until", "placed_at")}
    note(tx, [journal.Held(tenant=tenant, hold=hold.id, about=targeted, **placed)])


def add_targets(tx: Connection, tenant: str, hold: bytes, about: Iterable[bytes]) -> None:
    """Let a hold be about these too."""
    targeted = tuple(sorted(set(about)))
    _target(tx, tenant, hold, targeted)
    if targeted:
        note(tx, [journal.Extended(tenant=tenant, hold=hold, about=targeted)])


def _target(tx: Connection, tenant: str, hold: bytes, about: Sequence[bytes]) -> None:
    insert_missing(tx, targets, [{"tenant": tenant, "hold": hold, "about": one} for one in about])


def lift(tx: Connection, tenant: str, hold: bytes, now: Instant) -> bool:
    """End a hold; False when it is not in force (any more), or there is none. Of two who lift it, one does."""
    wanted = (holds.c.tenant == tenant, holds.c.id == hold, holds.c.lifted_at.is_(None))
    lifted = tx.execute(update(holds).where(*wanted).values(lifted_at=now)).rowcount == 1
    if lifted:
        note(tx, [journal.Lifted(tenant=tenant, hold=hold, at=now)])
    return lifted


def reseal(tx: Connection, tenant: str, hold: bytes, sealed: bytes) -> None:
    """Let a hold say something else of itself."""
    wanted = (holds.c.tenant == tenant, holds.c.id == hold)
    tx.execute(update(holds).where(*wanted).values(sealed=sealed))


def remove_targets(tx: Connection, tenant: str, hold: bytes) -> None:
    """Forget whom a hold was about."""
    tx.execute(delete(targets).where(targets.c.tenant == tenant, targets.c.hold == hold))


def all_holds(tx: Connection, tenant: str, *, active: bool = False) -> list[Hold]:
    """A tenant's holds in the order in which they were placed; ``active``: those in force."""
    wanted = select(holds).where(holds.c.tenant == tenant).order_by(holds.c.id)
    return [_hold(row) for row in tx.execute(wanted.where(holds.c.lifted_at.is_(None)) if active else wanted)]


def targets_of(tx: Connection, tenant: str, hold: bytes) -> list[bytes]:
    """Whom a hold is about, in order."""
    wanted = select(targets.c.about).where(targets.c.tenant == tenant, targets.c.hold == hold)
    return list(tx.execute(wanted.order_by(targets.c.about)).scalars())


def conversations_of(tx: Connection, tenant: str, references: Sequence[bytes]) -> set[bytes]:
    """The conversations of the persons whom these references name, and all that are linked with them."""
    rows = select_in(tx, identifiers.c.reference, tenant, sorted(references))
    return linked_with(tx, tenant, {row.conversation for row in rows})


def linked_with(tx: Connection, tenant: str, conversations: set[bytes]) -> set[bytes]:
    """These conversations and the others of the same persons, however many links away."""
    seen, edge = set(conversations), set(conversations)
    while edge:
        found: set[bytes] = set()
        for some in _portions(sorted(edge)):
            wanted = select(links.c.one, links.c.other).where(
                links.c.tenant == tenant, links.c.one.in_(some) | links.c.other.in_(some)
            )
            found |= {id_ for row in tx.execute(wanted) for id_ in row}
        edge = found - seen
        seen |= edge
    return seen


def speaks_within(tx: Connection, tenant: str, conversation: bytes, hold: Hold) -> bool:
    """Whether anything of this conversation, be it a tombstone, is of the hold's time."""
    at = messages.c.occurred_at
    wanted = select(messages.c.key).where(
        messages.c.tenant == tenant, messages.c.conversation == conversation
    )
    wanted = wanted if hold.since is None else wanted.where(at >= hold.since)
    wanted = wanted if hold.until is None else wanted.where(at < hold.until)
    return tx.execute(wanted.limit(1)).first() is not None


def restrict(tx: Connection, tenant: str, rows: Sequence[Restricted]) -> None:
    """Remember what is restricted; what is already stays as it is."""
    values = [
        {"tenant": tenant, **{name: getattr(row, name) for name in row.__struct_fields__}} for row in rows
    ]
    insert_missing(tx, restricted, values)
    note(tx, [_line(tenant, row) for row in rows])


def restricted_among(tx: Connection, tenant: str, keys: Sequence[bytes]) -> dict[bytes, Restricted]:
    """What is restricted under these keys (in order)."""
    return {row.key: _restricted(row) for row in select_in(tx, restricted.c.key, tenant, keys)}


def restricted_of(tx: Connection, tenant: str, conversation: bytes) -> list[Restricted]:
    """Everything of a conversation that is restricted, in order of its time."""
    wanted = select(restricted).where(
        restricted.c.tenant == tenant, restricted.c.conversation == conversation
    )
    return [
        _restricted(row) for row in tx.execute(wanted.order_by(restricted.c.occurred_at, restricted.c.key))
    ]


def restricted_after(tx: Connection, tenant: str, key: bytes, limit: int) -> list[Restricted]:
    """The next so many restrictions of a tenant after that key, locked until the transaction ends."""
    wanted = select(restricted).where(restricted.c.tenant == tenant, restricted.c.key > key)
    return [_restricted(row) for row in tx.execute(_locked(wanted.order_by(restricted.c.key).limit(limit)))]


def change_duty(tx: Connection, tenant: str, conversation: bytes, why: str) -> None:
    """What of a conversation is restricted is so from now on for that duty."""
    wanted = (restricted.c.tenant == tenant, restricted.c.conversation == conversation)
    tx.execute(update(restricted).where(*wanted).values(why=why))


def destroy(tx: Connection, tenant: str, rows: Sequence[Restricted]) -> None:
    """Delete restricted contents and what named them."""
    delete_contents(tx, tenant, [row.content for row in rows if row.content != NO_CONTENT])
    for some in _portions([row.key for row in rows]):
        tx.execute(delete(restricted).where(restricted.c.tenant == tenant, restricted.c.key.in_(some)))
    note(tx, [journal.Destroyed(tenant=tenant, key=row.key) for row in rows])


def count_restricted(tx: Connection, tenant: str) -> int:
    """How many contents of a tenant are restricted."""
    wanted = select(func.count()).where(restricted.c.tenant == tenant, restricted.c.content != NO_CONTENT)
    return int(tx.execute(wanted).scalar_one())


def tenants_with_restrictions(tx: Connection) -> list[str]:
    """Every tenant of whom something is restricted."""
    return list(tx.execute(select(restricted.c.tenant).distinct().order_by(restricted.c.tenant)).scalars())


def read_content(tx: Connection, tenant: str, id_: bytes) -> bytes | None:
    """One sealed content."""
    wanted = select(contents.c.sealed).where(contents.c.tenant == tenant, contents.c.id == id_)
    return tx.execute(wanted).scalar_one_or_none()


def _line(tenant: str, row: Restricted) -> journal.Restricted:
    return journal.Restricted(
        tenant=tenant,
        key=row.key,
        conversation=row.conversation,
        why=row.why,
        occurred_at=row.occurred_at,
        at=row.since,
    )


def _portions(values: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (values[start : start + MOST_VALUES] for start in range(0, len(values), MOST_VALUES))


def _locked(wanted: Select[Any]) -> Select[Any]:
    return wanted.with_for_update()  # SQLite has one writer and ignores it


def _hold(row: Any) -> Hold:
    return Hold(**{name: getattr(row, name) for name in Hold.__struct_fields__})


def _restricted(row: Any) -> Restricted:
    return Restricted(**{name: getattr(row, name) for name in Restricted.__struct_fields__})
