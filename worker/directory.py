"""Who is who, inside one transaction: identifiers lead to conversations, new ones are opened, links made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import uuid_utils
from sqlalchemy import Connection

from policies.message import Identifier, Instant, Private
from worker.crypto import reference
from worker.keyring import ConversationKey, Keyring
from worker.store import people
from worker.store.statements import Raced, Row


class Person(Private, frozen=True, kw_only=True):
    """Somebody whom an event names, on the account where it happened. No identifiers: somebody unnamed."""

    connector: str
    account: str
    identifiers: tuple[Identifier, ...]
    references: tuple[bytes, ...]


def person(pseudonym: bytes, connector: str, account: str, identifiers: tuple[Identifier, ...]) -> Person:
    """The person with these identifiers, under keyed references."""
    if identifiers:
        references = tuple(
            reference(pseudonym, "person", connector, account, one.kind, one.value) for one in identifiers
        )
    else:
        references = (reference(pseudonym, "person", connector, account, "", ""),)
    return Person(connector=connector, account=account, identifiers=identifiers, references=references)


def new_id(now: Instant) -> bytes:
    """A UUIDv7: 16 bytes that sort by the time at which they were made."""
    return uuid_utils.uuid7(nanoseconds=now * 1_000).bytes


def identifier_place(tenant: str, name: bytes) -> bytes:
    """The associated data under which an identifier's value is sealed."""
    return b"identifier\0" + tenant.encode() + b"\0" + name


class Directory:
    """The conversations of one tenant that a transaction is about, and their keys."""

    def __init__(self, tx: Connection, keyring: Keyring, tenant: str, now: Instant) -> None:
        self._tx = tx
        self._keyring = keyring
        self._tenant = tenant
        self._now = now
        self._conversations: dict[bytes, bytes] = {}
        self._keys: dict[bytes, ConversationKey] = {}

    def meet(self, persons: Sequence[Person]) -> None:
        """Find everybody's conversation; open one for whoever is new; link those who turn out to be one."""
        wanted = {name for one in persons for name in one.references}
        if not wanted:
            return
        known = people.find_conversations(self._tx, self._tenant, sorted(wanted))
        self._conversations.update(known)
        if len(known) < len(wanted):
            self._open([one for one in persons if any(name not in known for name in one.references)])
        self._link(persons)

    def conversation(self, one: Person | None) -> bytes | None:
        """The person's conversation; of several that are linked the first opened."""
        if one is None:
            return None
        if len(one.references) == 1:
            return self._conversations.get(one.references[0])
        found = [self._conversations[name] for name in one.references if name in self._conversations]
        return min(found, default=None)

    def confirm(self) -> None:
        """Raise Raced where a conversation that was found is gone: its person was erased in between."""
        found = sorted(set(self._conversations.values()))
        if len(people.existing(self._tx, self._tenant, found)) < len(found):
            raise Raced

    def unite(self, one: bytes, other: bytes) -> None:
        """The same message was exchanged in both conversations: they are with the same person.

        Except with nobody in particular: that conversation holds whatever a platform names no person for.
        """
        if not people.is_with_nobody(self._tx, self._tenant, [one, other]):
            people.add_links(self._tx, self._tenant, [(one, other)], self._now)

    def need_keys(self, conversations: Iterable[bytes]) -> None:
        """Have these conversations' keys at hand."""
        missing = set(conversations) - self._keys.keys()
        if missing:
            self._keys.update(self._keyring.keys(self._tenant, missing))

    def key(self, conversation: bytes | None) -> ConversationKey | None:
        """The conversation's key, None where there is none (any more)."""
        return self._keys.get(conversation) if conversation else None

    def _open(self, persons: Sequence[Person]) -> None:
        opened: list[Row] = []
        met: dict[bytes, tuple[bytes, Identifier | None]] = {}
        for one in persons:
            conversation = self.conversation(one)
            if conversation is None:
                conversation = new_id(self._now)
                opened.append(self._conversation_row(conversation, one))
            values = one.identifiers or (None,)
            for name, identifier in zip(one.references, values, strict=True):
                if name not in self._conversations:
                    self._conversations[name] = conversation
                    met[name] = (conversation, identifier)
        # The keys are durable before anything that is sealed with them.
        self._keyring.make(self._tenant, [row[1] for row in opened])
        self.need_keys(conversation for conversation, _ in met.values())
        people.add_conversations(self._tx, opened)
        people.add_identifiers(self._tx, [self._identifier_row(name, *met[name]) for name in sorted(met)])

    def _conversation_row(self, id_: bytes, one: Person) -> Row:
        return self._tenant, id_, one.connector, one.account, self._now, 0, 0

    def _identifier_row(self, name: bytes, conversation: bytes, one: Identifier | None) -> Row:
        value = one.value.encode("utf-8", "replace") if one else b""
        sealed = self._keys[conversation].cipher.seal(value, identifier_place(self._tenant, name))
        return self._tenant, name, conversation, one.kind if one else "", sealed

    def _link(self, persons: Sequence[Person]) -> None:
        pairs: list[tuple[bytes, bytes]] = []
        for one in persons:
            if len(one.references) > 1:
                several = sorted({self._conversations[name] for name in one.references})
                pairs += [(several[0], other) for other in several[1:]]
        if pairs:
            people.add_links(self._tx, self._tenant, pairs, self._now)
