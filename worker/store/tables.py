"""What is stored, and under which key (docs/tour.md shows it as a picture).

Plaintext: states, times, keyed references, enums. Encrypted (``sealed``): everything that came from outside,
including platform ids, which are personal data. Every key starts with the tenant, so that the same schema
distributes by tenant. Instants are microseconds since the epoch, UTC.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel


class Table(SQLModel):
    """The tables of the store."""

    metadata = MetaData()


class KeyringTable(SQLModel):
    """The tables of the keyring, which lives in a store of its own."""

    metadata = MetaData()


class Bytes(LargeBinary):
    """A LargeBinary that hands bytes to the driver as they are: wrapping each took a tenth of the writer."""

    cache_ok = True

    def bind_processor(self, dialect: Any) -> None:
        """Nothing to do: both drivers take bytes."""


def _text(*, key: bool = False) -> Any:
    return Field(sa_column=Column(Text, primary_key=key, nullable=False))


def _bytes(*, key: bool = False, null: bool = False) -> Any:
    return Field(default=None if null else ..., sa_column=Column(Bytes, primary_key=key, nullable=null))


def _number(*, key: bool = False, null: bool = False) -> Any:
    column = Column(BigInteger, primary_key=key, nullable=null, autoincrement=False)
    return Field(default=None if null else ..., sa_column=column)


def _small() -> Any:
    return Field(sa_column=Column(SmallInteger, nullable=False))


def _where(condition: str) -> dict[str, Any]:
    """Which rows an index is about, on either engine."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


# Narrow rows stand in their key's own B-tree. Messages, contents and commits are too wide for that: rows are
# appended, and only a narrow index of random keys is written all over (half the bytes, measured).
_CLUSTERED = {"sqlite_with_rowid": False}


class MessageRow(Table, table=True):
    """One platform message. It only moves forward: absent, stored, edited, unsent (policies/record.py).

    ``key`` is the message's keyed reference; ``rank`` says who told the circumstances; ``content`` names the
    row of its content, None when there is none.
    """

    __tablename__ = "message"
    tenant: str = _text(key=True)
    key: bytes = _bytes(key=True)
    connector: str = _text()
    account: str = _text()
    conversation: bytes | None = _bytes(null=True)
    state: int = _small()
    rank: int = _small()
    standby: int = _small()
    history: int = _small()
    withheld: int = _small()
    kind: str = _text()
    direction: str = _text()
    edit_number: int = _number()
    occurred_at: int = _number()
    recorded_at: int = _number()
    changed_at: int = _number()
    unsent_at: int | None = _number(null=True)
    status: int = _small()
    status_at: int = _number()
    error_code: int = _number()
    reply_to: bytes = _bytes()
    content: bytes | None = _bytes(null=True)
    __table_args__ = (
        Index("message_by_conversation", "tenant", "conversation", "occurred_at"),
        # What has content, in the order in which it came: what is old is found without looking at what is gone.
        Index("message_by_content", "tenant", "content", **_where("content IS NOT NULL")),
    )


class ContentRow(Table, table=True):
    """What was said, sealed under its conversation's key. ``id`` is a UUIDv7: rows are appended in time order.

    On PostgreSQL one table for each month (worker/store/partitions.py).
    """

    __tablename__ = "content"
    tenant: str = _text(key=True)
    id: bytes = _bytes(key=True)
    sealed: bytes = _bytes()


class ConversationRow(Table, table=True):
    """A tenant's account and one person, under an opaque id minted at first sight."""

    __tablename__ = "conversation"
    tenant: str = _text(key=True)
    id: bytes = _bytes(key=True)
    connector: str = _text()
    account: str = _text()
    opened_at: int = _number()
    delivered_until: int = _number()
    read_until: int = _number()
    __table_args__ = (_CLUSTERED,)


