"""One platform message as the ledger holds it, and how two accounts of it become one.

Deliveries are duplicated, late and out of order. ``join`` is commutative, associative and idempotent, so
that any permutation, repetition or split of the same deliveries ends in the same record:
absent → stored → edited(n) → unsent → erased, forwards only. From ``unsent`` on there is no content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

import msgspec

from policies.event import DeliveryReported, MessageEdited, MessageReceived, MessageUnsent
from policies.message import Instant, Private


class State(IntEnum):
    """How far a message came. ABSENT: only heard of (a receipt), its message never came.

    UNSENT: taken back by its sender or deleted on the platform; ERASED: at the person's request, so that a delivery that
    comes again does not even meet the person anew.
    """

    ABSENT = 0
    STORED = 1
    UNSENT = 2
    ERASED = 3

    @property
    def is_gone(self) -> bool:
        """Whether only the tombstone is left."""
        return self >= State.UNSENT


class Withheld(IntEnum):
    """Whether a message waits for a person. Once released, it stays released."""

    NO = 0
    WAITING = 1
    RELEASED = 2


class Source(IntEnum):
    """Who told us the circumstances (time, kind, direction); the better source wins."""

    RECEIPT = 0
    UNSEND = 1
    EDIT = 2
    MESSAGE = 3


class Part(Private, frozen=True, array_like=True, gc=False):
    """One part of the content with its version: ``edit_number`` 0 is the message as first sent."""

    edit_number: int
    at: Instant
    value: Any


class Circumstances(Private, frozen=True, kw_only=True, order=True, gc=False):
    """What is known of a message besides its content. Field order is precedence: the least one wins."""

    rank: int
    standby: bool = False
    occurred_at: Instant = 0
    kind: str = ""
    direction: str = ""
    reply_to: bytes = b""
    history: bool = False

    @property
    def source(self) -> Source:
        """Where these circumstances were learnt."""
        return Source(-self.rank)


class Receipt(Private, frozen=True, order=True, gc=False):
    """The highest status reported, when, and the platform's error number (0 for none)."""

    status: int = 0
    at: Instant = 0
    error_code: int = 0


class Record(Private, frozen=True, kw_only=True):
    """Everything that is known of one message. ``parts`` is its content, by name, empty when unsent.

    ``conversation`` is the opaque id of whom it was exchanged with, None while nobody said.
    """

    state: State = State.ABSENT
    circumstances: Circumstances = Circumstances(rank=-Source.RECEIPT)
    conversation: bytes | None = None
    unsent_at: Instant | None = None
    receipt: Receipt = Receipt()
    withheld: Withheld = Withheld.NO
    parts: Mapping[str, Part] = {}

    @property
    def edit_number(self) -> int:
        """The number of the edit whose text stands; 0 when it was never edited."""
        text = self.parts.get("text")  # every edit replaces the text, if nothing else
        return text.edit_number if text is not None else 0


def join(one: Record, other: Record) -> Record:
    """The record that knows what either knows. Its parts are the very object of ``one`` where no part is new."""
    state = max(one.state, other.state)
    return Record(
        state=state,
        circumstances=min(one.circumstances, other.circumstances),
        conversation=_least(one.conversation, other.conversation),
        unsent_at=_least(one.unsent_at, other.unsent_at),
        receipt=max(one.receipt, other.receipt),
        withheld=max(one.withheld, other.withheld),
        parts=_none(one.parts) if state.is_gone else _newest(one.parts, other.parts),
    )


def record_of_message(
    event: MessageReceived | MessageEdited,
    conversation: bytes | None,
    reply_to: bytes,
    marks: Sequence[str] | None = None,
) -> Record:
    """What a message or an edit tells. An edit replaces the text, the parts that it brings, or all.

    ``marks``: the sensitive categories that it speaks of (policies/sensitive/marks.py), None where nobody looked.
    """
    message = event.message
    edit_number = max(1, event.edit_number) if isinstance(event, MessageEdited) else 0
    source = Source.EDIT if edit_number else Source.MESSAGE
    content = message.content
    at = message.occurred_at
    whole = not isinstance(event, MessageEdited) or event.whole
    parts = {"text": Part(edit_number, at, content.text)}
    if content.media or whole:
        parts["media"] = Part(edit_number, at, msgspec.to_builtins(content.media) if content.media else [])
    if content.details or whole:
        parts["details"] = Part(edit_number, at, content.details)
    if content.profile or whole:
        parts["profile"] = Part(edit_number, at, content.profile)
    # An edit says of what was marked before that it is not said any more.
    if marks or (edit_number and marks is not None):
        parts["marks"] = Part(edit_number, at, [str(one) for one in marks])
    parts["id"] = Part(0, 0, message.id)
    if message.thread:
        parts["thread"] = Part(0, 0, message.thread)
    return Record(
        state=State.STORED,
        circumstances=Circumstances(
            rank=-source,
            standby=message.standby,
            occurred_at=at,
            kind=message.kind,
            direction=message.direction,
            reply_to=reply_to,
            history=message.history,
        ),
        conversation=conversation,
        parts=parts,
    )


def record_of_unsend(event: MessageUnsent, conversation: bytes | None) -> Record:
    """What an unsend tells: the tombstone, complete in itself even when its message never comes."""
    return Record(
        state=State.UNSENT,
        circumstances=Circumstances(rank=-Source.UNSEND, occurred_at=event.occurred_at),
        conversation=conversation,
        unsent_at=event.occurred_at,
    )


def record_of_receipt(event: DeliveryReported) -> Record:
    """What a delivery report tells."""
    code = max(event.error_codes, default=0)
    return Record(receipt=Receipt(event.status.rank, event.occurred_at, code))


def _least(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _none(parts: Mapping[str, Part]) -> Mapping[str, Part]:
    return {} if parts else parts


def _newest(one: Mapping[str, Part], other: Mapping[str, Part]) -> Mapping[str, Part]:
    # Not by ==, for which 1 and true are the same.
    newer = {name: part for name, part in other.items() if _is_newer(part, one.get(name))}
    return {**one, **newer} if newer else one


def _is_newer(part: Part, than: Part | None) -> bool:
    if than is None:
        return True
    version, other = (part.edit_number, part.at), (than.edit_number, than.at)
    # Equal numbers and times are decided by the value itself, so that the order of arrival never is.
    return version > other or (version == other and _spelt(part.value) > _spelt(than.value))


def _spelt(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value, order="deterministic")
    except (ValueError, OverflowError):  # a lone surrogate, a number beyond all formats
        return ascii(value).encode()
