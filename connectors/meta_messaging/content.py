"""What was said: text, media references and details of one message, and what kind of message that makes it."""

from __future__ import annotations

from connectors import wild
from connectors.meta_messaging import attachments
from connectors.meta_messaging.vocabulary import (
    AD_KEYS,
    ATTACHMENTS,
    PRECEDENCE,
    PROFILE_KEYS,
    REFERRAL_KEYS,
)
from policies.message import Content, Json, Media, MediaKind, MessageKind


def read_content(message: dict[str, Json], profile: dict[str, str]) -> tuple[MessageKind, Content]:
    """The kind and the content of a ``message`` (or ``message_edit``) object, spoken under ``profile``."""
    draft = _Draft()
    for name in ("attachments", "media"):
        if name in message:
            for attachment in wild.objects(message[name]):
                draft.attach(attachment)
    draft.add_context(message)
    text = wild.text(message.get("text"))
    if text is not None:
        draft.kinds.add(MessageKind.TEXT)
    content = Content(text=text, media=tuple(draft.media), details=draft.details, profile=profile)
    return draft.kind(), content


def read_referral(value: Json) -> dict[str, Json]:
    """How the person came to the conversation: link, plugin, product, or advertisement with its pictures."""
    referral = wild.mapping(value)
    read = attachments.picked(referral, REFERRAL_KEYS)
    read |= attachments.picked(wild.mapping(referral.get("product")), {"id": "product_id"})
    advertisement = attachments.picked(wild.mapping(referral.get("ads_context_data")), AD_KEYS)
    if advertisement:
        read["ad"] = advertisement
    return read


def read_profile(party: Json) -> dict[str, str]:
    """How the sender is called, where the platform says so."""
    return attachments.picked(party, PROFILE_KEYS) if isinstance(party, dict) and len(party) > 1 else {}


class _Draft:
    """A message's content while it is being read."""

    __slots__ = ("details", "kinds", "media")

    def __init__(self) -> None:
        self.media: list[Media] = []
        self.details: dict[str, Json] = {}
        self.kinds: set[MessageKind] = set()

    def kind(self) -> MessageKind:
        return next((kind for kind in PRECEDENCE if kind in self.kinds), MessageKind.EMPTY)

    def attach(self, attachment: dict[str, Json]) -> None:
        word = wild.text(attachment.get("type")) or ""
        known = ATTACHMENTS.get(word) or ATTACHMENTS.get(word.lower())
        if known is not None:
            media_kind, kind = known
            self.kinds.add(kind)
            self.media.extend(attachments.references(attachment, media_kind))
        elif word == "template":
            self.kinds.add(MessageKind.TEMPLATE)
            self._detail("template", attachments.template(attachment))
        elif word == "location":
            self.kinds.add(MessageKind.LOCATION)
            self._detail("location", attachments.location(attachment))
        else:
            self.kinds.add(MessageKind.UNKNOWN)
            self.media.extend(attachments.unknown(attachment))

    def add_context(self, message: dict[str, Json]) -> None:
        """What stands beside text and attachments: story, quick reply, referral, sticker, no support."""
        story = wild.mapping(message.get("reply_to")).get("story") if "reply_to" in message else None
        if isinstance(story, dict):
            self.kinds.add(MessageKind.STORY_REPLY)
            self.media.extend(attachments.references(story, MediaKind.STORY_REPLY))
        if isinstance(message.get("quick_reply"), dict):
            self.kinds.add(MessageKind.QUICK_REPLY)
            self._detail("quick_reply", attachments.picked(message["quick_reply"], {"payload": "payload"}))
        if "referral" in message:
            self._detail("referral", read_referral(message["referral"]))
        if "sticker_id" in message and not self.media:
            self.kinds.add(MessageKind.MEDIA)
            self.media.extend(attachments.references(message, MediaKind.STICKER))
        if wild.truth(message.get("is_unsupported")):
            self.kinds.add(MessageKind.UNSUPPORTED)

    def _detail(self, name: str, value: dict[str, Json]) -> None:
        """Several of one name become a list."""
        if not value:
            return
        earlier = self.details.get(name)
        if earlier is None:
            self.details[name] = value
        else:
            self.details[name] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
