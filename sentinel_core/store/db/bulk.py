"""Writing thousands of rows with one statement, at about the speed of the bare driver.

SQLAlchemy looks at every value of every row by itself. Rows of one recording share most of their
values; here a column is looked at once, and converted value by value only where they differ.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.sql.dml import UpdateBase

from sentinel_core.store.db.tables import Row

MANY = 100  # rows from which on it is worth while


def write_rows(connection: Connection, statement: UpdateBase, rows: Sequence[Row]) -> None:
    """Execute `statement` once for each row; all of them have the same names."""
    if len(rows) < MANY or not connection.dialect.positional:
        connection.execute(statement, rows)
        return
    compiled: Any = statement.compile(dialect=connection.dialect, column_keys=list(rows[0]))
    names, given = compiled.positiontup, rows[0].keys()
    columns = [
        _converted(
            list(map(itemgetter(name), rows)) if name in given else [compiled.params[name]],
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
    """A column as the driver wants it."""
    first = values[0]
    if len(set(map(id, values))) == 1:
        return [convert(first) if convert else first] * count
    return list(map(convert, values)) if convert else values


@contextmanager
def gc_paused(rows: int) -> Iterator[None]:
    """Many rows are many objects and no cycle among them: looking for cycles meanwhile costs an
    eighth of the time and finds nothing."""
    if rows < MANY or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def newest_id(connection: Connection, table: Table) -> int:
    """What the ids of rows inserted from now on are larger than, for whoever holds the lock."""
    return int(connection.scalar(select(func.max(table.c.id))) or 0)
