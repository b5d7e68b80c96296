"""Taking away what is kept in one conversation: contents in bounded batches, then the rest at once, then its key.

For whoever has to erase somebody: a person's request, a hold that was lifted, a restored backup. Each function may be
called again after any crash, by any replica, and ends in the same. The order matters: a key is destroyed when nothing can
be sealed with it any more.

What stays: tombstones (who sends a message again meets one), decision records, opt-outs and marks, all without content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from policies.lifecycle import CLAUSES, Duty, Fate, disposal
from policies.message import Instant
from worker.chain import DecisionRecord
from worker.crypto import mac, reference
from worker.holds.holding import Holds, Kept
from worker.keyring import PSEUDONYM, Keyring
from worker.rights.phones import forms
from worker.settle import commitment
from worker.sms.facts import Counted
from worker.store import decisions, holds, persons
from worker.store.engine import Store
from worker.store.retry import persistently
from worker.store.statements import Raced
from worker.store.tallies import TallyKey

ERASURE: Final = "erasure"
"""The event of a decision record."""

BATCH: Final = 500
"""Messages of one transaction: intake waits for no longer than that."""

_ROUNDS: Final = 3
_HELP: Final = "help"


class Gone(StrEnum):
    """How far a conversation is. ``HELD``: a hold keeps it; ``KEPT``: its person wrote again after they were erased."""

    ERASED = "erased"
    HELD = "held"
    KEPT = "kept"


class Taken(msgspec.Struct, frozen=True):
    """How many messages went, and how many contents a hold keeps back."""

    messages: int = 0
    restricted: int = 0


class Eraser:
    """Erases conversations of one store."""

    def __init__(self, store: Store, keyring: Keyring, clock: Callable[[], Instant]) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock

    def conversation(self, tenant: str, conversation: bytes) -> Gone:
        """All of it, from its contents to its key."""
        self.contents(tenant, conversation)
        gone = self.rest(tenant, conversation)
        if gone is Gone.ERASED:
            self.keys(tenant, [conversation])
        return gone

    def contents(self, tenant: str, conversation: bytes) -> Taken:
        """Erase its messages, a batch at a time. Nothing where that was done, and only a hold keeps the rest."""
        messages = restricted = 0
        for _ in range(_ROUNDS):  # its person may go on writing: what comes then, ``rest`` takes
            with self._store.reading() as tx:
                done = _kept_back(tx, tenant, conversation)
                keys = [] if done else persons.message_keys(tx, tenant, conversation)
            for batch in portions(keys):
                taken = persistently(partial(self._batch, tenant, conversation, batch))
                messages, restricted = messages + taken.messages, restricted + taken.restricted
            if not keys:
                break
        return Taken(messages, restricted)

    def rest(self, tenant: str, conversation: bytes, *, again: bool = False) -> Gone:
        """Delete the conversation with all that leads to it, unless a hold keeps it.

        ``again``: a hold kept it, and was lifted since: what its person wrote in between stays.
        """
        return persistently(partial(self._rest, tenant, conversation, again=again))

    def keys(self, tenant: str, conversations: Sequence[bytes]) -> int:
        """Destroy the keys of conversations that are gone; how many there were."""
        with self._store.reading() as tx:
            alive = {row.id for row in persons.conversation_rows(tx, tenant, conversations)}
        return self._keyring.destroy(tenant, set(conversations) - alive)

    def ungroup(self, tenant: str, conversation: bytes) -> None:
        """Let its tombstones show no more that they were one person's."""
        with self._store.reading() as tx:
            keys = persons.message_keys(tx, tenant, conversation, erased=True)
        for batch in portions(keys):
            persistently(partial(self._in_transaction, persons.ungroup, tenant, batch))

    def counts(self, tenant: str, phones: Sequence[str]) -> int:
        """Forget what was counted of texts to these numbers; how many rows there were."""
        return persistently(partial(self._counts, tenant, phones))

    # -- details -----------------------------------------------------------------------------------------

    def _in_transaction(self, work: Callable[..., Any], *arguments: Any) -> Any:
        with self._store.transaction() as tx:
            return work(tx, *arguments)

    def _batch(self, tenant: str, conversation: bytes, keys: Sequence[bytes]) -> Taken:
        with self._store.transaction() as tx:
            held = Holds(tx, tenant)
            taken = _erase(tx, tenant, conversation, keys, held, self._clock())
            decisions.lock_end(tx, tenant)
            held.confirm()
        return taken

    def _rest(self, tenant: str, conversation: bytes, *, again: bool) -> Gone:
        now = self._clock()
        with self._store.transaction() as tx:
            held = Holds(tx, tenant)
            back = again or _kept_back(tx, tenant, conversation)
            keys = persons.message_keys(tx, tenant, conversation)
            if not back:
                _erase(tx, tenant, conversation, keys, held, now)
            if not persons.lock_conversation(tx, tenant, conversation):
                return Gone.ERASED
            if held.keeps(conversation):
                gone = Gone.HELD
                held.keep_back(conversation, now)
            else:
                gone = Gone.KEPT if back and keys else Gone.ERASED
                held.release(conversation)
            if gone is Gone.ERASED:
                persons.remove(tx, tenant, conversation)
            end = decisions.lock_end(tx, tenant)
            held.confirm()
            if gone is Gone.ERASED:
                self._removed(tx, tenant, conversation, now, end)
            elif gone is Gone.HELD and not back:
                self._decide(tx, tenant, conversation, Duty.LEGAL_HOLD, now, end)
        return gone

    def _removed(
        self, tx: Connection, tenant: str, conversation: bytes, now: Instant, end: decisions.End
    ) -> None:
        """Whoever found the conversation and has written to it did so before we came to the end of the chain, and is seen.

        Who comes there after us looks again (worker/settle.py).
        """
        if persons.remains(tx, tenant, conversation):
            raise Raced
        self._decide(tx, tenant, conversation, Duty.ERASURE, now, end)
        decisions.count_erasures(tx, tenant, 1)

    def _decide(
        self, tx: Connection, tenant: str, conversation: bytes, duty: Duty, now: Instant, end: decisions.End
    ) -> None:
        """Under the conversation's own salt, which goes with its key."""
        key = self._keyring.keys(tenant, [conversation]).get(conversation)
        record = DecisionRecord(
            connector="",
            account="",
            event=ERASURE,
            disposition=Fate.RESTRICT if duty is Duty.LEGAL_HOLD else Gone.ERASED,
            policy="",
            subject=commitment(key.salt, conversation) if key is not None else b"",
            reasons=((duty.value, "lifecycle", CLAUSES[duty]),),
        )
        decisions.append(tx, tenant, now, [record], end)

    def _counts(self, tenant: str, phones: Sequence[str]) -> int:
        pseudonym = self._keyring.tenant_key(tenant, PSEUDONYM)
        numbers = [form for phone in phones for form in forms(phone)]
        recipients = sorted(reference(pseudonym, "recipient", number) for number in numbers)
        with self._store.transaction() as tx:
            clusters = persons.clusters_of(tx, tenant, recipients)
            repeats = (mac(one, b"repeat\0" + cluster) for one in recipients for cluster in clusters)
            helped = (
                reference(pseudonym, _HELP, account, number)
                for _, account in persons.places(tx, tenant)
                for number in numbers
            )
            names: set[TallyKey] = {(Counted.RECIPIENT.value, one, 0) for one in recipients}
            names |= {(Counted.REPEAT.value, one, 0) for one in repeats} | {(_HELP, one, 0) for one in helped}
            return persons.forget_counts(tx, tenant, recipients, names)


