"""What a store holds, in a form that two stores with the same history share; and what must be true of any store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import select, text

from tests.flows.harness import ACCOUNTS
from worker.keyring import Keyring
from worker.store import decisions
from worker.store.accounts import account_states
from worker.store.engine import Store
from worker.store.messages import aliases, contents, messages
from worker.store.people import consents
from worker.transcripts import Export, export, message_ref

_OF_ARRIVAL: Final = frozenset({"recorded_at"})
"""What an entry tells of when it came, not of what came."""


def dump(store: Store, keyring: Keyring, tenant: str, ids: Iterable[str]) -> dict[str, Any]:
    """A tenant's transcripts, consents and account states, free of random ids and times of arrival.

    Conversations of one person count as one. ``ids``: every platform id that the history speaks of.
    """
    names = {
        message_ref(keyring, tenant, connector, account, id_): id_
        for connector, account in ACCOUNTS.items()
        for id_ in ids
    }
    whole = export(store, keyring, tenant)
    granted = _consents(store, tenant)
    persons = [_person(group, granted, names) for group in _persons(whole["conversations"])]
    return {
        "persons": sorted(persons, key=repr),
        "unattributed": sorted((_entry(one, names) for one in whole["unattributed"]), key=repr),
        "accounts": _account_states(store, tenant),
    }


def _persons(conversations: Iterable[Export]) -> list[list[Export]]:
    groups: dict[frozenset[str], list[Export]] = {}
    for one in conversations:
        groups.setdefault(frozenset({one["id"], *one["linked"]}), []).append(one)
    return list(groups.values())


def _person(
    group: list[Export], granted: Mapping[str, list[tuple[str, int, str]]], names: Mapping[str, str]
) -> dict[str, Any]:
    consent: dict[str, tuple[int, str]] = {}
    for one in group:
        for category, at, word in granted.get(one["id"], ()):
            consent[category] = max(consent.get(category, (0, "")), (at, word))
    return {
        "places": sorted({(one["connector"], one["account"]) for one in group}),
        "identifiers": sorted(
            (known["kind"], known["value"]) for one in group for known in one["identifiers"]
        ),
        "delivered_until": max(one["delivered_until"] or "" for one in group),
        "read_until": max(one["read_until"] or "" for one in group),
        "consents": dict(sorted(consent.items())),
        "entries": sorted((_entry(entry, names) for one in group for entry in one["entries"]), key=repr),
    }


def _entry(entry: Export, names: Mapping[str, str]) -> dict[str, Any]:
    kept = {name: value for name, value in sorted(entry.items()) if name not in _OF_ARRIVAL}
    return {**kept, "ref": names[entry["ref"]], "reply_to": names.get(entry["reply_to"])}


def _consents(store: Store, tenant: str) -> dict[str, list[tuple[str, int, str]]]:
    found: dict[str, list[tuple[str, int, str]]] = {}
    with store.reading() as tx:
        for row in tx.execute(select(consents).where(consents.c.tenant == tenant)):
            found.setdefault(row.conversation.hex(), []).append((row.category, row.changed_at, row.consent))
    return found


def _account_states(store: Store, tenant: str) -> list[tuple[Any, ...]]:
    with store.reading() as tx:
        rows = tx.execute(select(account_states).where(account_states.c.tenant == tenant))
        return sorted(tuple(row)[1:] for row in rows)


def audit(store: Store, tenant: str) -> None:
    """Assert what is true at any moment: nothing unsent has content, none is lost or orphaned, the chain holds."""
    with store.reading() as tx:
        held = {row.key: row for row in tx.execute(select(messages).where(messages.c.tenant == tenant))}
        stored = set(tx.execute(select(contents.c.id).where(contents.c.tenant == tenant)).scalars())
        meanings = tx.execute(select(aliases.c.alias).where(aliases.c.tenant == tenant)).scalars().all()
        assert decisions.verify(tx, tenant) is None
        if store.is_sqlite:
            assert tx.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
    referred = [row.content for row in held.values() if row.content is not None]
    assert sorted(referred) == sorted(stored), (
        "every content belongs to one message, every message has its own"
    )
    assert not [row for row in held.values() if (row.state == 1) != (row.content is not None)]
    assert not [alias for alias in meanings if alias in held and held[alias].content is not None]
