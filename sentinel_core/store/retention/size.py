"""The size of the event store, by table, and its growth by rule. Writes nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Table, func, select
from sqlalchemy.exc import OperationalError
from sqlmodel import SQLModel

from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import AUDIT, EVALUATION, EVENT, HOUR, NOTIFICATION, RULE, SERIES

GROWTH_DAYS = 7
_TIMES = {
    EVALUATION.name: EVALUATION.c.at,
    HOUR.name: HOUR.c.hour,
    EVENT.name: EVENT.c.timestamp,
    NOTIFICATION.name: NOTIFICATION.c.created_at,
    SERIES.name: SERIES.c.last_at,
    AUDIT.name: AUDIT.c.at,
}


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table with its indexes. `bytes` is None where the database can't say; `oldest` is the time
    of the first row that was added."""

    table: str
    rows: int
    bytes: int | None
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class RuleGrowth:
    """Evaluations a day of one rule over the last days, and bytes at the table's average."""

    rule: str
    evaluations: float
    bytes: float | None


@dataclass(frozen=True, slots=True)
class StoreSize:
    """The sizes of all tables, and the growth by rule, the fastest first."""

    tables: list[TableSize]
    growth: list[RuleGrowth]


def store_size(engine: Engine, now: datetime) -> StoreSize:
    """The size of the store. Reads every table; writers do not wait for it."""
    with reading(engine) as connection:
        taken = _bytes(connection)
        tables = [
            _size(connection, table, taken.get(table.name))
            for table in SQLModel.metadata.sorted_tables
        ]
        evaluations = next(size for size in tables if size.table == EVALUATION.name)
        each = None
        if evaluations.bytes is not None and evaluations.rows:
            each = evaluations.bytes / evaluations.rows
        return StoreSize(tables, _growth(connection, now, each))


def store_bytes(engine: Engine) -> int:
    """The bytes of an SQLite file, or of Sentinel's tables on a server. Reads no table."""
    with reading(engine) as connection:
        if connection.dialect.name == "postgresql":
            return sum(_bytes(connection).values())
        pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        return int(connection.exec_driver_sql(pages).scalar_one())


def _size(connection: Connection, table: Table, taken: int | None) -> TableSize:
    rows = connection.scalar(select(func.count()).select_from(table)) or 0
    oldest = None
    if (column := _TIMES.get(table.name)) is not None:
        first = select(column).order_by(*table.primary_key).limit(1)
        oldest = connection.scalar(first)
    return TableSize(table.name, rows, taken, oldest)


def _bytes(connection: Connection) -> dict[str, int]:
    """Bytes by table, indexes included; nothing where SQLite was built without `dbstat`."""
    if connection.dialect.name == "postgresql":
        names = [table.name for table in SQLModel.metadata.sorted_tables]
        return {
            name: int(connection.scalar(select(func.pg_total_relation_size(name))) or 0)
            for name in names
        }
    try:
        found = connection.exec_driver_sql(
            # Counted in pages: above 2 GiB, the aggregated `pgsize` overflows.
            "SELECT s.tbl_name, sum(d.pageno) * (SELECT page_size FROM pragma_page_size)"
            " FROM dbstat d JOIN sqlite_schema s ON s.name = d.name"
            " WHERE d.aggregate = 1 GROUP BY s.tbl_name"
        )
        return {name: int(size) for name, size in found}
    except OperationalError:
        return {}


def _growth(connection: Connection, now: datetime, each: float | None) -> list[RuleGrowth]:
    """By the time a rule has been evaluated, if that is shorter."""
    since = now - timedelta(days=GROWTH_DAYS)
    v, growth = EVALUATION.c, []
    for rule_id, name in connection.execute(select(RULE.c.id, RULE.c.name)).all():
        mine = select(func.count(), func.min(v.at)).where(v.rule_id == rule_id, v.at >= since)
        count, first = connection.execute(mine.where(v.at <= now)).one()
        if count:
            days = max((now - first) / timedelta(days=1), 1 / 24)
            a_day = count / min(days, GROWTH_DAYS)
            growth.append(RuleGrowth(name, a_day, None if each is None else a_day * each))
    return sorted(growth, key=lambda rule: (-rule.evaluations, rule.rule))
