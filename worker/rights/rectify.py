"""Correcting how a person is called and by which number they are known. What they said is never rewritten.

A corrected part says when it was corrected: the old message, delivered once more, does not undo it; an edit does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from policies.message import Identifier, IdentifierKind, Instant
from policies.record import Part
from worker.directory import Directory, person
from worker.keyring import PSEUDONYM, Keyring
from worker.rights.contents import opened
from worker.rights.erase import portions
from worker.rights.errors import RightsRefused
from worker.rights.handles import NAME, USERNAME, plain, profile_of
from worker.rights.phones import forms, international
from worker.rights.request import Term, TermType
from worker.rights.subject import Person, Persona, contradict
from worker.store import messages, persons
from worker.store.engine import Store
from worker.store.retry import persistently

_PLACES: Final[Mapping[TermType, str]] = {
    TermType.TWITTER: "x",
    TermType.INSTAGRAM: "instagram",
    TermType.FACEBOOK: "facebook",
}
"""On which connector a handle is one."""


class Rectifier:
    """Corrects what one store holds."""

    def __init__(self, store: Store, keyring: Keyring, clock: Callable[[], Instant]) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock

    def check(
        self, tx: Connection, tenant: str, who: Person, terms: Sequence[Term], region: str | None
    ) -> None:
        """Raise RightsRefused where a new number is known as somebody else's: correcting must not join strangers."""
        for number, term in enumerate(terms):
            if term.type is TermType.PHONE:
                where = f"replacementTerms[{number}]"
                international(term.existing_value, region, where)
                updated = international(term.updated_value, region, where)
                if contradict(tx, self._keyring, tenant, who, updated):
                    raise RightsRefused("contradictory", where)

    def names(self, tenant: str, conversation: bytes, connector: str, terms: Sequence[Term]) -> int:
        """Correct names and handles in a conversation's messages; in how many."""
        wanted = [term for term in terms if term.type is TermType.NAME or _PLACES.get(term.type) == connector]
        if not wanted:
            return 0
        with self._store.reading() as tx:
            keys = persons.message_keys(tx, tenant, conversation)
        return sum(
            persistently(partial(self._batch, tenant, conversation, batch, wanted))
            for batch in portions(keys)
        )

    def number(self, tenant: str, who: Person, term: Term, region: str | None) -> int:
        """Let the new number lead to whoever is known by the old one; on how many accounts."""
        before = set(forms(international(term.existing_value, region)))
        after = international(term.updated_value, region)
        known = [(one, form) for one in who.personas for form in sorted(before & _phones(one))]
        if known:
            persistently(partial(self._link, tenant, known, after))
        return len(known)

    def _link(self, tenant: str, known: Sequence[tuple[Persona, str]], after: str) -> None:
        pseudonym = self._keyring.tenant_key(tenant, PSEUDONYM)
        with self._store.transaction() as tx:
            # Who is erased meanwhile must not be met anew.
            there = [pair for pair in known if _lock(tx, tenant, pair[0])]
            directory = Directory(tx, self._keyring, tenant, self._clock())
            directory.meet(
                [
                    person(pseudonym, *one.place, (_phone(form), _phone(_alike(after, form))))
                    for one, form in there
                ]
            )

    def _batch(self, tenant: str, conversation: bytes, keys: Sequence[bytes], terms: Sequence[Term]) -> int:
        now = self._clock()
        with self._store.transaction() as tx:
            rows = [
                row
                for row in persons.lock_messages(tx, tenant, conversation, keys)
                if row.content is not None
            ]
            key = self._keyring.keys(tenant, [conversation]).get(conversation)
            sealed = messages.read_contents(tx, tenant, [row.content for row in rows])
            corrected: dict[bytes, bytes] = {}
            for row in rows:
                parts = _corrected(opened(tenant, row, sealed, key), terms, now)
                if parts is not None and key is not None:
                    corrected[row.content] = messages.seal_parts(key.cipher, tenant, row.key, parts)
            messages.update_contents(tx, tenant, corrected)
            return len(corrected)


def _corrected(parts: Mapping[str, Part], terms: Sequence[Term], now: Instant) -> dict[str, Part] | None:
    before = profile_of(parts)
    after: dict[str, Any] = dict(before)
    for term in terms:
        field, alike = (NAME, str.strip) if term.type is TermType.NAME else (USERNAME, plain)
        if alike(str(before.get(field, ""))) == alike(term.existing_value):
            after[field] = term.updated_value if field == NAME else term.updated_value.removeprefix("@")
    if after == before:
        return None
    part = parts["profile"]
    return {**parts, "profile": msgspec.structs.replace(part, at=max(now, part.at + 1), value=after)}


def _lock(tx: Connection, tenant: str, persona: Persona) -> bool:
    """Whether any of the conversations is there; those are locked."""
    return sum(persons.lock_conversation(tx, tenant, one) for one in sorted(persona.conversations)) > 0


def _phones(persona: Persona) -> set[str]:
    return {value for kind, value in persona.known if kind == IdentifierKind.PHONE}


def _phone(value: str) -> Identifier:
    return Identifier(kind=IdentifierKind.PHONE, value=value)


def _alike(e164: str, form: str) -> str:
    """The number as its channel writes it."""
    return e164 if form.startswith("+") else e164.removeprefix("+")
