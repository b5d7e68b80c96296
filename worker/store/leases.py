"""One runner among replicas: who holds a lease does the work, until the lease ends by the database's clock.

A lease says who begins, not that nobody else still works: what must happen once is guarded by its own row. Each call is
best a transaction of its own; others that ask for the lease wait until it ends.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.sql.dml import ReturningInsert

from worker.store.statements import clock, insert
from worker.store.tables import LeaseRow, Table

leases = Table.metadata.tables[str(LeaseRow.__tablename__)]

_MINE: Final = (
    leases.c.tenant == bindparam("of"),
    leases.c.name == bindparam("at"),
    leases.c.holder == bindparam("who"),
)
_NAMES: Final = ("tenant", "name", "holder", "until")
_RENEW: Final = update(leases).where(*_MINE).values(until=bindparam("end"))
_RELEASE: Final = delete(leases).where(*_MINE)
_HOLDER: Final = select(leases.c.holder).where(
    leases.c.tenant == bindparam("of"), leases.c.name == bindparam("at"), leases.c.until > bindparam("now")
)


def take(tx: Connection, tenant: str, name: str, holder: bytes, length: int) -> bool:
    """Take the lease, or keep it, for so many microseconds from now. False while another holds it."""
    now = clock(tx)
    row = {"tenant": tenant, "name": name, "holder": holder, "until": now + length, "now": now}
    return tx.execute(_take(tx.dialect.name), row).one_or_none() is not None


@cache
def _take(dialect: str) -> ReturningInsert[tuple[bytes]]:
    statement = insert(dialect, leases).values({name: bindparam(name) for name in _NAMES})
    told = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=list(leases.primary_key.columns),
        set_={"holder": told.holder, "until": told.until},
        where=(leases.c.until <= bindparam("now")) | (leases.c.holder == told.holder),
    ).returning(leases.c.holder)


def renew(tx: Connection, tenant: str, name: str, holder: bytes, length: int) -> bool:
    """Keep the lease for so many microseconds from now. False when another has taken it since it ended."""
    row = {"of": tenant, "at": name, "who": holder, "end": clock(tx) + length}
    return tx.execute(_RENEW, row).rowcount == 1


def release(tx: Connection, tenant: str, name: str, holder: bytes) -> None:
    """Give the lease back, where it is still one's own."""
    tx.execute(_RELEASE, {"of": tenant, "at": name, "who": holder})


def holder(tx: Connection, tenant: str, name: str) -> bytes:
    """Who holds the lease now; b"" for nobody."""
    found = tx.execute(_HOLDER, {"of": tenant, "at": name, "now": clock(tx)}).scalar_one_or_none()
    return b"" if found is None else bytes(found)
