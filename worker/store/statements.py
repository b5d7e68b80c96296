"""What the two engines say differently: inserting what is not there, replacing, locking, long lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Delete,
    Table,
    bindparam,
    delete,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

MOST_VALUES: Final = 512
_CLOCKS: Final = {
    "sqlite": "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000",
    "postgresql": "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
}
_SIZES: Final = (1, 8, 64, MOST_VALUES)

_NAMED: Final = re.compile(r"(?<!:):(\w+)")
_PART: Final = re.compile(r"k\d")

Rows = Sequence[Mapping[str, Any]]
Row = tuple[Any, ...]
Insert = sqlite.Insert | postgresql.Insert


class Raced(Exception):
    """Another replica inserted the same row first. The whole transaction is to be tried again."""


def is_sqlite(connection: Connection) -> bool:
    """Whether the connection is to the embedded engine."""
    return connection.dialect.name == "sqlite"


def clock(connection: Connection) -> int:
    """The database's own clock in microseconds since the epoch, not that of the transaction's beginning."""
    return int(connection.exec_driver_sql(_CLOCKS[connection.dialect.name]).scalar_one())


def insert(dialect: str, table: Table) -> Insert:
    """The engine's own INSERT, which knows ON CONFLICT."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def run(connection: Connection, text: str, values: Row | list[Row]) -> CursorResult[Any]:
    """Run a text of our own, ``?`` for each value, as the driver takes it; several rows of values: one by one.

    For what every batch does: compiling and binding cost several times the database's own work.
    """
    return connection.exec_driver_sql(_in_dialect(text, connection.dialect.name), values)


@cache
def _in_dialect(text: str, dialect: str) -> str:
    return text if dialect == "sqlite" else text.replace("?", "%s")


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows whose keys were just seen to be free, or are random. Raises Raced when one is taken.

    Rows are tuples in the order of the table's columns and go to the driver as they are: SQLAlchemy's
    handling of parameters would take longer than the database. SQLite has one writer: what was free when
    the transaction began is free still.
    """
    if not rows:
        return
    if is_sqlite(connection):
        connection.exec_driver_sql(_insert_sqlite(table), list(rows))
        return
    columns = tuple(list(column) for column in zip(*rows, strict=True))
    statement = _unnest_postgresql(table) + " ON CONFLICT DO NOTHING"
    if connection.exec_driver_sql(statement, columns).rowcount != len(rows):
        raise Raced


@cache
def _insert_sqlite(table: Table) -> str:
    return f"INSERT INTO {_target(table)} VALUES ({', '.join('?' for _ in table.columns)})"  # noqa: S608


@cache
def _unnest_postgresql(table: Table) -> str:
    """One statement for all rows: each column travels as an array."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    arrays = ", ".join(f"%b::{column.type.compile(dialect)}[]" for column in table.columns)
    return f"INSERT INTO {_target(table)} SELECT * FROM unnest({arrays})"  # noqa: S608


def _target(table: Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f'"{table.name}" ({names})'


def add_up(connection: Connection, table: Table, rows: Sequence[Row], latest: tuple[str, ...] = ()) -> None:
    """Insert the rows, or add each one's ``count`` to the row with its key; the columns ``latest`` only grow.

    Rows are tuples in the order of the table's columns, their keys all different and in order.
    """
    if not rows:
        return
    if is_sqlite(connection):
        connection.exec_driver_sql(_insert_sqlite(table) + _add_up(table, latest), list(rows))
    else:
        columns = tuple(list(column) for column in zip(*rows, strict=True))
        connection.exec_driver_sql(_unnest_postgresql(table) + _add_up(table, latest), columns)


@cache
def _add_up(table: Table, latest: tuple[str, ...]) -> str:
    key = ", ".join(f'"{column.name}"' for column in table.primary_key.columns)
    grow = [
        f'"{name}" = CASE WHEN excluded."{name}" > "{table.name}"."{name}" THEN excluded."{name}" '
        f'ELSE "{table.name}"."{name}" END'
        for name in latest
    ]
    changes = ", ".join([f'"count" = "{table.name}"."count" + excluded."count"', *grow])
    return f" ON CONFLICT ({key}) DO UPDATE SET {changes}"


def insert_missing(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert the rows whose keys are not there yet; leave the others as they are."""
    if rows:
        connection.execute(_insert_missing(connection.dialect.name, table), rows)


@cache
def _insert_missing(dialect: str, table: Table) -> Insert:
    return insert(dialect, table).on_conflict_do_nothing()


def row_of(table: Table, tenant: str, values: object) -> Row:
    """The attributes of ``values`` that are called like the table's columns, after the tenant, in their order."""
    return tenant, *(getattr(values, column.name) for column in list(table.columns)[1:])


def delete_some(
    connection: Connection, table: Table, where: Sequence[ColumnElement[bool]], limit: int
) -> int:
    """Delete at most ``limit`` rows and tell how many; rows that somebody is busy with stay for the next time."""
    key = list(table.primary_key.columns)
    wanted = select(*key).where(*where).limit(limit).with_for_update(skip_locked=True)
    found = connection.execute(wanted).mappings().all()
    if found:
        connection.execute(
            _delete_one(table), [{f"of_{name}": value for name, value in row.items()} for row in found]
        )
    return len(found)


@cache
def _delete_one(table: Table) -> Delete:
    return delete(table).where(
        *(column == bindparam(f"of_{column.name}") for column in table.primary_key.columns)
    )


def replace_older(
    connection: Connection, table: Table, rows: Rows, newer_by: tuple[str, ...], along: tuple[str, ...] = ()
) -> None:
    """Insert the rows, or let each replace the one with its key that is less in ``newer_by``.

    The columns ``along`` are written with these, and do not decide.
    The rows come in the order of their keys, so that replicas wait for one another in turn.
    """
    if rows:
        connection.execute(_replace_older(connection.dialect.name, table, newer_by, along), rows)


@cache
def _replace_older(dialect: str, table: Table, newer_by: tuple[str, ...], along: tuple[str, ...]) -> Insert:
    statement = insert(dialect, table)
    known, told = (tuple_(*(row[name] for name in newer_by)) for row in (table.c, statement.excluded))
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: statement.excluded[name] for name in (*newer_by, *along)},
        where=known < told,
    )


