"""What can happen: the closed list of events that a connector may report.

Every event names the ``account`` it happened on, so that the worker can drop what belongs to another
business before anything is written (PP-1).
"""

from __future__ import annotations

from enum import StrEnum

from policies.message import Identifier, Instant, Message, Private


class DeliveryStatus(StrEnum):
    """How far an outbound message got. ``RANK`` orders them: reports arrive out of order."""

    UNKNOWN = "unknown"
    SENT = "sent"
    FAILED = "failed"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"

    @property
    def rank(self) -> int:
        """Position in the only order in which a status moves; ``failed`` loses to delivered and read."""
        return _RANK[self]


_RANK = {status: rank for rank, status in enumerate(DeliveryStatus)}


class Failure(StrEnum):
    """Why a text was not sent or not delivered, one word for all providers; worker/sms/delivery.py says what follows."""

    THROTTLED = "throttled"
    PROVIDER = "provider"
    TEMPORARY = "temporary"
    OPTED_OUT = "opted_out"
    DEAD_NUMBER = "dead_number"
    FILTERED = "filtered"
    REGISTRATION = "registration"
    SENDER = "sender"
    QUOTA = "quota"
    ACCOUNT = "account"
    BUSY = "busy"
    REJECTED = "rejected"


class Consent(StrEnum):
    """What a person allowed or withdrew."""

    GRANTED = "granted"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


class AccountAspect(StrEnum):
    """Which part of a tenant's standing with the platform changed (SM-2, SM-4)."""

    ACCOUNT = "account"
    PHONE_NUMBER = "phone_number"
    TEMPLATE = "template"
    AUTHORISATION = "authorisation"


class AccountState(StrEnum):
    """The standing itself. ``INFORMED`` is a notice that changes nothing by itself."""

    ACTIVE = "active"
    UNREVIEWED = "unreviewed"
    RESTRICTED = "restricted"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    INFORMED = "informed"
    UNKNOWN = "unknown"


class Happening(Private, frozen=True, kw_only=True):
    """What all events share: ``account`` is "" where the delivery names none."""

    account: str


class MessageReceived(Happening, frozen=True, kw_only=True, tag=True):
    """A message or interaction, inbound or echoed, live, standby or from history."""

    message: Message


class MessageEdited(Happening, frozen=True, kw_only=True, tag=True):
    """``message.id`` now reads as ``message.content``. ``edit_number`` counts from 1 (1 where untold).

    ``whole``: the content is all of the message (X sends edited posts in full); else what the edit does not
    bring, such as the picture above an edited caption, stays as it was.
    """

    message: Message
    edit_number: int
    whole: bool = False


class MessageUnsent(Happening, frozen=True, kw_only=True, tag=True):
    """The sender took the message back (SM-9), or a post was deleted on X (SM-10).

    ``person`` is whom the conversation is with, where the platform says so; () where it does not.
    """

    message_id: str
    occurred_at: Instant
    person: tuple[Identifier, ...] = ()


class DeliveryReported(Happening, frozen=True, kw_only=True, tag=True):
    """One message reached ``status``. ``error_codes`` are the platform's numbers, never its sentences.

    ``failure`` is what they mean, where a table knows; ``ours`` is the id that was given to the platform with the
    message, where it is echoed: a report may arrive before the answer that tells the platform's own id.
    """

    message_id: str
    status: DeliveryStatus
    occurred_at: Instant
    error_codes: tuple[int, ...] = ()
    failure: Failure | None = None
    ours: str = ""


class WatermarkReported(Happening, frozen=True, kw_only=True, tag=True):
    """All that the tenant sent to ``person`` up to ``until`` reached ``status`` (Messenger receipts)."""

    person: tuple[Identifier, ...]
    status: DeliveryStatus
    until: Instant


class ConsentChanged(Happening, frozen=True, kw_only=True, tag=True):
    """A person granted or withdrew consent for ``category`` (for example marketing_messages)."""

    person: tuple[Identifier, ...]
    consent: Consent
    category: str
    occurred_at: Instant


class AccountChanged(Happening, frozen=True, kw_only=True, tag=True):
    """The platform changed the standing of the account, a number, a template or the authorisation.

    ``subject`` is the platform's id of what changed where it is not the account itself; ``detail`` is a
    word of the connector's closed table.
    """

    aspect: AccountAspect
    state: AccountState
    occurred_at: Instant
    subject: str = ""
    detail: str = ""


class IdentityChanged(Happening, frozen=True, kw_only=True, tag=True):
    """``before`` and ``after`` are the same person."""

    before: tuple[Identifier, ...]
    after: tuple[Identifier, ...]
    occurred_at: Instant


class Noted(Happening, frozen=True, kw_only=True, tag=True):
    """Understood, counted, and never part of a transcript: typing, likes, follows, encrypted chat.

    ``what`` is a word of the connector's closed table.
    """

    what: str


class Unrecognised(Happening, frozen=True, kw_only=True, tag=True):
    """Authentic but not understood: only its shape is kept. ``why`` is a word of a closed table."""

    shape: str
    why: str


Event = (
    MessageReceived
    | MessageEdited
    | MessageUnsent
    | DeliveryReported
    | WatermarkReported
    | ConsentChanged
    | AccountChanged
    | IdentityChanged
    | Noted
    | Unrecognised
)
