"""What people read: events filtered, sorted, paged, counted, and one event whole.

Everything is filtered in the database and returned as plain columns. Nothing is written.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Integer,
    Select,
    String,
    and_,
    cast,
    column,
    exists,
    func,
    literal,
    or_,
    select,
    values,
)

from sentinel_core.model.alert import Importance, clean_text
from sentinel_core.store.db.engine import answering, reading
from sentinel_core.store.db.tables import (
    AUDIT,
    EVALUATION,
    EVENT,
    NOTIFICATION,
    RULE,
    SERIES,
    STORM,
    UNACKNOWLEDGED,
    UtcDateTime,
)
from sentinel_core.store.outbox import claim as outbox
from sentinel_core.store.outbox.storms import BEGAN
from sentinel_core.store.read.filters import EventFilter, Sort, conditions, in_storm, sorted_by

COUNT_CAP = 10_000
EXPORT_LIMIT = 50_000
EVALUATIONS_SHOWN = 50
_PREVIEW = 400  # characters of a message in a list; the event's own page has all of it
_EXPORTED = 2_000  # characters of a message in an export
_FACET_LIMIT = 1_000
_DAY = timedelta(days=1)
_LATE = timedelta(minutes=5)  # flows/deliver.py comes by every minute


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
class Failing:
    """A channel and what it did not take. `works`: it has taken something since."""

    channel: str
    messages: int
    latest: datetime
    error: str
    works: bool


@dataclass(frozen=True, slots=True)
class OpenStorm:
    """A storm that goes on. `told` is the status of the message that tells of it."""

    id: int
    channel: str
    recipient: str
    started_at: datetime
    events: int
    told: str


@dataclass(frozen=True, slots=True)
class Deliveries:
    """How messages fare: channels that failed for good lately, storms that go on, and how many
    messages are due for minutes and nobody sends them (counted up to the cap)."""

    failing: tuple[Failing, ...]
    storms: tuple[OpenStorm, ...]
    late: int


@dataclass(frozen=True, slots=True)
class EventDetail:
    """One event whole. Evaluations newest first; `earlier` are the series' readings before it.

    Beside its columns, the event says whether a message about it is `undelivered`, a notification
    how many events were told `together` with this one, and the status of its storm's own message.
    """

    event: dict[str, Any]
    rule: dict[str, Any] | None
    evaluations: list[dict[str, Any]]
    earlier: list[dict[str, Any]]
    notifications: list[dict[str, Any]]
    audit: list[dict[str, Any]]


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    with answering(engine), reading(engine) as connection:
        yield connection


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
    "suppressed",
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
    by = sorted_by(sort, wanted)
    order = (by.desc(), EVENT.c.id.desc()) if descending else (by.asc(), EVENT.c.id.asc())
    message = func.substr(EVENT.c.message, 1, message_length).label("message")
    statement = select(*(EVENT.c[name] for name in _LISTED), message, by.label("sorted_by"))
    statement = statement.where(*conditions(wanted, now))
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
        lost = _undelivered(connection, [row["id"] for row in rows])
    last = rows[-1] if len(found) > size else None
    for row in rows:
        row["message"] = clean_text(row["message"])
        row["undelivered"] = row["id"] in lost
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
    statement = select(EVENT.c.id).where(*conditions(wanted, now))
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
            rows = select(EVENT.c.id).where(*conditions(wanted, now)).limit(cap + 1)
            counted = select(func.count()).select_from(rows.subquery())
            counts[importance.value] = int(connection.scalar(counted) or 0)
        return Overview(
            counts,
            bool(connection.scalar(select(exists(select(EVENT.c.id))))),
            bool(connection.scalar(select(exists(select(NOTIFICATION.c.id))))),
        )


def _undelivered(connection: Connection, event_ids: Sequence[int]) -> set[int]:
    """Of these events those of which a channel was to hear, and did not, and has not since."""
    n, later = NOTIFICATION.c, NOTIFICATION.alias("later")
    reached = exists().where(
        later.c.event_id == n.event_id,
        later.c.channel == n.channel,
        later.c.recipient == n.recipient,
        later.c.status == outbox.SENT,
        later.c.id > n.id,
    )
    # Offered an index over the status, SQLite would read all that ever failed.
    status = func.coalesce(n.status, n.status)
    failed = select(n.event_id).where(n.event_id.in_(event_ids), status == outbox.FAILED, ~reached)
    told = _storm_message()
    in_storm = (
        select(n.event_id)
        .join(told, told.c.about == _about_storm(n.storm_id))
        .where(
            n.event_id.in_(event_ids),
            n.storm_id.is_not(None),
            told.c.about != "",
            told.c.reason == BEGAN,
            told.c.status == outbox.FAILED,
            ~reached,
        )
    )
    return set(connection.scalars(failed.union(in_storm)))


def _storm_message() -> Any:
    """The message that tells of a storm. Asked for with `about <> ''`, which its index demands."""
    return NOTIFICATION.alias("storm_message")


def _about_storm(storm_id: ColumnElement[Any]) -> ColumnElement[str]:
    return literal("storm:", String) + cast(storm_id, String)


def deliveries(engine: Engine, *, now: datetime, cap: int = COUNT_CAP) -> Deliveries:
    """How messages fare, for whoever looks at the blotter."""
    late = len(outbox.due(engine, now - _LATE, limit=cap + 1))
    with _snapshot(engine) as connection:
        return Deliveries(_failing(connection, now), _storms(connection, cap), late)


def _failing(connection: Connection, now: datetime) -> tuple[Failing, ...]:
    n = NOTIFICATION.c
    # The index has when an attempt's claim ends, which is not long before or after its outcome.
    lately = and_(
        n.status == outbox.FAILED, n.next_attempt_at > now - 2 * _DAY, n.settled_at > now - _DAY
    )
    grouped = select(n.channel, func.count(), func.max(n.settled_at)).where(lately)
    found = []
    for channel, messages, latest in connection.execute(
        grouped.group_by(n.channel).order_by(n.channel)
    ).all():
        error = select(n.last_error).where(lately, n.channel == channel, n.settled_at == latest)
        works = select(n.id).where(
            n.status == outbox.SENT,
            n.next_attempt_at > latest,
            n.channel == channel,
            n.sent_at > latest,
        )
        found.append(
            Failing(
                channel,
                messages,
                latest,
                connection.scalar(error.limit(1)) or "no reason given",
                connection.execute(works.limit(1)).first() is not None,
            )
        )
    return tuple(found)


def _storms(connection: Connection, cap: int) -> tuple[OpenStorm, ...]:
    s, told = STORM.c, _storm_message()
    opened = (
        select(STORM, told.c.status)
        .outerjoin(
            told,
            and_(told.c.about == _about_storm(s.id), told.c.about != "", told.c.reason == BEGAN),
        )
        .where(s.ended_at.is_(None))
        .order_by(s.started_at)
    )
    return tuple(
        OpenStorm(
            row["id"],
            row["channel"],
            row["recipient"],
            row["started_at"],
            _events_in(connection, row["id"], cap),
            row["status"] or outbox.PENDING,
        )
        for row in connection.execute(opened).mappings().all()
    )


def _events_in(connection: Connection, storm_id: int, cap: int) -> int:
    rows = in_storm(storm_id).distinct().limit(cap + 1).subquery()
    return int(connection.scalar(select(func.count()).select_from(rows)) or 0)


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
    held = conditions(
        replace(wanted, since=None, until=None, importance=frozenset(), live=False), now
    )
    if wanted.live:
        held.append(UNACKNOWLEDGED)
    names = [i.value for i in Importance if not wanted.importance or i.value in wanted.importance]
    counts = [
        select(func.count())
        .where(
            EVENT.c.importance == name,
            EVENT.c.timestamp >= bars.c.opens,
            EVENT.c.timestamp < bars.c.closes,
            *held,
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
        whole["undelivered"] = bool(_undelivered(connection, [event_id]))
        rule = rows(select(RULE).where(RULE.c.id == whole["rule_id"]))
        a = AUDIT.c
        return EventDetail(
            event=whole,
            rule=rule[0] if rule else None,
            evaluations=rows(_evaluations_of(whole)),
            earlier=rows(_before(whole)),
            notifications=rows(_messages_of(event_id)),
            audit=rows(select(AUDIT).where(a.event_id == event_id).order_by(a.at, a.id)),
        )


def _messages_of(event_id: int) -> Select[Any]:
    """The messages about an event, oldest first, each with what the others say of it."""
    n, other, told = NOTIFICATION.c, NOTIFICATION.alias("other"), _storm_message()
    together = (  # what left as one message has all of this in common; the first two are an index
        select(func.count())
        .where(
            other.c.status == n.status,
            other.c.next_attempt_at == n.next_attempt_at,
            other.c.message_id == n.message_id,
            other.c.id != n.id,
        )
        .correlate(NOTIFICATION)
        .scalar_subquery()
    )
    of_storm = and_(
        told.c.about == _about_storm(n.storm_id), told.c.about != "", told.c.reason == BEGAN
    )
    return (
        select(NOTIFICATION, together.label("together"), told.c.status.label("storm_message"))
        .outerjoin(told, of_storm)
        .where(n.event_id == event_id)
        .order_by(n.id)
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
    v = EVALUATION.c
    found = _series_of(whole).where(v.at >= whole["first_seen"], v.event_id == whole["id"])
    if whole["resolved_at"] is not None:  # else its newest readings may be oks, after last_seen
        found = found.where(v.at <= max(whole["last_seen"], whole["resolved_at"]))
    return found.limit(EVALUATIONS_SHOWN)


def _before(whole: dict[str, Any]) -> Select[Any]:
    return _series_of(whole).where(EVALUATION.c.at < whole["first_seen"]).limit(EVALUATIONS_SHOWN)
