"""The end of each conversation's last message, in memory: a number may go on in the next one (PP-3).

As good as it gets: what another process took in, or what came before this one began, is not known. Nothing of it is ever
written anywhere, and it is forgotten after minutes, or when there are too many.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from policies.identifiers.kind import Family
from policies.identifiers.redact import without
from policies.identifiers.scan import Found, scan
from policies.identifiers.split import TAIL, Split, across, may_go_on
from policies.message import Instant, Message, Private
from policies.record import Part, Record
from policies.verdict import Reason, ReasonCode
from worker.inbound import Disposition, Settled
from worker.register import Place, Register

WITHIN: Final = 5 * 60 * 1_000_000
"""So long after a message the next one may bring the rest of its number, in microseconds."""

MOST: Final = 10_000
"""Conversations whose last message is remembered; the longest silent is forgotten first."""

_ROOM: Final = TAIL + 40


class Tail(Private, frozen=True, gc=False):
    """The end of a message's text, and where the message is kept (``key``, ``place``)."""

    key: bytes
    place: Place
    text: str
    at: Instant


class Halves(Private, frozen=True, kw_only=True):
    """A number that stands in two messages: the earlier one's end, and what goes from each."""

    first: Tail
    split: Split


class Tails:
    """What one writer remembers between its transactions."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Tail] = OrderedDict()

    def begin(self) -> NewTails:
        """What a transaction sees and adds; nothing of it is remembered before ``keep``."""
        return NewTails(self._known)

    def keep(self, added: NewTails | None) -> None:
        """The transaction is committed."""
        for person, tail in added.tails.items() if added is not None else ():
            self._known[person] = tail
            self._known.move_to_end(person)
        while len(self._known) > MOST:
            self._known.popitem(last=False)


class NewTails:
    """What one transaction remembers, over what was known before it."""

    def __init__(self, known: OrderedDict[bytes, Tail]) -> None:
        self._known = known
        self.tails: dict[bytes, Tail] = {}

    def follow(self, person: bytes, message: Message, key: bytes, place: Place) -> Halves | None:
        """Read a message behind the one before it; it is the last one now. None where no number stands in both."""
        text = message.content.text
        if not text:
            return None
        before = self.tails.get(person) or self._known.get(person)
        if before is not None and before.key == key:
            return None
        at = message.occurred_at
        self.tails[person] = Tail(key, place, text[-_ROOM:], at)
        if before is None or not 0 <= at - before.at <= WITHIN or not may_go_on(before.text, text):
            return None
        split = across(before.text, text)
        if not (split.before or split.after) or scan(before.text) or scan(text):
            # What a message holds by itself is a rule's to take out; that one does not is for the self-audit to see.
            return None
        return Halves(first=before, split=split)


_REASONS: Final = {
    Family.GOVERNMENT: Reason(code=ReasonCode.GOVERNMENT_ID, rule="government_id", clauses=("PP-3",)),
    Family.PAYMENT: Reason(code=ReasonCode.PAYMENT_CARD, rule="payment_card", clauses=("PP-3",)),
}


def split_reasons(found: Sequence[Found]) -> tuple[Reason, ...]:
    """Why a half was taken out."""
    families = {one.kind.family for one in found}
    return tuple(reason for family, reason in _REASONS.items() if family in families)


def without_second(told: Record, halves: Halves) -> Record:
    """What the later message tells without its half: a newer version than what the platform may send once more."""
    part = told.parts["text"]
    text = Part(part.edit_number, part.at + 1, without(part.value, halves.split.after))
    return msgspec.structs.replace(told, parts={**told.parts, "text": text})


def redact_first(register: Register, halves: Halves) -> Settled | None:
    """Take the first half out of the earlier message, if it is kept as it was; what became of that message."""
    first, found = halves.first, halves.split.before
    change = partial(without, found=found)
    record = register.redact(first.key, first.place, first.text, change) if found else None
    if record is None:
        return None
    return Settled(
        event="message",
        account=first.place[1],
        disposition=Disposition.EDITED,
        reasons=split_reasons(found),
        ref=first.key.hex(),
        person=record.conversation.hex() if record.conversation else "",
    )
