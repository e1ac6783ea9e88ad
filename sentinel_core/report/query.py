"""The figures of a report, read from the store; and the report in its readers' outbox."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Float, and_, case, cast, func, or_, select

from sentinel_core.decide.fanout import about_row
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.model.routing import Route
from sentinel_core.model.run import Schedule
from sentinel_core.report.figures import (
    EventCount,
    EventStatus,
    Figures,
    NotificationCount,
    RuleRuns,
    Unacknowledged,
    Window,
    edges,
)
from sentinel_core.report.recorded_runs import read_runs
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.tables import EVALUATION, EVENT, NOTIFICATION, RULE
from sentinel_core.store.outbox.enqueue import insert_notifications
from sentinel_core.store.retention.evaluations import deleted_before
from sentinel_core.store.state.watched import WATCHED

LISTED = 10  # unacknowledged events
LATE = "late"  # the resolution of an event that had ended before it was recorded

_E, _N, _V = EVENT.c, NOTIFICATION.c, EVALUATION.c


def figures(engine: Engine, window: Window, now: datetime) -> Figures:
    """Everything that happened within the window, with its status at `now`."""
    with reading(engine) as connection:
        waiting, count = _waiting(connection, now)
        return Figures(
            window=window,
            events=_events(connection, window, now),
            rules=_rules(connection, window),
            notifications=_notifications(connection, window),
            waiting=waiting,
            waiting_count=count,
            bars=_bars(connection, window),
        )


def rule_runs(engine: Engine, window: Window, rule_ids: Sequence[int]) -> list[RuleRuns]:
    """The runs of these rules within the window, by which their coverage is computed."""
    with reading(engine) as connection:
        return _rules(connection, window, RULE.c.id.in_(rule_ids))


def enqueue_report(
    engine: Engine, about: str, facts: Mapping[str, Any], routes: Sequence[Route], now: datetime
) -> list[int]:
    """Enqueue a report to its readers, once for each `about` however often it is called.

    Returns the ids of the new notifications.
    """
    rows = [
        about_row(
            about, route.channel, route.recipient, NotifyReason.REPORT.value, now, content=facts
        )
        for route in {(route.channel, route.recipient): route for route in routes}.values()
    ]
    if not rows:
        return []
    with writing(engine) as connection:
        return insert_notifications(connection, rows, now)


def _within(column: ColumnElement[Any], window: Window) -> ColumnElement[bool]:
    return and_(column >= window.since, column < window.until)


def _acknowledged(now: datetime) -> ColumnElement[bool]:
    until = _E.acknowledged_until
    return and_(_E.is_acknowledged, or_(until.is_(None), until > now))


def _events(connection: Connection, window: Window, now: datetime) -> list[EventCount]:
    """Events counted in the database: some hundred rows for a million events."""
    state = case(
        (_E.resolved_at.is_not(None), EventStatus.RESOLVED.value),
        (_acknowledged(now), EventStatus.ACKNOWLEDGED.value),
        else_=EventStatus.OPEN.value,
    ).label("state")
    ended = case((func.coalesce(_E.resolution, "") != LATE, _E.resolved_at))
    group = (_E.rule_id, _E.rule_name, _E.importance, state, _E.prefect_state)
    sums = (
        func.count(),
        func.count(_E.acknowledged_at),
        _seconds(connection, _E.timestamp, _E.acknowledged_at),
        func.count(ended),
        _seconds(connection, _E.timestamp, ended),
    )
    statement = select(*group, *sums).where(_within(_E.timestamp, window)).group_by(*group)
    return [
        EventCount(rule_id, rule, importance, EventStatus(name), prefect_state, *counts)
        for rule_id, rule, importance, name, prefect_state, *counts in connection.execute(statement)
    ]


def _seconds(
    connection: Connection, start: ColumnElement[Any], end: ColumnElement[Any]
) -> ColumnElement[Any]:
    """The sum of the times between `start` and `end`, of the rows that have both."""
    if connection.dialect.name == "sqlite":
        days = func.julianday(end, type_=Float) - func.julianday(start, type_=Float)
        seconds = days * 86_400.0
    else:
        seconds = cast(func.extract("epoch", end - start), Float)
    return func.coalesce(func.sum(seconds), 0.0)


def _waiting(connection: Connection, now: datetime) -> tuple[list[Unacknowledged], int]:
    """Unresolved events that nobody has acknowledged, the oldest first, and their number."""
    wanted = and_(_E.resolved_at.is_(None), ~_acknowledged(now))
    count = connection.scalar(select(func.count()).select_from(EVENT).where(wanted))
    columns = (_E.id, _E.rule_name, _E.ticker, _E.importance, _E.timestamp)
    statement = select(*columns).where(wanted).order_by(_E.timestamp, _E.id).limit(LISTED)
    return [Unacknowledged(*row) for row in connection.execute(statement)], int(count or 0)


def _bars(connection: Connection, window: Window) -> list[tuple[datetime, dict[str, int]]]:
    """The number of events by importance for each bar: each query reads a range of an index."""
    bars = []
    known = _E.importance.in_([importance.value for importance in Importance])
    for start, end in edges(window):
        inside = _within(_E.timestamp, Window(start, end))
        counts = select(_E.importance, func.count()).where(known, inside).group_by(_E.importance)
        bars.append((start, {row[0]: row[1] for row in connection.execute(counts)}))
    return bars


def _rules(connection: Connection, window: Window, *wanted: ColumnElement[bool]) -> list[RuleRuns]:
    """The rules with their runs: the index has a rule's evaluations, and few are held at once."""
    rules = []
    listed = select(RULE).where(*wanted).order_by(RULE.c.name, RULE.c.id)
    for rule in connection.execute(listed).all():
        mine = _V.rule_id == rule.id
        if rule.trigger == WATCHED:  # its hooks record some of its runs only, and check nothing
            rules.append(RuleRuns(rule.id, rule.name))
            continue
        before = connection.scalar(select(func.max(_V.at)).where(mine, _V.at < window.since))
        runs = list(read_runs(connection, and_(mine, _within(_V.at, window))))
        schedules = [Schedule(**kept) for kept in rule.schedules] if rule.is_active else []
        # What ran before was deleted: its due times are no gaps.
        counted_from = max(filter(None, (rule.changed_at, deleted_before(connection, rule.id))))
        rules.append(RuleRuns(rule.id, rule.name, runs, schedules, counted_from, before))
    return rules


def _notifications(connection: Connection, window: Window) -> list[NotificationCount]:
    """The notifications, channel by channel: the index has those of a channel and a time."""
    targets = select(_N.channel, _N.recipient).distinct().order_by(_N.channel, _N.recipient)
    counts = []
    for channel, recipient in connection.execute(targets).all():
        statement = (
            select(_N.status, _E.rule_id, func.count(), func.sum(_N.unknown))
            .join(EVENT, _E.id == _N.event_id, isouter=True)
            .where(_N.channel == channel, _N.recipient == recipient)
            .where(_within(_N.created_at, window))
            .group_by(_N.status, _E.rule_id)
        )
        for status, rule_id, count, unknown in connection.execute(statement):
            counts.append(NotificationCount(channel, status, count, rule_id, int(unknown or 0)))
    return counts
