"""What waits for a person: shown by cluster of near-duplicates, released or rejected, each act with who and why.

A released text is judged once more for who sends it, opt-out and hours, never again for what it says; then it goes its way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy import Connection

from policies.event import Consent, MessageReceived
from policies.gate import decide
from policies.message import Instant, Message, Private
from policies.rules import BEFORE_SEND
from policies.screening.context import Register
from policies.screening.lessons import Lesson, lesson
from policies.sms.policy import Scope
from policies.tenant import Facts
from policies.verdict import Decision, Outcome, Reason
from worker.acts import Operator, record_act
from worker.crypto import CryptoError
from worker.inbound import Delivery, Disposition, Governed
from worker.keyring import PSEUDONYM, ConversationKey, Keyring
from worker.settle import Settlement
from worker.sms.facts import Circumstances, traits_of
from worker.sms.message import message_of
from worker.sms.payload import (
    SUPPRESSION,
    Payload,
    open_payload,
    pair_reference,
    seal_payload,
    suppression_reference,
)
from worker.sms.submission import Ruling
from worker.store import outbox, reviews, suppressions
from worker.store.engine import Store
from worker.store.retry import persistently
from worker.store.reviews import Cluster, Review, ReviewState
from worker.tenants.loading import Tenant

RELEASE: Final = "release"
REJECT: Final = "reject"
_REVIEWER: Final = "reviewer"


class Fate(StrEnum):
    """What became of a text when a person had decided."""

    QUEUED = "queued"
    DELAYED = "delayed"
    REFUSED = "refused"
    STILL_HELD = "still_held"
    REJECTED = "rejected"
    OPTED_OUT = "opted_out"
    NO_OPT_OUT = "no_opt_out"
    UNREADABLE = "unreadable"


class Waiting(Private, frozen=True, kw_only=True):
    """A text before a reviewer. ``payload`` is None where its person was erased meanwhile."""

    review: Review
    payload: Payload | None


class Decided(Private, frozen=True, kw_only=True):
    """One text and what became of it, with the reasons of its second judgement."""

    id: str
    fate: Fate
    reasons: tuple[Reason, ...] = ()


class NothingWaits(Exception):
    """Nothing under this id or cluster waits for a person."""


class Reviewing:
    """The review of one tenant."""

    def __init__(self, store: Store, keyring: Keyring, tenant: Tenant, clock: Callable[[], Instant]) -> None:
        self._store = store
        self._keyring = keyring
        self._tenant = tenant
        self._clock = clock

    def clusters(self) -> list[Cluster]:
        """What waits, by cluster, the longest waiting first."""
        with self._store.reading() as tx:
            return reviews.clusters(tx, self._tenant.id)

    def waiting(self, prefix: str) -> list[Waiting]:
        """The texts under an id or a cluster (or their beginning), opened. Raises NothingWaits."""
        with self._store.reading() as tx:
            return self._waiting(tx, prefix)

    def lesson(self, prefix: str) -> Lesson:
        """What the tenant's register would need for these texts to pass. Raises NothingWaits."""
        owned = self._tenant.sms.owned if self._tenant.sms is not None else Register()
        return lesson([one.payload.text for one in self.waiting(prefix) if one.payload is not None], owned)

    def release(self, prefix: str, operator: Operator) -> list[Decided]:
        """Send what waits under an id or a cluster. Raises NothingWaits."""
        return persistently(lambda: self._in_transaction(prefix, operator, RELEASE, self._released))

    def reject(self, prefix: str, operator: Operator) -> list[Decided]:
        """Never send it; what may be an opt-out is one. Raises NothingWaits."""
        return persistently(lambda: self._in_transaction(prefix, operator, REJECT, self._rejected))

    # -- details -----------------------------------------------------------------------------------------

    def _in_transaction(
        self,
        prefix: str,
        operator: Operator,
        action: str,
        act: Callable[[Connection, Sequence[Waiting], Instant], list[Decided]],
    ) -> list[Decided]:
        now = self._clock()
        with self._store.transaction() as tx:
            found = self._waiting(tx, prefix, lock=True)
            decided = act(tx, found, now)
            held = {one.id for one in decided if one.fate is Fate.STILL_HELD}
            keys = [one.review.key for one in found if one.review.id.hex() not in held]
            state = ReviewState.RELEASED if action == RELEASE else ReviewState.REJECTED
            reviews.decide(tx, self._tenant.id, keys, state, now)
            about = found[0].review.cluster if len(found) > 1 else found[0].review.id
            record_act(
                tx, self._keyring, self._tenant.id, action=action, about=about, operator=operator, now=now
            )
        return decided

    def _waiting(self, tx: Connection, prefix: str, *, lock: bool = False) -> list[Waiting]:
        found = reviews.find(tx, self._tenant.id, prefix, lock=lock)
        waiting = [one for one in found if one.state is ReviewState.WAITING]
        if not waiting:
            raise NothingWaits
        keys = self._keyring.keys(self._tenant.id, [one.conversation for one in waiting])
        return [Waiting(review=one, payload=self._opened(one, keys.get(one.conversation))) for one in waiting]

    def _opened(self, review: Review, key: ConversationKey | None) -> Payload | None:
        if key is None or review.sealed is None:
            return None
        try:
            return open_payload(key.cipher, self._tenant.id, review.key, review.sealed)
        except (CryptoError, msgspec.MsgspecError):
            return None

    def _rejected(self, tx: Connection, found: Sequence[Waiting], now: Instant) -> list[Decided]:
        return [self._reject(tx, one, now) for one in found]

    def _reject(self, tx: Connection, one: Waiting, now: Instant) -> Decided:
        payload = one.payload
        if payload is None or payload.inbound_at is None:
            return _decided(one, Fate.REJECTED)
        scope = self._tenant.sms.policy.opt_out_scope if self._tenant.sms is not None else Scope.TENANT
        reaches = Scope.TENANT if scope is Scope.TENANT else Scope.SENDER
        value = "" if reaches is Scope.TENANT else payload.sender
        key = self._keyring.tenant_key(self._tenant.id, SUPPRESSION)
        change = suppressions.Change(
            reference=suppression_reference(key, reaches, value, payload.recipient),
            consent=Consent.WITHDRAWN,
            source=_REVIEWER,
            changed_at=payload.inbound_at,
        )
        suppressions.change(tx, self._tenant.id, [change], now)
        return _decided(one, Fate.OPTED_OUT)

    def _released(self, tx: Connection, found: Sequence[Waiting], now: Instant) -> list[Decided]:
        texts = [one for one in found if one.payload is not None and one.payload.inbound_at is None]
        sent = self._send(tx, texts, now) if texts else {}
        return [self._fate_of(one, sent) for one in found]

    def _fate_of(self, one: Waiting, sent: dict[bytes, Decided]) -> Decided:
        if one.payload is None:
            return _decided(one, Fate.UNREADABLE)
        return sent.get(one.review.key) or _decided(one, Fate.NO_OPT_OUT)

    def _send(self, tx: Connection, texts: Sequence[Waiting], now: Instant) -> dict[bytes, Decided]:
        sms = self._tenant.sms
        if sms is None:
            return {one.review.key: _decided(one, Fate.STILL_HELD) for one in texts}
        payloads = [_reviewed(one) for one in texts]
        traits = [
            traits_of(self._keyring, self._tenant.id, payload, one.review.id)
            for payload, one in zip(payloads, texts, strict=True)
        ]
        places = [(one.review.connector, one.review.account) for one in texts]
        circumstances = Circumstances(tx, self._tenant.id, sms, now, traits, places)
        decided: dict[bytes, Decided] = {}
        events: dict[str, list[Governed]] = {}
        for number, (one, payload) in enumerate(zip(texts, payloads, strict=True)):
            facts = Facts(
                now=now,
                policy=self._tenant.policy,
                excluded=circumstances.is_excluded(number),
                send=circumstances.of(number, payload),
            )
            message = message_of(payload, one.review.account, one.review.entered_at)
            decision = decide(message, facts, BEFORE_SEND, frozenset(sms.policy.shadow))
            fate = _FATES[decision.outcome]
            decided[one.review.key] = _decided(one, fate, decision.reasons)
            if fate in _GOING:
                circumstances.add(number, Ruling.ACCEPTED)
                self._enqueue(tx, one, payload, decision, now)
            if fate is not Fate.STILL_HELD:
                events.setdefault(one.review.connector, []).append(_governed(message, decision))
        circumstances.save(tx, self._tenant.id)
        self._settle(tx, events, now)
        return decided

    def _enqueue(
        self, tx: Connection, one: Waiting, payload: Payload, decision: Decision, now: Instant
    ) -> None:
        review = one.review
        keys = self._keyring.keys(self._tenant.id, [review.conversation])
        pseudonym = self._keyring.tenant_key(self._tenant.id, PSEUDONYM)
        row = outbox.Outgoing(
            key=review.key,
            id=review.id,
            pair=pair_reference(pseudonym, payload.sender, payload.recipient),
            conversation=review.conversation,
            connector=review.connector,
            account=review.account,
            purpose=payload.purpose.value,
            not_before=decision.until or now,
            not_after=payload.not_after,
            submitted_at=review.entered_at,
            changed_at=now,
            sealed=seal_payload(keys[review.conversation].cipher, self._tenant.id, review.key, payload),
        )
        outbox.enqueue(tx, self._tenant.id, [row])

    def _settle(self, tx: Connection, events: Mapping[str, Sequence[Governed]], now: Instant) -> None:
        """As one delivery for each provider, and last: the chain stays locked from here on."""
        deliveries = [
            Delivery(
                tenant=self._tenant,
                source=self._tenant.connectors[name],
                received_at=now,
                size=0,
                events=some,
            )
            for name, some in events.items()
            if name in self._tenant.connectors
        ]
        if deliveries:
            settlement = Settlement(tx, self._keyring, deliveries, now)
            settlement.apply()
            settlement.conclude()


