"""The messages that one transaction is about: read and locked, joined with what was told, written back."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from policies.message import Instant
from policies.record import Record, State, join
from worker.directory import Directory, new_id
from worker.store import messages
from worker.store.messages import Held
from worker.store.statements import Row


class Register:
    """One tenant's messages. ``load`` once, ``merge`` as often as needed, ``save`` once."""

    def __init__(self, tx: Connection, directory: Directory, tenant: str, now: Instant) -> None:
        self._tx = tx
        self._directory = directory
        self._tenant = tenant
        self._now = now
        self._held: dict[bytes, Held] = {}
        self._before: dict[bytes, Record] = {}
        self._places: dict[bytes, tuple[str, str]] = {}
        self._meaning: dict[bytes, bytes] = {}
        self._aliases: dict[bytes, list[bytes]] = {}

    def load(self, keys: set[bytes], added_to: set[bytes]) -> None:
        """Read and lock the messages under ``keys``, and open the content of those in ``added_to``."""
        everything = keys | added_to | self._meaning.keys() | set(self._meaning.values())
        self._held = messages.load(self._tx, self._tenant, sorted(everything))
        self._open(added_to & self._held.keys())
        self._before = {key: held.record for key, held in self._held.items()}

    def learn_aliases(self, keys: set[bytes], told: dict[bytes, bytes]) -> None:
        """Other ids of messages (alias → key): those told now, and those known of ``keys``. Before ``load``.

        The key of a message is an alias of nothing: what was told first stands.
        """
        asked = sorted(keys | told.keys())
        known = messages.resolve_aliases(self._tx, self._tenant, asked)
        known.update(messages.aliases_of(self._tx, self._tenant, asked))
        fresh = {alias: key for alias, key in told.items() if alias != key and alias not in known}
        messages.add_aliases(self._tx, self._tenant, fresh)
        self._meaning = {**known, **fresh}
        for alias, key in self._meaning.items():
            self._aliases.setdefault(key, []).append(alias)

    def meant_by(self, key: bytes) -> bytes:
        """The message that ``key`` is another id of; ``key`` itself where it is none."""
        return self._meaning.get(key, key)

    def is_unsent(self, key: bytes) -> bool:
        """Whether the message, under any of its ids, was taken back."""
        return any(
            held.record.state is State.UNSENT
            for one in (key, *self._aliases.get(key, ()))
            if (held := self._held.get(one)) is not None
        )

    def record(self, key: bytes) -> Record | None:
        """What is known of the message."""
        held = self._held.get(key)
        return None if held is None else held.record

    def merge(self, key: bytes, place: tuple[str, str], told: Record) -> tuple[Record | None, Record]:
        """Join what was told (``place``: connector, account); the record before (None: unheard of) and after."""
        self._places[key] = place
        for alias in self._aliases.get(key, ()):
            told = self._merge_alias(alias, place, told)
        held = self._held.get(key)
        if held is None:
            self._held[key] = Held(record=told, content=None, recorded_at=self._now)
            return None, told
        before = held.record
        held.record = join(before, told)
        return before, held.record

    def save(self) -> None:
        """Write every message that moved, in key order. Raises statements.Raced."""
        moved = [key for key in sorted(self._places) if self._held[key].record != self._before.get(key)]
        self._directory.need_keys(
            conversation for key in moved if (conversation := self._held[key].record.conversation)
        )
        fresh: list[Row] = []
        rewritten: dict[bytes, bytes] = {}
        gone: list[bytes] = []
        for key in moved:
            self._place_content(key, self._held[key], fresh, rewritten, gone)
        new: list[Row] = []
        changed: list[Row] = []
        for key in moved:
            row = messages.row_of(self._tenant, key, self._places[key], self._held[key], self._now)
            (changed if key in self._before else new).append(row)
        messages.insert_messages(self._tx, new)
        messages.insert_contents(self._tx, fresh)
        messages.update_messages(self._tx, changed)
        messages.update_contents(self._tx, self._tenant, rewritten)
        messages.delete_contents(self._tx, self._tenant, gone)

    def _merge_alias(self, alias: bytes, place: tuple[str, str], told: Record) -> Record:
        """Give the alias a row of its own; a tombstone found there counts.

        Two replicas, one told of the message and one of a deletion by this id, meet on that row and cannot
        pass each other.
        """
        self._places[alias] = place
        held = self._held.get(alias)
        if held is None:
            self._held[alias] = Held(record=Record(), content=None, recorded_at=self._now)
            return told
        return join(told, held.record)

    def _open(self, keys: set[bytes]) -> None:
        """Read what is stored of messages that come again or are edited: joining needs both sides."""
        closed = {key: held for key in keys if (held := self._held[key]).content is not None}
        if not closed:
            return
        sealed = messages.read_contents(
            self._tx, self._tenant, [h.content for h in closed.values() if h.content]
        )
        self._directory.need_keys(h.record.conversation for h in closed.values() if h.record.conversation)
        for key, held in closed.items():
            conversation = self._directory.key(held.record.conversation)
            if held.content in sealed and conversation is not None:
                parts = messages.open_parts(conversation.cipher, self._tenant, key, sealed[held.content])
                held.record = msgspec.structs.replace(held.record, parts=parts)
                held.opened = True

    def _place_content(
        self,
        key: bytes,
        held: Held,
        fresh: list[Row],
        rewritten: dict[bytes, bytes],
        gone: list[bytes],
    ) -> None:
        if held.record.state is State.UNSENT:
            if held.content is not None:
                gone.append(held.content)
                held.content = None
            return
        conversation = self._directory.key(held.record.conversation)
        if not held.opened or not held.record.parts or conversation is None:
            return
        sealed = messages.seal_parts(conversation.cipher, self._tenant, key, held.record.parts)
        if held.content is None:
            held.content = new_id(self._now)
            fresh.append((self._tenant, held.content, sealed))
        else:
            rewritten[held.content] = sealed
