"""What has to go in a transaction of the ledger, and what of it a hold keeps back: out of sight, in that transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from sqlalchemy import Connection

from policies.lifecycle import Duty
from policies.message import Instant, Private
from policies.record import Part
from worker.crypto import mac
from worker.directory import Directory, new_id
from worker.holds.holding import Holds, Kept
from worker.store import holds as store
from worker.store import messages

VERSION_OF: Final = "version_of"
"""The part of an earlier version's content that names the message it was a version of (hex)."""


class Gone(Private, frozen=True, kw_only=True):
    """Content that no message is to name any more.

    ``content`` is its row, None where it was not written; ``parts`` what was said, None where this transaction did not
    look: then the row says it.
    """

    conversation: bytes | None
    occurred_at: Instant
    content: bytes | None = None
    parts: Mapping[str, Part] | None = None


class Keeper:
    """Keeps back what holds cover. A transaction in which nothing has to go asks nothing of the database."""

    def __init__(self, tx: Connection, directory: Directory, tenant: str, now: Instant) -> None:
        self._tx = tx
        self._directory = directory
        self._tenant = tenant
        self._now = now
        self._holds = Holds(tx, tenant)
        self.confirm: Callable[[], None] = self._holds.confirm

    def keep_back(self, gone: Mapping[bytes, Gone]) -> set[bytes]:
        """Restrict what is covered of what is gone, by message; the keys of what was kept."""
        covered = self._covered(gone)
        # A message that was taken back and comes once more is kept back already.
        known = store.restricted_among(self._tx, self._tenant, sorted(covered))
        kept: list[Kept] = []
        for key, one in covered.items():
            content = None if key in known else self._content(key, one)
            if content is not None and one.conversation is not None:
                kept.append((key, content, one.conversation, one.occurred_at))
        self._holds.restrict(kept, Duty.PLATFORM_DELETION, self._now)
        return {key for key, *_ in kept}

    def keep_versions(self, replaced: Mapping[bytes, Gone]) -> set[bytes]:
        """Restrict what edits replace, each version as a row of its own; the keys of the messages."""
        versions = {version_key(key, one.parts or {}): key for key, one in replaced.items()}
        kept = self.keep_back({own: _as_version(key, replaced[key]) for own, key in versions.items()})
        return {versions[own] for own in kept}

    def _covered(self, gone: Mapping[bytes, Gone]) -> dict[bytes, Gone]:
        if not gone or not self._holds.active:
            return {}
        covers = self._holds.covers
        return {key: one for key, one in gone.items() if covers(one.conversation, one.occurred_at)}

    def _content(self, key: bytes, one: Gone) -> bytes | None:
        """The row of the content; written where only this transaction knows it. None: its key is gone."""
        if one.parts is None:
            return one.content
        self._directory.need_keys(filter(None, [one.conversation]))
        conversation = self._directory.key(one.conversation)
        if conversation is None:
            return None
        sealed = messages.seal_parts(conversation.cipher, self._tenant, key, one.parts)
        if one.content is not None:
            messages.update_contents(self._tx, self._tenant, {one.content: sealed})
            return one.content
        content = new_id(self._now)
        messages.insert_contents(self._tx, [(self._tenant, content, sealed)])
        return content


def version_key(key: bytes, parts: Mapping[str, Part]) -> bytes:
    """What an earlier version of a message is kept under: 16 bytes, the same whenever it is the same version."""
    versions = (f"{name}\0{part.edit_number}\0{part.at}" for name, part in sorted(parts.items()))
    return mac(key, "\0".join(("version", *versions)).encode())


def _as_version(key: bytes, one: Gone) -> Gone:
    parts = {**(one.parts or {}), VERSION_OF: Part(0, 0, key.hex())}
    return msgspec.structs.replace(one, parts=parts, content=None)
