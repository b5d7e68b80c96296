"""What holds cover, inside one transaction, and how content that has to go is kept back because of one.

For whoever takes content away (erasure, purge, unsend). Make one ``Holds(tx, tenant)`` for the transaction; it reads
the holds at the first question, and never again: a tenant without holds costs one look-up by key.

* ``covers(conversation, occurred_at)``: whether a hold in force covers what was said there and then. If so it does not go:
  ``policies.lifecycle.disposal`` says whether it stays as it is (retention) or is restricted (erasure, platform deletion).
* ``restrict(rows, why)`` moves contents out of sight: pass every (key, content id, conversation, occurred_at) and the duty;
  it empties ``message.content`` too. The caller moves the message's state forward and leaves the content's row alone.
* ``keeps(conversation)``: whether the conversation itself (row, identifiers, links, **key**) must stay, because something
  in it is covered. Then an erasure restricts what is covered, deletes the contents of the rest, and calls
  ``keep_back(conversation)``: when the last such hold is lifted, worker/holds/lifting.py calls the erasure again. Where it
  is False, erase as if there were no hold: but delete the conversation's ``RestrictedRow`` and their contents as well
  (``release(conversation)`` does both).

* ``confirm()`` is the last thing before the commit, after ``decisions.lock_end`` (or ``decisions.append``): it raises
  ``Raced`` where a hold was placed since this transaction looked; run transactions through ``store.retry.persistently``.
  Placing a hold takes the same lock, so nothing that a hold covers goes after ``hold add`` has returned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from typing import Final

from sqlalchemy import Connection, bindparam, update

from policies.lifecycle import Duty
from policies.message import Instant
from worker.store import holds as store
from worker.store.holds import NO_CONTENT, Hold, Restricted
from worker.store.messages import messages
from worker.store.statements import Raced

Kept = tuple[bytes, bytes, bytes, Instant]
"""Content that a hold keeps back: message key, content id, conversation, when it was said."""


class Scope(StrEnum):
    """Whom a hold is about."""

    PERSON = "person"
    CONVERSATION = "conversation"
    TENANT = "tenant"


_EMPTY_CONTENT: Final = (
    update(messages)
    .where(messages.c.tenant == bindparam("of"), messages.c.key == bindparam("at"))
    .values(content=None)
)


class Holds:
    """One tenant's holds in force, as one transaction sees them."""

    def __init__(self, tx: Connection, tenant: str) -> None:
        self._tx = tx
        self._tenant = tenant

    @cached_property
    def active(self) -> Sequence[Hold]:
        """The holds in force."""
        return store.all_holds(self._tx, self._tenant, active=True)

    def covers(self, conversation: bytes | None, occurred_at: Instant) -> bool:
        """Whether a hold in force covers what was said in that conversation at that time."""
        return bool(self.active) and any(hold.spans(occurred_at) for hold in self._about(conversation))

    def keeps(self, conversation: bytes) -> bool:
        """Whether the conversation has to stay: a hold in force covers something in it, be it a tombstone."""
        return bool(self.active) and any(
            store.speaks_within(self._tx, self._tenant, conversation, hold)
            for hold in self._about(conversation)
        )

    def confirm(self) -> None:
        """Raise Raced where a hold was placed since this transaction looked; the end of the chain is locked by now."""
        if "active" in self.__dict__:
            known = {hold.id for hold in self.active}
            if any(hold.id not in known for hold in store.all_holds(self._tx, self._tenant, active=True)):
                raise Raced

    def restrict(self, kept: Sequence[Kept], why: Duty, now: Instant) -> None:
        """Move contents out of sight: no message names them any more, their rows stay."""
        rows = [
            Restricted(key=key, content=content, conversation=where, why=why, occurred_at=at, since=now)
            for key, content, where, at in sorted(kept)
        ]
        store.restrict(self._tx, self._tenant, rows)
        if rows:
            self._tx.execute(_EMPTY_CONTENT, [{"of": self._tenant, "at": row.key} for row in rows])

    def keep_back(self, conversation: bytes, now: Instant) -> None:
        """Remember that the conversation is to be erased as soon as no hold keeps it any more."""
        store.change_duty(self._tx, self._tenant, conversation, Duty.ERASURE)
        mark = Restricted(
            key=conversation,
            content=NO_CONTENT,
            conversation=conversation,
            why=Duty.ERASURE,
            occurred_at=0,
            since=now,
        )
        store.restrict(self._tx, self._tenant, [mark])

    def release(self, conversation: bytes) -> Sequence[bytes]:
        """Destroy whatever of the conversation is restricted; the message keys, for a receipt."""
        rows = store.restricted_of(self._tx, self._tenant, conversation)
        store.destroy(self._tx, self._tenant, rows)
        return [row.key for row in rows if row.content != NO_CONTENT]

    def _about(self, conversation: bytes | None) -> Sequence[Hold]:
        if conversation is None:
            return self._by_conversation.get(None, ())
        return [*self._by_conversation.get(None, ()), *self._by_conversation.get(conversation, ())]

    @cached_property
    def _by_conversation(self) -> dict[bytes | None, list[Hold]]:
        """The holds of each conversation; None: those of all."""
        found: dict[bytes | None, list[Hold]] = defaultdict(list)
        for hold in self.active:
            for conversation in self._conversations(hold):
                found[conversation].append(hold)
        return found

    def _conversations(self, hold: Hold) -> Sequence[bytes | None]:
        if hold.scope == Scope.TENANT:
            return [None]
        about = store.targets_of(self._tx, self._tenant, hold.id)
        if hold.scope == Scope.CONVERSATION:
            return about
        return sorted(store.conversations_of(self._tx, self._tenant, about))