class IdentifierRow(Table, table=True):
    """What a person is known by: a keyed reference that leads to the conversation, the value sealed."""

    __tablename__ = "identifier"
    tenant: str = _text(key=True)
    reference: bytes = _bytes(key=True)
    conversation: bytes = _bytes()
    kind: str = _text()
    sealed: bytes = _bytes()
    __table_args__ = (Index("identifier_by_conversation", "tenant", "conversation"), _CLUSTERED)


class LinkRow(Table, table=True):
    """Two conversations of the same person (``one`` < ``other``). Merging adds a link and never re-keys."""

    __tablename__ = "link"
    tenant: str = _text(key=True)
    one: bytes = _bytes(key=True)
    other: bytes = _bytes(key=True)
    linked_at: int = _number()
    __table_args__ = (_CLUSTERED,)


class AliasRow(Table, table=True):
    """Another id of a message: an X post is edited under new ids, and deleted by any of them."""

    __tablename__ = "alias"
    tenant: str = _text(key=True)
    alias: bytes = _bytes(key=True)
    key: bytes = _bytes()
    __table_args__ = (_CLUSTERED,)


class ConsentRow(Table, table=True):
    """What a person last allowed or withdrew, by category, and how it was learnt; the latest event wins."""

    __tablename__ = "consent"
    tenant: str = _text(key=True)
    conversation: bytes = _bytes(key=True)
    category: str = _text(key=True)
    consent: str = _text()
    changed_at: int = _number()
    source: str = Field(sa_column=Column(Text, nullable=False, server_default=text("'channel'")))
    __table_args__ = (_CLUSTERED,)


class AccountStateRow(Table, table=True):
    """A tenant's standing with a platform (SM-2, SM-4), by aspect and subject; the latest event wins."""

    __tablename__ = "account_state"
    tenant: str = _text(key=True)
    connector: str = _text(key=True)
    account: str = _text(key=True)
    aspect: str = _text(key=True)
    subject: str = _text(key=True)
    state: str = _text()
    detail: str = _text()
    changed_at: int = _number()
    __table_args__ = (_CLUSTERED,)


class CommitRow(Table, table=True):
    """One link of a tenant's decision chain: the decisions of one commit, their Merkle root, and the head.

    ``head`` = SHA-256 over the previous head and this row's fields (worker/chain.py). Append-only.
    """

    __tablename__ = "decision_commit"
    tenant: str = _text(key=True)
    sequence: int = _number(key=True)
    committed_at: int = _number()
    count: int = _number()
    root: bytes = _bytes()
    head: bytes = _bytes()
    decisions: bytes = _bytes()


class ChainRow(Table, table=True):
    """The end of a tenant's decision chain; its row lock is what orders the replicas' commits.

    ``erasures`` counts the conversations that were erased: who found one before, and sees it counted now, looks again.
    """

    __tablename__ = "decision_chain"
    tenant: str = _text(key=True)
    sequence: int = _number()
    head: bytes = _bytes()
    erasures: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    __table_args__ = (_CLUSTERED,)


class CounterRow(Table, table=True):
    """How many events of a day (UTC, days since the epoch) ended how. Free of personal data (PP-2)."""

    __tablename__ = "counter"
    tenant: str = _text(key=True)
    day: int = _number(key=True)
    connector: str = _text(key=True)
    event: str = _text(key=True)
    disposition: str = _text(key=True)
    reason: str = _text(key=True)
    count: int = _number()
    __table_args__ = (_CLUSTERED,)


class CallbackRow(Table, table=True):
    """A verified deauthorise or data-deletion callback of Meta, under the random code of its status page."""

    __tablename__ = "callback"
    tenant: str = _text(key=True)
    reference: bytes = _bytes(key=True)
    code: str = _text()
    connector: str = _text()
    kind: str = _text()
    status: str = _text()
    issued_at: int = _number()
    received_at: int = _number()
    sealed: bytes = _bytes()
    __table_args__ = (UniqueConstraint("tenant", "code"),)


