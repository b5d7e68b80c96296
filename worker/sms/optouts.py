"""What recipients answer: STOP, START and HELP, and what providers report of them; inside the ledger's transaction.

An opt-out stands as soon as the text that says so is acknowledged. It is confirmed once, without marketing (47 CFR
64.1200(a)(12)). What cannot be told for sure waits for a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from policies.event import Consent, ConsentChanged, DeliveryReported, Failure, MessageReceived
from policies.message import (
    Channel,
    Content,
    Direction,
    Identifier,
    IdentifierKind,
    Instant,
    Message,
    MessageKind,
    Private,
)
from policies.sms.optout import Intent, Reply, classify
from policies.sms.policy import Scope, SmsPolicy
from policies.sms.purpose import Purpose
from policies.verdict import Reason, ReasonCode
from worker.crypto import CryptoError, reference
from worker.directory import Directory, identifier_place, new_id
from worker.inbound import Disposition, Governed
from worker.keyring import PSEUDONYM, Keyring
from worker.sms.payload import SUPPRESSION, Payload, pair_reference, seal_payload, suppression_reference
from worker.store import outbox, people, reviews, suppressions, tallies
from worker.store.suppressions import Change
from worker.tenants.loading import Tenant

RULE: Final = "opt_out"
_REASONS: Final = {
    Intent.STOP: Reason(code=ReasonCode.OPTED_OUT, rule=RULE, clauses=("VT-1.5",)),
    Intent.AMBIGUOUS: Reason(code=ReasonCode.OPT_OUT_UNCLEAR, rule=RULE, clauses=("VT-1.5",)),
}
_CONSENTS: Final = {Intent.STOP: Consent.WITHDRAWN, Intent.START: Consent.GRANTED}
HELP: Final = "help"
"""What answers to requests for help are tallied as."""
HELP_WINDOW: Final = 3_600 * 1_000_000
"""Length of their window, in microseconds."""

CONFIRMED: Final = "confirmed"
"""What confirmations are tallied as."""
CONFIRMED_WINDOW: Final = 86_400 * 1_000_000
"""Length of their window, in microseconds."""
MOST_CONFIRMATIONS: Final = 3
"""Confirmations to one number within a window: who forges STOP and START in turn must not be able to flood it."""

CONFIRMATIONS: Final[Mapping[str, str]] = {
    "en": "You are opted out and will get no more messages from us. Reply START to get them again.",
    "fr": "Vous êtes désinscrit et ne recevrez plus de messages de notre part. Répondez START pour en recevoir à nouveau.",
    "es": "Se ha dado de baja y no recibirá más mensajes nuestros. Responda START para volver a recibirlos.",
    "de": "Sie sind abgemeldet und erhalten keine Nachrichten mehr von uns. Mit START melden Sie sich wieder an.",
}
"""By language, what confirms an opt-out where the tenant says nothing else."""


class Answer(Private, frozen=True, kw_only=True):
    """A text of our own that answers one: its message, ready to be settled, and what the outbox will hold of it."""

    message: Message
    payload: Payload

    @property
    def governed(self) -> Governed:
        """The message as an event."""
        event = MessageReceived(account=self.message.account, message=self.message)
        return Governed(event, disposition=Disposition.QUEUED)


class Replies:
    """One tenant's texts that came in within one transaction: ``hear`` each, then ``save``, then ``enqueue``."""

    def __init__(
        self, tx: Connection, keyring: Keyring, tenant: Tenant, directory: Directory, now: Instant
    ) -> None:
        self._tx = tx
        self._keyring = keyring
        self._tenant = tenant
        self._policy = tenant.sms.policy if tenant.sms is not None else SmsPolicy()
        self._directory = directory
        self._now = now
        self._changes: list[Change] = []
        self._asked: dict[bytes, tuple[Message, Reply]] = {}
        self._helped: list[tuple[Message, Reply]] = []
        self._reviews: list[reviews.Review] = []

    # -- hearing -----------------------------------------------------------------------------------------

    def hear(
        self, connector: str, message: Message, key: bytes, conversation: bytes | None
    ) -> tuple[Reason, ...]:
        """Take note of what an inbound text asks for; the reasons that its decision record names."""
        number, text = _number(message.person), message.content.text
        if message.channel is not Channel.SMS or message.direction is not Direction.INBOUND:
            return ()
        if not number or not text:
            return ()
        reply = classify(text)
        match reply.intent:
            case Intent.STOP | Intent.START:
                self._change(message, number, reply)
            case Intent.HELP:
                self._helped.append((message, reply))
            case Intent.AMBIGUOUS:
                self._review(connector, message, key, conversation)
            case Intent.NONE:
                pass
        reason = _REASONS.get(reply.intent)
        return (reason,) if reason is not None else ()

    def hear_stop(self, message: Message) -> None:
        """An opt-out of somebody of whom nothing else is kept: it stands, and nothing answers it."""
        number, text = _number(message.person), message.content.text or ""
        inbound = message.channel is Channel.SMS and message.direction is Direction.INBOUND
        if inbound and number and classify(text).intent is Intent.STOP:
            self._note(number, message.account, "", Consent.WITHDRAWN, "keyword", message.occurred_at)

    def hear_receipt(self, event: DeliveryReported, conversation: bytes | None) -> None:
        """A provider that refuses because of an opt-out knows of one that we may not know."""
        if event.failure is Failure.OPTED_OUT and conversation is not None:
            for number in self._numbers(conversation):
                self._note(number, event.account, "", Consent.WITHDRAWN, "provider", event.occurred_at)

    def hear_consent(self, event: ConsentChanged) -> None:
        """A provider reports an opt-out or opt-in of its own."""
        number = _number(event.person)
        if number and event.consent is not Consent.UNKNOWN:
            self._note(number, event.account, "", event.consent, "provider", event.occurred_at)

    # -- writing -----------------------------------------------------------------------------------------

    def save(self) -> list[Answer]:
        """Write the opt-outs; the answers that are due now, and are still to be settled."""
        moved: set[bytes] = set()
        if self._changes:
            moved = suppressions.change(self._tx, self._tenant.id, self._changes, self._now)
        if self._reviews:
            known = reviews.by_key(self._tx, self._tenant.id, [one.key for one in self._reviews])
            reviews.add(self._tx, self._tenant.id, [one for one in self._reviews if one.key not in known])
        confirmed = (self._asked[one] for one in sorted(moved & self._asked.keys()))
        answers = [
            self._answer(message, self._confirmation(reply), stops=True)
            for message, reply in confirmed
            if self._has_room(CONFIRMED, CONFIRMED_WINDOW, MOST_CONFIRMATIONS, _number(message.person))
        ]
        return [*answers, *self._helps()]

    def enqueue(self, answers: Sequence[tuple[Answer, bytes, bytes, str]]) -> None:
        """Put answers that were settled into the outbox: each with its key, its conversation and its connector."""
        self._directory.need_keys(conversation for _, _, conversation, _ in answers)
        rows = [self._row(*one) for one in answers]
        outbox.enqueue(self._tx, self._tenant.id, [row for row in rows if row is not None])

    # -- details -----------------------------------------------------------------------------------------

    def _change(self, message: Message, number: str, reply: Reply) -> None:
        """A mere yes lifts what stands; that it lifts nothing must not be remembered as a wish."""
        consent = _CONSENTS[reply.intent]
        value = self._note(number, message.account, "", consent, "keyword", message.occurred_at)
        if reply.phrase.endswith(".yes"):
            last = self._changes.pop()
            if suppressions.standing(self._tx, self._tenant.id, [last.reference]):
                self._changes.append(last)
        elif reply.intent is Intent.STOP:
            self._asked[value] = (message, reply)

    def _note(
        self, number: str, sender: str, campaign: str, consent: Consent, source: str, at: Instant
    ) -> bytes:
        scope = self._policy.opt_out_scope
        value = {Scope.TENANT: "", Scope.SENDER: sender, Scope.CAMPAIGN: campaign or sender}[scope]
        # Nobody names a campaign when answering a text: the sender that it came from stands for all of its campaigns.
        scope = Scope.SENDER if scope is Scope.CAMPAIGN and not campaign else scope
        key = self._keyring.tenant_key(self._tenant.id, SUPPRESSION)
        about = suppression_reference(key, scope, value, number)
        # A clock that is ahead, or a forged time, must not make a START outlast every later STOP.
        at = min(at, self._now)
        self._changes.append(Change(reference=about, consent=consent, source=source, changed_at=at))
        return about

    def _numbers(self, conversation: bytes) -> Iterator[str]:
        self._directory.need_keys([conversation])
        key = self._directory.key(conversation)
        for row in people.identifiers_of(self._tx, self._tenant.id, conversation) if key is not None else ():
            if row.kind == IdentifierKind.PHONE and key is not None:
                try:
                    yield key.cipher.open(
                        row.sealed, identifier_place(self._tenant.id, row.reference)
                    ).decode()
                except CryptoError:
                    continue

    def _review(self, connector: str, message: Message, key: bytes, conversation: bytes | None) -> None:
        if conversation is None:
            return
        self._directory.need_keys([conversation])
        opened = self._directory.key(conversation)
        if opened is None:
            return
        id_ = new_id(self._now)
        payload = Payload(
            id=id_.hex(),
            sender=message.account,
            recipient=_number(message.person),
            text=message.content.text or "",
            purpose=Purpose.CONVERSATIONAL,
            inbound_at=message.occurred_at,
        )
        self._reviews.append(
            reviews.Review(
                key=key,
                id=id_,
                cluster=id_,
                conversation=conversation,
                connector=connector,
                account=message.account,
                score=0,
                codes=ReasonCode.OPT_OUT_UNCLEAR.value,
                entered_at=self._now,
                sealed=seal_payload(opened.cipher, self._tenant.id, key, payload),
            )
        )

    def _confirmation(self, reply: Reply) -> str:
        return _in_language(reply.language, self._policy.confirmations, CONFIRMATIONS)

    def _helps(self) -> Iterator[Answer]:
        """At most once an hour to the same number: two machines must not talk to each other."""
        for message, reply in self._helped:
            text = _in_language(reply.language, self._policy.help, {})
            if text and self._has_room(HELP, HELP_WINDOW, 1, message.account, _number(message.person)):
                yield self._answer(message, text, stops=False)

    def _has_room(self, kind: str, length: int, most: int, *whom: str) -> bool:
        """Whether fewer answers of the kind than ``most`` went to them in this window; if so, one more is counted."""
        name = reference(self._keyring.tenant_key(self._tenant.id, PSEUDONYM), kind, *whom)
        window = self._now // length
        if tallies.sums(self._tx, self._tenant.id, kind, [name], window)[name] >= most:
            return False
        tallies.add(self._tx, self._tenant.id, {(kind, name, window): 1})
        return True

    def _answer(self, message: Message, text: str, *, stops: bool) -> Answer:
        id_ = new_id(self._now).hex()
        number = _number(message.person)
        ours = Message(
            channel=Channel.SMS,
            account=message.account,
            id=id_,
            direction=Direction.OUTBOUND,
            kind=MessageKind.TEXT,
            person=(Identifier(kind=IdentifierKind.PHONE, value=number),),
            occurred_at=self._now,
            content=Content(text=text),
        )
        payload = Payload(
            id=id_,
            sender=message.account,
            recipient=number,
            text=text,
            purpose=Purpose.TRANSACTIONAL,
            answers_opt_out=stops,
            reviewed=True,
        )
        return Answer(message=ours, payload=payload)

    def _row(self, answer: Answer, key: bytes, conversation: bytes, connector: str) -> outbox.Outgoing | None:
        opened = self._directory.key(conversation)
        if opened is None:
            return None
        payload = answer.payload
        pseudonym = self._keyring.tenant_key(self._tenant.id, PSEUDONYM)
        return outbox.Outgoing(
            key=key,
            id=bytes.fromhex(payload.id),
            pair=pair_reference(pseudonym, payload.sender, payload.recipient),
            conversation=conversation,
            connector=connector,
            account=payload.sender,
            purpose=payload.purpose.value,
            not_before=self._now,
            submitted_at=self._now,
            changed_at=self._now,
            sealed=seal_payload(opened.cipher, self._tenant.id, key, payload),
        )


def _number(person: tuple[Identifier, ...]) -> str:
    return next((one.value for one in person if one.kind is IdentifierKind.PHONE), "")


def _in_language(language: str, own: Mapping[str, str], shipped: Mapping[str, str]) -> str:
    return own.get(language) or shipped.get(language) or own.get("en") or shipped.get("en") or ""
