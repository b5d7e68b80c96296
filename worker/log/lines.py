"""The log's language: a closed set of lines, each with a closed set of fields. docs/log-schema.md is made from it.

No field holds content, a name, a phone number, a secret or an address from outside: tenants and accounts are
configured ones, references and persons are keyed pseudonyms, everything else is a word of a closed table or a
number. Every field stands on every line.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import ClassVar

import msgspec

from policies.verdict import Reason


class Level(StrEnum):
    """How much an operator should care."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Weight(IntEnum):
    """What is kept longest while standard output is blocked: the heaviest last."""

    LIGHT = 0
    MIDDLE = 1
    HEAVY = 2


class Refusal(StrEnum):
    """Why a request was refused, or a delivery not acknowledged. Metrics use the same words."""

    MALFORMED_HTTP = "malformed_http"
    HEADERS_TOO_LARGE = "headers_too_large"
    TOO_SLOW = "too_slow"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    UNKNOWN_ROUTE = "unknown_route"
    METHOD = "method"
    OUT_OF_SERVICE = "out_of_service"
    CONTENT_ENCODING = "content_encoding"
    TOO_LARGE = "too_large"
    BUSY = "busy"
    DISCONNECTED = "disconnected"
    SIGNATURE = "signature"
    NO_HANDSHAKE = "no_handshake"
    VERIFY_TOKEN = "verify_token"  # noqa: S105 - a word
    NOT_JSON = "not_json"
    QUEUE_FULL = "queue_full"
    NOT_COMMITTED = "not_committed"


class Phase(StrEnum):
    """Where in its life the process is."""

    READY = "ready"
    TENANTS_LOADED = "tenants_loaded"
    DRAINING = "draining"
    STOPPED = "stopped"
    REFUSED_TO_START = "refused_to_start"


class Place(StrEnum):
    """Where something unexpected was caught."""

    INTAKE = "intake"
    CALLBACK = "callback"
    SENDING = "sending"
    API = "api"
    WRITER = "writer"
    OBSERVER = "observer"
    JOB = "job"
    LOG = "log"
    EVENT_LOOP = "event_loop"
    MAIN = "main"
    THREAD = "thread"
    UNRAISABLE = "unraisable"


class Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="line"):
    """What all lines share. The writer of the log puts ``at`` (UTC) in front."""

    weight: ClassVar[Weight] = Weight.LIGHT

    level: Level = Level.INFO


class DeliveryLine(Line, frozen=True, kw_only=True, tag="delivery"):
    """One delivery after its commit.

    ``events``, ``dispositions`` and ``reasons`` count by word, ``shadow`` the reasons of rules that a tenant only tries;
    ``foreign`` events belonged to accounts of somebody
    else; ``damaged`` tells that characters had to be replaced. ``sequence`` and ``head`` are the end of the
    tenant's decision chain. Microseconds: waiting for the writer, the transaction, from arrival to this line.
    """

    weight: ClassVar[Weight] = Weight.MIDDLE

    tenant: str
    connector: str
    accounts: list[str]
    events: dict[str, int]
    dispositions: dict[str, int]
    reasons: dict[str, int]
    shadow: dict[str, int]
    foreign: int
    damaged: bool
    policy: str
    sequence: int
    head: str
    batch: int
    size: int
    queued_us: int
    commit_us: int
    total_us: int


class DecisionLine(Line, frozen=True, kw_only=True, tag="decision"):
    """What was done with one event and why.

    ``ref`` is the message's keyed reference, ``person`` its conversation's opaque id; ``shape`` tells the types of
    what was not understood, never its values. A reason in ``shadow`` is of a rule that a tenant only tries.
    """

    weight: ClassVar[Weight] = Weight.HEAVY

    tenant: str
    connector: str
    account: str
    event: str
    disposition: str
    reasons: tuple[Reason, ...]
    ref: str
    person: str
    shape: str
    policy: str
    sequence: int


class RefusalLine(Line, frozen=True, kw_only=True, tag="refusal"):
    """A request that was not taken.

    ``tenant`` and ``connector`` are empty unless configured; ``size`` is what had been read of the body, in bytes.
    """

    tenant: str
    connector: str
    refusal: Refusal
    status: int
    size: int


class HandshakeLine(Line, frozen=True, kw_only=True, tag="handshake"):
    """A platform asked whether this address is ours, and was answered."""

    tenant: str
    connector: str
    status: int


class CallbackLine(Line, frozen=True, kw_only=True, tag="callback"):
    """A verified deauthorise or data-deletion callback was recorded."""

    tenant: str
    connector: str
    callback: str


class ApiLine(Line, frozen=True, kw_only=True, tag="api"):
    """One call of the programming interface.

    ``tenant`` and ``key`` (its public prefix) are empty where the key was not in force; ``why`` is the first code of a
    refusal, empty where there was none; ``texts`` counts those that the call was about.
    """

    tenant: str
    key: str
    call: str
    status: int
    why: str
    texts: int