class SubmissionRow(Table, table=True):
    """A text as it was handed in, under its client's own reference: the same call gets the same answer.

    ``reference`` is a keyed hash of the client's reference, ``digest`` of the whole body; ``answer`` (encoded, without
    content) is what was answered; ``sealed`` names submitter, campaign and client reference.
    """

    __tablename__ = "submission"
    tenant: str = _text(key=True)
    reference: bytes = _bytes(key=True)
    digest: bytes = _bytes()
    key: bytes = _bytes()
    answer: bytes = _bytes()
    sealed: bytes = _bytes()
    submitted_at: int = _number()
    __table_args__ = (
        Index("submission_by_key", "tenant", "key"),
        Index("submission_by_age", "tenant", "submitted_at"),
        _CLUSTERED,
    )


class OutboxRow(Table, table=True):
    """A text on its way to a provider: durable before it is sent (worker/sms/delivery.py has the states).

    ``id`` (UUIDv7) is our own id, and the order within a ``pair`` (keyed hash of sender and recipient): of one pair only
    the first unfinished row is sent. ``epoch`` counts the claims: who comes back with an older one changes nothing.
    ``sealed`` (under the conversation's key) is what is to be sent; it is gone as soon as the row is finished.
    ``tried_at``: when the provider was called last. ``failure`` is a word of policies.event.Failure, "" for none.
    """

    __tablename__ = "outbox"
    tenant: str = _text(key=True)
    key: bytes = _bytes(key=True)
    id: bytes = _bytes()
    pair: bytes = _bytes()
    conversation: bytes = _bytes()
    connector: str = _text()
    account: str = _text()
    purpose: str = _text()
    state: int = _small()
    not_before: int = _number()
    not_after: int | None = _number(null=True)
    attempts: int = _small()
    epoch: int = _number()
    lease_until: int = _number()
    tried_at: int | None = _number(null=True)
    submitted_at: int = _number()
    changed_at: int = _number()
    failure: str = _text()
    code: int = _number()
    sealed: bytes | None = _bytes(null=True)
    __table_args__ = (
        UniqueConstraint("tenant", "id"),
        Index("outbox_by_state", "tenant", "state", "not_before"),
        Index("outbox_by_pair", "tenant", "pair", "state", "id"),
        # Of a pair only one is called, or unknown, at a time: replicas that missed one another meet here.
        Index("outbox_in_flight", "tenant", "pair", unique=True, **_where("state IN (1, 2)")),
    )


class ReviewRow(Table, table=True):
    """A text that was judged and waits for a person (``state``: waiting, released, rejected).

    ``cluster`` is the same for near-duplicates; ``sealed`` (under the conversation's key) holds text, recipient, evidence
    and all that sending it would need. ``score`` in thousandths.
    """

    __tablename__ = "review"
    tenant: str = _text(key=True)
    key: bytes = _bytes(key=True)
    id: bytes = _bytes()
    cluster: bytes = _bytes()
    conversation: bytes = _bytes()
    connector: str = _text()
    account: str = _text()
    state: int = _small()
    score: int = _number()
    codes: str = _text()
    entered_at: int = _number()
    decided_at: int | None = _number(null=True)
    sealed: bytes | None = _bytes(null=True)
    __table_args__ = (
        UniqueConstraint("tenant", "id"),
        Index("review_by_cluster", "tenant", "state", "cluster"),
    )


class SuppressionRow(Table, table=True):
    """Who asked for no more texts: a keyed hash of scope and number, under a key of its own; it survives erasure.

    ``consent`` is what was last said, ``source`` how it was learnt; the latest wins, of two at once the withdrawal.
    """

    __tablename__ = "suppression"
    tenant: str = _text(key=True)
    reference: bytes = _bytes(key=True)
    consent: str = _text()
    source: str = _text()
    changed_at: int = _number()
    recorded_at: int = _number()
    __table_args__ = (_CLUSTERED,)


