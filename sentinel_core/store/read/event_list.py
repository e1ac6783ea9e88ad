"""Lists of events: filtered, sorted, paged, counted and exported, all in the database."""

from collections.abc import Generator
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, bindparam, func, or_, select, union_all

from sentinel_core.model.cleaning import clean_text
from sentinel_core.store.db.bulk import newest_id
from sentinel_core.store.db.engine import reading, rows, up_to
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import EVENT, Row
from sentinel_core.store.read.deliveries import undelivered
from sentinel_core.store.read.filters import (
    COUNT_CAP,
    EventFilter,
    Sort,
    conditions,
    parameters,
    sorted_by,
    ways,
    without_times,
)

EXPORT_LIMIT = 100_000
_PART = 1_000  # events of an export that are in memory at once
_PREVIEW = 400  # characters of a message in a list; the event's own page has all of it
_GLANCE = 120  # characters of a message where thousands are listed at once
_EXPORTED = 2_000  # characters of a message in an export
_COLUMNS = (
    "id",
    "rule_id",
    "rule_name",
    "ticker",
    "kind",
    "category",
    "environment",
    "importance",
    "timestamp",
    "first_seen",
    "last_seen",
    "occurrences",
    "display_until",
    "is_acknowledged",
    "acknowledged_at",
    "acknowledged_by",
    "comment",
    "assigned_to",
    "disposition",
    "suppressed",
    "resolved_at",
    "resolution",
    "prefect_flow_run_id",
    "prefect_state",
    "prefect_state_name",
    "started_at",
    "completed_at",
    "retry_count",
)

_CHANGED = ("id", "rule_name", "ticker", "importance", "timestamp", "assigned_to", "disposition")


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: the next page starts after it."""

    value: Any
    id: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some events. `following` is None on the last page; `newest_id` is the whole store's."""

    rows: list[Row]
    following: Cursor | None
    newest_id: int


def page(
    engine: Engine,
    wanted: EventFilter,
    *,
    now: datetime,
    size: int,
    sort: Sort = Sort.TIME,
    descending: bool = True,
    after: Cursor | None = None,
) -> Page:
    """`size` events after a cursor, the newest first by default, messages cut short.

    Each row also says whether the event is `undelivered`. Raises StoreUnavailableError.
    """
    statement = _page_of(without_times(wanted), sort, descending, size + 1, after is not None)
    place = asdict(after) if after else {}
    with answering(engine), reading(engine) as connection:
        listed = rows(connection, statement, parameters(connection, wanted, now) | place)
        newest = newest_id(connection, EVENT)
        shown = listed[:size]
        lost = undelivered(connection, [row["id"] for row in shown])
    last = shown[-1] if len(listed) > size else None
    following = Cursor(last["sorted_by"], last["id"]) if last else None
    for row in shown:
        row["message"] = clean_text(row["message"])
        row["undelivered"] = row["id"] in lost
        del row["sorted_by"]  # the cursor's alone
    return Page(shown, following, newest)


def export(
    engine: Engine,
    wanted: EventFilter,
    *,
    now: datetime,
    sort: Sort = Sort.TIME,
    descending: bool = True,
    limit: int = EXPORT_LIMIT,
) -> Generator[list[Row], None, None]:
    """Up to `limit + 1` events in parts, read as they are asked for: one more says there are more.

    All parts are of one moment. Raises StoreUnavailableError.
    """
    statement = _listed(wanted, sort, descending, limit + 1, _EXPORTED)
    with answering(engine), reading(engine) as connection:
        streamed = connection.execution_options(yield_per=_PART).execute(
            statement, parameters(connection, wanted, now)
        )
        for part in streamed.mappings().partitions():
            yield [dict(row) for row in part]


def matching(
    engine: Engine,
    wanted: EventFilter,
    *,
    now: datetime,
    sort: Sort = Sort.TIME,
    descending: bool = True,
    cap: int = COUNT_CAP,
) -> tuple[list[Row], bool]:
    """What a person needs to see of up to `cap` events to change them, and True if there are more.

    Raises StoreUnavailableError.
    """
    statement = _listed(wanted, sort, descending, cap + 1, _GLANCE)
    statement = statement.with_only_columns(
        *(EVENT.c[name] for name in _CHANGED),
        func.substr(EVENT.c.message, 1, _GLANCE).label("message"),
    )
    with answering(engine), reading(engine) as connection:
        events = rows(connection, statement, parameters(connection, wanted, now))
    return events[:cap], len(events) > cap


