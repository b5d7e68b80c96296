"""What is noted of a transaction that takes something away: lines without content, durable before it is committed.

A restored backup is told them again, so that nothing that was deleted since comes back (worker/backup/replay.py). A line
without its transaction does no harm: what it says was asked for, and is asked for again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection

from policies.message import Instant, Private
from worker.store.shadow import is_shadow

_NOTED: Final = "sluicegate noted"


class Restricted(Private, frozen=True, kw_only=True, tag="restricted", tag_field="kind"):
    """A message's content is out of sight from now on, because of a hold. ``why`` is the duty that asked for it to go."""

    tenant: str
    key: bytes
    conversation: bytes
    why: str
    occurred_at: Instant
    at: Instant


class Destroyed(Private, frozen=True, kw_only=True, tag="destroyed", tag_field="kind"):
    """What was restricted of a message is gone for good."""

    tenant: str
    key: bytes


class Held(Private, frozen=True, kw_only=True, tag="held", tag_field="kind"):
    """A legal hold is in force, on these targets. What it says of itself stands in the store alone: it may name somebody."""

    tenant: str
    hold: bytes
    scope: str
    since: Instant | None
    until: Instant | None
    placed_at: Instant
    about: tuple[bytes, ...]


class Extended(Private, frozen=True, kw_only=True, tag="extended", tag_field="kind"):
    """A hold is about these too."""

    tenant: str
    hold: bytes
    about: tuple[bytes, ...]


class Lifted(Private, frozen=True, kw_only=True, tag="lifted", tag_field="kind"):
    """A hold is in force no more."""

    tenant: str
    hold: bytes
    at: Instant


class Gone(Private, frozen=True, kw_only=True, tag="gone", tag_field="kind"):
    """A message is a tombstone: taken back or erased (``state``, policies.record.State)."""

    tenant: str
    key: bytes
    connector: str = ""
    account: str = ""
    state: int
    at: Instant


class Alias(Private, frozen=True, kw_only=True, tag="alias", tag_field="kind"):
    """``alias`` is another id of a message: whoever deletes it by one has deleted it by all."""

    tenant: str
    alias: bytes
    key: bytes


class Erased(Private, frozen=True, kw_only=True, tag="erased", tag_field="kind"):
    """A conversation is gone with all that leads to it, and its key."""

    tenant: str
    conversation: bytes


class Suppressed(Private, frozen=True, kw_only=True, tag="suppressed", tag_field="kind"):
    """An opt-out or opt-in of texts (worker/store/suppressions.py)."""

    tenant: str
    reference: bytes
    consent: str
    source: str
    changed_at: Instant


class Consented(Private, frozen=True, kw_only=True, tag="consented", tag_field="kind"):
    """What a person allowed or withdrew, by category."""

    tenant: str
    conversation: bytes
    category: str
    consent: str
    changed_at: Instant
    source: str = "channel"


class Marked(Private, frozen=True, kw_only=True, tag="marked", tag_field="kind"):
    """A mark that outlives content (worker/store/marks.py): known to be under 13."""

    tenant: str
    reference: bytes
    mark: str
    source: str
    marked_at: Instant


class Unmarked(Private, frozen=True, kw_only=True, tag="unmarked", tag_field="kind"):
    """A mark is taken away: from one reference, or (None) from all that were marked at that time."""

    tenant: str
    mark: str
    reference: bytes | None = None
    marked_at: Instant = 0


class Revoked(Private, frozen=True, kw_only=True, tag="revoked", tag_field="kind"):
    """A key of the programming interface is out of use."""

    tenant: str
    prefix: str
    at: Instant


Line = (
    Held
    | Extended
    | Lifted
    | Restricted
    | Destroyed
    | Gone
    | Alias
    | Erased
    | Suppressed
    | Consented
    | Marked
    | Unmarked
    | Revoked
)


def note(tx: Connection, lines: Iterable[Line]) -> None:
    """Have these lines written before the transaction is committed (``Store.transaction``).

    Not what is lost with a restore and does no harm: whoever is restored is told this list, and nothing else.
    """
    tx.info.setdefault(_NOTED, []).extend(line for line in lines if not is_shadow(line.tenant))


def take_notes(tx: Connection) -> list[Line]:
    """The lines that were noted in the transaction; none are left.

    What a hold keeps back is told before what is gone: who tells it again must not delete the content in between.
    """
    noted: list[Line] = tx.info.pop(_NOTED, [])
    return sorted(noted, key=lambda line: not isinstance(line, Restricted))
