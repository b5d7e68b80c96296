"""One messaging item becomes the events it reports: a table of readers, one for each key that an item may have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from connectors import wild
from connectors.meta_messaging import attachments
from connectors.meta_messaging.content import read_content, read_profile, read_referral
from connectors.meta_messaging.item import (
    Item,
    NotUnderstood,
    Scope,
    derived_id,
    known_as,
    message_of,
    open_item,
    received,
)
from connectors.meta_messaging.vocabulary import NOTED_ITEMS, SHAPE_KEYS
from connectors.shape import shape
from policies.event import (
    AccountAspect,
    AccountChanged,
    AccountState,
    Consent,
    ConsentChanged,
    DeliveryReported,
    DeliveryStatus,
    Event,
    MessageEdited,
    MessageUnsent,
    Noted,
    Unrecognised,
    WatermarkReported,
)
from policies.message import Content, Identifier, Json, MessageKind

MAX_EDIT_NUMBER: Final = 2**31 - 1
"""Nobody edits that often."""

Reader = Callable[[Item, dict[str, Json]], Iterable[Event]]


def item_events(raw: Json, scope: Scope) -> list[Event]:
    """Every event of one item; what cannot be read becomes one ``Unrecognised``. Never raises."""
    try:
        return _read(raw, scope)
    except NotUnderstood as reason:
        return [unrecognised(raw, scope.account, reason.why)]
    except Exception:  # noqa: BLE001 - whatever is wrong with one item, the others go on
        return [unrecognised(raw, scope.account, "unreadable")]


def unrecognised(value: Json, account: str, why: str) -> Unrecognised:
    """Only the shape of ``value``."""
    return Unrecognised(account=account, shape=shape(value, SHAPE_KEYS), why=why)


def _read(raw: Json, scope: Scope) -> list[Event]:
    if not isinstance(raw, dict):
        raise NotUnderstood("not_an_object")
    item = open_item(raw, scope)
    # Before anything else is read: whatever stands beside a deletion must not be kept (SM-9).
    if _is_deleted(raw):
        return [_unsent(item)]
    events: list[Event] = []
    failure: str | None = None
    for key, value in raw.items():
        reader = READERS.get(key)
        if reader is None or value is None:
            continue
        try:
            events.extend(reader(item, _object(value)))
        except NotUnderstood as reason:
            failure = reason.why
    if failure or not events:
        events.append(unrecognised(raw, item.account, failure or "unknown_event"))
    return events


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise NotUnderstood("not_an_object")
    return value


# Messages


def _is_deleted(raw: dict[str, Json]) -> bool:
    message = raw.get("message")
    return ("is_deleted" in raw and wild.truth(raw["is_deleted"])) or (
        isinstance(message, dict) and "is_deleted" in message and wild.truth(message["is_deleted"])
    )


def _unsent(item: Item) -> Event:
    message = wild.mapping(item.raw.get("message"))
    return MessageUnsent(
        account=item.account,
        message_id=_message_id(message) or _required_id(item.raw),
        occurred_at=item.at,
        person=item.person,
    )


def _message_id(message: dict[str, Json]) -> str | None:
    """``mid``; the ``changes`` variant of Instagram was also seen with ``id``."""
    return wild.identifier(message.get("mid")) or wild.identifier(message.get("id"))


def _required_id(holder: dict[str, Json]) -> str:
    message_id = _message_id(holder)
    if message_id is None:
        raise NotUnderstood("no_message_id")
    return message_id


def _message(item: Item, message: dict[str, Json]) -> Iterable[Event]:
    kind, content = read_content(message, _profile(item))
    message_id = _message_id(message) or derived_id(item, "message")
    prior = item.raw.get("prior_message")
    person = known_as(item, prior.get("identifier")) if isinstance(prior, dict) else None
    reply_to = message.get("reply_to")
    quoted = wild.identifier(reply_to.get("mid")) if isinstance(reply_to, dict) else None
    return (received(item, kind, message_id, content, reply_to=quoted, person=person),)


def _edit(item: Item, edit: dict[str, Json]) -> Iterable[Event]:
    _, content = read_content(edit, _profile(item))
    number = wild.integer(edit.get("num_edit")) or wild.integer(edit.get("num_edits")) or 1
    message = message_of(item, MessageKind.TEXT, _required_id(edit), content)
    edit_number = min(max(number, 1), MAX_EDIT_NUMBER)
    return (MessageEdited(account=item.account, message=message, edit_number=edit_number),)


def _profile(item: Item) -> dict[str, str]:
    return {} if item.outbound else read_profile(item.raw.get("sender"))


# Interactions


def _reaction(item: Item, reaction: dict[str, Json]) -> Iterable[Event]:
    """A reaction is one entry for each message and reactor; taking it back leaves the entry without text."""
    target = _required_id(reaction)
    if not item.person:
        raise NotUnderstood("no_person")
    reactor = item.account if item.outbound else item.person[0].value
    taken_back = reaction.get("action") == "unreact"
    text = None if taken_back else wild.text(reaction.get("emoji")) or wild.text(reaction.get("reaction"))
    entry_id = f"reaction:{target}:{reactor}"
    return (received(item, MessageKind.REACTION, entry_id, Content(text=text), reply_to=target),)


def _postback(item: Item, postback: dict[str, Json]) -> Iterable[Event]:
    details = _some(
        postback=attachments.picked(postback, {"payload": "payload"}),
        referral=read_referral(postback.get("referral")),
    )
    content = Content(text=wild.text(postback.get("title")), details=details)
    entry_id = wild.identifier(postback.get("mid")) or derived_id(item, "postback")
    return (received(item, MessageKind.POSTBACK, entry_id, content),)


def _some(**details: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in details.items() if value}


# Receipts


def _receipt(status: DeliveryStatus) -> Reader:
    def read(item: Item, receipt: dict[str, Json]) -> Iterable[Event]:
        """One report for each message id; the watermark counts where no id is given."""
        if item.outbound:
            return (Noted(account=item.account, what="receipt_of_account"),)
        mids = receipt.get("mids")
        listed = (*mids, receipt.get("mid")) if isinstance(mids, list) else (receipt.get("mid"),)
        known = [mid for mid in map(wild.identifier, listed) if mid is not None]
        if known:
            return [
                DeliveryReported(account=item.account, message_id=mid, status=status, occurred_at=item.at)
                for mid in known
            ]
        return (_watermark(item, receipt, status),)

    return read


def _watermark(item: Item, receipt: dict[str, Json], status: DeliveryStatus) -> Event:
    until = wild.instant(receipt.get("watermark"))
    if until is None:
        raise NotUnderstood("no_watermark")
    if not item.person:
        raise NotUnderstood("no_person")
    return WatermarkReported(account=item.account, person=item.person, status=status, until=until)


# Consent


def _opt_in(item: Item, optin: dict[str, Json]) -> Iterable[Event]:
    """A person allows messages: in a conversation, or on a web site (``user_ref`` without ``sender.id``)."""
    category = _CONSENT_CATEGORIES.get(wild.text(optin.get("type")) or "", "messages")
    status = _consent_word(optin.get("notification_messages_status"))
    return (_consent(item, known_as(item, optin.get("user_ref")), category, status),)


def _opt_out(item: Item, _optout: dict[str, Json]) -> Iterable[Event]:
    """``messaging_optouts`` is subscribed to and documented nowhere: the safe reading is withdrawal."""
    return (_consent(item, item.person, "messages", Consent.WITHDRAWN),)


_CONSENT_CATEGORIES: Final = {
    "notification_messages": "notification_messages",
    "one_time_notif_req": "one_time_notification",
}


def _consent(item: Item, person: tuple[Identifier, ...], category: str, consent: Consent) -> Event:
    if not person:
        raise NotUnderstood("no_person")
    return ConsentChanged(
        account=item.account, person=person, consent=consent, category=category, occurred_at=item.at
    )


def _consent_word(status: Json) -> Consent:
    """The status is absent on a first opt-in, later STOP NOTIFICATIONS or RESUME NOTIFICATIONS."""
    if status is None:
        return Consent.GRANTED
    word = (wild.text(status) or "").upper()
    if word.startswith("STOP"):
        return Consent.WITHDRAWN
    return Consent.GRANTED if word.startswith("RESUME") else Consent.UNKNOWN


# Standing and everything that is only counted


def _account_linking(item: Item, linking: dict[str, Json]) -> Iterable[Event]:
    what = _LINKING.get(wild.text(linking.get("status")) or "", "account_linking")
    return (Noted(account=item.account, what=what),)


_LINKING: Final = {"linked": "account_linked", "unlinked": "account_unlinked"}


def _policy_enforcement(item: Item, enforcement: dict[str, Json]) -> Iterable[Event]:
    action = wild.text(enforcement.get("action")) or ""
    state, detail = _ENFORCEMENTS.get(action, (AccountState.UNKNOWN, "policy_enforcement"))
    aspect = AccountAspect.ACCOUNT
    return (
        AccountChanged(account=item.account, aspect=aspect, state=state, occurred_at=item.at, detail=detail),
    )


_ENFORCEMENTS: Final = {
    "block": (AccountState.SUSPENDED, "policy_block"),
    "unblock": (AccountState.ACTIVE, "policy_unblock"),
    "warning": (AccountState.INFORMED, "policy_warning"),
}


def _noted(what: str) -> Reader:
    return lambda item, _value: (Noted(account=item.account, what=what),)


READERS: Final[Mapping[str, Reader]] = {
    "message": _message,
    "message_edit": _edit,
    "reaction": _reaction,
    "postback": _postback,
    "optin": _opt_in,
    "optout": _opt_out,
    "read": _receipt(DeliveryStatus.READ),
    "delivery": _receipt(DeliveryStatus.DELIVERED),
    "account_linking": _account_linking,
    "policy_enforcement": _policy_enforcement,
    "policy-enforcement": _policy_enforcement,
    **{key: _noted(key) for key in NOTED_ITEMS},
}
"""The keys that make an item an event; all others beside them are context or not kept."""
