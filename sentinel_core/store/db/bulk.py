"""Reading many ids in parts, and writing thousands of rows with one statement.

Rows are written at about the speed of the bare driver: SQLAlchemy processes every value of every
row by itself. Rows of one recording share most of their values; here a column is processed at once,
and value by value only where the values differ.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Select, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import UpdateBase

from sentinel_core.store.db.tables import Row

T = TypeVar("T")
CHUNK = 500  # values in one IN list: SQLite takes 32,766 parameters, the planner prefers fewer
MANY = 100  # rows; with fewer, the fast path costs more than it saves


def storable_ids(ids: Sequence[int]) -> list[int]:
    """The ids within the database's range; no row can have any other."""
    return [key for key in ids if 0 < key < 2**63]


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values in parts, each small enough for one statement."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def insert_into(connection: Connection, table: Table) -> Any:
    """The database's own INSERT, which supports ON CONFLICT."""
    return _insert_into(connection.dialect, table)


def _insert_into(dialect: Dialect, table: Table) -> Any:
    return (sqlite if dialect.name == "sqlite" else postgresql).insert(table)


def write_rows(connection: Connection, statement: UpdateBase, rows: Sequence[Row]) -> None:
    """Execute `statement` once for each row. All rows have the same keys."""
    if len(rows) < MANY or not connection.dialect.positional:
        connection.execute(statement, rows)
    else:
        _write(connection, _planned(statement, connection.dialect, list(rows[0])), rows)


def upsert(connection: Connection, table: Table, key: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert the rows; where `key` is on record already, overwrite that row's other columns.

    All rows have the same keys.
    """
    if rows:
        plan = _upserting(connection.dialect, table, tuple(key), tuple(rows[0]))
        _write(connection, plan, rows)


@dataclass(frozen=True)
class _Plan:
    """A compiled statement: its text, and for each parameter its name, conversion and default."""

    sql: str
    parameters: tuple[tuple[str, Callable[[Any], Any] | None, Any], ...]


def insert_new(connection: Connection, table: Table, row: Row) -> int | None:
    """Insert a row; returns its id, or None where a row is in its place already."""
    plan = _inserting(connection.dialect, table, tuple(row))
    [values] = _values(connection, plan, [row])
    found: int | None = connection.exec_driver_sql(plan.sql, values).scalar()
    return found


# SQLAlchemy 2.0 compiles each statement with ON CONFLICT anew: a tenth of a recording.
@lru_cache(maxsize=32)
def _inserting(dialect: Dialect, table: Table, names: tuple[str, ...]) -> _Plan:
    statement = _insert_into(dialect, table).on_conflict_do_nothing()
    return _planned(statement.returning(table.c.id), dialect, names)


@lru_cache(maxsize=32)
def _upserting(
    dialect: Dialect, table: Table, key: tuple[str, ...], names: tuple[str, ...]
) -> _Plan:
    statement = _insert_into(dialect, table)
    changed = {name: statement.excluded[name] for name in names if name not in key}
    statement = statement.on_conflict_do_update(index_elements=key, set_=changed)
    return _planned(statement, dialect, names)


def _planned(statement: UpdateBase, dialect: Dialect, names: Sequence[str]) -> _Plan:
    compiled: Any = statement.compile(dialect=dialect, column_keys=list(names))
    order = compiled.positiontup if dialect.positional else list(compiled.params)
    given = compiled.params | {c.key: c.default.arg for c in compiled.insert_prefetch}
    return _Plan(
        str(compiled),
        tuple(
            (
                name,
                compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect),
                given[name],
            )
            for name in order
        ),
    )


def _write(connection: Connection, plan: _Plan, rows: Sequence[Row]) -> None:
    connection.exec_driver_sql(plan.sql, _values(connection, plan, rows))


def _values(connection: Connection, plan: _Plan, rows: Sequence[Row]) -> list[Any]:
    """The rows' values as the driver takes them."""
    keys = rows[0].keys()
    columns = [
        _converted(
            list(map(itemgetter(name), rows)) if name in keys else [default], convert, len(rows)
        )
        for name, convert, default in plan.parameters
    ]
    values: list[Any] = list(zip(*columns, strict=True))
    if connection.dialect.positional:
        return values
    names = [name for name, _, _ in plan.parameters]
    return [dict(zip(names, row, strict=True)) for row in values]


def _converted(
    values: list[Any], convert: Callable[[Any], Any] | None, count: int
) -> Iterable[Any]:
    """`count` values of one column in the driver's types; a single value stands for all."""
    first = values[0]
    if len(set(map(id, values))) == 1:
        return [convert(first) if convert else first] * count
    return list(map(convert, values)) if convert else values


@contextmanager
def gc_paused(rows: int) -> Iterator[None]:
    """Pause garbage collection while many rows are built.

    They form no reference cycles; looking for some takes an eighth of the time.
    """
    if rows < MANY or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def newest_id(connection: Connection, table: Table) -> int:
    """The largest id in a table, 0 if it is empty. It is certain only under the write lock."""
    return int(connection.scalar(_newest_of(table)) or 0)


@lru_cache
def _newest_of(table: Table) -> Select[tuple[int]]:
    return select(func.max(table.c.id))
