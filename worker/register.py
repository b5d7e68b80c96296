"""The messages that one transaction is about: read and locked, joined with what was told, written back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from sqlalchemy import Connection

from policies.message import Instant
from policies.record import Part, Record, State, join
from worker.directory import Directory, new_id
from worker.holds.keeping import Gone, Keeper
from worker.store import messages
from worker.store.messages import Held
from worker.store.statements import Row

Place = tuple[str, str]
"""Where a message was exchanged: connector, account."""


class Register:
    """One tenant's messages. ``load``, ``learn_aliases``, ``open``; ``merge`` as often as needed; ``save``."""

    def __init__(self, tx: Connection, directory: Directory, tenant: str, now: Instant) -> None:
        self._tx = tx
        self._directory = directory
        self._tenant = tenant
        self._now = now
        self._held: dict[bytes, Held] = {}
        self._before: dict[bytes, Record] = {}
        self._places: dict[bytes, Place] = {}
        self._loaded: set[bytes] = set()
        self._meaning: dict[bytes, bytes] = {}
        self._lost: dict[bytes, Mapping[str, Part]] = {}
        self._redacted: set[bytes] = set()
        self._keeper = Keeper(tx, directory, tenant, now)

    def load(self, keys: set[bytes]) -> None:
        """Read and lock the messages under ``keys``, content unread."""
        held = messages.load(self._tx, self._tenant, sorted(keys - self._loaded))
        self._loaded |= keys
        self._held |= held
        self._before |= {key: one.record for key, one in held.items()}

    def open(self, keys: set[bytes]) -> None:
        """Read what is stored of messages that come again or are edited: joining needs both sides."""
        closed = {key: held for key in keys if (held := self._held.get(key)) is not None and not held.opened}
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
                held.record = self._before[key] = msgspec.structs.replace(held.record, parts=parts)
                held.opened = True

    def learn_aliases(self, told: Mapping[bytes, tuple[bytes, Place]]) -> None:
        """Find the messages that loaded keys are other ids of, and learn those told now (alias → key, place).

        An alias keeps a row of its own, which says nothing: a replica that is told of the message and one
        that is told of its deletion by this id meet there. So the keys are locked before they are looked up.
        """
        asked = self._loaded
        while asked:
            found = messages.resolve_aliases(self._tx, self._tenant, sorted(asked))
            self._meaning |= found
            asked = set(found.values()) - self._loaded
            self.load(asked)
        fresh: dict[bytes, bytes] = {}
        self.open({self.meant_by(one) for alias, (key, _) in told.items() for one in (alias, key)})
        for alias, (key, place) in told.items():
            one, other = self.meant_by(alias), self.meant_by(key)
            # A provider that gives two texts one id must not make one of them, and one person of their recipients.
            taken = one != alias and self._is_stored(one) and self._is_stored(other)
            if one != other and not taken:
                fresh[one] = self._meaning[one] = other
                self._hand_over(one, other, place)
        messages.add_aliases(self._tx, self._tenant, fresh)

    def meant_by(self, key: bytes) -> bytes:
        """The message that ``key`` is another id of; ``key`` itself where it is none."""
        while key in self._meaning:
            key = self._meaning[key]
        return key

    def is_gone(self, key: bytes) -> bool:
        """Whether the message was taken back or erased."""
        held = self._held.get(key)
        return held is not None and held.record.state.is_gone

    def _is_stored(self, key: bytes) -> bool:
        held = self._held.get(key)
        return held is not None and held.record.state is State.STORED

    def is_erased(self, key: bytes) -> bool:
        """Whether the message was erased."""
        held = self._held.get(key)
        return held is not None and held.record.state is State.ERASED

    def merge(self, key: bytes, place: Place, told: Record) -> tuple[Record | None, Record]:
        """Join what was told (``place``: connector, account); the record before (None: unheard of) and after."""
        self._places[key] = place
        held = self._held.get(key)
        if held is None:
            self._held[key] = Held(record=told, content=None, recorded_at=self._now)
            return None, told
        before = held.record
        held.record = join(before, told)
        if held.record.state is State.UNSENT and (before.parts or told.parts):
            known = Record(parts=self._lost.get(key) or before.parts)
            self._lost[key] = join(known, Record(parts=told.parts)).parts
        if before.conversation and told.conversation and before.conversation != told.conversation:
            self._directory.unite(before.conversation, told.conversation)
        return before, held.record

    def redact(self, key: bytes, place: Place, end: str, change: Callable[[str], str]) -> Record | None:
        """Rewrite the text of a message that is loaded and opened, if it still ends so; None where it does not.

        The text that is replaced is not kept, whatever holds there are: it may not be recorded (PP-3). The rewritten one is
        the newer version, so that the message may come once more.
        """
        held = self._held.get(key)
        part = held.record.parts.get("text") if held is not None else None
        if part is None or not isinstance(part.value, str) or not part.value.endswith(end):
            return None
        at = len(part.value) - len(end)
        text = Part(part.edit_number, part.at + 1, part.value[:at] + change(part.value[at:]))
        self._redacted.add(key)
        return self.merge(key, place, Record(parts={"text": text}))[1]

    def save(self) -> set[bytes]:
        """Write every message that moved, in key order; those of which a legal hold kept something. Raises Raced."""
        moved = [key for key in sorted(self._places) if self._has_moved(key)]
        self._directory.need_keys(
            conversation for key in moved if (conversation := self._held[key].record.conversation)
        )
        fresh: list[Row] = []
        rewritten: dict[bytes, bytes] = {}
        gone: dict[bytes, bytes] = {}
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
        kept = self._keep_back(gone)
        messages.delete_contents(self._tx, self._tenant, [gone[key] for key in gone.keys() - kept])
        return kept | self._keep_versions(moved)

    def confirm(self) -> None:
        """Raise Raced where a hold was placed since ``save`` asked; the end of the chain is locked by now."""
        self._keeper.confirm()

    def _has_moved(self, key: bytes) -> bool:
        before, after = self._before.get(key), self._held[key].record
        # A part may have changed in a way that Python does not see: 1 == True.
        return before is None or after != before or after.parts is not before.parts

    def _keep_back(self, gone: Mapping[bytes, bytes]) -> set[bytes]:
        """What a hold covers of what was taken back; ``gone``: message → its content, in whichever state it is."""
        unsent = [key for key in {*gone, *self._lost} if self._held[key].record.state is State.UNSENT]
        if not unsent:
            return set()
        return self._keeper.keep_back(
            {key: self._gone(key, gone.get(key), self._lost.get(key)) for key in unsent}
        )

    def _keep_versions(self, moved: Sequence[bytes]) -> set[bytes]:
        """What a hold covers of what edits replaced."""
        replaced = {
            key: self._gone(key, None, before.parts)
            for key in moved
            if (before := self._before.get(key)) is not None
            and before.parts
            and key not in self._redacted
            and self._held[key].record.state is State.STORED
            and any(self._held[key].record.parts.get(name) is not part for name, part in before.parts.items())
        }
        return self._keeper.keep_versions(replaced)

    def _gone(self, key: bytes, content: bytes | None, parts: Mapping[str, Part] | None) -> Gone:
        """What is not known otherwise was sealed under the conversation that the message belonged to before."""
        record, before = self._held[key].record, self._before.get(key)
        of_row = before.conversation if before is not None and parts is None else None
        return Gone(
            conversation=of_row or record.conversation,
            occurred_at=record.circumstances.occurred_at,
            content=content,
            parts=parts,
        )

    def _hand_over(self, alias: bytes, key: bytes, place: Place) -> None:
        """What was told of a message under another id belongs to the message."""
        held = self._held.get(alias)
        if held is not None:
            self.merge(key, place, held.record)
        self._places[alias] = place
        self._held[alias] = Held(
            record=Record(),
            content=held.content if held is not None else None,
            recorded_at=held.recorded_at if held is not None else self._now,
        )

    def _place_content(
        self,
        key: bytes,
        held: Held,
        fresh: list[Row],
        rewritten: dict[bytes, bytes],
        gone: dict[bytes, bytes],
    ) -> None:
        if held.record.state is not State.STORED:
            if held.content is not None:
                gone[key] = held.content
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
