"""The walk of a text that is handed in: governed, judged, and written down with its verdict, before anybody is answered.

Judging reads; only then comes one transaction for the whole call: transcript entries, decision records, rows of outbox
and review, what is counted, and the answers under their references. Of two replicas that are handed the same reference
at once one writes, and the other finds its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec
from sqlalchemy import Connection

from policies.message import Instant
from worker.inbound import Committed, Delivery, Settled
from worker.keyring import PSEUDONYM, RECORDS, Keyring
from worker.ledger import Clock, OnCommitted
from worker.settle import Settlement
from worker.sms.drafts import Draft, draft, is_registered
from worker.sms.facts import Circumstances
from worker.sms.ids import Ids
from worker.sms.judging import Judged, judge
from worker.sms.payload import pair_reference, seal_payload
from worker.sms.submission import Answer, Rejection, Result, Ruling, Submission
from worker.store import outbox, reviews, submissions
from worker.store.engine import Store
from worker.store.outbox import Outgoing
from worker.store.retry import persistently
from worker.store.reviews import Review
from worker.tenants.loading import Tenant

REMEMBERED: Final = 30 * 86_400 * 1_000_000
"""How long the same reference gets the same answer, in microseconds."""

MOST: Final = 1_000
"""Texts of one call."""


class Outbound:
    """Takes texts that are to be sent. ``submit`` from any thread."""

    def __init__(self, store: Store, keyring: Keyring, clock: Clock, committed: OnCommitted) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._committed = committed
        self._ids = Ids()

    def submit(self, tenant: Tenant, handed_in: Sequence[Submission], by: str = "") -> list[Result]:
        """Judge at most ``MOST`` texts and write down what was decided; a result for each, in order.

        ``by`` names who submits what does not name its submitter. Raises what the database raises: then nothing was
        written, and the same call with the same references may be made again.
        """
        now = self._clock()
        drafts = [draft(self._keyring, tenant, one, by, self._ids.next(now), now) for one in handed_in[:MOST]]
        return persistently(partial(self._decide, tenant, drafts, now))

    def _decide(self, tenant: Tenant, drafts: Sequence[Draft], now: Instant) -> list[Result]:
        with self._store.reading() as tx:
            known = submissions.find(tx, tenant.id, [one.reference for one in drafts])
            standing = {name: row for name, row in known.items() if row.submitted_at > now - REMEMBERED}
            fresh = _firsts(one for one in drafts if one.reference not in standing)
            objections = {one.reference: _objection(tenant, one, now) for one in fresh}
            admitted = [one for one in fresh if objections[one.reference] is None]
            judged, circumstances = judge(tx, tenant, admitted, now)
        if judged:
            self._write(tenant, judged, circumstances, known.keys() - standing.keys(), now)
        told: dict[bytes, tuple[bytes, Result]] = {
            name: (row.digest, _answers.decode(row.answer)) for name, row in standing.items()
        }
        told |= {one.reference: (one.digest, why) for one in fresh if (why := objections[one.reference])}
        told |= {one.draft.reference: (one.draft.digest, one.answer) for one in judged}
        return [_result(one, *told[one.reference]) for one in drafts]

    def _write(
        self,
        tenant: Tenant,
        judged: Sequence[Judged],
        circumstances: Circumstances,
        expired: Iterable[bytes],
        now: Instant,
    ) -> None:
        started = self._clock()
        deliveries = _deliveries(tenant, judged, now)
        with self._store.transaction() as tx:
            settlement = Settlement(tx, self._keyring, deliveries, now)
            settlement.apply()
            self._queue(tx, tenant, judged, _conversations(settlement), now)
            circumstances.save(tx, tenant.id)
            submissions.forget(tx, tenant.id, list(expired))
            submissions.add(tx, tenant.id, [self._remembered(tenant.id, one, now) for one in judged])
            sequence, head = settlement.conclude()
        took = max(0, self._clock() - started)
        self._committed(
            [
                Committed(
                    delivery=delivery,
                    settled=settled,
                    sequence=sequence,
                    head=head.hex(),
                    queued=0,
                    commit=took,
                    batch=len(deliveries),
                )
                for delivery, settled in zip(deliveries, settlement.settled, strict=True)
            ]
        )

    def _queue(
        self,
        tx: Connection,
        tenant: Tenant,
        judged: Sequence[Judged],
        conversations: Mapping[bytes, bytes],
        now: Instant,
    ) -> None:
        """Rows of outbox and review, each sealed under its conversation's key."""
        keys = self._keyring.keys(tenant.id, conversations.values())
        pseudonym = self._keyring.tenant_key(tenant.id, PSEUDONYM)
        going: list[Outgoing] = []
        waiting: list[Review] = []
        for one in judged:
            if one.ruling is Ruling.REFUSED:
                continue
            conversation = conversations[one.draft.key]
            sealed = seal_payload(keys[conversation].cipher, tenant.id, one.draft.key, one.payload)
            if one.ruling is Ruling.QUARANTINED:
                waiting.append(_review(one, conversation, sealed, now))
            else:
                going.append(_outgoing(one, conversation, sealed, pseudonym, now))
        outbox.enqueue(tx, tenant.id, going)
        reviews.add(tx, tenant.id, waiting)

    def _remembered(self, tenant: str, one: Judged, now: Instant) -> submissions.Submission:
        told = {
            "client_reference": one.draft.client_reference,
            "submitter": one.payload.submitter,
            "campaign": one.payload.campaign,
        }
        name = one.draft.reference
        cipher = self._keyring.cipher(tenant, RECORDS)
        return submissions.Submission(
            reference=name,
            digest=one.draft.digest,
            key=one.draft.key,
            answer=_encoder.encode(one.answer),
            sealed=cipher.seal(_encoder.encode(told), b"submission\0" + tenant.encode() + b"\0" + name),
            submitted_at=now,
        )


