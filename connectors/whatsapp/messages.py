"""One item of ``messages[]`` or ``message_echoes[]``: a message, a reaction, an edit, a revocation, a notice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Final

from connectors import wild
from connectors.whatsapp import content, people
from connectors.whatsapp.items import Scope, moment, unrecognised, word
from connectors.whatsapp.people import Who
from policies.event import Event, IdentityChanged, MessageEdited, MessageReceived, MessageUnsent, Noted
from policies.message import Channel, Content, Direction, Identifier, Json, Message, MessageKind

Item = dict[str, Json]
_INBOUND = Direction.INBOUND
_OUTBOUND = Direction.OUTBOUND


def inbound(scope: Scope, item: Item) -> Sequence[Event]:
    """What a consumer did."""
    return happened(scope, item, _INBOUND, people.sender(scope, item))


def echo(scope: Scope, item: Item) -> Sequence[Event]:
    """What the business did by other means than this API; the person is to whom."""
    if item.get("recipient_type") == "group":
        return happened(scope, {**item, "group_id": item.get("to")}, _OUTBOUND, people.NOBODY)
    return happened(scope, item, _OUTBOUND, people.recipient(scope, item))


def happened(scope: Scope, item: Item, direction: Direction, who: Who) -> Sequence[Event]:
    """The events of one item, by its ``type``."""
    kind = word(item.get("type"))
    act = _ACTS.get(kind)
    if act is not None:
        return act(scope, item, direction, who)
    given = wild.identifier(item.get("id"))
    if given is None and kind not in content.READERS:
        return (unrecognised(scope.account, item, "no_identity"),)
    message = _message(scope, item, kind, given or _derived(scope, item, who), direction, who)
    return (MessageReceived(account=scope.account, message=message),)


def asset(scope: Scope, item: Item) -> Sequence[Event]:
    """History tells a medium's references after its placeholder: the same message now reads so.

    As an edit it wins over the placeholder in whichever order the two arrive.
    """
    events = echo(scope, item) if "to" in item or "to_user_id" in item else inbound(scope, item)
    return [
        MessageEdited(account=event.account, message=event.message, edit_number=1)
        if isinstance(event, MessageReceived) and event.message.kind is MessageKind.MEDIA
        else event
        for event in events
    ]


def _message(scope: Scope, item: Item, kind: str, message_id: str, direction: Direction, who: Who) -> Message:
    said, words = content.read(item, kind, who.profile)
    context = item.get("context")
    return Message(
        channel=Channel.WHATSAPP,
        account=scope.account,
        id=message_id,
        direction=direction,
        kind=said,
        person=who.person,
        occurred_at=moment(item, scope.now),
        content=words,
        reply_to=wild.identifier(context.get("id")) if isinstance(context, dict) else None,
        thread=wild.identifier(item.get("group_id")) if "group_id" in item else None,
        standby=scope.standby,
        history=scope.history,
    )


def _reaction(scope: Scope, item: Item, direction: Direction, who: Who) -> Sequence[Event]:
    """One person has one reaction to a message: a later one, or its removal, takes the place of the former."""
    reaction = wild.mapping(item.get("reaction"))
    target = wild.identifier(reaction.get("message_id"))
    if target is None:
        return (unrecognised(scope.account, item, "no_target"),)
    actor = who.key if direction is _INBOUND else scope.account
    message = Message(
        channel=Channel.WHATSAPP,
        account=scope.account,
        id=f"reaction:{target}:{actor}",
        direction=direction,
        kind=MessageKind.REACTION,
        person=who.person,
        occurred_at=moment(item, scope.now),
        content=Content(text=wild.text(reaction.get("emoji")), profile=who.profile),
        reply_to=target,
        thread=wild.identifier(item.get("group_id")),
        standby=scope.standby,
        history=scope.history,
    )
    return (MessageReceived(account=scope.account, message=message),)


def _revoke(scope: Scope, item: Item, _direction: Direction, who: Who) -> Sequence[Event]:
    target = wild.identifier(wild.mapping(item.get("revoke")).get("original_message_id"))
    if target is None:
        return (unrecognised(scope.account, item, "no_target"),)
    when = moment(item, scope.now)
    return (MessageUnsent(account=scope.account, message_id=target, occurred_at=when, person=who.person),)


def _edit(scope: Scope, item: Item, direction: Direction, who: Who) -> Sequence[Event]:
    """The new content stands in ``edit.message``, in the form of a message; the time is the edit's own."""
    edit = wild.mapping(item.get("edit"))
    target = wild.identifier(edit.get("original_message_id"))
    inner = edit.get("message")
    if target is None or not isinstance(inner, dict):
        return (unrecognised(scope.account, item, "no_target"),)
    revised = {**inner, "timestamp": item.get("timestamp")}
    if "group_id" in item:
        revised["group_id"] = item["group_id"]
    message = _message(scope, revised, word(inner.get("type")), target, direction, who)
    return (MessageEdited(account=scope.account, message=message, edit_number=1),)


def _notice(scope: Scope, item: Item, direction: Direction, who: Who) -> Sequence[Event]:
    """A notice about the person; a new number or user id also says that two sets are one person."""
    system = wild.mapping(item.get("system"))
    before = _before(item, system)
    about = who if who.person else Who(before)
    message_id = wild.identifier(item.get("id")) or _derived(scope, item, about)
    message = _message(scope, item, "system", message_id, direction, about)
    entry = MessageReceived(account=scope.account, message=message)
    after = _after(system)
    if system.get("type") not in _IDENTITY_NOTICES or not before or not after:
        return (entry,)
    when = message.occurred_at
    return (IdentityChanged(account=scope.account, before=before, after=after, occurred_at=when), entry)


def _before(item: Item, system: Item) -> tuple[Identifier, ...]:
    return people.known(
        item.get("from") or system.get("customer"),
        system.get("previous_user_id") or item.get("from_user_id"),
        system.get("previous_parent_user_id") or item.get("from_parent_user_id"),
    ).person


def _after(system: Item) -> tuple[Identifier, ...]:
    number = system.get("wa_id") or system.get("new_wa_id")
    return people.known(number, system.get("user_id"), system.get("parent_user_id")).person


def _welcome(scope: Scope, _item: Item, _direction: Direction, _who: Who) -> Sequence[Event]:
    return (Noted(account=scope.account, what="welcome_requested"),)


def _derived(scope: Scope, item: Item, who: Who) -> str:
    """An id for a message that has none: the same delivery sent again has the same one."""
    told = (scope.account, who.key, item)
    canonical = json.dumps(told, sort_keys=True, default=str).encode()
    return "derived:" + hashlib.sha256(canonical).hexdigest()[:32]


Act = Callable[[Scope, Item, Direction, Who], Sequence[Event]]

_ACTS: Final[dict[str, Act]] = {
    "reaction": _reaction,
    "revoke": _revoke,
    "edit": _edit,
    "system": _notice,
    "request_welcome": _welcome,
}

_IDENTITY_NOTICES: Final = ("user_changed_number", "user_changed_user_id", "customer_changed_number")
