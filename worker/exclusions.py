"""Persons of whom nothing is recorded: known to be under 13, or named by the tenant (PP-8, PP-3).

A mark is a keyed hash of one of their identifiers, under a key of its own: it outlives what is erased, and says to nobody
else whom it is about. It holds on every account of the tenant. What was kept before is erased (worker/rights/excluding.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from policies.message import Identifier, IdentifierKind, Instant
from worker.crypto import reference
from worker.directory import Person, person
from worker.keyring import PSEUDONYM, Keyring
from worker.store import marks, people
from worker.store.marks import Marked
from worker.tenants.loading import Tenant

MARKS: Final = "marks"
"""Purpose of the key under which marked persons are referred to."""


class Mark(StrEnum):
    """What is known. ``ERASURE_DUE`` is on a conversation: what was kept in it before is to be erased still."""

    UNDER_13 = "under_13"
    NAMED = "named"
    ERASURE_DUE = "erasure_due"


EXCLUDING: Final = (Mark.UNDER_13, Mark.NAMED)
"""Marks of persons of whom nothing is recorded."""


class Source(StrEnum):
    """How it is known: the person said so, and nobody has looked at it yet; or somebody of the tenant knows."""

    DECLARED = "declared"
    CONFIRMED = "confirmed"


def mark_reference(key: bytes, kind: str, value: str) -> bytes:
    """The reference of an identifier. ``key``: the tenant's for MARKS. A number is the same with and without its plus."""
    return reference(key, kind, value.lstrip("+") if kind == IdentifierKind.PHONE else value)


class Exclusions:
    """One tenant's marks within one transaction of the ledger: ``load``, ask and ``declare``, then ``save``."""

    def __init__(self, tx: Connection, keyring: Keyring, tenant: Tenant, now: Instant) -> None:
        self._tx = tx
        self._keyring = keyring
        self._tenant = tenant
        self._now = now
        self._any: bool | None = None
        self._known: dict[bytes, Marked] = {}
        self._fresh: list[Marked] = []
        self._declared: list[tuple[Identifier, ...]] = []

    def load(self, persons: Iterable[Person]) -> None:
        """Read what is known of them. A tenant without any mark costs one look-up."""
        if self._any is None:
            self._any = marks.has_any(self._tx, self._tenant.id)
        if self._any:
            wanted = {name for one in persons for name in self._references(one.identifiers)}
            for marked in marks.find(self._tx, self._tenant.id, wanted) if wanted else ():
                if marked.mark in EXCLUDING:
                    self._known[marked.reference] = marked

    def cover(self, one: Person) -> bool:
        """Whether nothing of this person is recorded. What they are newly known by is marked too."""
        if not self._known:
            return False
        references = self._references(one.identifiers)
        known = next((self._known[name] for name in references if name in self._known), None)
        if known is None:
            return False
        self._mark(references, known.mark, known.source, known.marked_at)
        return True

    def declare(self, one: Person) -> None:
        """The person says that they are under 13."""
        if one.identifiers:
            self._declared.append(one.identifiers)
            at = self._now + len(self._declared)  # one instant for each person
            self._mark(self._references(one.identifiers), Mark.UNDER_13, Source.DECLARED, at)

    def save(self) -> None:
        """Write the marks, and that what was kept of these persons has to go."""
        if not self._fresh:
            return
        due = set(self._conversations())
        marks.add(self._tx, self._tenant.id, [*self._fresh, *(erasure_due(one, self._now) for one in due)])

    def _references(self, identifiers: Iterable[Identifier]) -> list[bytes]:
        key = self._keyring.tenant_key(self._tenant.id, MARKS)
        return [mark_reference(key, one.kind, one.value) for one in identifiers]

    def _mark(self, references: Iterable[bytes], mark: str, source: str, at: Instant) -> None:
        for name in references:
            if name not in self._known:
                marked = Marked(reference=name, mark=mark, source=source, marked_at=at)
                self._known[name] = marked
                self._fresh.append(marked)

    def _conversations(self) -> Iterator[bytes]:
        """Theirs, on every account of the tenant."""
        pseudonym = self._keyring.tenant_key(self._tenant.id, PSEUDONYM)
        references = {
            name
            for identifiers in self._declared
            for connector, source in self._tenant.connectors.items()
            for account in source.accounts
            for name in person(pseudonym, connector, account, _as_written(identifiers)).references
        }
        found = people.find_conversations(self._tx, self._tenant.id, sorted(references)) if references else {}
        yield from found.values()


def _as_written(identifiers: Iterable[Identifier]) -> tuple[Identifier, ...]:
    """Some channels write numbers with a plus, some without."""
    return tuple(
        Identifier(kind=one.kind, value=plus + one.value.lstrip("+"))
        if one.kind is IdentifierKind.PHONE
        else one
        for one in identifiers
        for plus in (("", "+") if one.kind is IdentifierKind.PHONE else ("",))
    )


def erasure_due(conversation: bytes, now: Instant) -> Marked:
    """The note that a conversation is to be erased."""
    return Marked(reference=conversation, mark=Mark.ERASURE_DUE, source=Source.DECLARED, marked_at=now)