_FATES: Final = {
    Outcome.ALLOWED: Fate.QUEUED,
    Outcome.AMENDED: Fate.QUEUED,
    Outcome.DELAYED: Fate.DELAYED,
    Outcome.QUARANTINED: Fate.STILL_HELD,
    Outcome.DROPPED: Fate.REFUSED,
}
_GOING: Final = frozenset({Fate.QUEUED, Fate.DELAYED})
_DISPOSITIONS: Final = {
    Outcome.ALLOWED: Disposition.QUEUED,
    Outcome.AMENDED: Disposition.QUEUED,
    Outcome.DELAYED: Disposition.DELAYED,
    Outcome.QUARANTINED: Disposition.WITHHELD,
    Outcome.DROPPED: Disposition.REFUSED,
}


def _governed(message: Message, decision: Decision) -> Governed:
    return Governed(
        MessageReceived(account=message.account, message=message),
        decision.reasons,
        disposition=_DISPOSITIONS[decision.outcome],
        released=decision.outcome is not Outcome.DROPPED,
        withheld=decision.outcome is Outcome.DROPPED,
    )


def _reviewed(one: Waiting) -> Payload:
    if one.payload is None:
        raise NothingWaits
    return msgspec.structs.replace(one.payload, reviewed=True, evidence=(), remedies=())


def _decided(one: Waiting, fate: Fate, reasons: tuple[Reason, ...] = ()) -> Decided:
    return Decided(id=one.review.id.hex(), fate=fate, reasons=reasons)
