"""What travels from the socket to the ledger and back: deliveries, governed events, dispositions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from policies.event import Event, MessageEdited, MessageReceived, Noted, Unrecognised
from policies.gate import decide
from policies.message import Content, Instant, Message, Private
from policies.rules import NEVER_RECORD, facebook_cdn
from policies.tenant import Facts
from policies.verdict import Outcome, Reason
from worker.tenants import Tenant, TenantConnector


class Disposition(StrEnum):
    """What was done with one event. Log lines, metrics, counters and decision records use these words."""

    STORED = "stored"
    EDITED = "edited"
    UNSENT = "unsent"
    UPDATED = "updated"
    DUPLICATE = "duplicate"
    DROPPED = "dropped"
    WITHHELD = "withheld"
    NOTED = "noted"
    UNRECOGNISED = "unrecognised"
    FOREIGN = "foreign"


class Governed(Private, frozen=True):
    """An event after NEVER_RECORD: safe to keep as far as that gate goes.

    ``dropped`` means that nothing of its content may be kept; ``reasons`` is the gate's trace.
    """

    event: Event
    reasons: tuple[Reason, ...] = ()
    dropped: bool = False


class Posted(Private, frozen=True, kw_only=True):
    """An authentic webhook request whose body nobody has looked into yet.

    The writer looks into the bodies of a whole batch at once, so that the event loop only reads and answers.
    """

    tenant: Tenant
    source: TenantConnector
    received_at: Instant
    body: bytes
    token: Any = None


class Delivery(Private, frozen=True, kw_only=True):
    """One authentic webhook request on its way to the ledger.

    ``foreign`` counts the events of accounts that are not this tenant's: they were dropped unread.
    ``token`` is whatever the intake needs to find the waiting request again.
    """

    tenant: Tenant
    source: TenantConnector
    received_at: Instant
    size: int
    events: Sequence[Governed]
    foreign: int = 0
    replaced_characters: bool = False
    token: Any = None


class Settled(Private, frozen=True, kw_only=True):
    """What became of one event, free of content: fit for logs, metrics and decision records.

    ``ref`` is the message's keyed reference in hex ("" where the event is about no message).
    ``person`` is the conversation's opaque id in hex, "" where unknown.
    """

    event: str
    account: str
    disposition: Disposition
    reasons: tuple[Reason, ...] = ()
    ref: str = ""
    person: str = ""
    shape: str = ""


class Committed(Private, frozen=True, kw_only=True):
    """One delivery after its commit, for the log and the metrics.

    ``sequence`` and ``head`` (hex) are the tenant's decision chain after this commit; durations in
    microseconds: ``queued`` from submission to the start of the batch, ``commit`` the transaction.
    """

    delivery: Delivery
    settled: Sequence[Settled]
    sequence: int
    head: str
    queued: int
    commit: int
    batch: int


class Answer(StrEnum):
    """What the waiting request is told."""

    COMMITTED = "committed"
    UNAVAILABLE = "unavailable"
    NOT_JSON = "not_json"


Answers = Callable[[Sequence[tuple[Delivery | Posted, Answer]]], None]
"""Called on the writer's thread once per batch, after the commit (or its failure)."""

RULE_FAILED: Final = "rule_failed"


def govern(event: Event, facts: Facts) -> Governed:
    """Run NEVER_RECORD on an event. An event whose rules fail is reduced to a shape: fail closed."""
    if not isinstance(event, (MessageReceived, MessageEdited)):
        return _without_message(event)
    decision = decide(event.message, facts, NEVER_RECORD)
    if decision.outcome is Outcome.ALLOWED:
        return Governed(event)
    if decision.outcome is Outcome.DROPPED:
        # Only the fact travels on: what may not be kept is not handed to anybody who could keep it.
        return Governed(
            _with(event, msgspec.structs.replace(event.message, content=Content())),
            decision.reasons,
            dropped=True,
        )
    if decision.outcome is Outcome.QUARANTINED or decision.message is None:
        shape = f"message:{event.message.kind}"
        return Governed(Unrecognised(account=event.account, shape=shape, why=RULE_FAILED), decision.reasons)
    return Governed(_with(event, decision.message), decision.reasons)


def _without_message(event: Event) -> Governed:
    """Receipts, consents and the like hold identifiers alone; one that is a CDN URL is no identifier (SM-6)."""
    if isinstance(event, (Noted, Unrecognised)) or not _holds_cdn_url(event):
        return Governed(event)
    return Governed(Unrecognised(account=event.account, shape="identifier", why=RULE_FAILED))


def _holds_cdn_url(event: Event) -> bool:
    try:
        return facebook_cdn.stands_in(event)
    except Exception:  # noqa: BLE001 - what cannot be judged is not kept
        return True


def _with(event: MessageReceived | MessageEdited, message: Message) -> MessageReceived | MessageEdited:
    return msgspec.structs.replace(event, message=message)
