"""A batch of drafts before the rules of BEFORE_SEND: each is judged after those before it, and told why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection

from policies.gate import decide
from policies.message import Instant, Private
from policies.reasons import CLAUSES, REMEDY, WORDS
from policies.rules import BEFORE_SEND
from policies.rules.screening import screened
from policies.tenant import Facts
from policies.verdict import Decision, Outcome, Reason, ReasonCode
from worker.inbound import Disposition, Governed
from worker.sms.drafts import Draft, texts_of
from worker.sms.facts import Circumstances
from worker.sms.payload import Payload
from worker.sms.submission import Answer, Ruling, Stated
from worker.tenants.loading import Tenant

_RULINGS: Final = {
    Outcome.ALLOWED: Ruling.ACCEPTED,
    Outcome.DELAYED: Ruling.DELAYED,
    Outcome.QUARANTINED: Ruling.QUARANTINED,
    Outcome.DROPPED: Ruling.REFUSED,
    # No rule of this gate may change what was handed in; one that does is not followed.
    Outcome.AMENDED: Ruling.QUARANTINED,
}
_DISPOSITIONS: Final = {
    Ruling.ACCEPTED: Disposition.QUEUED,
    Ruling.DELAYED: Disposition.DELAYED,
    Ruling.QUARANTINED: Disposition.WITHHELD,
    Ruling.REFUSED: Disposition.REFUSED,
}
_TOO_LONG: Final = Reason(code=ReasonCode.TOO_LONG, rule="provider", clauses=CLAUSES[ReasonCode.TOO_LONG])


class Judged(Private, frozen=True, kw_only=True):
    """A draft with its verdict. ``payload`` holds the evidence too, where a person will look at it."""

    draft: Draft
    ruling: Ruling
    reasons: tuple[Reason, ...]
    cluster: bytes
    payload: Payload
    until: Instant | None = None

    @property
    def governed(self) -> Governed:
        """As it is settled: what is not going to be sent is no part of what was exchanged."""
        held = self.ruling in {Ruling.QUARANTINED, Ruling.REFUSED}
        item = self.draft.governed
        return Governed(
            item.event, self.reasons, item.dropped, withheld=held, disposition=_DISPOSITIONS[self.ruling]
        )

    @property
    def answer(self) -> Answer:
        """What its submitter is told. Rules that are only tried are nothing to them."""
        acting = [reason for reason in self.reasons if not reason.shadow]
        return Answer(
            id=self.payload.id,
            verdict=self.ruling,
            reasons=tuple(
                Stated(code=r.code.value, rule=r.rule, clauses=r.clauses, sentence=WORDS[r.code])
                for r in acting
            ),
            encoding=self.draft.encoding,
            until=self.until,
        )


def judge(
    tx: Connection, tenant: Tenant, drafts: Sequence[Draft], now: Instant
) -> tuple[list[Judged], Circumstances]:
    """Each text after those before it."""
    sms = texts_of(tenant)
    traits = [one.traits for one in drafts]
    places = [(one.source.connector.name, one.payload.sender) for one in drafts]
    circumstances = Circumstances(tx, tenant.id, sms, now, traits, places)
    judged: list[Judged] = []
    for number, one in enumerate(drafts):
        facts = Facts(
            now=now,
            policy=tenant.policy,
            excluded=circumstances.is_excluded(number),
            send=circumstances.of(number, one.payload),
        )
        verdict = _verdict(one, facts, frozenset(sms.policy.shadow), circumstances.cluster(number))
        circumstances.add(number, verdict.ruling)
        judged.append(verdict)
    return judged, circumstances


def _verdict(one: Draft, facts: Facts, shadow: frozenset[str], cluster: bytes) -> Judged:
    decision = (
        Decision(outcome=Outcome.DROPPED, message=None, reasons=one.objections)
        if one.objections
        else _within_bounds(one, decide(one.message, facts, BEFORE_SEND, shadow))
    )
    ruling = _RULINGS[decision.outcome]
    held = ruling is Ruling.QUARANTINED
    return Judged(
        draft=one,
        ruling=ruling,
        reasons=decision.reasons,
        cluster=cluster,
        payload=_with_evidence(one, facts, decision) if held else one.payload,
        until=decision.until,
    )


def _within_bounds(one: Draft, decision: Decision) -> Decision:
    """What the provider would not take whole is refused now, not when it is sent."""
    outbound = one.source.connector.outbound
    if decision.message is None or outbound is None or len(one.payload.text) <= outbound.most_characters:
        return decision
    return Decision(outcome=Outcome.DROPPED, message=None, reasons=(*decision.reasons, _TOO_LONG))


def _with_evidence(one: Draft, facts: Facts, decision: Decision) -> Payload:
    """For the person who will look at it: what the screen saw, and what would change the verdict."""
    remedies = {
        REMEDY[reason.code] for reason in decision.reasons if reason.code in REMEDY and not reason.shadow
    }
    payload = msgspec.structs.replace(one.payload, remedies=tuple(sorted(remedies)))
    try:
        screening = screened(one.message, facts)
    except Exception:  # noqa: BLE001 - a screen that fails is why it is held, and there is nothing to show
        return payload
    shown = tuple((seen.feature, seen.weight, seen.start, seen.end) for seen in screening.evidence)
    return msgspec.structs.replace(payload, score=screening.score, evidence=shown)