class SendLine(Line, frozen=True, kw_only=True, tag="send"):
    """Something became of a text on its way to a provider.

    ``state`` is that of its row (``queued``: it is tried again; ``unknown``: nobody knows whether it was sent), or
    ``reported`` where the provider says later that it did not deliver it. ``failure`` and ``code`` (the provider's number)
    say why, ``reasons`` why the last check stopped it. ``sequence`` and ``head`` are the end of the tenant's decision
    chain where something was decided. Microseconds: from when it was due to the claim, the call, writing it down.
    """

    weight: ClassVar[Weight] = Weight.MIDDLE

    tenant: str
    connector: str
    account: str
    ref: str
    state: str
    failure: str
    code: int
    attempt: int
    reasons: tuple[Reason, ...]
    sequence: int
    head: str
    waited_us: int
    call_us: int
    record_us: int


class SenderLine(Line, frozen=True, kw_only=True, tag="sender"):
    """A sender (``account``), or a whole connector ("" for it), sends no more for a while, or again; and why."""

    tenant: str
    connector: str
    account: str
    in_service: bool
    why: str


class LifecycleLine(Line, frozen=True, kw_only=True, tag="lifecycle"):
    """The process came to a new phase. ``listening`` are its own addresses; ``pending`` deliveries wait."""

    phase: Phase
    version: str
    tenants: int
    out_of_service: int
    pending: int
    listening: list[str]


class ConfigurationLine(Line, frozen=True, kw_only=True, tag="configuration"):
    """Something in a tenant's files is not as it has to be: where, and what was expected there."""

    file: str
    key: str
    expected: str


class JobLine(Line, frozen=True, kw_only=True, tag="job"):
    """A scheduled job ran: ``done``, or ``alarm`` where it found what must not be (its own lines say what)."""

    job: str
    outcome: str
    duration_us: int


class DeadlineLine(Line, frozen=True, kw_only=True, tag="deadline"):
    """A person's request is due soon, or overdue. ``seconds`` is what is left, below zero what is past."""

    tenant: str
    request: str
    kind: str
    source: str
    urgency: str
    seconds: int


class RetentionLine(Line, frozen=True, kw_only=True, tag="retention"):
    """A run of retention took something of a tenant away.

    ``contents`` were destroyed, ``restricted`` hidden because of a legal hold, ``held`` are past their ceiling and stay
    because of one; ``persons`` of whom nothing was left were forgotten, ``keys`` of conversations destroyed; ``records`` are
    tombstones after the floor, and at the very end every row; ``leftovers`` rows of outbound texts. ``step``: how far an
    offboarding is. ``sequence`` and ``head`` are the end of the tenant's decision chain.
    """

    tenant: str
    contents: int
    restricted: int
    held: int
    persons: int
    keys: int
    records: int
    leftovers: int
    step: str
    sequence: int
    head: str
    duration_us: int


class TermsLine(Line, frozen=True, kw_only=True, tag="terms"):
    """Another register of terms, or another rule pack, is in force than was seen before (``before_…``, "" the first time)."""

    revision: str
    digest: str
    rule_pack: str
    before_digest: str
    before_rule_pack: str


class ReconciliationLine(Line, frozen=True, kw_only=True, tag="reconciliation"):
    """A platform was asked what became of what is kept, because no webhook tells it.

    ``about`` is what was asked of; ``asked`` counts the ids, ``gone`` those that were taken away, ``unsure`` those that
    may be gone and stay, because the answer did not prove it. ``why`` tells what cut it short, "" where nothing did.
    """

    tenant: str
    connector: str
    about: str
    asked: int
    gone: int
    unsure: int
    calls: int
    why: str


class FreshnessLine(Line, frozen=True, kw_only=True, tag="freshness"):
    """Something has to be renewed at a platform: ``handshake`` (seconds since the last one), ``access_token`` (seconds left)."""

    tenant: str
    connector: str
    what: str
    seconds: int


class SelfAuditLine(Line, frozen=True, kw_only=True, tag="self_audit"):
    """What must never be kept was sent through the worker itself, and looked for.

    ``survivors`` name what was found and where, as ``story_url:transcript``; empty where nothing was. ``searched`` and
    ``left_out`` are bytes: of very large files only the newest part is searched.
    """

    tenant: str
    survivors: list[str]
    searched: int
    left_out: int


class FaultLine(Line, frozen=True, kw_only=True, tag="fault"):
    """Something unexpected was caught: the types of the exception and its causes, and where; never its text.

    ``affected`` counts the deliveries that were not acknowledged because of it.
    """

    place: Place
    exception: str
    frames: list[str]
    affected: int


class LibraryLine(Line, frozen=True, kw_only=True, tag="library"):
    """A library's own line: its template without arguments, and only for loggers whose templates are known."""

    logger: str
    template: str
    exception: str
    frames: list[str]


class LostLine(Line, frozen=True, kw_only=True, tag="lost"):
    """Lines that were dropped since the last such line, because standard output was blocked."""

    decisions: int
    deliveries: int
    others: int


LINES: tuple[type[Line], ...] = (
    DeliveryLine,
    DecisionLine,
    RefusalLine,
    HandshakeLine,
    CallbackLine,
    ApiLine,
    SendLine,
    SenderLine,
    LifecycleLine,
    ConfigurationLine,
    JobLine,
    DeadlineLine,
    RetentionLine,
    TermsLine,
    ReconciliationLine,
    FreshnessLine,
    SelfAuditLine,
    FaultLine,
    LibraryLine,
    LostLine,
)
"""Every line there is."""
