"""What people read and acknowledge: events filtered, sorted, paged, counted, and one event whole.

Everything is filtered in the database and returned as plain columns. Reading never writes; the
one thing written here is an acknowledgement.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Integer,
    Select,
    Table,
    and_,
    case,
    column,
    exists,
    false,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
    values,
)
from sqlalchemy.exc import InterfaceError, OperationalError

from sentinel_core.alert import Importance, clean_text
from sentinel_core.errors import StoreUnavailableError
from sentinel_core.models import AuditEntry, UtcDateTime
from sentinel_core.store.engine import reading, writing
from sentinel_core.store.recording import EVENT, NOTIFICATION, SERIES
from sentinel_core.store.rules import EVALUATION, RULE

AUDIT: Table = AuditEntry.__table__  # type: ignore[attr-defined]

COUNT_CAP = 10_000
EXPORT_LIMIT = 50_000
COMMENT_LIMIT = 2_000
BY_LIMIT = 200
EVALUATIONS_SHOWN = 50
_PREVIEW = 400  # characters of a message in a list; the event's own page has all of it
_EXPORTED = 2_000  # characters of a message in an export
_CHUNK = 500
_FACET_LIMIT = 1_000

# Word for word the condition of the partial index; SQLAlchemy's own spelling (`= 0`) misses it.
_UNACKNOWLEDGED: ColumnElement[bool] = literal_column("NOT alert_event.is_acknowledged")


class Status(StrEnum):
    """Where an event stands. Resolved wins: a resolved event may be acknowledged or not."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Sort(StrEnum):
    """What a list of events can be sorted by."""

    TIME = "time"
    LAST_SEEN = "last seen"
    IMPORTANCE = "importance"
    RULE = "rule"
    TICKER = "ticker"
    OCCURRENCES = "occurrences"


_SORTED_BY: dict[Sort, ColumnElement[Any]] = {
    Sort.TIME: EVENT.c.timestamp,
    Sort.LAST_SEEN: EVENT.c.last_seen,
    Sort.IMPORTANCE: case(
        {item.value: item.rank for item in Importance}, value=EVENT.c.importance, else_=-1
    ),
    Sort.RULE: EVENT.c.rule_name,
    Sort.TICKER: EVENT.c.ticker,
    Sort.OCCURRENCES: EVENT.c.occurrences,
}


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events. An empty set, text or time means: any. All conditions hold together."""

    importance: frozenset[str] = frozenset()
    category: frozenset[str] = frozenset()
    kind: frozenset[str] = frozenset()
    status: frozenset[Status] = frozenset()
    state: frozenset[str] = frozenset()
    """Prefect state types, `FAILED` and so on."""
    rules: frozenset[str] = frozenset()
    ticker: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    """Anywhere in message, ticker or rule name; letter case does not matter."""
    live: bool = False
    """Only what still asks for attention: see `live_condition`."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: the next page starts after it."""

    value: Any
    id: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some events. `following` is None on the last page; `newest_id` is the whole store's."""

    rows: list[dict[str, Any]]
    following: Cursor | None
    newest_id: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """Events that opened from `start` on, by importance."""

    start: datetime
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Facets:
    """What can be chosen in a filter, as far as the store knows."""

    rules: tuple[str, ...]
    categories: tuple[str, ...]
    tickers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """What still asks for attention, by importance (counted up to the cap), and what exists."""

    unacknowledged: dict[str, int]
    any_event: bool
    any_notification: bool


@dataclass(frozen=True, slots=True)
class EventDetail:
    """One event whole. Evaluations newest first; `earlier` are the series' readings before it."""

    event: dict[str, Any]
    rule: dict[str, Any] | None
    evaluations: list[dict[str, Any]]
    earlier: list[dict[str, Any]]
    notifications: list[dict[str, Any]]
    audit: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Handled:
    """An event somebody had acknowledged before."""

    id: int
    by: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What one acknowledgement did: to which events, and to which not."""

    done: tuple[int, ...] = ()
    handled: tuple[Handled, ...] = ()
    missing: tuple[int, ...] = field(default=())


@contextmanager
def answering(engine: Engine) -> Iterator[None]:
    """Turn a database that does not answer into StoreUnavailableError, with what to do."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        reason = (str(error.orig).splitlines() or ["no reason given"])[0]
        raise StoreUnavailableError(
            f"the event store {engine.url.render_as_string(hide_password=True)} "
            f"can't be read ({reason}): start the database, or correct SENTINEL_DATABASE_URL"
        ) from error


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    with answering(engine), reading(engine) as connection:
        yield connection


