"""Twilio's messaging webhooks: one inbound text or one status, as a form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from connectors import wild
from connectors.contract import Credentials, WebhookAnswer, WebhookRequest
from connectors.items import isolated
from connectors.shape import shape
from connectors.sms import derived_id, international, phone
from connectors.sms_twilio.form import decode
from connectors.sms_twilio.outbound import FAILURES
from connectors.sms_twilio.signature import SIGNATURE_HEADER, sample_signature, verify
from policies.event import (
    Consent,
    ConsentChanged,
    DeliveryReported,
    DeliveryStatus,
    Event,
    MessageReceived,
    Unrecognised,
)
from policies.message import (
    Channel,
    Content,
    Direction,
    Instant,
    Json,
    Media,
    MediaKind,
    Message,
    MessageKind,
)

__all__ = ["ACCEPTED", "SIGNATURE_HEADER", "decode", "handshake", "parse", "sample_signature", "verify"]

ACCEPTED: Final = WebhookAnswer(status=200, body=b"<Response/>", content_type="text/xml; charset=utf-8")
"""No instruction: whatever else stands in the answer to a text, Twilio sends to its sender."""

STATUSES: Final[Mapping[str, DeliveryStatus]] = MappingProxyType(
    {
        "accepted": DeliveryStatus.SENT,
        "scheduled": DeliveryStatus.SENT,
        "queued": DeliveryStatus.SENT,
        "sending": DeliveryStatus.SENT,
        "sent": DeliveryStatus.SENT,
        "partially_delivered": DeliveryStatus.SENT,
        "delivered": DeliveryStatus.DELIVERED,
        "read": DeliveryStatus.READ,
        "undelivered": DeliveryStatus.FAILED,
        "failed": DeliveryStatus.FAILED,
        "canceled": DeliveryStatus.FAILED,
    }
)
"""What a status means: whatever Twilio took counts as sent. Any other word is ``UNKNOWN``."""

RECEIVED: Final = frozenset({"receiving", "received"})

CONSENTS: Final[Mapping[str, Consent]] = MappingProxyType(
    {"STOP": Consent.WITHDRAWN, "START": Consent.GRANTED}
)
"""What Twilio itself took a text for, and acted on (Advanced Opt-Out)."""

KEYS: Final = frozenset(
    """
    AccountSid ApiVersion Body ChannelStatusMessage ErrorCode ErrorMessage From FromCity FromCountry FromState FromZip
    MediaContentType0 MediaUrl0 MessageSid MessageStatus MessagingServiceSid NumMedia NumSegments OptOutType
    RawDlrDoneDate SmsMessageSid SmsSid SmsStatus To ToCity ToCountry ToState ToZip
    """.split()
)
"""Key names that may stand in a shape."""

MOST_MEDIA: Final = 10

_MEDIA: Final[Mapping[str, MediaKind]] = MappingProxyType(
    {"image": MediaKind.IMAGE, "audio": MediaKind.AUDIO, "video": MediaKind.VIDEO}
)


def handshake(_request: WebhookRequest, _credentials: Credentials) -> WebhookAnswer | None:
    """Twilio has none."""
    return None


def parse(payload: Json, now: Instant) -> Iterator[Event]:
    """The events of a delivery, which bears no time of its own. Never raises."""
    return isolated(payload, lambda item: _events(item, now), lambda item: _unrecognised(item, "failed"))


def _events(item: Json, now: Instant) -> Iterator[Event]:
    form = wild.mapping(item)
    word = wild.text(form.get("MessageStatus")) or wild.text(form.get("SmsStatus"))
    if any(":" in (wild.text(form.get(end)) or "") for end in ("From", "To")):
        yield _unrecognised(item, "foreign_channel")
    elif word in RECEIVED or (word is None and "Body" in form):
        yield from _inbound(form, now)
    elif word is not None:
        yield _report(form, STATUSES.get(word.lower(), DeliveryStatus.UNKNOWN), now)
    else:
        yield _unrecognised(item, "envelope")


def _inbound(form: dict[str, Json], now: Instant) -> Iterator[Event]:
    account, sender = international(form.get("To")), international(form.get("From"))
    if account is None or sender is None:
        yield _unrecognised(form, "no_party")
        return
    text, media = wild.text(form.get("Body")), tuple(_media(form))
    message = Message(
        channel=Channel.SMS,
        account=account,
        id=_message_id(form) or derived_id(form),
        direction=Direction.INBOUND,
        kind=MessageKind.MEDIA if media else MessageKind.TEXT if text else MessageKind.EMPTY,
        person=phone(sender),
        occurred_at=now,
        content=Content(text=text, media=media),
    )
    yield MessageReceived(account=account, message=message)
    consent = CONSENTS.get((wild.text(form.get("OptOutType")) or "").upper())
    if consent is not None:
        yield ConsentChanged(
            account=account, person=phone(sender), consent=consent, category="sms", occurred_at=now
        )


def _report(form: dict[str, Json], status: DeliveryStatus, now: Instant) -> Event:
    message_id, code = _message_id(form), wild.integer(form.get("ErrorCode"))
    if message_id is None:
        return _unrecognised(form, "no_target")
    return DeliveryReported(
        account=international(form.get("From")) or "",
        message_id=message_id,
        status=status,
        occurred_at=now,
        error_codes=(code,) if code else (),
        failure=FAILURES.get(code or 0) if status is DeliveryStatus.FAILED else None,
    )


def _message_id(form: dict[str, Json]) -> str | None:
    """``MessageSid``; the older names say the same."""
    names = ("MessageSid", "SmsSid", "SmsMessageSid")
    return next(filter(None, (wild.identifier(form.get(name)) for name in names)), None)


def _media(form: dict[str, Json]) -> Iterator[Media]:
    for number in range(MOST_MEDIA):
        url = wild.text(form.get(f"MediaUrl{number}"))
        if url is not None:
            mime_type = wild.text(form.get(f"MediaContentType{number}"))
            kind = _MEDIA.get((mime_type or "").partition("/")[0], MediaKind.FILE)
            yield Media(kind=kind, url=url, mime_type=mime_type)


def _unrecognised(value: Json, why: str) -> Event:
    account = international(value.get("To")) if isinstance(value, dict) and why == "no_party" else None
    return Unrecognised(account=account or "", shape=shape(value, KEYS), why=why)
