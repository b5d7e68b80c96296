"""PostgreSQL keeps content in one table for each month: a month of which nothing must stay is dropped, its space is back.

An id is a UUIDv7, so a range of ids is a range of time, and the primary key (tenant, id) is that of every month. What was
there before months were begun stands in ``content_before``; what comes outside of all months in ``content_rest``, so that
nothing is ever refused because a table was not made in time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from policies.message import Instant, Private
from worker.store.engine import Store
from worker.store.statements import clock

AHEAD: Final = 3
"""So many months after this one have their tables already."""

REST: Final = "content_rest"
_BEFORE: Final = "content_before"
_BUSY: Final = frozenset({"55P03", "40P01", "42P01"})
"""A lock was not to be had, replicas met, another dropped it."""
_LOCK_TIMEOUT: Final = "1s"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ID_BYTES: Final = 16
_OURS: Final = re.compile(r"content_(?:before|\d{4}_\d\d)")
_BOUNDS: Final = re.compile(
    r"FOR VALUES FROM \((?:MINVALUE|'\\x(?P<since>[0-9a-f]+)')\) TO \('\\x(?P<until>[0-9a-f]+)'\)"
)
_LIST: Final = """
    SELECT child.relname, pg_get_expr(child.relpartbound, child.oid) FROM pg_inherits
    JOIN pg_class child ON child.oid = inhrelid
    WHERE inhparent = 'content'::regclass ORDER BY child.relname
"""


class Partition(Private, frozen=True, kw_only=True):
    """A range of content ids: ``until`` is the first that is later."""

    name: str
    since: bytes
    until: bytes


def id_at(at: Instant) -> bytes:
    """Ids of that time (a whole millisecond) and later are not less than this."""
    return (max(at, 0) // 1_000).to_bytes(6, "big") + bytes(_ID_BYTES - 6)


def time_of(id_: bytes) -> Instant:
    """When an id was made, to the millisecond."""
    return int.from_bytes(id_[:6], "big") * 1_000


def begin(tx: Connection) -> None:
    """Turn the table into one by months: what it holds stays where it is. For a migration."""
    now = clock(tx)
    bound = _hex(id_at(_month(now, 1)))
    for statement in (
        f"ALTER TABLE content RENAME TO {_BEFORE}",
        f"ALTER TABLE {_BEFORE} RENAME CONSTRAINT content_pkey TO {_BEFORE}_pkey",
        f"CREATE TABLE content (LIKE {_BEFORE}, PRIMARY KEY (tenant, id)) PARTITION BY RANGE (id)",
        f"CREATE TABLE {REST} PARTITION OF content DEFAULT",
        f"WITH later AS (DELETE FROM {_BEFORE} WHERE id >= {bound} RETURNING *) INSERT INTO content SELECT * FROM later",  # noqa: S608
        f"ALTER TABLE content ATTACH PARTITION {_BEFORE} FOR VALUES FROM (MINVALUE) TO ({bound})",
    ):
        tx.exec_driver_sql(statement)
    for number in range(1, AHEAD + 1):
        _make(tx, _month(now, number))


def months(tx: Connection) -> list[Partition]:
    """The tables there are, but for the rest."""
    found = []
    for name, bounds in tx.exec_driver_sql(_LIST):
        match = _BOUNDS.fullmatch(bounds)
        if match is not None and _OURS.fullmatch(name):
            since, until = bytes.fromhex(match["since"] or ""), bytes.fromhex(match["until"])
            found.append(Partition(name=name, since=since, until=until))
    return found


def make_ahead(store: Store, now: Instant) -> list[str]:
    """Make the tables of this month and the next ones that are not there; the names of those made now.

    What stands in the rest and belongs to them is moved. A table that is busy is left for the next time.
    """
    if store.is_sqlite:
        return []
    wanted = [_month(now, number) for number in range(AHEAD + 1)]
    with store.reading() as tx:
        known = months(tx)
    missing = [since for since in wanted if not _covered(known, id_at(since))]
    return [_name(since) for since in missing if _patiently(store, partial(_make, since=since))]


def drop_empty(store: Store, now: Instant) -> list[str]:
    """Drop the tables of months that are over and hold nothing; their names. The space is back at once."""
    if store.is_sqlite:
        return []
    with store.reading() as tx:
        over = [one.name for one in months(tx) if one.until <= id_at(_month(now, 0))]
    return [name for name in over if _patiently(store, partial(_drop, name=name))]


def _covered(known: Sequence[Partition], id_: bytes) -> bool:
    return any(one.since <= id_ < one.until for one in known)


def _patiently(store: Store, change: Callable[[Connection], bool]) -> bool:
    """Whether it was done. Writers wait behind who waits for a lock on the whole table: so that is not for long."""
    try:
        with store.transaction() as tx:
            tx.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            return change(tx)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _BUSY:
            raise
        return False


def _make(tx: Connection, since: Instant) -> bool:
    """Made beside the others and then attached: that locks nobody out of the months that are there."""
    name, low, high = _name(since), _hex(id_at(since)), _hex(id_at(_month(since, 1)))
    tx.exec_driver_sql(f"LOCK TABLE {REST} IN ACCESS EXCLUSIVE MODE")
    if _covered(months(tx), id_at(since)):  # another replica was first
        return False
    tx.exec_driver_sql(f"CREATE TABLE {name} (LIKE content INCLUDING INDEXES)")
    within = f"id >= {low} AND id < {high}"
    moved = f"WITH moved AS (DELETE FROM ONLY {REST} WHERE {within} RETURNING *)"  # noqa: S608 - our own words
    tx.exec_driver_sql(f"{moved} INSERT INTO {name} SELECT * FROM moved")  # noqa: S608
    tx.exec_driver_sql(f"ALTER TABLE content ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})")
    return True


def _drop(tx: Connection, name: str) -> bool:
    """Nobody can write into it any more once it is found to be empty."""
    tx.exec_driver_sql(f"LOCK TABLE ONLY {name} IN ACCESS EXCLUSIVE MODE")
    if tx.exec_driver_sql(f"SELECT 1 FROM {name} LIMIT 1").first() is not None:  # noqa: S608 - our own words
        return False
    tx.exec_driver_sql(f"DROP TABLE {name}")
    return True


def _month(at: Instant, later: int) -> Instant:
    """The first moment, in UTC, of the month so many months after that of an instant."""
    day = _EPOCH + timedelta(microseconds=at)
    year, month = divmod(day.year * 12 + day.month - 1 + later, 12)
    return (datetime(year, month + 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def _name(since: Instant) -> str:
    return f"content_{_EPOCH + timedelta(microseconds=since):%Y_%m}"


def _hex(id_: bytes) -> str:
    return f"'\\x{id_.hex()}'"
