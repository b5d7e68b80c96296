"""The last check before a text is sent, in the very transaction that records the intent to send it.

What was committed before it began is seen by it: an opt-out, a sender that is gone, hours that have begun.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec
from sqlalchemy import Connection

from connectors.contract import Text
from policies.event import AccountState
from policies.gate import decide
from policies.message import Instant, Private
from policies.reasons import CLAUSES
from policies.rules import BEFORE_SEND
from policies.rules.account_standing import CODES as STANDINGS
from policies.rules.account_standing import WAIT as STANDING_WAIT
from policies.sms.facts import SendFacts
from policies.sms.numbers import country
from policies.sms.policy import Prepared
from policies.tenant import Facts
from policies.verdict import Decision, Outcome, Reason, ReasonCode
from worker.crypto import CryptoError, reference
from worker.keyring import PSEUDONYM, ConversationKey, Keyring
from worker.sms.message import message_of
from worker.sms.payload import SUPPRESSION, Payload, open_payload, suppression_references
from worker.store import accounts, buckets, outbox, suppressions
from worker.store.accounts import Place
from worker.store.outbox import OutboxState, Outgoing
from worker.tenants.loading import Tenant, TenantConnector

RULE: Final = "last_check"
SHORT_WAIT: Final = 1_000_000
"""A sender that may go on within a second keeps its texts where they are; for longer waits they are put off."""

_STANDINGS: Final = frozenset(STANDINGS.values())
_GONE: Final = Reason(code=ReasonCode.SENDER_UNKNOWN, rule=RULE, clauses=CLAUSES[ReasonCode.SENDER_UNKNOWN])


class Asked(Private, frozen=True, kw_only=True):
    """What a claim is for. ``enter`` says of each row whether its sender and connector take another call now.

    ``without`` and ``silent``: connectors and senders that need not even be looked at.
    """

    tenant: Tenant
    most: int
    lease: int
    without: AbstractSet[str]
    silent: AbstractSet[str]
    enter: Callable[[Outgoing], bool]


class Ready(Private, frozen=True, kw_only=True):
    """A text that may be sent now: its intent is recorded once the transaction is committed."""

    tenant: Tenant
    source: TenantConnector
    row: Outgoing
    payload: Payload

    @property
    def text(self) -> Text:
        """What the provider is given. It, too, stops trying when the text is stale."""
        row = self.row
        if row.not_after is None or row.tried_at is None:
            return self.payload.as_text
        valid = max((row.not_after - row.tried_at) // 1_000_000, 1)
        return msgspec.structs.replace(self.payload.as_text, valid_seconds=valid)


class Stopped(Private, frozen=True, kw_only=True):
    """A text that may not be sent any more. ``payload``: None where its conversation was erased."""

    tenant: Tenant
    row: Outgoing
    payload: Payload | None
    state: OutboxState
    reasons: tuple[Reason, ...]


class Claimed(Private, frozen=True, kw_only=True):
    """What a claim came to. ``pauses``: senders whose rate is used up, and until when. ``seen``: rows looked at."""

    ready: list[Ready]
    stopped: list[Stopped]
    pauses: dict[str, Instant]
    seen: int


def claim(tx: Connection, keyring: Keyring, asked: Asked, now: Instant) -> Claimed:
    """Claim due rows and check each once more. What may not be sent is only told: ``stop`` ends it, elsewhere."""
    rows = outbox.claim(tx, asked.tenant.id, now, asked.most, without=asked.without, silent=asked.silent)
    check = _Check(tx, keyring, asked, now)
    check.read(rows)
    for row in rows:
        check.judge(row)
    begun = outbox.begin(tx, asked.tenant.id, [one.row for one in check.ready], now, now + asked.lease)
    ready = [msgspec.structs.replace(one, row=row) for one, row in zip(check.ready, begun, strict=True)]
    return Claimed(ready=ready, stopped=check.stopped, pauses=check.pauses, seen=len(rows))


class _Check:
    """One claim's rows: ``read`` what is known of them all, then ``judge`` each."""

    def __init__(self, tx: Connection, keyring: Keyring, asked: Asked, now: Instant) -> None:
        self._tx = tx
        self._tenant = asked.tenant
        self._keyring = keyring
        self._enter = asked.enter
        self._now = now
        self._payloads: dict[bytes, Payload] = {}
        self._opted_out: AbstractSet[bytes] = frozenset()
        self._standings: Mapping[Place, AccountState] = {}
        self.ready: list[Ready] = []
        self.stopped: list[Stopped] = []
        self.pauses: dict[str, Instant] = {}

    def read(self, rows: Sequence[Outgoing]) -> None:
        """What the rows hold, and the opt-outs that stand against any of them."""
        keys = self._keyring.keys(self._tenant.id, {row.conversation for row in rows})
        found = {row.key: _opened(self._tenant.id, row, keys.get(row.conversation)) for row in rows}
        self._payloads = {key: payload for key, payload in found.items() if payload is not None}
        if not self._payloads:
            return
        # All at once and in order, so that replicas do not wait for one another in a ring; and before the opt-outs are
        # read, so that nothing is waited for after it.
        buckets.hold(self._tx, self._tenant.id, {self._bucket(one) for one in self._payloads.values()})
        names = {name for payload in self._payloads.values() for name in self._opt_outs(payload)}
        self._opted_out = suppressions.standing(self._tx, self._tenant.id, names)
        places = {(row.connector, row.account) for row in rows}
        self._standings = accounts.standings(self._tx, self._tenant.id, places)

    def judge(self, row: Outgoing) -> None:
        """Ready, stopped, put off, or left where it is."""
        payload = self._payloads.get(row.key)
        source = self._tenant.connectors.get(row.connector)
        sms = self._tenant.sms
        if payload is None:
            self._stop(row, None, ())
        elif source is None or source.sending is None or sms is None or row.account not in source.accounts:
            self._stop(row, payload, (_GONE,))
        else:
            self._decide(row, payload, source, sms)

    def _decide(self, row: Outgoing, payload: Payload, source: TenantConnector, sms: Prepared) -> None:
        decision = self._decision(row, payload, sms)
        if decision.outcome in {Outcome.DROPPED, Outcome.QUARANTINED}:
            self._stop(row, payload, decision.reasons)
        elif any(reason.code in _STANDINGS for reason in decision.reasons):
            # Its other texts are not even looked at until then, and nothing is written down.
            self.pauses[row.account] = self._now + STANDING_WAIT
        elif decision.until is not None and decision.until > self._now:
            outbox.postpone(self._tx, self._tenant.id, row, self._now, decision.until)
        elif row.account not in self.pauses and self._has_turn(row, payload, sms) and self._enter(row):
            self.ready.append(Ready(tenant=self._tenant, source=source, row=row, payload=payload))

    def _has_turn(self, row: Outgoing, payload: Payload, sms: Prepared) -> bool:
        """Whether the sender's rate leaves room for a text to this class of carrier."""
        rate = sms.policy.sender_rate
        until = buckets.take(self._tx, self._tenant.id, self._bucket(payload), rate, self._now)
        if until is None:
            return True
        self.pauses[row.account] = min(until, self._now + SHORT_WAIT)
        if until > self._now + SHORT_WAIT:
            outbox.postpone(self._tx, self._tenant.id, row, self._now, until)
        return False

    def _decision(self, row: Outgoing, payload: Payload, sms: Prepared) -> Decision:
        """BEFORE_SEND again, as for a text that a person released: what it says has been judged."""
        send = SendFacts(
            sms=sms,
            purpose=payload.purpose,
            campaign=payload.campaign,
            send_after=payload.send_after,
            not_after=row.not_after,
            opted_out=not self._opted_out.isdisjoint(self._opt_outs(payload)),
            answers_opt_out=payload.answers_opt_out,
            reviewed=True,
            stored_zone=payload.zone,
            place=payload.place,
            standing=self._standings[row.connector, row.account],
        )
        facts = Facts(now=self._now, policy=self._tenant.policy, send=send)
        return decide(message_of(payload, row.account, row.submitted_at), facts, BEFORE_SEND)

    def _stop(self, row: Outgoing, payload: Payload | None, reasons: tuple[Reason, ...]) -> None:
        late = any(reason.code is ReasonCode.SEND_EXPIRED for reason in reasons)
        state = OutboxState.EXPIRED if late else OutboxState.STOPPED
        self.stopped.append(
            Stopped(tenant=self._tenant, row=row, payload=payload, state=state, reasons=reasons)
        )

    def _opt_outs(self, payload: Payload) -> tuple[bytes, ...]:
        key = self._keyring.tenant_key(self._tenant.id, SUPPRESSION)
        return suppression_references(key, payload.recipient, payload.sender, payload.campaign)

    def _bucket(self, payload: Payload) -> bytes:
        """The recipient's country stands for the class of carrier: whose number it is now, only carriers know."""
        pseudonym = self._keyring.tenant_key(self._tenant.id, PSEUDONYM)
        return reference(pseudonym, "rate", payload.sender, country(payload.recipient) or "")


def opened(keyring: Keyring, tenant: str, row: Outgoing) -> Payload | None:
    """What the row holds; None where it was erased."""
    return _opened(tenant, row, keyring.keys(tenant, [row.conversation]).get(row.conversation))


def _opened(tenant: str, row: Outgoing, key: ConversationKey | None) -> Payload | None:
    if key is None or row.sealed is None:
        return None
    try:
        return open_payload(key.cipher, tenant, row.key, row.sealed)
    except (CryptoError, msgspec.MsgspecError):
        return None
