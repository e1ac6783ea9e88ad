"""The changes of events, read from the record: of one recording, or since a time.

Both ways produce the same changes with the same keys, so that duplicates are recognised.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Row,
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
    NotifyReason.VALUE_CROSSED.value: "acknowledgement-ended",
}
_BY_HAND = ("acknowledged", "unacknowledged", "commented", "assigned", "unassigned", "disposition")
_RESOLVED = "resolved"
_LATE = timedelta(minutes=15)  # how much older a run may be than its record
_DAY = timedelta(days=1)

_V, _N, _S, _E = EVALUATION.c, NOTIFICATION.c, SERIES.c, EVENT.c


class _Raw(NamedTuple):
    """A change before its event's columns are read. `which`, `run` and `detail`: see `of_event`."""

    event_id: int
    name: str
    at: datetime
    which: str = ""
    run: UUID | None = None
    detail: Mapping[str, Any] | None = None


def of_recording(
    engine: Engine, run_id: UUID | None, recorded: Recorded, now: datetime
) -> list[EventChange]:
    """The changes made by one recording; none for most runs."""
    raw: list[_Raw] = []
    with reading(engine) as connection:
        if run_id is not None:
            judged = list(_judged(connection, _V.prefect_flow_run_id == run_id))
            newest = max((change.at for change in judged), default=now)
            raw += [change for change in judged if change.at == newest]  # no earlier state
        for some in chunks(recorded.notifications):
            raw += _notified(connection, _N.id.in_(some))
        # Changes without an evaluation of their own; duplicates are dropped.
        raw += [_Raw(key, "opened", now, run=run_id) for key in recorded.opened]
        raw += [_Raw(key, _RESOLVED, now, run=run_id) for key in recorded.resolved]
        return _once(_with_events(connection, raw))


def since(
    engine: Engine, after: datetime, before: datetime, settled: datetime
) -> list[EventChange]:
    """All changes of a period, oldest first.

    Changes made by recordings are included up to `settled`: recordings announce later ones.
    """
    with reading(engine) as connection:
        raw = [
            *_by_hand(connection, _between(connection, AUDIT.c.at, after, before)),
            *_judged(connection, _between(connection, _V.recorded_at, after, settled)),
            *_notified(connection, _between(connection, _N.created_at, after, settled)),
            *_unevaluated(connection, after, settled),
        ]
        changes = _with_events(connection, raw)
        changes += _not_delivered(connection, after, before)
        changes += _storms(connection, after, before)
    return sorted(_once(changes), key=lambda change: change.at)


def _once(changes: Iterable[EventChange]) -> list[EventChange]:
    """The first of all changes with the same id."""
    first: dict[UUID, EventChange] = {}
    for change in changes:
        first.setdefault(change.id, change)
    return list(first.values())


def _with_events(connection: Connection, raw: Sequence[_Raw]) -> list[EventChange]:
    events = _events(connection, [change.event_id for change in raw])
    return [
        of_event(name, events[key], at, which, flow_run_id=run, **(detail or {}))
        for key, name, at, which, run, detail in raw
        if key in events
    ]