# -- conditions ----------------------------------------------------------------------------


def live_condition(now: datetime) -> ColumnElement[bool]:
    """Critical and high stay until acknowledged, the others while they are due to be shown."""
    return and_(
        _UNACKNOWLEDGED,
        or_(
            EVENT.c.importance.in_([Importance.CRITICAL.value, Importance.HIGH.value]),
            EVENT.c.display_until > now,
        ),
    )


_STATUS: dict[Status, ColumnElement[bool]] = {
    Status.OPEN: and_(EVENT.c.resolved_at.is_(None), _UNACKNOWLEDGED),
    Status.ACKNOWLEDGED: and_(EVENT.c.resolved_at.is_(None), EVENT.c.is_acknowledged),
    Status.RESOLVED: EVENT.c.resolved_at.is_not(None),
}


def _conditions(wanted: EventFilter, now: datetime) -> list[ColumnElement[bool]]:
    e = EVENT.c
    found: list[ColumnElement[bool]] = []
    for chosen, one_of in (
        (wanted.importance, e.importance),
        (wanted.category, e.category),
        (wanted.kind, e.kind),
        (wanted.state, e.prefect_state),
    ):
        if chosen:
            found.append(one_of.in_(sorted(chosen)))
    if wanted.rules:
        named = select(RULE.c.id).where(RULE.c.name.in_(sorted(wanted.rules)))
        found.append(e.rule_id.in_(named))
    if wanted.status:
        found.append(or_(false(), *(_STATUS[status] for status in sorted(wanted.status))))
    if wanted.ticker:
        found.append(e.ticker == wanted.ticker)
    if wanted.since is not None:
        found.append(e.timestamp >= wanted.since)
    if wanted.until is not None:
        found.append(e.timestamp < wanted.until)
    if wanted.text:
        places = (e.message, e.ticker, e.rule_name)
        found.append(or_(*(place.icontains(wanted.text, autoescape=True) for place in places)))
    if wanted.live:
        if not wanted.importance:
            found.append(e.importance.in_([item.value for item in Importance]))  # for the index
        found.append(live_condition(now))
    return found


def _sorted_by(sort: Sort, wanted: EventFilter) -> ColumnElement[Any]:
    by = _SORTED_BY[sort]
    if wanted.live and sort is Sort.TIME:
        # Offered the time index for sorting, SQLite would walk everything ever acknowledged
        # to find the few rows that are not; this spelling leaves it the partial index.
        return func.coalesce(by, by)
    return by


# -- lists and counts ----------------------------------------------------------------------

_LISTED = (
    "id",
    "rule_id",
    "rule_name",
    "ticker",
    "kind",
    "category",
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
    "resolved_at",
    "prefect_flow_run_id",
    "prefect_state",
    "prefect_state_name",
)


def _listed(
    wanted: EventFilter,
    now: datetime,
    sort: Sort,
    descending: bool,
    limit: int,
    message_length: int,
    after: Cursor | None = None,
) -> Select[Any]:
    by = _sorted_by(sort, wanted)
    order = (by.desc(), EVENT.c.id.desc()) if descending else (by.asc(), EVENT.c.id.asc())
    message = func.substr(EVENT.c.message, 1, message_length).label("message")
    statement = select(*(EVENT.c[name] for name in _LISTED), message, by.label("sorted_by"))
    statement = statement.where(*_conditions(wanted, now))
    if after is not None:
        statement = statement.where(_beyond(by, after, descending))
    return statement.order_by(*order).limit(limit)


def _beyond(by: ColumnElement[Any], after: Cursor, descending: bool) -> ColumnElement[bool]:
    """Rows after the cursor; the first half is what an index can use."""
    if descending:
        return and_(by <= after.value, or_(by < after.value, EVENT.c.id < after.id))
    return and_(by >= after.value, or_(by > after.value, EVENT.c.id > after.id))


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
    """`size` events after a cursor, newest first unless told otherwise; messages are cut short."""
    statement = _listed(wanted, now, sort, descending, size + 1, _PREVIEW, after)
    with _snapshot(engine) as connection:
        found = [dict(row) for row in connection.execute(statement).mappings()]
        newest = connection.scalar(select(func.max(EVENT.c.id))) or 0
    rows = found[:size]
    last = rows[-1] if len(found) > size else None
    for row in rows:
        row["message"] = clean_text(row["message"])
    following = Cursor(last["sorted_by"], last["id"]) if last else None
    return Page(rows, following, int(newest))