def count(
    engine: Engine,
    wanted: EventFilter,
    *,
    now: datetime,
    newer_than_id: int | None = None,
    cap: int = COUNT_CAP,
) -> int:
    """The number of events, counted up to `cap + 1`. Raises StoreUnavailableError."""
    statement = _count_of(without_times(wanted), newer_than_id is not None, cap)
    with answering(engine), reading(engine) as connection:
        given = parameters(connection, wanted, now) | {"newer_than": newer_than_id}
        return int(connection.scalar(statement, given) or 0)


def newest(engine: Engine, wanted: EventFilter, *, now: datetime, most: int = 100) -> list[int]:
    """The ids of up to `most` events, the newest first. Raises StoreUnavailableError."""
    statement = select(EVENT.c.id).where(*conditions(wanted))
    statement = statement.order_by(EVENT.c.id.desc()).limit(most)
    with answering(engine), reading(engine) as connection:
        return list(connection.scalars(statement, parameters(connection, wanted, now)))


_remembered = lru_cache(maxsize=256)  # to build a statement takes longer than to run it


@_remembered
def _count_of(wanted: EventFilter, newer: bool, cap: int) -> Select[tuple[int]]:
    """The query of `count`; with `newer`, of events above the id `newer_than`."""
    above = (EVENT.c.id > bindparam("newer_than", type_=EVENT.c.id.type),) if newer else ()
    parts = (select(EVENT.c.id).where(*way, *above) for way in ways(wanted))
    return up_to(select(union_all(*parts).subquery().c.id), cap)


@_remembered
def _page_of(
    wanted: EventFilter, sort: Sort, descending: bool, limit: int, after: bool
) -> Select[Any]:
    """The query of `page`; with `after`, of what follows a cursor's `value` and `id`.

    As `_listed`, but the ids are sorted before the rows are read. Where no index has the order,
    SQLite keeps in its sorter all that is selected: for each of a million events a whole row,
    although 50 are shown.
    """
    by, key = sorted_by(sort, wanted), EVENT.c.id
    columns, order = (key, by.label("sorted_by")), _order(by, key, descending)
    follows = _after(by, descending) if after else ()
    parts = [
        select(*columns).where(*way, *follows).order_by(*order).limit(limit) for way in ways(wanted)
    ]
    chosen = union_all(*(select(part.subquery()) for part in parts)).subquery("chosen")
    message = func.substr(EVENT.c.message, 1, _PREVIEW).label("message")
    return (
        select(*(EVENT.c[name] for name in _COLUMNS), message, chosen.c.sorted_by)
        .join(chosen, chosen.c.id == EVENT.c.id)
        .order_by(*_order(chosen.c.sorted_by, chosen.c.id, descending))
        .limit(limit)
    )


def _order(
    by: ColumnElement[Any], key: ColumnElement[Any], descending: bool
) -> tuple[ColumnElement[Any], ...]:
    return (by.desc(), key.desc()) if descending else (by.asc(), key.asc())


def _after(by: ColumnElement[Any], descending: bool) -> tuple[ColumnElement[bool], ...]:
    """What follows the last row of a page; the first condition is what an index can use."""
    value, key = bindparam("value", type_=by.type), EVENT.c.id
    last = bindparam("id", type_=key.type)
    if descending:
        return by <= value, or_(by < value, key < last)
    return by >= value, or_(by > value, key > last)


def _listed(
    wanted: EventFilter, sort: Sort, descending: bool, limit: int, length: int
) -> Select[Any]:
    by = sorted_by(sort, wanted)
    message = func.substr(EVENT.c.message, 1, length).label("message")
    return (
        select(*(EVENT.c[name] for name in _COLUMNS), message, by.label("sorted_by"))
        .where(*conditions(wanted))
        .order_by(*_order(by, EVENT.c.id, descending))
        .limit(limit)
    )
