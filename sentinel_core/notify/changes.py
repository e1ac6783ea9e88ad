"""The changes of events, read from the record: of one recording, or since a time.

Both ways produce the same changes with the same keys, so that duplicates are recognised.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    Table,
    and_,
    exists,
    func,
    or_,
    select,
)

from sentinel_core.decide.late import LateAction
from sentinel_core.decide.observe import Kind
from sentinel_core.decide.state import Action, Status
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.notify.change import EventChange, of_event
from sentinel_core.store.db.bulk import chunks
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import (
    AUDIT,
    EVALUATION,
    EVENT,
    NOTIFICATION,
    RULE,
    SERIES,
    STORM,
)
from sentinel_core.store.record.recording import Recorded

FLAPPING, FLAPPING_ENDED = NotifyReason.FLAPPING.value, NotifyReason.FLAPPING_ENDED.value
_DECISIONS = {
    Action.OPEN.value: "opened",
    LateAction.BACKFILL.value: "opened",
    Action.ESCALATE.value: "escalated",
    LateAction.ESCALATE.value: "escalated",
    Action.RESOLVE.value: "resolved",
}
_REASONS = {
    NotifyReason.REMINDER.value: "reminded",
    NotifyReason.ACKNOWLEDGEMENT_ENDED.value: "acknowledgement-ended",
}
_BY_HAND = ("acknowledged", "unacknowledged", "commented", "assigned", "unassigned", "disposition")
_RESOLVED = "resolved"
_LATE = timedelta(minutes=15)  # how much older a run may be than its record
_DAY = timedelta(days=1)

_V, _N, _S, _E = EVALUATION.c, NOTIFICATION.c, SERIES.c, EVENT.c

# A change before its event's columns are read: (event, name, at, which, run, detail).
_RawChange = tuple[int, str, datetime, str, UUID | None, Mapping[str, Any]]


def of_recording(
    engine: Engine, run_id: UUID | None, recorded: Recorded, now: datetime
) -> list[EventChange]:
    """The changes made by one recording; none for most runs."""
    changes: list[_RawChange] = []
    with reading(engine) as connection:
        if run_id is not None:
            judged = list(_judged(connection, _V.prefect_flow_run_id == run_id))
            newest = max((at for _, _, at, *_ in judged), default=now)
            changes += [change for change in judged if change[2] == newest]  # no earlier state
        for some in chunks(recorded.notifications):
            changes += _notified(connection, _N.id.in_(some))
        # Changes without an evaluation of their own; duplicates are dropped.
        changes += [(key, "opened", now, "", run_id, {}) for key in recorded.opened]
        changes += [(key, _RESOLVED, now, "", run_id, {}) for key in recorded.resolved]
        return _once(_with_events(connection, changes))


def _once(changes: Iterable[EventChange]) -> list[EventChange]:
    """The first of all changes with the same id."""
    first: dict[UUID, EventChange] = {}
    for change in changes:
        first.setdefault(change.id, change)
    return list(first.values())


def since(
    engine: Engine, after: datetime, before: datetime, settled: datetime
) -> list[EventChange]:
    """All changes of a period, oldest first.

    Changes made by recordings are included up to `settled`: recordings announce later ones.
    """
    with reading(engine) as connection:
        by_hand = list(_by_hand(connection, after, before))
        raw = [*by_hand, *_recorded(connection, after, settled)]
        changes = _with_events(connection, raw)
        changes += _not_delivered(connection, after, before)
        changes += _storms(connection, after, before)
    return sorted(_once(changes), key=lambda change: change.at)


def _with_events(connection: Connection, changes: Iterable[_RawChange]) -> list[EventChange]:
    changes = list(changes)
    events = _events(connection, [change[0] for change in changes])
    return [
        of_event(name, events[key], at, which, flow_run_id=run, **detail)
        for key, name, at, which, run, detail in changes
        if key in events
    ]


def _events(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    events: dict[int, dict[str, Any]] = {}
    for some in chunks(sorted(set(ids))):
        statement = (
            select(EVENT, RULE.c.deployment_id)
            .join(RULE, RULE.c.id == _E.rule_id)
            .where(_E.id.in_(some))
        )
        events |= {row["id"]: dict(row) for row in connection.execute(statement).mappings()}
    return events


def _recorded(connection: Connection, after: datetime, before: datetime) -> Iterator[_RawChange]:
    within = _later(connection, EVALUATION, _V.recorded_at, after)
    yield from _judged(connection, and_(within, _V.recorded_at <= before))
    within = _later(connection, NOTIFICATION, _N.created_at, after)
    yield from _notified(connection, and_(within, _N.created_at <= before))
    yield from _unevaluated(connection, after, before)


def _judged(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[_RawChange]:
    statement = select(
        _V.id,
        _V.rule_id,
        _V.kind,
        _V.ticker,
        _V.at,
        _V.event_id,
        _V.decision,
        _V.decision_code,
        _V.importance,
        _V.recorded_at,
        _V.prefect_flow_run_id,
    ).where(
        wanted,
        _V.event_id.is_not(None),
        or_(_V.decision.in_(_DECISIONS), _V.decision_code.in_([FLAPPING, FLAPPING_ENDED])),
    )
    for row in connection.execute(statement.order_by(_V.id)).mappings().all():
        at, run = row["recorded_at"] or row["at"], row["prefect_flow_run_id"]
        name = _DECISIONS.get(row["decision"])
        if name is not None:
            which = row["importance"] if name == "escalated" else ""
            yield row["event_id"], name, at, which, run, {}
        if row["decision_code"] == FLAPPING_ENDED or _begins_to_flap(connection, row):
            yield row["event_id"], row["decision_code"], at, str(run), run, {}


def _begins_to_flap(connection: Connection, row: RowMapping) -> bool:
    """True for the first evaluation of its series that is decided as flapping."""
    if row["decision_code"] != FLAPPING:
        return False
    statement = (
        select(_V.decision_code)
        .where(
            _V.rule_id == row["rule_id"],
            _V.kind == row["kind"],
            _V.ticker == row["ticker"],
            _V.at < row["at"],
            _V.decision_code != "importance-raised",  # may happen meanwhile
        )
        .order_by(_V.at.desc(), _V.id.desc())
        .limit(1)
    )
    return bool(connection.scalar(statement) != FLAPPING)


def _notified(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[_RawChange]:
    """Changes that only notifications record; several channels are one change."""
    statement = (
        select(_N.event_id, _N.reason, _N.sequence, func.min(_N.created_at))
        .where(wanted, _N.reason.in_(_REASONS), _N.event_id.is_not(None))
        .group_by(_N.event_id, _N.reason, _N.sequence)
    )
    for event_id, reason, sequence, at in connection.execute(statement):
        yield event_id, _REASONS[reason], at, str(sequence), None, {}


def _unevaluated(connection: Connection, after: datetime, before: datetime) -> Iterator[_RawChange]:
    """Events that opened or ended without an evaluation of their own: a silent rule that runs
    again, a failing channel, an event that no run has confirmed for long."""
    changed = and_(_S.changed_at > after, _S.changed_at <= before)
    opened = (
        select(_S.event_id, _S.changed_at)
        .join(EVENT, _E.id == _S.event_id)
        .where(changed, _S.kind != Kind.ALERT.value, _S.status == Status.FIRING.value)
        .where(_E.timestamp > after - _DAY)
    )
    for event_id, at in connection.execute(opened):
        yield event_id, "opened", at, "", None, {}
    # Changes with an evaluation come from `_judged`.
    evaluated = exists().where(
        _V.rule_id == _S.rule_id,
        _V.kind == _S.kind,
        _V.ticker == _S.ticker,
        _V.at == _S.ended_at,
    )
    recently = or_(_S.kind != Kind.ALERT.value, _S.ended_at > after - _LATE)
    ended = (
        select(_E.id, _S.changed_at)
        .join(EVENT, and_(_E.rule_id == _S.rule_id, _E.kind == _S.kind, _E.ticker == _S.ticker))
        .where(changed, recently, _S.ended_at > after - _DAY, _E.resolved_at == _S.ended_at)
        .where(_E.timestamp <= _S.ended_at, ~evaluated)
    )
    for event_id, at in connection.execute(ended):
        yield event_id, _RESOLVED, at, "", None, {}


def _by_hand(connection: Connection, after: datetime, before: datetime) -> Iterator[_RawChange]:
    a = AUDIT.c
    statement = (
        select(AUDIT)
        .where(
            _later(connection, AUDIT, a.at, after),
            a.at <= before,
            a.event_id.is_not(None),
            a.action.in_((*_BY_HAND, _RESOLVED)),
        )
        .order_by(a.id)
    )
    for row in connection.execute(statement).mappings().all():
        resolved = row["action"] == _RESOLVED  # an event is resolved once, whoever does it
        which = "" if resolved else f"{row['id']}/{row['at'].isoformat()}"
        detail = {"by": row["actor"], **(row["detail"] or {})}
        yield row["event_id"], row["action"], row["at"], which, None, detail


def _not_delivered(connection: Connection, after: datetime, before: datetime) -> list[EventChange]:
    """Notifications that failed for good. They are few, and the index of due ones has them."""
    statement = (
        select(NOTIFICATION)
        .where(_N.status == "failed", _N.settled_at > after, _N.settled_at <= before)
        .order_by(_N.settled_at)
    )
    rows = connection.execute(statement).mappings().all()
    events = _events(connection, [row["event_id"] for row in rows if row["event_id"] is not None])
    return [_failed(row, events.get(row["event_id"])) for row in rows]


def _failed(row: RowMapping, event: dict[str, Any] | None) -> EventChange:
    at, error = row["settled_at"], row["last_error"]
    which = f"{row['id']}/{at.isoformat()}"
    detail = {"channel": row["channel"], "reason": row["reason"], "error": error}
    if event is not None:
        return of_event("notification-failed", event, at, which, **detail)
    subject = (f"channel.{row['channel']}", row["channel"])
    return EventChange("event.notification-failed", which, at, subject=subject, detail=detail)


def _storms(connection: Connection, after: datetime, before: datetime) -> list[EventChange]:
    s = STORM.c
    recent = or_(s.started_at > after, s.ended_at > after)
    changes = []
    for row in connection.execute(select(STORM).where(recent)).mappings():
        subject = (f"storm.{row['id']}", row["channel"])
        detail = {key: row[key] for key in ("channel", "threshold", "window_seconds")}
        key = f"{row['id']}/{row['started_at'].isoformat()}"
        for name, at in (("started", row["started_at"]), ("ended", row["ended_at"])):
            if at is not None and after < at <= before:
                changes.append(
                    EventChange(f"storm.{name}", key, at, subject=subject, detail=detail)
                )
    return changes


def _later(
    connection: Connection, table: Table, column: Column[Any], after: datetime
) -> ColumnElement[bool]:
    """SQL condition: later than `after`. Ids grow with time, so bisection finds the first row."""
    low, high = 0, int(connection.scalar(select(func.max(table.c.id))) or 0) + 1
    while low < high:
        middle = (low + high) // 2
        statement = select(table.c.id, column).where(table.c.id >= middle).order_by(table.c.id)
        row = connection.execute(statement.limit(1)).first()
        if row is None or (row[1] is not None and row[1] > after):
            high = middle
        else:
            low = int(row[0]) + 1
    return and_(table.c.id >= low, column > after)
