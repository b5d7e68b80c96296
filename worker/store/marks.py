"""What is known of persons and outlives their content, as keyed hashes alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, select, update

from policies.message import Instant
from worker.store import journal
from worker.store.journal import note
from worker.store.statements import insert_missing, select_in
from worker.store.tables import MarkRow, Table

marks = Table.metadata.tables[str(MarkRow.__tablename__)]

_ANY: Final = "SELECT 1 FROM mark WHERE tenant = {} LIMIT 1"
_PARAMETER: Final = {"sqlite": "?", "postgresql": "%s"}


class Marked(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A mark on a reference. What was marked at the same instant for the same reason is the same person."""

    marked_at: Instant
    reference: bytes
    mark: str
    source: str


def has_any(tx: Connection, tenant: str) -> bool:
    """Whether the tenant has any mark at all: a look-up by key, for what every batch asks."""
    text = _ANY.format(_PARAMETER[tx.dialect.name])
    return tx.exec_driver_sql(text, (tenant,)).first() is not None


def find(tx: Connection, tenant: str, references: Collection[bytes]) -> list[Marked]:
    """The marks on these references."""
    return [_marked(row) for row in select_in(tx, marks.c.reference, tenant, sorted(references))]


def all_of(tx: Connection, tenant: str, of: Collection[str]) -> list[Marked]:
    """Every one of these marks, the first made first."""
    wanted = select(marks).where(marks.c.tenant == tenant, marks.c.mark.in_(of))
    return sorted(map(_marked, tx.execute(wanted)))


def everywhere(tx: Connection, mark: str) -> list[tuple[str, bytes]]:
    """Tenant and reference of each such mark."""
    wanted = select(marks.c.tenant, marks.c.reference).where(marks.c.mark == mark)
    return [(row.tenant, row.reference) for row in tx.execute(wanted.order_by(*wanted.selected_columns))]


def add(tx: Connection, tenant: str, added: Iterable[Marked]) -> None:
    """Make marks; one that is there already stays as it is."""
    rows = [{"tenant": tenant, **msgspec.structs.asdict(one)} for one in sorted(set(added))]
    insert_missing(tx, marks, sorted(rows, key=lambda row: (row["reference"], row["mark"])))
    note(tx, (journal.Marked(**row) for row in rows))


def lift(tx: Connection, tenant: str, lifted: Sequence[Marked]) -> int:
    """Take marks away, with all others of the same persons; how many there were."""
    note(tx, (journal.Unmarked(tenant=tenant, mark=one.mark, marked_at=one.marked_at) for one in lifted))
    return sum(tx.execute(delete(marks).where(*_same(tenant, one))).rowcount for one in lifted)


def confirm(tx: Connection, tenant: str, confirmed: Sequence[Marked], source: str) -> int:
    """Let marks say how they are known now, with all others of the same persons; how many there are."""
    return sum(
        tx.execute(update(marks).where(*_same(tenant, one)).values(source=source)).rowcount
        for one in confirmed
    )


def forget(tx: Connection, tenant: str, mark: str, references: Collection[bytes]) -> None:
    """Take away this mark from these references."""
    for one in sorted(references):
        where = (marks.c.tenant == tenant, marks.c.reference == one, marks.c.mark == mark)
        tx.execute(delete(marks).where(*where))
    note(tx, (journal.Unmarked(tenant=tenant, mark=mark, reference=one) for one in references))


def _same(tenant: str, one: Marked) -> tuple[Any, ...]:
    return marks.c.tenant == tenant, marks.c.mark == one.mark, marks.c.marked_at == one.marked_at


def _marked(row: Any) -> Marked:
    return Marked(reference=row.reference, mark=row.mark, source=row.source, marked_at=row.marked_at)
