"""Two accounts of one message become one record, in whatever order and however often they are joined."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.event import (
    DeliveryReported,
    DeliveryStatus,
    Event,
    MessageEdited,
    MessageReceived,
    MessageUnsent,
)
from policies.message import Content, Identifier, Media, MediaKind, MessageKind
from policies.record import (
    Record,
    Source,
    State,
    Withheld,
    join,
    record_of_message,
    record_of_receipt,
    record_of_unsend,
)
from tests.flows.harness import NOW, edit, message, unsend
from tests.flows.histories import THREADS, pool

CONVERSATIONS = (None, b"\1" * 16, b"\2" * 16)


def record_of(event: Event, conversation: bytes | None) -> Record | None:
    """What an event tells of its message, if it is about one."""
    match event:
        case MessageReceived() | MessageEdited():
            return record_of_message(event, conversation, (event.message.reply_to or "").encode())
        case MessageUnsent():
            return record_of_unsend(event, conversation)
        case DeliveryReported():
            return record_of_receipt(event)
        case _:
            return None


@st.composite
def records(draw: st.DrawFn) -> Record:
    """What some event of some history tells; of a message now and then withheld, released or erased."""
    seed = draw(st.integers(0, 999))
    told = [record_of(event, Random(seed).choice(CONVERSATIONS)) for _, event in pool(THREADS[0], seed)]
    record = draw(st.sampled_from([record for record in told if record is not None]))
    if draw(st.integers(0, 9)) == 0:
        return Record(state=State.ERASED)
    return replace(record, withheld=draw(st.sampled_from(Withheld)))


def spelt(record: Record) -> tuple[object, ...]:
    """Everything in a record, with the types of the values in its parts."""
    parts = {
        name: (part.edit_number, part.at, repr(part.value)) for name, part in sorted(record.parts.items())
    }
    seen = record.circumstances
    return (
        *(record.state, record.conversation, record.unsent_at, record.withheld, parts),
        *(seen.rank, seen.standby, seen.occurred_at, seen.kind, seen.direction, seen.reply_to, seen.history),
        *(record.receipt.status, record.receipt.at, record.receipt.error_code),
    )


@given(records(), records())
def test_join_is_commutative(one: Record, other: Record) -> None:
    """Who is heard first makes no difference, down to the type of a value."""
    assert spelt(join(one, other)) == spelt(join(other, one))


@given(records(), records(), records())
def test_join_is_associative(one: Record, other: Record, third: Record) -> None:
    """Nor does it matter who is joined with whom."""
    assert spelt(join(join(one, other), third)) == spelt(join(one, join(other, third)))


@given(records(), records())
def test_join_is_idempotent(one: Record, other: Record) -> None:
    """Hearing it again changes nothing."""
    both = join(one, other)
    assert spelt(join(one, one)) == spelt(one)
    assert spelt(join(both, other)) == spelt(both)


@given(records())
def test_nothing_is_known_of_a_record_that_nobody_told(one: Record) -> None:
    """The empty record adds nothing."""
    assert spelt(join(one, Record())) == spelt(one)


@given(records(), st.lists(records(), max_size=4))
def test_unsent_absorbs(one: Record, others: list[Record]) -> None:
    """Whatever else is told of it, an unsent message stays unsent and has no content."""
    taken_back = record_of_unsend(unsend("wamid.a1"), None)
    for record in (one, taken_back, *others):
        one = join(one, record)
    assert one.state.is_gone
    assert one.parts == {}


@given(records(), st.lists(records(), max_size=4))
def test_erased_absorbs_even_an_unsend(one: Record, others: list[Record]) -> None:
    """An erased message stays erased: a delivery that comes again must not meet the person anew."""
    for record in (one, Record(state=State.ERASED), *others):
        one = join(one, record)
    assert one.state is State.ERASED
    assert one.parts == {}


def test_what_was_released_stays_released() -> None:
    """A text that is judged again, by a delivery that comes twice, does not wait for a person twice."""
    waiting, released = Record(withheld=Withheld.WAITING), Record(withheld=Withheld.RELEASED)
    assert join(join(waiting, released), waiting).withheld is Withheld.RELEASED


@given(st.permutations(list(DeliveryStatus)))
def test_the_highest_status_stands(statuses: list[DeliveryStatus]) -> None:
    """Failed loses to delivered and read, and nothing ever goes back."""
    held = Record()
    for at, status in enumerate(statuses):
        held = join(held, receipt(status, at=at))
        highest = max(statuses[: at + 1], key=lambda one: one.rank)
        assert held.receipt.status == highest.rank
    assert DeliveryStatus.SENT.rank < DeliveryStatus.FAILED.rank < DeliveryStatus.DELIVERED.rank


def receipt(status: DeliveryStatus, at: int = NOW) -> Record:
    """What a report of this status tells."""
    report = DeliveryReported(account="1", message_id="m", status=status, occurred_at=at)
    return record_of_receipt(report)


def test_the_better_source_tells_the_circumstances() -> None:
    """A message knows best when it happened, then an edit, then an unsend."""
    told = [
        record_of_message(message("m", at=NOW), None, b""),
        record_of_message(edit("m", "new", at=NOW + 5), None, b""),
        record_of_unsend(unsend("m", at=NOW + 9), None),
    ]
    assert [one.circumstances.source for one in told] == [Source.MESSAGE, Source.EDIT, Source.UNSEND]
    held = join(told[2], told[1])
    assert (held.circumstances.occurred_at, held.circumstances.source) == (NOW + 5, Source.EDIT)
    held = join(held, told[0])
    assert (held.circumstances.occurred_at, held.circumstances.kind) == (NOW, MessageKind.TEXT)


def test_an_edit_keeps_what_it_does_not_bring() -> None:
    """A new text leaves the attachments; an edit in full replaces them with what it brings."""
    picture = Content(text="look", media=(Media(kind=MediaKind.IMAGE, id="1"),))
    first = record_of_message(received_with(picture), None, b"")
    edited = join(first, record_of_message(edit("m", "looked"), None, b""))
    assert edited.parts["text"].value == "looked"
    assert list(edited.parts["media"].value) == [{"kind": "image", "id": "1"}]
    assert edited.edit_number == 1
    in_full = join(first, record_of_message(edit("m", "bare", whole=True), None, b""))
    assert in_full.parts["media"].value == []


def received_with(content: Content, who: tuple[Identifier, ...] = ()) -> MessageReceived:
    """A message with this content."""
    received = message("m", who=who)
    return msgspec.structs.replace(
        received, message=msgspec.structs.replace(received.message, content=content)
    )


def test_edits_are_ordered_by_number_then_time_then_value() -> None:
    """A late first edit does not undo a second; of two seconds the later stands; of two at once the same one always."""
    second, first = (record_of_message(edit("m", text, n), None, b"") for text, n in (("two", 2), ("one", 1)))
    later = record_of_message(edit("m", "two, later", 2, at=NOW + 1), None, b"")
    at_once = record_of_message(edit("m", "zwei", 2), None, b"")
    assert join(second, first).parts["text"].value == "two"
    assert join(later, second).parts["text"].value == "two, later"
    assert join(second, at_once).parts == join(at_once, second).parts


def test_reprs_show_nothing() -> None:
    """A record in a traceback shows a type and no text."""
    held = record_of_message(message("m", "a secret"), None, b"")
    assert "secret" not in repr(held) + repr(held.parts["text"]) + repr(held.circumstances)


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (0, False), (0.0, -0.0), ([1], [True])])
def test_values_that_only_python_takes_for_equal_are_told_apart(one: object, other: object) -> None:
    """JSON has no ``1 == True``: which of the two stands must not depend on who came first."""
    a, b = (record_of_message(message("m", details={"n": value}), None, b"") for value in (one, other))
    assert spelt(join(a, b)) == spelt(join(b, a))
