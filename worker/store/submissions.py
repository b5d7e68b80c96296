"""What was answered to a text that was handed in, under its client's own reference: the same call, the same answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, delete
from sqlalchemy.exc import IntegrityError

from policies.message import Instant, Private
from worker.store.statements import Raced, delete_some, insert_new, row_of, select_in
from worker.store.tables import SubmissionRow, Table

submissions = Table.metadata.tables[str(SubmissionRow.__tablename__)]


class Submission(Private, frozen=True, kw_only=True):
    """One text as it was handed in (worker/store/tables.py says what the columns are)."""

    reference: bytes
    digest: bytes
    key: bytes
    answer: bytes
    sealed: bytes
    submitted_at: Instant


def find(tx: Connection, tenant: str, references: Collection[bytes]) -> dict[bytes, Submission]:
    """Reference → what was handed in under it, for those that are known."""
    rows = select_in(tx, submissions.c.reference, tenant, sorted(set(references)))
    return {row.reference: _submission(row) for row in rows}


def by_key(tx: Connection, tenant: str, keys: Collection[bytes]) -> dict[bytes, Submission]:
    """Message key → how that text was handed in, for those that were."""
    return {row.key: _submission(row) for row in select_in(tx, submissions.c.key, tenant, sorted(set(keys)))}


def add(tx: Connection, tenant: str, new: Sequence[Submission]) -> None:
    """Remember what was handed in, references all different. Raises Raced when another took one of them meanwhile."""
    in_order = sorted(new, key=lambda one: one.reference)
    try:
        insert_new(tx, submissions, [row_of(submissions, tenant, one) for one in in_order])
    except IntegrityError:
        raise Raced from None


def forget(tx: Connection, tenant: str, references: Collection[bytes]) -> None:
    """Let these references stand for nothing any more."""
    if references:
        known = (submissions.c.tenant == tenant, submissions.c.reference.in_(sorted(references)))
        tx.execute(delete(submissions).where(*known))


def purge(tx: Connection, tenant: str, before: Instant, limit: int) -> int:
    """Forget at most so many that were handed in before that instant; how many."""
    old = (submissions.c.tenant == tenant, submissions.c.submitted_at < before)
    return delete_some(tx, submissions, old, limit)


def _submission(row: Any) -> Submission:
    return Submission(**{name: getattr(row, name) for name in Submission.__struct_fields__})