def export(
    engine: Engine,
    wanted: EventFilter,
    *,
    now: datetime,
    sort: Sort = Sort.TIME,
    descending: bool = True,
    limit: int = EXPORT_LIMIT,
) -> tuple[list[dict[str, Any]], bool]:
    """Up to `limit` events, and whether there were more."""
    statement = _listed(wanted, now, sort, descending, limit + 1, _EXPORTED)
    with _snapshot(engine) as connection:
        found = [dict(row) for row in connection.execute(statement).mappings()]
    return found[:limit], len(found) > limit


def count(
    engine: Engine,
    wanted: EventFilter,
    *,
    now: datetime,
    newer_than_id: int | None = None,
    cap: int = COUNT_CAP,
) -> int:
    """How many events; `cap + 1` stands for "more than `cap`", as counting on is not worth it."""
    statement = select(EVENT.c.id).where(*_conditions(wanted, now))
    if newer_than_id is not None:
        statement = statement.where(EVENT.c.id > newer_than_id)
    counted = select(func.count()).select_from(statement.limit(cap + 1).subquery())
    with _snapshot(engine) as connection:
        return int(connection.scalar(counted) or 0)


def overview(engine: Engine, *, now: datetime, cap: int = COUNT_CAP) -> Overview:
    """What is live by importance (each up to `cap + 1`), and whether there is anything at all."""
    with _snapshot(engine) as connection:
        counts: dict[str, int] = {}
        for importance in Importance:
            wanted = EventFilter(importance=frozenset({importance.value}), live=True)
            rows = select(EVENT.c.id).where(*_conditions(wanted, now)).limit(cap + 1)
            counted = select(func.count()).select_from(rows.subquery())
            counts[importance.value] = int(connection.scalar(counted) or 0)
        return Overview(
            counts,
            bool(connection.scalar(select(exists(select(EVENT.c.id))))),
            bool(connection.scalar(select(exists(select(NOTIFICATION.c.id))))),
        )


def facets(engine: Engine) -> Facets:
    """Names to choose from, taken from the small tables (rules and series, not events)."""
    with _snapshot(engine) as connection:

        def distinct(one: ColumnElement[str]) -> tuple[str, ...]:
            statement = select(one).distinct().where(one != "").order_by(one).limit(_FACET_LIMIT)
            return tuple(connection.scalars(statement))

        return Facets(distinct(RULE.c.name), distinct(RULE.c.category), distinct(SERIES.c.ticker))


