"""What is judged: one message of one conversation, whatever platform it came from.

Instants are whole microseconds since 1970-01-01T00:00:00Z. Values that came from outside have a ``repr``
without their contents, so that a stray f-string or traceback shows a type and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

Instant = int
"""Microseconds since the epoch, UTC."""

Json = Any
"""A parsed JSON value: None, bool, int, float, str, list or dict."""

REMOVED_CDN: Final = "[removed:facebook-cdn]"
"""What stands in a text where a Facebook CDN URL stood (SM-6)."""

REMOVED_HOST: Final = "[removed:url]"
"""What stands in a text where a URL stood whose host the tenant does not want recorded."""


class Private(msgspec.Struct, frozen=True, kw_only=True):
    """A value whose ``repr`` never shows what it holds."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Hide the fields from rich's pretty printer too."""
        return []


class Channel(StrEnum):
    """The medium that a consumer sees."""

    WHATSAPP = "whatsapp"
    FACEBOOK = "facebook"
    INSTAGRAM = "instagram"
    X = "x"
    SMS = "sms"


class Direction(StrEnum):
    """Who spoke: the consumer (inbound) or the tenant (outbound; echoes are outbound)."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class MessageKind(StrEnum):
    """What a transcript entry mainly is. Vendor words are mapped onto these by each connector's tables."""

    TEXT = "text"
    MEDIA = "media"
    STORY_MENTION = "story_mention"
    STORY_REPLY = "story_reply"
    LOCATION = "location"
    CONTACTS = "contacts"
    BUTTON = "button"
    QUICK_REPLY = "quick_reply"
    INTERACTIVE = "interactive"
    TEMPLATE = "template"
    ORDER = "order"
    POST = "post"
    UNSUPPORTED = "unsupported"
    EMPTY = "empty"
    UNKNOWN = "unknown"
    # Interactions: they stand in the transcript between the messages and are not messages themselves.
    REACTION = "reaction"
    POSTBACK = "postback"
    REFERRAL = "referral"
    OPT_IN = "opt_in"
    HAND_OVER = "hand_over"
    SYSTEM = "system"


INTERACTIONS: Final = frozenset(
    {
        MessageKind.REACTION,
        MessageKind.POSTBACK,
        MessageKind.REFERRAL,
        MessageKind.OPT_IN,
        MessageKind.HAND_OVER,
        MessageKind.SYSTEM,
    }
)
"""Kinds that are entries of a transcript but not messages of the conversation."""


class MediaKind(StrEnum):
    """What an attachment is. ``UNKNOWN`` is a type that no table knows: judged by its URLs alone."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    FILE = "file"
    STICKER = "sticker"
    SHARE = "share"
    POST = "post"
    REEL = "reel"
    STORY = "story"
    STORY_MENTION = "story_mention"
    STORY_REPLY = "story_reply"
    EPHEMERAL = "ephemeral"
    TEMPLATE = "template"
    FALLBACK = "fallback"
    LINK = "link"
    LIKE = "like"
    UNSUPPORTED = "unsupported"
    UNKNOWN = "unknown"


class IdentifierKind(StrEnum):
    """What a person can be known by. Identity is a set of identifiers, never only a phone number."""

    PHONE = "phone"
    BSUID = "bsuid"
    PARENT_BSUID = "parent_bsuid"
    PSID = "psid"
    IGSID = "igsid"
    X_ID = "x_id"
    USER_REF = "user_ref"


class Identifier(Private, frozen=True, kw_only=True, gc=False):
    """One identifier of one person on one account: ``kind`` and the platform's ``value``."""

    kind: IdentifierKind
    value: str


class Media(Private, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One attachment: a reference and what is known of it, never the bytes.

    ``id`` is the platform's media id;
    ``removed`` says why ``url`` (and ``id``) are absent: a reason code.
    """

    kind: MediaKind
    url: str | None = None
    id: str | None = None
    mime_type: str | None = None
    sha256: str | None = None
    title: str | None = None
    removed: str | None = None


class Content(Private, frozen=True, kw_only=True, omit_defaults=True):
    """What was said: everything of a message that a rule may amend and the store encrypts.

    ``details`` is a JSON tree under keys of our own vocabulary (location, contacts, interactive, order,
    template, referral, context …); every string in it is outside text. ``profile`` is how the person
    called themselves: name, username.
    """

    text: str | None = None
    media: tuple[Media, ...] = ()
    details: Mapping[str, Json] = {}
    profile: Mapping[str, str] = {}


class Message(Private, frozen=True, kw_only=True):
    """One message or interaction. All but ``content`` is identity and is never amended.

    ``id`` is the platform's message id, or one that the connector derives from what it has where the
    platform gives none; ``account`` is the tenant's page, handle or number; ``person`` is the other side of
    the conversation, whoever spoke; ``reply_to`` is the platform id of the quoted message; ``thread`` the
    platform's id of the conversation, where it tells one (a group); ``standby`` that another application
    owned the thread; ``history`` that it came from a history synchronisation; ``also_known_as`` are further
    ids of the same message (an X post's edit chain).
    """

    channel: Channel
    account: str
    id: str
    direction: Direction
    kind: MessageKind
    person: tuple[Identifier, ...]
    occurred_at: Instant
    content: Content
    reply_to: str | None = None
    thread: str | None = None
    standby: bool = False
    history: bool = False
    also_known_as: tuple[str, ...] = ()
