"""Who asked for no more texts, as keyed hashes alone: the latest word wins, of two at once the withdrawal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Final

from sqlalchemy import Connection

from policies.event import Consent
from policies.message import Instant, Private
from worker.store.journal import Suppressed, note
from worker.store.statements import insert_missing, replace_older, select_in
from worker.store.tables import SuppressionRow, Table

suppressions = Table.metadata.tables[str(SuppressionRow.__tablename__)]

_NEWER_BY: Final = ("changed_at", "consent", "source")
_NOTHING_YET: Final = {"consent": "", "source": "", "changed_at": -1, "recorded_at": -1}


class Change(Private, frozen=True, kw_only=True):
    """What somebody said at that time, and how it was learnt (``source``: a word of our own)."""

    reference: bytes
    consent: Consent
    source: str
    changed_at: Instant


def standing(tx: Connection, tenant: str, references: Collection[bytes]) -> set[bytes]:
    """Those of the references for which a withdrawal stands."""
    return _withdrawn(tx, tenant, sorted(set(references)))


def change(tx: Connection, tenant: str, changes: Sequence[Change], now: Instant) -> set[bytes]:
    """Remember what was said; in any order, any number of times. The references that were withdrawn by it, or lifted.

    A second STOP, or a STOP that a later START had overtaken, moves nothing.
    """
    references = sorted({one.reference for one in changes})
    # A row that is there can be locked: who else learns of the same opt-out waits here.
    insert_missing(
        tx, suppressions, [{"tenant": tenant, "reference": one, **_NOTHING_YET} for one in references]
    )
    before = _withdrawn(tx, tenant, references, lock=True)
    in_order = sorted(changes, key=attrgetter("reference", *_NEWER_BY))
    rows = [
        {
            "tenant": tenant,
            "reference": one.reference,
            "consent": one.consent.value,
            "source": one.source,
            "changed_at": one.changed_at,
            "recorded_at": now,
        }
        for one in in_order
    ]
    replace_older(tx, suppressions, rows, _NEWER_BY, along=("recorded_at",))
    note(tx, (_line(tenant, one) for one in changes))
    return before ^ _withdrawn(tx, tenant, references)


def _line(tenant: str, one: Change) -> Suppressed:
    return Suppressed(
        tenant=tenant,
        reference=one.reference,
        consent=one.consent.value,
        source=one.source,
        changed_at=one.changed_at,
    )


def _withdrawn(tx: Connection, tenant: str, references: Sequence[bytes], *, lock: bool = False) -> set[bytes]:
    rows = select_in(tx, suppressions.c.reference, tenant, references, lock=lock)
    return {row.reference for row in rows if row.consent == Consent.WITHDRAWN}