class TallyRow(Table, table=True):
    """How much of something there was in a window of time: texts to one recipient, of one sender, over one network.

    ``name`` is a keyed hash, ``window`` the number of the window since the epoch.
    """

    __tablename__ = "tally"
    tenant: str = _text(key=True)
    kind: str = _text(key=True)
    name: bytes = _bytes(key=True)
    window: int = _number(key=True)
    count: int = _number()
    __table_args__ = (Index("tally_by_age", "tenant", "kind", "window"), _CLUSTERED)


class AlikeRow(Table, table=True):
    """Who received or sent texts that share a fingerprint's band (policies/sms/fingerprint.py): keyed hashes alone."""

    __tablename__ = "alike"
    tenant: str = _text(key=True)
    band: bytes = _bytes(key=True)
    role: str = _text(key=True)
    who: bytes = _bytes(key=True)
    cluster: bytes = _bytes()
    count: int = _number()
    seen_at: int = _number()
    __table_args__ = (Index("alike_by_age", "tenant", "seen_at"), _CLUSTERED)


class BucketRow(Table, table=True):
    """A token bucket: so many millionths of a token at that time. One sender and class of carrier."""

    __tablename__ = "bucket"
    tenant: str = _text(key=True)
    name: bytes = _bytes(key=True)
    tokens: int = _number()
    filled_at: int = _number()
    __table_args__ = (_CLUSTERED,)


class ApiKeyRow(Table, table=True):
    """A key of the API: SHA-256 of its secret under a public prefix. Revoked keys stay, so that acts name them."""

    __tablename__ = "api_key"
    tenant: str = _text(key=True)
    prefix: str = _text(key=True)
    digest: bytes = _bytes()
    scopes: str = _text()
    label: str = _text()
    made_at: int = _number()
    revoked_at: int | None = _number(null=True)


class ActRow(Table, table=True):
    """What an operator did, when and about what; ``sealed`` says who and why. Append-only."""

    __tablename__ = "act"
    tenant: str = _text(key=True)
    id: bytes = _bytes(key=True)
    action: str = _text()
    about: bytes = _bytes()
    done_at: int = _number()
    sealed: bytes = _bytes()


class LeaseRow(Table, table=True):
    """Who runs what only one of all replicas may run, and until when. ``tenant`` is "" for what concerns all."""

    __tablename__ = "lease"
    tenant: str = _text(key=True)
    name: str = _text(key=True)
    holder: bytes = _bytes()
    until: int = _number()


class RightsRequestRow(Table, table=True):
    """A request of a person, through their tenant: export, erase or rectify, and how far it came.

    ``status`` is one of the seven words of the Genesys GDPR API. ``step`` is where to go on after a crash. ``sealed`` holds
    the request, ``log`` (sealed too) what was found and done for each identifier.
    """

    __tablename__ = "rights_request"
    tenant: str = _text(key=True)
    id: bytes = _bytes(key=True)
    kind: str = _text()
    status: str = _text()
    source: str = _text()
    step: str = _text()
    received_at: int = _number()
    due_at: int = _number()
    completed_at: int | None = _number(null=True)
    sealed: bytes = _bytes()
    log: bytes | None = _bytes(null=True)
    __table_args__ = (Index("rights_request_by_due", "tenant", "status", "due_at"),)


class HoldRow(Table, table=True):
    """A legal hold: suspends purge and erasure of what it covers until it is lifted. ``sealed``: matter, authority, who, why.

    ``since`` and ``until`` bound the times of messages that it covers, None: without bound.
    """

    __tablename__ = "hold"
    tenant: str = _text(key=True)
    id: bytes = _bytes(key=True)
    scope: str = _text()
    since: int | None = _number(null=True)
    until: int | None = _number(null=True)
    placed_at: int = _number()
    lifted_at: int | None = _number(null=True)
    sealed: bytes = _bytes()


