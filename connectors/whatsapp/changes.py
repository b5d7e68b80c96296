"""The lists that a change may carry beside messages and statuses: preferences, identities, calls, history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connectors import wild
from connectors.whatsapp import messages, people
from connectors.whatsapp.items import Scope, each, moment, unrecognised, word
from policies.event import Consent, ConsentChanged, Event, IdentityChanged, Noted
from policies.message import Direction, Json

Item = dict[str, Json]

_CONSENTS: Final[Mapping[str, Consent]] = {
    "stop": Consent.WITHDRAWN,
    "resume": Consent.GRANTED,
    "signup": Consent.GRANTED,
}
_CATEGORIES: Final = frozenset({"marketing_messages"})
_CALLS: Final[Mapping[str, str]] = {
    "connect": "call_connected",
    "terminate": "call_terminated",
    "call_recording_available": "call_recorded",
    "call_transcription_available": "call_transcribed",
}


def preference(scope: Scope, item: Item) -> Sequence[Event]:
    """A person stopped, resumed or signed up for a category of messages."""
    person = people.subject(scope, item).person
    if not person:
        return (unrecognised(scope.account, item, "no_identity"),)
    category = word(item.get("category"))
    return (
        ConsentChanged(
            account=scope.account,
            person=person,
            consent=_CONSENTS.get(word(item.get("value")), Consent.UNKNOWN),
            category=category if category in _CATEGORIES else "unknown",
            occurred_at=moment(item, scope.now),
        ),
    )


def new_user_id(scope: Scope, item: Item) -> Sequence[Event]:
    """The platform gave a person another user id: ``user_id`` and ``parent_user_id`` hold previous and current."""
    scoped, parent = wild.mapping(item.get("user_id")), wild.mapping(item.get("parent_user_id"))
    phone = item.get("wa_id")
    before = people.known(phone, scoped.get("previous"), parent.get("previous")).person
    after = people.known(phone, scoped.get("current"), parent.get("current")).person
    if not before or not after:
        return (unrecognised(scope.account, item, "no_identity"),)
    when = moment(item, scope.now)
    return (IdentityChanged(account=scope.account, before=before, after=after, occurred_at=when),)


def call(scope: Scope, item: Item) -> Sequence[Event]:
    """Calls are counted; neither recordings nor transcripts are taken over."""
    return (Noted(account=scope.account, what=_CALLS.get(word(item.get("event")), "call")),)


def notice(scope: Scope, _item: Item) -> Sequence[Event]:
    """An error of the platform's own, about no message in particular."""
    return (Noted(account=scope.account, what="platform_error"),)


def chunk(scope: Scope, item: Item) -> Sequence[Event]:
    """One chunk of the history that a business shared, or the word that it declined to (``errors``)."""
    if "errors" in item:
        return (Noted(account=scope.account, what="history_declined"),)
    past = msgspec.structs.replace(scope, history=True, alone=False)
    progress = Noted(account=scope.account, what="history_progress")
    return [progress, *each(past, item.get("threads") or [], _thread)]


def _thread(scope: Scope, thread: Item) -> Sequence[Event]:
    customer = _customer(scope, thread)

    def told(scope: Scope, item: Item) -> Sequence[Event]:
        direction = Direction.OUTBOUND if _from_business(item) else Direction.INBOUND
        return messages.happened(scope, item, direction, customer)

    return list(each(scope, thread.get("messages") or [], told))


def _customer(scope: Scope, thread: Item) -> people.Who:
    """A thread's ``id`` is the customer, on whichever side its messages were written."""
    context = wild.mapping(thread.get("context"))
    return people.known(
        thread.get("id") or context.get("wa_id"),
        context.get("user_id"),
        context.get("parent_user_id"),
        scope,
    )


def _from_business(item: Item) -> bool:
    """``history_context.from_me`` says so; where it is missing, only the business's own messages have a ``to``."""
    told = wild.mapping(item.get("history_context"))
    return wild.truth(told["from_me"]) if "from_me" in told else "to" in item
