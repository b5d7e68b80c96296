"""Of whom nothing is recorded, for an operator: named, confirmed, lifted. Each act is on the record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec
from sqlalchemy import Connection

from policies.message import IdentifierKind, Instant
from worker.acts import Operator, record_act
from worker.exclusions import EXCLUDING, MARKS, Mark, Source, erasure_due, mark_reference
from worker.holds import whom
from worker.keyring import Keyring
from worker.rights.subject import Person
from worker.store import marks
from worker.store.engine import Store
from worker.store.marks import Marked
from worker.store.retry import persistently

ADDED: Final = "exclusion_added"
CONFIRMED: Final = "exclusion_confirmed"
LIFTED: Final = "exclusion_lifted"
"""What the acts are called in the record of operators' acts."""


class Excluded(msgspec.Struct, frozen=True, kw_only=True):
    """A person of whom nothing is recorded: the first of their marks, how many there are, and whether anybody looked."""

    id: str
    mark: str
    source: str
    since: Instant
    identifiers: int


class NobodyExcluded(Exception):
    """Nobody is excluded under this id or identifier, or several are."""


class Exclusion:
    """The excluded persons of one tenant."""

    def __init__(self, store: Store, keyring: Keyring, tenant: str, clock: Callable[[], Instant]) -> None:
        self._store = store
        self._keyring = keyring
        self._tenant = tenant
        self._clock = clock

    def all(self) -> list[Excluded]:
        """Everybody, the longest excluded first."""
        with self._store.reading() as tx:
            found = marks.all_of(tx, self._tenant, EXCLUDING)
        persons: dict[tuple[Instant, str], list[Marked]] = {}
        for one in found:
            persons.setdefault((one.marked_at, one.mark), []).append(one)
        return [_excluded(some) for some in persons.values()]

    def add(self, person: str, operator: Operator, mark: Mark = Mark.UNDER_13) -> int:
        """Record nothing of a person from now on; how many conversations are to be erased. Raises RightsRefused."""
        return persistently(partial(self._add, person, operator, mark))

    def confirm(self, which: str, operator: Operator) -> int:
        """Somebody looked, and it is so; how many marks there are. Raises NobodyExcluded."""
        return persistently(partial(self._decide, which, operator, CONFIRMED))

    def lift(self, which: str, operator: Operator) -> int:
        """Record this person again; how many marks there were. Raises NobodyExcluded."""
        return persistently(partial(self._decide, which, operator, LIFTED))

    def _add(self, person: str, operator: Operator, mark: Mark) -> int:
        now = self._clock()
        with self._store.transaction() as tx:
            known = whom.find(tx, self._keyring, self._tenant, person)
            names = {*self._references(person), *self._known(known)}
            added = [
                Marked(reference=name, mark=mark, source=Source.CONFIRMED, marked_at=now) for name in names
            ]
            due = [erasure_due(one, now) for one in known.conversations]
            marks.add(tx, self._tenant, [*added, *due])
            self._record(tx, ADDED, min(names), operator, now)
        return len(due)

    def _decide(self, which: str, operator: Operator, action: str) -> int:
        now = self._clock()
        with self._store.transaction() as tx:
            found = self._found(tx, which)
            if not found:
                raise NobodyExcluded
            count = (
                marks.lift(tx, self._tenant, found)
                if action == LIFTED
                else marks.confirm(tx, self._tenant, found, Source.CONFIRMED)
            )
            self._record(tx, action, found[0].reference, operator, now)
        return count

    def _found(self, tx: Connection, which: str) -> Sequence[Marked]:
        """One mark of each person that is meant: an id (or its beginning) means one, an identifier whoever has it."""
        every = marks.all_of(tx, self._tenant, EXCLUDING)
        names = set(self._references(which))
        meant = [one for one in every if one.reference in names]
        if not meant and which:
            meant = [one for one in every if one.reference.hex().startswith(which.lower())]
        persons = {(one.marked_at, one.mark): one for one in meant}
        if len(persons) > 1 and not any(one.reference in names for one in meant):
            raise NobodyExcluded
        return list(persons.values())

    def _references(self, person: str) -> list[bytes]:
        key = self._keyring.tenant_key(self._tenant, MARKS)
        claims = whom.claims(person)
        return sorted({mark_reference(key, *known) for claim in claims for known in claim.known})

    def _known(self, person: Person) -> list[bytes]:
        key = self._keyring.tenant_key(self._tenant, MARKS)
        known = (
            (kind, value) for kind, value in whom.everything_known(person) if kind in set(IdentifierKind)
        )
        return [mark_reference(key, kind, value) for kind, value in known]

    def _record(self, tx: Connection, action: str, about: bytes, operator: Operator, now: Instant) -> None:
        record_act(tx, self._keyring, self._tenant, action=action, about=about, operator=operator, now=now)


def _excluded(some: Sequence[Marked]) -> Excluded:
    first = min(some, key=lambda one: one.reference)
    return Excluded(
        id=first.reference.hex(),
        mark=first.mark,
        source=first.source,
        since=first.marked_at,
        identifiers=len(some),
    )