def portions(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The keys in batches."""
    return (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))


def _erase(
    tx: Connection, tenant: str, conversation: bytes, keys: Sequence[bytes], held: Holds, now: Instant
) -> Taken:
    rows = persons.lock_messages(tx, tenant, conversation, keys)
    full = [row for row in rows if row.content is not None]
    kept: list[Kept] = [
        (row.key, row.content, conversation, row.occurred_at)
        for row in full
        if _stays(held, conversation, row)
    ]
    restricted = {key for key, *_ in kept}
    persons.erase_contents(tx, tenant, [row.content for row in full if row.key not in restricted])
    held.restrict(kept, Duty.ERASURE, now)
    persons.erase_messages(tx, tenant, [row.key for row in rows], now)
    return Taken(len(rows), len(kept))


def _stays(held: Holds, conversation: bytes, row: Any) -> bool:
    duties = {Duty.ERASURE} | ({Duty.LEGAL_HOLD} if held.covers(conversation, row.occurred_at) else set())
    return disposal(frozenset(duties)).fate is Fate.RESTRICT


def _kept_back(tx: Connection, tenant: str, conversation: bytes) -> bool:
    """Whether the erasure came this far before, and waits for a hold."""
    return conversation in holds.restricted_among(tx, tenant, [conversation])