def select_in(
    connection: Connection, column: Column[Any], tenant: str, values: Sequence[bytes], *, lock: bool = False
) -> Iterator[Any]:
    """A tenant's whole rows of the column's table where the column has one of these values, in its order.

    ``values`` in order. ``lock`` keeps the rows locked until the transaction ends. Few different texts, so
    that both engines know them already.
    """
    for start in range(0, len(values), MOST_VALUES):
        some = values[start : start + MOST_VALUES]
        if is_sqlite(connection):
            padded = [*some, *[some[-1]] * (_room(len(some)) - len(some))]
            yield from connection.exec_driver_sql(_select_sqlite(column, len(padded)), (tenant, *padded))
        else:
            text = _select_postgresql(column, lock=lock)
            yield from connection.exec_driver_sql(text, (list(some), tenant))


@cache
def _select_sqlite(column: Column[Any], count: int) -> str:
    marks = ", ".join("?" * count)
    return f'{_select(column)} IN ({marks}) ORDER BY "{column.name}"'.replace("%s", "?")


@cache
def _select_postgresql(column: Column[Any], *, lock: bool) -> str:
    """One look-up for each value, in their order.

    For ``= ANY`` a planner without statistics took any index that begins with the tenant, and read all of
    the tenant's rows. OFFSET 0 keeps it from turning the look-ups into a join.
    """
    one = f"{_select(column)} = wanted.value{' FOR UPDATE' if lock else ''} OFFSET 0"
    return f"SELECT found.* FROM unnest(%b::bytea[]) AS wanted(value) CROSS JOIN LATERAL ({one}) AS found"  # noqa: S608


def _select(column: Column[Any]) -> str:
    names = ", ".join(f'"{one.name}"' for one in column.table.columns)
    return f'SELECT {names} FROM "{column.table.name}" WHERE "tenant" = %s AND "{column.name}"'  # noqa: S608


def select_each(
    connection: Connection, text: str, keys: Sequence[Row], values: Mapping[str, Any]
) -> Iterator[Row]:
    """Run one look-up for each key: the key's number, then what was found for it, for every row.

    ``text`` names the key's parts (bytes) ``:k0``, ``:k1``, and the values as ``:name``. On PostgreSQL they travel in
    one statement.
    """
    if is_sqlite(connection):
        for number, key in enumerate(keys):
            parts = {f"k{at}": part for at, part in enumerate(key)}
            yield from ((number, *row) for row in connection.exec_driver_sql(text, {**values, **parts}))
    elif keys:
        arrays = {f"k{at}": list(parts) for at, parts in enumerate(zip(*keys, strict=True))}
        yield from map(
            tuple, connection.exec_driver_sql(_select_each(text, len(arrays)), {**values, **arrays})
        )


@cache
def _select_each(text: str, parts: int) -> str:
    names = ", ".join(f"k{at}" for at in range(parts))
    arrays = ", ".join(f"%(k{at})b::bytea[]" for at in range(parts))
    one = _NAMED.sub(lambda name: f"wanted.{name[1]}" if _PART.fullmatch(name[1]) else f"%({name[1]})s", text)
    return (
        f"SELECT wanted.number - 1, found.* FROM unnest({arrays}) WITH ORDINALITY AS wanted({names}, number)"  # noqa: S608
        f" CROSS JOIN LATERAL ({one} OFFSET 0) AS found"
    )


def _room(count: int) -> int:
    return next(size for size in _SIZES if size >= count)