class HoldTargetRow(Table, table=True):
    """Whom a hold covers: a conversation's id, or the keyed reference of one identifier of a person."""

    __tablename__ = "hold_target"
    tenant: str = _text(key=True)
    hold: bytes = _bytes(key=True)
    about: bytes = _bytes(key=True)
    __table_args__ = (_CLUSTERED,)


class RestrictedRow(Table, table=True):
    """Content that would be gone but for a hold: nobody sees it, nothing carries it, it goes when the hold is lifted.

    ``content`` is its row of the content table, which no message names any more.
    """

    __tablename__ = "restricted"
    tenant: str = _text(key=True)
    key: bytes = _bytes(key=True)
    content: bytes = _bytes()
    conversation: bytes = _bytes()
    why: str = _text()
    occurred_at: int = _number()
    since: int = _number()
    __table_args__ = (Index("restricted_by_conversation", "tenant", "conversation"),)


class ProductionRow(Table, table=True):
    """A production under legal process: a bundle that expires and is destroyed. ``digest`` is the bundle's SHA-256."""

    __tablename__ = "production"
    tenant: str = _text(key=True)
    id: bytes = _bytes(key=True)
    made_at: int = _number()
    expires_at: int = _number()
    destroyed_at: int | None = _number(null=True)
    digest: bytes = _bytes()
    sealed: bytes = _bytes()


class SealRow(Table, table=True):
    """A signed checkpoint of a tenant's decision chain: sequence and head, under an Ed25519 key."""

    __tablename__ = "chain_seal"
    tenant: str = _text(key=True)
    sequence: int = _number(key=True)
    head: bytes = _bytes()
    sealed_at: int = _number()
    key_id: bytes = _bytes()
    signature: bytes = _bytes()


class ReceiptRow(Table, table=True):
    """A deletion receipt: what was destroyed, by which rule and clause; signed, without personal data."""

    __tablename__ = "deletion_receipt"
    tenant: str = _text(key=True)
    id: bytes = _bytes(key=True)
    kind: str = _text()
    made_at: int = _number()
    receipt: bytes = _bytes()


class MarkRow(Table, table=True):
    """What is known of a person and outlives their content: known to be under 13. A keyed hash, under a key of its own."""

    __tablename__ = "mark"
    tenant: str = _text(key=True)
    reference: bytes = _bytes(key=True)
    mark: str = _text(key=True)
    source: str = _text()
    marked_at: int = _number()
    __table_args__ = (_CLUSTERED,)


class OffboardingRow(Table, table=True):
    """The end of a tenant's agreement: what was kept and until when, what is gone, and the signed report of it."""

    __tablename__ = "offboarding"
    tenant: str = _text(key=True)
    ends_at: int = _number()
    kept_until: int = _number()
    step: str = _text()
    purged_at: int | None = _number(null=True)
    report: bytes | None = _bytes(null=True)


class CursorRow(Table, table=True):
    """How far something that goes on in steps has come: a reconciliation, the terms that were last seen."""

    __tablename__ = "cursor"
    tenant: str = _text(key=True)
    name: str = _text(key=True)
    value: bytes = _bytes()
    moved_at: int = _number()


class KeyringCheckRow(KeyringTable, table=True):
    """A constant sealed by the master key: a wrong master key is noticed before anything is written."""

    __tablename__ = "master_check"
    id: int = _number(key=True)
    sealed: bytes = _bytes()


class TenantKeyRow(KeyringTable, table=True):
    """A tenant's keys by purpose, wrapped by the master key."""

    __tablename__ = "tenant_key"
    tenant: str = _text(key=True)
    purpose: str = _text(key=True)
    wrapped: bytes = _bytes()


class ConversationKeyRow(KeyringTable, table=True):
    """A conversation's data key, wrapped by the master key. Erasure deletes this row."""

    __tablename__ = "conversation_key"
    tenant: str = _text(key=True)
    conversation: bytes = _bytes(key=True)
    wrapped: bytes = _bytes()
    __table_args__ = (_CLUSTERED,)
