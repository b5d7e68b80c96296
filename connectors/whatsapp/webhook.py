"""A WhatsApp Cloud API delivery: ``entry[].changes[]``, each with a ``field`` and its ``value``.

Sources: developers.facebook.com/documentation/business-messaging/whatsapp/webhooks (see README.md for dates).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from connectors import wild
from connectors.whatsapp import changes, messages, receipts, standing
from connectors.whatsapp.items import Handle, Scope, each, unrecognised, word
from policies.event import Event, Noted
from policies.message import Instant, Json

OBJECT: Final = "whatsapp_business_account"

NOTED: Final[Mapping[str, str]] = {
    "account_settings_update": "account_settings",
    "automatic_events": "automatic_event",
    "business_status_update": "business_status",
    "business_username_update": "business_username",
    "business_username_updates": "business_username",
    "flows": "flow",
    "group_lifecycle_update": "group_lifecycle",
    "group_participants_update": "group_participants",
    "group_settings_update": "group_settings",
    "group_status_update": "group_status",
    "messaging_handovers": "hand_over",
    "partner_solutions": "partner_solution",
    "payment_configuration_update": "payment_configuration",
    "security": "security",
    "smb_app_state_sync": "contacts_synchronised",
    "tracking_events": "tracking",
}
"""Fields that are understood and counted; nothing of their values is taken over."""

CONVERSATION: Final = frozenset(
    {
        "calls",
        "history",
        "message_echoes",
        "messages",
        "smb_message_echoes",
        "standby",
        "user_id_update",
        "user_preferences",
    }
)
"""Fields whose value is one or more of the lists in CARRIED; the same lists come under several of them."""

CARRIED: Final[Mapping[str, Handle]] = {
    "messages": messages.inbound,
    "message_echoes": messages.echo,
    "statuses": receipts.report,
    "history": changes.chunk,
    "calls": changes.call,
    "user_preferences": changes.preference,
    "user_id_update": changes.new_user_id,
    "errors": changes.notice,
}


def parse(payload: Json, now: Instant) -> Iterator[Event]:
    """Every event of a delivery, in its order. ``now`` stands in where the platform gives no time."""
    for body in payload if isinstance(payload, list) else (payload,):
        if not isinstance(body, dict) or body.get("object") != OBJECT:
            yield unrecognised("", body, "object")
            continue
        for entry in _listed(body.get("entry")):
            if not isinstance(entry, dict) or "changes" not in entry:
                yield unrecognised("", entry, "no_changes")
                continue
            for change in _listed(entry["changes"]):
                yield from _change(entry, change, now)


def _listed(value: Json) -> list[Json]:
    """A list; whatever else stands in its place, or nothing, counts as a list of one, so that it is seen."""
    return value if isinstance(value, list) else [value]


def _change(entry: dict[str, Json], change: Json, now: Instant) -> Iterator[Event]:
    owner = wild.identifier(entry.get("id")) or ""
    value = change.get("value") if isinstance(change, dict) else None
    if not isinstance(change, dict) or not isinstance(value, dict):
        yield unrecognised(owner, change, "not_an_object")
        return
    # A body that was trimmed on its way may have no field: its lists tell what it is.
    field = word(change.get("field", "messages"))
    if field in CONVERSATION:
        yield from _conversation(owner, field, value, now)
    elif field in standing.FIELDS:
        yield standing.changed(owner, field, value, wild.instant(entry.get("time")) or now)
    elif field in NOTED:
        yield Noted(account=_account(owner, value), what=NOTED[field])
    else:
        yield unrecognised(_account(owner, value), change, "field")


def _account(owner: str, value: dict[str, Json]) -> str:
    """The phone number id, for it is to a number that people write; else the business account of the entry."""
    metadata = value.get("metadata")
    number = wild.identifier(metadata.get("phone_number_id")) if isinstance(metadata, dict) else None
    return number or owner


def _conversation(owner: str, field: str, value: dict[str, Json], now: Instant) -> Iterator[Event]:
    lists = [(name, value[name]) for name in CARRIED if value.get(name) is not None]
    scope = Scope(
        account=_account(owner, value),
        now=now,
        contacts=value.get("contacts"),
        alone=len(lists) == 1 and _is_single(lists[0][1]),
        standby=field == "standby",
        history=field == "history",
    )
    if not lists:
        yield unrecognised(scope.account, value, "empty_change")
    for name, items in lists:
        # Beside its threads, history sends the references of media, as messages of their own.
        told_before = field == "history" and name in _TOLD_BEFORE
        yield from each(scope, items, messages.asset if told_before else CARRIED[name])


def _is_single(items: Json) -> bool:
    return len(items) == 1 if isinstance(items, list) else True


_TOLD_BEFORE: Final = ("messages", "message_echoes")