def _events(connection: Connection, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    events: dict[int, dict[str, Any]] = {}
    for some in chunks(sorted(set(ids))):
        of_rule = (RULE.c.deployment_id, RULE.c.trigger, RULE.c.parameters)
        statement = select(EVENT, *of_rule).join(RULE, RULE.c.id == _E.rule_id)
        rows = connection.execute(statement.where(_E.id.in_(some))).mappings()
        events |= {row["id"]: dict(row) for row in rows}
    return events


def _between(
    connection: Connection, column: Column[Any], after: datetime, before: datetime
) -> ColumnElement[bool]:
    """SQL condition: later than `after`, up to `before`.

    The times have no index, but ids grow with time: bisection finds the first row.
    """
    key = column.table.c.id
    low, high = 0, int(connection.scalar(select(func.max(key))) or 0) + 1
    while low < high:
        middle = (low + high) // 2
        statement = select(key, column).where(key >= middle).order_by(key).limit(1)
        row = connection.execute(statement).first()
        if row is None or (row[1] is not None and row[1] > after):
            high = middle
        else:
            low = int(row[0]) + 1
    return and_(key >= low, column > after, column <= before)


def _judged(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[_Raw]:
    """Changes that evaluations record."""
    series = (_V.rule_id, _V.kind, _V.ticker, _V.at)
    decided = (_V.event_id, _V.decision, _V.decision_code, _V.importance)
    statement = (
        select(*series, *decided, _V.recorded_at, _V.prefect_flow_run_id)
        .where(wanted, _V.event_id.is_not(None))
        .where(or_(_V.decision.in_(_DECISIONS), _V.decision_code.in_([FLAPPING, FLAPPING_ENDED])))
        .order_by(_V.id)
    )
    for row in connection.execute(statement).all():
        at, run = row.recorded_at or row.at, row.prefect_flow_run_id
        name = _DECISIONS.get(row.decision)
        if name is not None:
            yield _Raw(row.event_id, name, at, row.importance if name == "escalated" else "", run)
        begins = row.decision_code == FLAPPING and not _flapped_before(connection, row)
        if begins or row.decision_code == FLAPPING_ENDED:
            yield _Raw(row.event_id, row.decision_code, at, str(run), run)


def _flapped_before(connection: Connection, row: Row[Any]) -> bool:
    """True if the evaluation before this one of its series was decided as flapping."""
    statement = (
        select(_V.decision_code)
        .where(_V.rule_id == row.rule_id, _V.kind == row.kind, _V.ticker == row.ticker)
        .where(_V.at < row.at, _V.decision_code != "importance-raised")  # may happen meanwhile
        .order_by(_V.at.desc(), _V.id.desc())
        .limit(1)
    )
    return bool(connection.scalar(statement) == FLAPPING)


def _notified(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[_Raw]:
    """Changes that only notifications record; several channels are one change."""
    statement = (
        select(_N.event_id, _N.reason, _N.sequence, func.min(_N.created_at))
        .where(wanted, _N.reason.in_(_REASONS), _N.event_id.is_not(None))
        .group_by(_N.event_id, _N.reason, _N.sequence)
    )
    for event_id, reason, sequence, at in connection.execute(statement):
        yield _Raw(event_id, _REASONS[reason], at, str(sequence))


def _unevaluated(connection: Connection, after: datetime, before: datetime) -> Iterator[_Raw]:
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
        yield _Raw(event_id, "opened", at)
    # Changes with an evaluation come from `_judged`.
    series = and_(_V.rule_id == _S.rule_id, _V.kind == _S.kind, _V.ticker == _S.ticker)
    evaluated = exists().where(series, _V.at == _S.ended_at)
    recently = or_(_S.kind != Kind.ALERT.value, _S.ended_at > after - _LATE)
    ended = (
        select(_E.id, _S.changed_at)
        .join(EVENT, and_(_E.rule_id == _S.rule_id, _E.kind == _S.kind, _E.ticker == _S.ticker))
        .where(changed, recently, _S.ended_at > after - _DAY, _E.resolved_at == _S.ended_at)
        .where(_E.timestamp <= _S.ended_at, ~evaluated)
    )
    for event_id, at in connection.execute(ended):
        yield _Raw(event_id, _RESOLVED, at)


def _by_hand(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[_Raw]:
    """Changes made by people, from the audit."""
    a = AUDIT.c
    by_hand = a.action.in_((*_BY_HAND, _RESOLVED))
    statement = select(AUDIT).where(wanted, a.event_id.is_not(None), by_hand).order_by(a.id)
    for row in connection.execute(statement).all():
        # An event is resolved once, whoever does it.
        which = "" if row.action == _RESOLVED else f"{row.id}/{row.at.isoformat()}"
        detail = {"by": row.actor, **(row.detail or {})}
        yield _Raw(row.event_id, row.action, row.at, which, detail=detail)


def _not_delivered(
    connection: Connection, after: datetime, before: datetime
) -> Iterator[EventChange]:
    """Notifications that failed for good. They are few, and the index of due ones has them."""
    statement = (
        select(NOTIFICATION)
        .where(_N.status == "failed", _N.settled_at > after, _N.settled_at <= before)
        .order_by(_N.settled_at)
    )
    rows = connection.execute(statement).all()
    events = _events(connection, [row.event_id for row in rows if row.event_id is not None])
    for row in rows:
        at, which = row.settled_at, f"{row.id}/{row.settled_at.isoformat()}"
        detail = {"channel": row.channel, "reason": row.reason, "error": row.last_error}
        if event := events.get(row.event_id):
            yield of_event("notification-failed", event, at, which, **detail)
        else:
            subject = (f"channel.{row.channel}", row.channel)
            yield EventChange(
                "event.notification-failed", which, at, subject=subject, detail=detail
            )


def _storms(connection: Connection, after: datetime, before: datetime) -> Iterator[EventChange]:
    recent = or_(STORM.c.started_at > after, STORM.c.ended_at > after)
    for row in connection.execute(select(STORM).where(recent)).mappings():
        subject = (f"storm.{row['id']}", row["channel"])
        detail = {key: row[key] for key in ("channel", "threshold", "window_seconds")}
        key = f"{row['id']}/{row['started_at'].isoformat()}"
        for name, at in (("started", row["started_at"]), ("ended", row["ended_at"])):
            if at is not None and after < at <= before:
                yield EventChange(f"storm.{name}", key, at, subject=subject, detail=detail)
