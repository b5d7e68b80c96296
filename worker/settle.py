"""One tenant's share of a batch inside one transaction: facts → decide → join → write → decision records.

The order of the steps is the order of locks, the same in every replica: messages, then persons, then (for
all tenants of the batch) counters and decision chains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, assert_never

import msgspec
from sqlalchemy import Connection

from policies.event import (
    AccountChanged,
    ConsentChanged,
    DeliveryReported,
    DeliveryStatus,
    Event,
    IdentityChanged,
    MessageEdited,
    MessageReceived,
    MessageUnsent,
    Noted,
    Unrecognised,
    WatermarkReported,
)
from policies.gate import decide
from policies.lifecycle import CLAUSES, Duty
from policies.message import Channel, Direction, Identifier, Instant, Message
from policies.record import Record, Withheld, record_of_message, record_of_receipt, record_of_unsend
from policies.rules import BEFORE_TRANSCRIPT
from policies.sensitive.marks import marks
from policies.tenant import Facts
from policies.verdict import Decision, Outcome, Reason, ReasonCode
from worker.chain import DecisionRecord
from worker.crypto import derive, mac, reference
from worker.directory import Directory, Person, person
from worker.exclusions import Exclusions
from worker.inbound import Delivery, Disposition, Governed, Settled
from worker.keyring import PSEUDONYM, Keyring
from worker.register import Place, Register
from worker.sms.optouts import Replies
from worker.store import accounts, decisions, outbox, people
from worker.tails import Halves, NewTails, redact_first, split_reasons, without_second

DAY: Final = 86_400 * 1_000_000

CAME_IN: Final = "in:"
"""What stands before the id of an inbound text in what its key is made of."""

FURTHER: Final = "further_reason"
"""Event of the counters for every reason of an event beside its first: so that no event is counted twice."""

TEXTS: Final = "sms"
"""Category of the consent to be sent texts: no other is an opt-out of them, or lifts one."""

UNSEND_DELAY: Final = "unsend_delay"
"""Event of the counters that tell how long it took from accepting an unsend to content that is gone, by upper bound."""

_DELAYS: Final = (
    (50, "50 ms"),
    (100, "100 ms"),
    (250, "250 ms"),
    (1_000, "1 s"),
    (5_000, "5 s"),
    (60_000, "1 min"),
)

NOT_RECORDED: Final = frozenset({Disposition.NOTED, Disposition.UPDATED, Disposition.FOREIGN})
"""Dispositions that are counted and logged, and are no decision about content."""

_LEGAL_HOLD: Final = Reason(code=ReasonCode.LEGAL_HOLD, rule="legal_hold", clauses=CLAUSES[Duty.LEGAL_HOLD])
_TAKES_AWAY: Final = frozenset({Disposition.UNSENT, Disposition.EDITED, Disposition.DROPPED})
_WATERMARKS: Final = {DeliveryStatus.DELIVERED: "delivered_until", DeliveryStatus.READ: "read_until"}
_WORDS: Final[dict[type, str]] = {
    MessageReceived: "message",
    MessageEdited: "edit",
    MessageUnsent: "unsend",
    DeliveryReported: "receipt",
    WatermarkReported: "watermark",
    ConsentChanged: "consent",
    AccountChanged: "account",
    IdentityChanged: "identity",
}


class Work(msgspec.Struct, kw_only=True, eq=False):
    """One event with what is computed for it once: its message's key, its person, the gate's decision."""

    delivery: Delivery
    item: Governed
    place: Place
    key: bytes = b""
    person: Person | None = None
    decision: Decision | None = None
    excluded: bool = False
    halves: Halves | None = None

    def __repr__(self) -> str:
        return "<Work>"


class Settlement:
    """One tenant's deliveries on their way through one transaction: ``apply``, then ``conclude``."""

    def __init__(
        self,
        tx: Connection,
        keyring: Keyring,
        deliveries: Sequence[Delivery],
        now: Instant,
        tails: NewTails | None = None,
    ) -> None:
        """``tails``: the ends of earlier messages, where somebody remembers them."""
        self.tails = tails
        self.deliveries = deliveries
        self._tenant = deliveries[0].tenant
        self._tx = tx
        self._keyring = keyring
        # Read before anybody is looked for: who was erased by then is not found.
        self._erasures = keyring.erasures(self._tenant.id)
        self._now = now
        self._pseudonym = keyring.tenant_key(self._tenant.id, PSEUDONYM)
        self._directory = Directory(tx, keyring, self._tenant.id, now)
        self._register = Register(tx, self._directory, self._tenant.id, now)
        self._exclusions = Exclusions(tx, keyring, self._tenant, now)
        self._replies = Replies(tx, keyring, self._tenant, self._directory, now)
        self._heard: dict[str, int] = {}
        self._said: dict[tuple[int, tuple[Identifier, ...]], Instant] = {}
        self._receipts: dict[bytes, outbox.Told] = {}
        self.settled: list[list[Settled]] = []
        self._marks: dict[tuple[bytes, str], Instant] = {}
        self._consents: list[tuple[bytes, str, str, Instant, str]] = []
        self._standings: list[tuple[str, AccountChanged]] = []

    def apply(self) -> None:
        """Write what the events change. Raises statements.Raced, or what the database raises."""
        works = [[self._work(delivery, item) for item in delivery.events] for delivery in self.deliveries]
        self.settled = self._settle_all(works)
        self._answer()
        self._note_held(self._register.save())
        if self._receipts:
            outbox.resolve_by_receipt(self._tx, self._tenant.id, self._receipts, self._now)
        people.raise_watermarks(self._tx, self._tenant.id, self._marks)
        people.change_consents(self._tx, self._tenant.id, self._consents)
        accounts.change_accounts(self._tx, self._tenant.id, self._standings)
        self._exclusions.save()

    def _settle_all(self, works: Sequence[Sequence[Work]]) -> list[list[Settled]]:
        everything = [work for some in works for work in some]
        self._load(everything)
        self._exclusions.load(work.person for work in everything if work.person is not None)
        for work in everything:
            self._judge(work)
        self._join_halves(everything)
        self._directory.meet([work.person for work in everything if work.person is not None])
        return [[one for work in some for one in self._settle_whole(work)] for some in works]

    def _settle_whole(self, work: Work) -> Iterator[Settled]:
        """What becomes of an event, and of the message before it where a number of that went on in it."""
        yield self._settle(work)
        if work.halves is not None and (first := redact_first(self._register, work.halves)) is not None:
            yield first

    def _answer(self) -> None:
        """What recipients' texts ask for is answered in the same transaction, and settled like everything else."""
        answers = self._replies.save()
        if not answers:
            return
        heard = [self._heard[one.message.account] for one in answers]
        works = [
            self._work(self.deliveries[at], one.governed) for at, one in zip(heard, answers, strict=True)
        ]
        for at, settled in zip(heard, self._settle_all([[work] for work in works]), strict=True):
            self.settled[at] += settled
        self._replies.enqueue(
            [
                (one, work.key, conversation, work.place[0])
                for one, work in zip(answers, works, strict=True)
                if (conversation := self._directory.conversation(work.person)) is not None
            ]
        )

    def _note_held(self, kept: set[bytes]) -> None:
        """Events that take away what a legal hold keeps say so."""
        if kept:
            refs = {key.hex() for key in kept}
            self.settled = [[_noted(one, refs) for one in settled] for settled in self.settled]

    def conclude(self) -> tuple[int, bytes]:
        """Count, and append the decisions to the tenant's chain: its sequence number and head.

        Raises statements.Raced where a person whom the events name was erased after they were found: who comes behind an
        erasure meets somebody new.
        """
        accounts.count(self._tx, self._tenant.id, self._counts())
        records = self._records()
        end = decisions.lock_end(self._tx, self._tenant.id)
        if end.erasures != self._erasures:
            self._keyring.note_erasures(self._tenant.id, end.erasures)
            self._directory.confirm()
        self._register.confirm()
        return decisions.append(self._tx, self._tenant.id, self._now, records, end)

    # -- before anything is decided ----------------------------------------------------------------------

    def _work(self, delivery: Delivery, item: Governed) -> Work:
        event = item.event
        connector = delivery.source.connector.name
        work = Work(delivery=delivery, item=item, place=(connector, event.account))
        match event:
            case MessageReceived() | MessageEdited():
                work.key = self._key(work, event.message.id, event.message.direction)
                if not item.dropped:
                    work.person = self._person(work, event.message.person)
            case MessageUnsent():
                work.key = self._key(work, event.message_id, Direction.INBOUND)
                work.person = self._person(work, event.person) if event.person else None
            case DeliveryReported():
                work.key = self._key(work, event.ours or event.message_id)
            case WatermarkReported() | ConsentChanged():
                work.person = self._person(work, event.person) if event.person else None
            case IdentityChanged():
                work.person = self._person(work, event.before + event.after)
            case _:
                pass
        return work

    def _key(self, work: Work, platform_id: str, direction: Direction = Direction.OUTBOUND) -> bytes:
        """Providers of texts number what comes in apart from what goes out: one id may be two texts."""
        came_in = direction is Direction.INBOUND
        if came_in and work.delivery.source.connector.channel is Channel.SMS:
            platform_id = CAME_IN + platform_id
        return message_key(self._pseudonym, *work.place, platform_id)

    def _person(self, work: Work, identifiers: tuple[Identifier, ...]) -> Person:
        return person(self._pseudonym, *work.place, identifiers)

    def _load(self, works: Sequence[Work]) -> None:
        has_aliases = any(delivery.source.connector.has_aliases for delivery in self.deliveries)
        told = self._told_aliases(works) if has_aliases else {}
        keys = {work.key for work in works if work.key} | told.keys()
        if not keys:
            return
        self._register.load(keys)
        if has_aliases:
            self._register.learn_aliases(told)
            for work in works:
                work.key = self._register.meant_by(work.key)
        added_to = {w.key for w in works if isinstance(w.item.event, (MessageReceived, MessageEdited))}
        self._register.open(added_to)

    def _told_aliases(self, works: Sequence[Work]) -> dict[bytes, tuple[bytes, Place]]:
        return {
            self._key(work, alias): (work.key, work.place)
            for work in works
            if not work.item.dropped
            for alias in _other_ids(work.item.event)
        }

    def _judge(self, work: Work) -> None:
        """Ask BEFORE_TRANSCRIPT before anybody's identity is recorded: who is dropped is not met.

        Without looking for a tombstone: what a message tells besides its content must not depend on whether
        its unsend came first.
        """
        event = work.item.event
        work.excluded = self._is_excluded(work)
        if work.excluded or (isinstance(event, MessageUnsent) and self._register.is_erased(work.key)):
            work.person = None
        if not isinstance(event, (MessageReceived, MessageEdited)) or work.item.dropped:
            return
        work.decision = decide(event.message, self._facts(work, unsent=False), BEFORE_TRANSCRIPT)
        if work.person is not None and _is_not_recorded(work.decision):
            self._exclusions.declare(work.person)
        if work.decision.message is None or self._register.is_erased(work.key):
            work.person = None

    def _join_halves(self, works: Sequence[Work]) -> None:
        """Find numbers that stand in two messages: what they end and what they begin is read together."""
        if self.tails is None:
            return
        for work in works:
            message = work.decision.message if work.decision is not None else None
            if (
                message is not None
                and work.person is not None
                and isinstance(work.item.event, MessageReceived)
            ):
                work.halves = self.tails.follow(work.person.references[0], message, work.key, work.place)
        firsts = {work.halves.first.key for work in works if work.halves is not None}
        if firsts:
            self._register.load(firsts)
            self._register.open(firsts)

    def _is_excluded(self, work: Work) -> bool:
        """Not for texts of our own: whether one is sent was decided before it came here."""
        own = work.item.disposition is not None
        return work.person is not None and not own and self._exclusions.cover(work.person)

    def _facts(self, work: Work, *, unsent: bool) -> Facts:
        return Facts(now=self._now, policy=self._tenant.policy, unsent=unsent, excluded=work.excluded)

    # -- what becomes of each event ----------------------------------------------------------------------

    def _settle(self, work: Work) -> Settled:  # noqa: PLR0911 - one return for each kind of event
        event = work.item.event
        match event:
            case MessageReceived() | MessageEdited():
                return self._message(work, event)
            case MessageUnsent():
                return self._unsent(work, event)
            case DeliveryReported():
                return self._receipt(work, event)
            case WatermarkReported():
                return self._watermark(work, event)
            case ConsentChanged():
                return self._consent(work, event)
            case AccountChanged():
                self._standings.append((work.place[0], event))
                return self._settled(work, Disposition.STORED)
            case IdentityChanged():
                return self._settled(work, Disposition.STORED)
            case Noted():
                return Settled(event=event.what, account=event.account, disposition=Disposition.NOTED)
            case Unrecognised():
                return _unrecognised(work.item, event)
            case _:
                assert_never(event)

    def _message(self, work: Work, event: MessageReceived | MessageEdited) -> Settled:
        decision, reasons = work.decision, work.item.reasons
        if decision is not None and self._register.is_gone(work.key):
            reasons += decide(event.message, self._facts(work, unsent=True), BEFORE_TRANSCRIPT).reasons
        elif decision is not None:
            reasons += decision.reasons
        if decision is None or decision.message is None:
            if decision is not None and _is_not_recorded(decision):
                self._replies.hear_stop(event.message)
            return self._settled(work, Disposition.DROPPED, reasons)
        told = self._told(work, event, decision)
        if work.halves is not None and work.halves.split.after:
            told = without_second(told, work.halves)
            reasons += split_reasons(work.halves.split.after)
        before, after = self._register.merge(work.key, work.place, told)
        said = decision.message
        if isinstance(event, MessageReceived):
            # What comes again, or is played back, says what it said then: a START must not lift a STOP that came after it.
            said = msgspec.structs.replace(said, occurred_at=after.circumstances.occurred_at)
        reasons += self._hear(work, said, after.conversation)
        return self._settled(work, work.item.disposition or _disposition(event, before, after), reasons)

    def _hear(self, work: Work, message: Message, conversation: bytes | None) -> tuple[Reason, ...]:
        """What a recipient's text asks for: to be sent no more of them."""
        if message.channel is not Channel.SMS:
            return ()
        self._heard[message.account] = next(
            at for at, delivery in enumerate(self.deliveries) if delivery is work.delivery
        )
        self._said[id(work.delivery), message.person] = message.occurred_at
        return self._replies.hear(work.place[0], message, work.key, conversation)

    def _receipt(self, work: Work, event: DeliveryReported) -> Settled:
        before, after = self._register.merge(work.key, work.place, record_of_receipt(event))
        if work.delivery.source.connector.channel is Channel.SMS:
            self._replies.hear_receipt(event, after.conversation)
            told = (event.status, event.failure, max(event.error_codes, default=0))
            known = self._receipts.setdefault(work.key, told)
            self._receipts[work.key] = max(known, told, key=lambda one: one[0].rank)
        moved = Disposition.DUPLICATE if before == after else Disposition.UPDATED
        return self._settled(work, moved, conversation=after.conversation)

    def _told(self, work: Work, event: MessageReceived | MessageEdited, decision: Decision) -> Record:
        message = decision.message or event.message
        quoted = self._key(work, message.reply_to) if message.reply_to else b""
        conversation = self._directory.conversation(work.person)
        marked = None if message.channel is Channel.X else marks(message)
        told = record_of_message(
            msgspec.structs.replace(event, message=message), conversation, quoted, marked
        )
        withheld = work.item.withheld or decision.outcome is Outcome.QUARANTINED
        if work.item.released:
            return msgspec.structs.replace(told, withheld=Withheld.RELEASED)
        return msgspec.structs.replace(told, withheld=Withheld.WAITING) if withheld else told

    def _unsent(self, work: Work, event: MessageUnsent) -> Settled:
        told = record_of_unsend(event, self._directory.conversation(work.person))
        before, after = self._register.merge(work.key, work.place, told)
        disposition = Disposition.DUPLICATE if before == after else Disposition.UNSENT
        return self._settled(work, disposition, conversation=after.conversation)

    def _watermark(self, work: Work, event: WatermarkReported) -> Settled:
        conversation = self._directory.conversation(work.person)
        column = _WATERMARKS.get(event.status)
        if conversation is not None and column is not None:
            mark = (conversation, column)
            self._marks[mark] = max(event.until, self._marks.get(mark, event.until))
        return self._settled(work, Disposition.UPDATED)

    def _consent(self, work: Work, event: ConsentChanged) -> Settled:
        conversation = self._directory.conversation(work.person)
        if work.delivery.source.connector.channel is Channel.SMS and event.category == TEXTS:
            # What a provider took a text for is as old as the text.
            said = self._said.get((id(work.delivery), event.person), event.occurred_at)
            event = msgspec.structs.replace(event, occurred_at=min(said, event.occurred_at))
            self._replies.hear_consent(event)
        if conversation is not None:
            source = work.item.told_by or people.CHANNEL
            change = (conversation, event.category, event.consent.value, event.occurred_at, source)
            self._consents.append(change)
        return self._settled(work, Disposition.STORED)

    def _settled(
        self,
        work: Work,
        disposition: Disposition,
        reasons: tuple[Reason, ...] = (),
        conversation: bytes | None = None,
    ) -> Settled:
        conversation = conversation or self._directory.conversation(work.person)
        return Settled(
            event=_WORDS[type(work.item.event)],
            account=work.place[1],
            disposition=disposition,
            reasons=reasons,
            ref=work.key.hex(),
            person=conversation.hex() if conversation else "",
        )

    # -- what is recorded of the decisions ---------------------------------------------------------------

    def _counts(self) -> Counter[accounts.CounterKey]:
        day = self._now // DAY
        counts: Counter[accounts.CounterKey] = Counter()
        for delivery, settled in zip(self.deliveries, self.settled, strict=True):
            name = delivery.source.connector.name
            for one in settled:
                acted = [reason.code.value for reason in one.reasons if not reason.shadow]
                for number, code in enumerate(acted or ("",)):
                    counts[day, name, FURTHER if number else one.event, one.disposition, code] += 1
                if one.disposition is Disposition.UNSENT:
                    counts[day, name, UNSEND_DELAY, _delay(self._now - delivery.received_at), ""] += 1
            if delivery.foreign:
                counts[day, name, "", Disposition.FOREIGN, ""] += delivery.foreign
        return counts

    def _records(self) -> list[DecisionRecord]:
        decided = [
            (delivery.source.connector.name, one)
            for delivery, settled in zip(self.deliveries, self.settled, strict=True)
            for one in settled
            if one.disposition not in NOT_RECORDED
        ]
        self._directory.need_keys({bytes.fromhex(one.person) for _, one in decided if one.person})
        return [self._record(connector, one) for connector, one in decided]

    def _record(self, connector: str, one: Settled) -> DecisionRecord:
        return DecisionRecord(
            connector=connector,
            account=one.account,
            event=one.event,
            disposition=one.disposition,
            policy=self._tenant.policy_digest,
            subject=self._subject(one),
            reasons=_recorded(one.reasons, shadow=False),
            shape=one.shape,
            shadow=_recorded(one.reasons, shadow=True),
        )

    def _subject(self, one: Settled) -> bytes:
        if not one.ref:
            return b""
        key = self._directory.key(bytes.fromhex(one.person))
        salt = key.salt if key is not None else derive(self._pseudonym, b"decisions")
        return commitment(salt, bytes.fromhex(one.ref))


