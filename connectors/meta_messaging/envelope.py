"""The envelope: a body becomes entries, entries become items, and one bad item stays one bad item."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from connectors import wild
from connectors.meta_messaging.dialect import Dialect
from connectors.meta_messaging.events import item_events, unrecognised
from connectors.meta_messaging.item import Scope
from connectors.meta_messaging.vocabulary import MESSAGING_CHANGES
from policies.event import Event, Noted
from policies.message import Instant, Json


def parse(payload: Json, now: Instant, dialect: Dialect) -> Iterator[Event]:
    """Every event of one delivery, in its order. Never raises.

    ``now`` stands in where neither item nor entry has a time. The body may come inside an array, as
    Instagram's examples print it.
    """
    for body in _many(payload):
        if not isinstance(body, dict):
            yield unrecognised(body, "", "not_an_object")
        elif body.get("object") != dialect.object_name:
            yield unrecognised(body, "", "foreign_object")
        elif "entry" not in body:
            yield unrecognised(body, "", "no_entry")
        else:
            for entry in _many(body["entry"]):
                yield from _entry(entry, now, dialect)


def _entry(entry: Json, now: Instant, dialect: Dialect) -> Iterator[Event]:
    """The items of one entry: live, on standby, and changes (also written directly on the entry)."""
    if not isinstance(entry, dict):
        yield unrecognised(entry, "", "not_an_object")
        return
    account = wild.identifier(entry.get("id")) or ""
    scope = Scope(dialect=dialect, account=account, time=wild.instant(entry.get("time")), now=now)
    if all(entry.get(key) is None for key in _ITEM_KEYS):
        yield unrecognised(entry, account, "unknown_entry")
    for raw in _present(entry.get("messaging")):
        yield from item_events(raw, scope)
    for raw in _present(entry.get("standby")):
        yield from item_events(raw, _on_standby(scope))
    for change in _present(entry.get("changes")):
        yield from _change(change, scope)
    if "field" in entry:
        yield from _change(entry, scope)


_ITEM_KEYS = ("messaging", "standby", "changes", "field")


def _change(change: Json, scope: Scope) -> Iterator[Event]:
    """Direct messages can come as changes; comments and the like are counted, never kept (PP-1)."""
    field = wild.text(change.get("field")) if isinstance(change, dict) else None
    if field in MESSAGING_CHANGES:
        for raw in _many(change.get("value")):
            yield from item_events(raw, _on_standby(scope) if field == "standby" else scope)
    elif field in scope.dialect.noted_changes:
        yield Noted(account=scope.account, what=field)
    else:
        yield unrecognised(change, scope.account, "unknown_change")


def _on_standby(scope: Scope) -> Scope:
    return structs.replace(scope, standby=True)


def _present(value: Json) -> list[Json]:
    """Like ``_many``; some senders write null for what is not there."""
    return [] if value is None else _many(value)


def _many(value: Json) -> list[Json]:
    """The list, or anything else as a list of one (some senders unwrap it)."""
    return value if isinstance(value, list) else [value]