def histogram(
    engine: Engine,
    wanted: EventFilter,
    *,
    start: datetime,
    end: datetime,
    step: timedelta,
    now: datetime,
) -> list[Bucket]:
    """Events by importance in steps from `start` to `end`; the filter's own times don't count.

    One range count for each bar reads the index only; grouping all rows of the range by hour
    takes ten times as long.
    """
    edges = [start + step * n for n in range(max(1, -((start - end) // step)))]
    bars = (
        values(column("opens", UtcDateTime()), column("closes", UtcDateTime()), name="bar")
        .data([(edge, min(edge + step, end)) for edge in edges])
        .cte("bar")
    )
    conditions = _conditions(
        replace(wanted, since=None, until=None, importance=frozenset(), live=False), now
    )
    if wanted.live:
        conditions.append(_UNACKNOWLEDGED)
    names = [i.value for i in Importance if not wanted.importance or i.value in wanted.importance]
    counts = [
        select(func.count())
        .where(
            EVENT.c.importance == name,
            EVENT.c.timestamp >= bars.c.opens,
            EVENT.c.timestamp < bars.c.closes,
            *conditions,
        )
        .correlate(bars)
        .scalar_subquery()
        .cast(Integer)
        .label(f"n_{name}")
        for name in names
    ]
    with _snapshot(engine) as connection:
        rows = connection.execute(select(bars.c.opens, *counts).order_by(bars.c.opens)).all()
    return [Bucket(row[0], dict(zip(names, row[1:], strict=True))) for row in rows]


# -- one event -----------------------------------------------------------------------------


def event(engine: Engine, event_id: int) -> EventDetail | None:
    """One event with everything known about it; None when there is none of that id."""
    if not 0 < event_id < 2**63:
        return None
    with _snapshot(engine) as connection:

        def rows(statement: Select[Any]) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(statement).mappings()]

        found = rows(select(EVENT).where(EVENT.c.id == event_id))
        if not found:
            return None
        [whole] = found
        rule = rows(select(RULE).where(RULE.c.id == whole["rule_id"]))
        n, a = NOTIFICATION.c, AUDIT.c
        return EventDetail(
            event=whole,
            rule=rule[0] if rule else None,
            evaluations=rows(_evaluations_of(whole)),
            earlier=rows(_before(whole)),
            notifications=rows(select(NOTIFICATION).where(n.event_id == event_id).order_by(n.id)),
            audit=rows(select(AUDIT).where(a.event_id == event_id).order_by(a.at, a.id)),
        )


def _series_of(whole: dict[str, Any]) -> Select[Any]:
    v = EVALUATION.c
    return (
        select(EVALUATION)
        .where(
            v.rule_id == whole["rule_id"],
            v.kind == whole["kind"],
            v.ticker == whole["ticker"],
        )
        .order_by(v.at.desc(), v.id.desc())
    )


def _evaluations_of(whole: dict[str, Any]) -> Select[Any]:
    ends = [moment for moment in (whole["last_seen"], whole["resolved_at"]) if moment is not None]
    v = EVALUATION.c
    return (
        _series_of(whole)
        .where(v.at.between(whole["first_seen"], max(ends)), v.event_id == whole["id"])
        .limit(EVALUATIONS_SHOWN)
    )


def _before(whole: dict[str, Any]) -> Select[Any]:
    return _series_of(whole).where(EVALUATION.c.at < whole["first_seen"]).limit(EVALUATIONS_SHOWN)


# -- acknowledging -------------------------------------------------------------------------


def acknowledge(
    engine: Engine, ids: Sequence[int], *, by: str, comment: str = "", now: datetime
) -> Acknowledged:
    """Acknowledge exactly these events, each with an audit entry, all in one transaction.

    Whatever somebody else acknowledged first stays theirs and is told in `handled`. Raises
    ValueError without a name: an acknowledgement nobody made helps nobody; raises
    StoreUnavailableError when nothing was written because the store did not answer.
    """
    who = " ".join(clean_text(by).split())[:BY_LIMIT]
    if not who:
        raise ValueError("say who acknowledges: the name is part of the record")
    said = clean_text(comment).strip()[:COMMENT_LIMIT]
    wanted = sorted(set(ids))
    with answering(engine), writing(engine) as connection:
        done: list[int] = []
        rest: dict[int, Handled] = {}
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            done.extend(_acknowledge(connection, chunk, who, said, now))
            rest.update(_handled(connection, set(chunk).difference(done)))
        if done:
            detail = {"comment": said} if said else {}
            entry = {"at": now, "actor": who, "action": "acknowledged", "detail": detail}
            connection.execute(insert(AUDIT), [{**entry, "event_id": key} for key in done])
    missing = tuple(key for key in wanted if key not in rest and key not in set(done))
    return Acknowledged(tuple(sorted(done)), tuple(rest[key] for key in sorted(rest)), missing)


def _acknowledge(
    connection: Connection, ids: Sequence[int], by: str, comment: str, now: datetime
) -> list[int]:
    e = EVENT.c
    # Locked in one order, so that two people who chose overlapping rows never wait for each other
    connection.execute(select(e.id).where(e.id.in_(ids)).order_by(e.id).with_for_update())
    statement = (
        update(EVENT)
        .where(e.id.in_(ids), _UNACKNOWLEDGED)
        .values(
            is_acknowledged=True, acknowledged_at=now, acknowledged_by=by, comment=comment or None
        )
        .returning(e.id)
    )
    return list(connection.scalars(statement))


def _handled(connection: Connection, ids: set[int]) -> dict[int, Handled]:
    e = EVENT.c
    statement = select(e.id, e.acknowledged_by, e.acknowledged_at).where(e.id.in_(ids))
    return {key: Handled(key, by or "", at) for key, by, at in connection.execute(statement)}