def message_key(pseudonym: bytes, connector: str, account: str, platform_id: str) -> bytes:
    """The keyed reference of a platform message: its primary key, and what logs call it."""
    return reference(pseudonym, "message", connector, account, platform_id)


def commitment(salt: bytes, key: bytes) -> bytes:
    """How a decision record speaks of a message: only whoever holds the salt can tell which."""
    return mac(salt, key)


def _delay(microseconds: int) -> str:
    """The bucket of a delay."""
    return next((word for most, word in _DELAYS if microseconds <= most * 1_000), "longer")


def _other_ids(event: Event) -> tuple[str, ...]:
    """Ids by which a message that has its key from another one may be known too."""
    if isinstance(event, (MessageReceived, MessageEdited)):
        return event.message.also_known_as
    if isinstance(event, DeliveryReported) and event.ours and event.message_id:
        return (event.message_id,)
    return ()


def _recorded(reasons: Sequence[Reason], *, shadow: bool) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    return tuple((one.code, one.rule, one.clauses) for one in reasons if one.shadow is shadow)


def _is_not_recorded(decision: Decision) -> bool:
    """Whether nothing of its author is to be recorded."""
    return any(reason.code is ReasonCode.NOT_RECORDED for reason in decision.reasons)


def _noted(one: Settled, refs: set[str]) -> Settled:
    if one.ref not in refs or one.disposition not in _TAKES_AWAY:
        return one
    return msgspec.structs.replace(one, reasons=(*one.reasons, _LEGAL_HOLD))


def _unrecognised(item: Governed, event: Unrecognised) -> Settled:
    return Settled(
        event=event.why,
        account=event.account,
        disposition=Disposition.UNRECOGNISED,
        reasons=item.reasons,
        shape=event.shape,
    )


def _disposition(event: Event, before: Record | None, after: Record) -> Disposition:
    if after.state.is_gone:
        return Disposition.DROPPED
    if after.withheld is Withheld.WAITING:
        return Disposition.WITHHELD
    if before == after:
        return Disposition.DUPLICATE
    return Disposition.EDITED if isinstance(event, MessageEdited) else Disposition.STORED
