"""The figures of a report, read from the store; and the report in its readers' outbox."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Float,
    RowMapping,
    and_,
    case,
    func,
    or_,
    select,
)

from sentinel_core.decide.fanout import about_row
from sentinel_core.decide.observe import Kind
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.model.routing import Route
from sentinel_core.model.run import Schedule, StateType
from sentinel_core.report.figures import (
    EventCount,
    EventStatus,
    Figures,
    NotificationCount,
    RuleRun,
    RuleRuns,
    RunOutcome,
    Unacknowledged,
    Window,
    edges,
)
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.tables import EVALUATION, EVENT, NOTIFICATION, RULE
from sentinel_core.store.outbox.enqueue import insert_notifications

REASON = NotifyReason.REPORT.value
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
            rules=[_runs(connection, rule, window) for rule in _rules(connection)],
            notifications=_notifications(connection, window),
            waiting=waiting,
            waiting_count=count,
            bars=_bars(connection, window),
        )


def enqueue_report(
    engine: Engine, about: str, facts: Mapping[str, Any], routes: Sequence[Route], now: datetime
) -> list[int]:
    """Enqueue a report to its readers, once for each `about` however often it is called.

    Returns the ids of the new notifications.
    """
    rows = [
        about_row(about, route.channel, route.recipient, REASON, now, content=facts)
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
    statement = (
        select(
            *group,
            func.count().label("count"),
            func.count(_E.acknowledged_at).label("acknowledged"),
            _seconds(connection, _E.timestamp, _E.acknowledged_at).label("acknowledge_seconds"),
            func.count(ended).label("resolved"),
            _seconds(connection, _E.timestamp, ended).label("resolve_seconds"),
        )
        .where(_within(_E.timestamp, window))
        .group_by(*group)
    )
    return [
        EventCount(
            rule_id=row["rule_id"],
            rule=row["rule_name"],
            importance=row["importance"],
            state=EventStatus(row["state"]),
            prefect_state=row["prefect_state"],
            count=row["count"],
            acknowledged=row["acknowledged"],
            acknowledge_seconds=float(row["acknowledge_seconds"]),
            resolved=row["resolved"],
            resolve_seconds=float(row["resolve_seconds"]),
        )
        for row in connection.execute(statement).mappings()
    ]


def _seconds(
    connection: Connection, start: ColumnElement[Any], end: ColumnElement[Any]
) -> ColumnElement[Any]:
    """The sum of the times between two moments, where there are both."""
    if connection.dialect.name == "sqlite":
        days = func.julianday(end, type_=Float) - func.julianday(start, type_=Float)
        return func.coalesce(func.sum(days * 86_400.0), 0.0)
    return func.coalesce(func.sum(func.extract("epoch", end - start)), 0.0)


def _waiting(connection: Connection, now: datetime) -> tuple[list[Unacknowledged], int]:
    """Unresolved events that nobody has acknowledged, the oldest first, and their number."""
    wanted = and_(_E.resolved_at.is_(None), ~_acknowledged(now))
    count = connection.scalar(select(func.count()).select_from(EVENT).where(wanted))
    columns = (_E.id, _E.rule_name, _E.ticker, _E.importance, _E.timestamp)
    statement = select(*columns).where(wanted).order_by(_E.timestamp, _E.id).limit(LISTED)
    return [Unacknowledged(*row) for row in connection.execute(statement)], int(count or 0)


def _bars(connection: Connection, window: Window) -> list[tuple[datetime, dict[str, int]]]:
    """Counted bar by bar: each reads a range of an index only."""
    found = []
    for start, end in edges(window):
        statement = (
            select(_E.importance, func.count())
            .where(
                _E.importance.in_([one.value for one in Importance]),
                _E.timestamp >= start,
                _E.timestamp < end,
            )
            .group_by(_E.importance)
        )
        found.append((start, {row[0]: row[1] for row in connection.execute(statement)}))
    return found


def _rules(connection: Connection) -> list[RowMapping]:
    r = RULE.c
    columns = (r.id, r.name, r.schedules, r.is_active, r.changed_at)
    return list(connection.execute(select(*columns).order_by(r.name, r.id)).mappings())


def _runs(connection: Connection, rule: RowMapping, window: Window) -> RuleRuns:
    """One rule at a time: its evaluations are found by the index, and few are held at once."""
    mine = _V.rule_id == rule["id"]
    before = connection.scalar(select(func.max(_V.at)).where(mine, _V.at < window.since))
    return RuleRuns(
        rule_id=rule["id"],
        name=rule["name"],
        runs=list(_read_runs(connection, and_(mine, _within(_V.at, window)))),
        schedules=_schedules(rule) if rule["is_active"] else (),
        changed_at=rule["changed_at"],
        before=before,
    )


def _schedules(rule: RowMapping) -> tuple[Schedule, ...]:
    return tuple(Schedule(**kept) for kept in rule["schedules"])


def _read_runs(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[RuleRun]:
    """A run has an evaluation for each of its series, and may have some of an earlier state."""
    not_checked = or_(_V.kind == Kind.SKIPPED.value, _V.prefect_state == StateType.CANCELLED.value)
    failed = and_(_V.kind == Kind.FAILURE.value, ~not_checked)
    judged = and_(_V.kind.in_([Kind.ALERT.value, Kind.NO_DATA.value]), ~not_checked)

    def some(what: ColumnElement[bool]) -> ColumnElement[int]:
        return func.max(case((what, 1), else_=0))

    statement = (
        select(
            func.max(_V.at),
            func.min(_V.started_at),
            func.max(_V.completed_at),
            some(not_checked),
            some(failed),
            some(judged),
        )
        .where(wanted)
        .group_by(_V.prefect_flow_run_id)
    )
    for at, started, ended, skipped, has_failed, was_judged in connection.execute(statement):
        outcome = _outcome(not_checked=skipped, failed=has_failed, judged=was_judged)
        yield RuleRun(at, outcome, (ended - started).total_seconds() if started else None)


def _outcome(*, not_checked: int, failed: int, judged: int) -> RunOutcome:
    """The outcome of a run whose evaluations may stem from more than one state."""
    if judged and not failed:
        return RunOutcome.CHECKED
    return RunOutcome.NOT_CHECKED if not_checked and not failed else RunOutcome.FAILED


def _notifications(connection: Connection, window: Window) -> list[NotificationCount]:
    """Channel by channel: its messages of the window are found by the index."""
    ways = select(_N.channel, _N.recipient).distinct().order_by(_N.channel, _N.recipient)
    found = []
    for channel, recipient in connection.execute(ways).all():
        statement = (
            select(_N.status, _E.rule_id, func.count(), func.sum(_N.unknown))
            .join(EVENT, _E.id == _N.event_id, isouter=True)
            .where(
                _N.channel == channel,
                _N.recipient == recipient,
                _within(_N.created_at, window),
            )
            .group_by(_N.status, _E.rule_id)
        )
        for status, rule_id, count, unknown in connection.execute(statement):
            found.append(NotificationCount(channel, status, count, rule_id, int(unknown or 0)))
    return found
