"""What travels from the socket to the ledger and back: deliveries, governed events, dispositions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from policies.event import Event
from policies.message import Instant, Private
from policies.verdict import Reason
from worker.tenants.loading import Tenant, TenantConnector


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
    # Texts on their way out; one that waits for a person is withheld.
    QUEUED = "queued"
    DELAYED = "delayed"
    REFUSED = "refused"


class Governed(Private, frozen=True):
    """An event after NEVER_RECORD: safe to keep as far as that gate goes.

    ``dropped`` means that nothing of its content may be kept; ``reasons`` is the gate's trace.
    ``withheld``: kept, and not part of what was exchanged, until a person has ``released`` it.
    ``disposition``: what was decided of a text that is to be sent, None for everything that came in: what becomes of
    that is decided in the transaction. ``told_by``: how a consent was learnt that no channel told.
    """

    event: Event
    reasons: tuple[Reason, ...] = ()
    dropped: bool = False
    withheld: bool = False
    disposition: Disposition | None = None
    released: bool = False
    told_by: str = ""


class Posted(Private, frozen=True, kw_only=True):
    """An authentic webhook request whose body nobody has looked into yet.

    The writer looks into the bodies of a whole batch at once, so that the event loop only reads and answers.
    ``ours`` is our id of the text that is reported on, where it stood in the signed address.
    """

    tenant: Tenant
    source: TenantConnector
    received_at: Instant
    body: bytes
    ours: str = ""
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
