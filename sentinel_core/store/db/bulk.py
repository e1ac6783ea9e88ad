"""Reading many ids in parts, and writing thousands of rows with one statement.

Rows are written at about the speed of the bare driver: SQLAlchemy processes every value of every
row by itself. Rows of one recording share most of their values; here a column is processed at once,
and value by value only where the values differ.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, func, select
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
    module = sqlite if connection.dialect.name == "sqlite" else postgresql
    return module.insert(table)


def write_rows(connection: Connection, statement: UpdateBase, rows: Sequence[Row]) -> None:
    """Execute `statement` once for each row. All rows have the same keys."""
    if len(rows) < MANY or not connection.dialect.positional:
        connection.execute(statement, rows)
        return
    compiled: Any = statement.compile(dialect=connection.dialect, column_keys=list(rows[0]))
    names, keys = compiled.positiontup, rows[0].keys()
    columns = [
        _converted(
            list(map(itemgetter(name), rows)) if name in keys else [compiled.params[name]],
            compiled.binds[name]
            .type.dialect_impl(connection.dialect)
            .bind_processor(connection.dialect),
            len(rows),
        )
        for name in names
    ]
    connection.exec_driver_sql(str(compiled), list(zip(*columns, strict=True)))


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
    return int(connection.scalar(select(func.max(table.c.id))) or 0)