_encoder: Final = msgspec.msgpack.Encoder()
_answers: Final = msgspec.msgpack.Decoder(Answer)


# --- what is judged, and what is answered ------------------------------------------------------------------------------------


def _firsts(drafts: Iterable[Draft]) -> list[Draft]:
    """Of drafts with the same reference the first."""
    firsts: dict[bytes, Draft] = {}
    for one in drafts:
        firsts.setdefault(one.reference, one)
    return list(firsts.values())


def _objection(tenant: Tenant, one: Draft, now: Instant) -> Rejection | None:
    """Why a text is not even judged."""
    if one.payload.not_after is not None and one.payload.not_after <= now:
        return Rejection.TOO_LATE
    if one.lacks_provider and is_registered(tenant, one.payload.sender):
        return Rejection.OUT_OF_SERVICE
    return None


def _result(one: Draft, digest: bytes, result: Result) -> Result:
    return result if one.digest == digest else Rejection.CONFLICT


# --- writing ----------------------------------------------------------------------------------------------------------------


def _deliveries(tenant: Tenant, judged: Sequence[Judged], now: Instant) -> list[Delivery]:
    """What is settled: a delivery for each connector."""
    by_connector: dict[str, list[Judged]] = {}
    for one in judged:
        by_connector.setdefault(one.draft.source.connector.name, []).append(one)
    return [
        Delivery(
            tenant=tenant,
            source=some[0].draft.source,
            received_at=now,
            size=sum(len(one.payload.text.encode()) for one in some),
            events=[one.governed for one in some],
        )
        for _, some in sorted(by_connector.items())
    ]


def _conversations(settlement: Settlement) -> dict[bytes, bytes]:
    """Message key → conversation, of what has one."""
    settled: Iterable[Settled] = (one for some in settlement.settled for one in some)
    return {bytes.fromhex(one.ref): bytes.fromhex(one.person) for one in settled if one.ref and one.person}


def _outgoing(one: Judged, conversation: bytes, sealed: bytes, pseudonym: bytes, now: Instant) -> Outgoing:
    return Outgoing(
        key=one.draft.key,
        id=one.draft.id,
        pair=pair_reference(pseudonym, one.payload.sender, one.payload.recipient),
        conversation=conversation,
        connector=one.draft.source.connector.name,
        account=one.payload.sender,
        purpose=one.payload.purpose.value,
        not_before=one.until or now,
        not_after=one.payload.not_after,
        submitted_at=now,
        changed_at=now,
        sealed=sealed,
    )


def _review(one: Judged, conversation: bytes, sealed: bytes, now: Instant) -> Review:
    acting = dict.fromkeys(reason.code.value for reason in one.reasons if not reason.shadow)
    return Review(
        key=one.draft.key,
        id=one.draft.id,
        cluster=one.cluster,
        conversation=conversation,
        connector=one.draft.source.connector.name,
        account=one.payload.sender,
        score=round(one.payload.score * 1000),
        codes=" ".join(acting),
        entered_at=now,
        sealed=sealed,
    )
