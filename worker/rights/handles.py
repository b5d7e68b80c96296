"""Handles: how persons call themselves stands beside what they said, sealed, and no index knows it.

So whoever asks by a handle has every message of that connector opened, one page after the other. That takes about a minute
for two million messages; platform ids and numbers are found at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from policies.record import Part
from worker.keyring import Keyring
from worker.rights.contents import opened
from worker.store import messages, persons

USERNAME: Final = "username"
NAME: Final = "name"

_PAGE: Final = 1_000

Handle = tuple[str, str]
"""A connector, and a handle without @ in lower case."""


def search(
    tx: Connection, keyring: Keyring, tenant: str, wanted: Collection[Handle]
) -> dict[Handle, frozenset[bytes]]:
    """The conversations of whoever called themselves so."""
    found: dict[Handle, set[bytes]] = defaultdict(set)
    for connector in sorted({connector for connector, _ in wanted}):
        names = {name for one, name in wanted if one == connector}
        for page in persons.content_pages(tx, tenant, connector, _PAGE):
            for conversation, name in _called(tx, keyring, tenant, page):
                if name in names:
                    found[connector, name].add(conversation)
    return {handle: frozenset(conversations) for handle, conversations in found.items()}


def plain(handle: str) -> str:
    """A handle as it is compared."""
    return handle.strip().removeprefix("@").casefold()


def _called(tx: Connection, keyring: Keyring, tenant: str, page: Sequence[Any]) -> list[tuple[bytes, str]]:
    sealed = messages.read_contents(tx, tenant, [row.content for row in page])
    keys = keyring.keys(tenant, {row.conversation for row in page})
    return [
        (row.conversation, plain(name))
        for row in page
        if (name := profile_of(opened(tenant, row, sealed, keys.get(row.conversation))).get(USERNAME))
    ]


def profile_of(parts: Mapping[str, Part]) -> Mapping[str, str]:
    """How the person called themselves in a message."""
    part = parts.get("profile")
    return part.value if part is not None and isinstance(part.value, dict) else {}
