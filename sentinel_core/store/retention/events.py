"""Deletes events that ended long ago, with notifications and reactions. Their audit stays."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, exists, func, or_, select

from sentinel_core.store.db.bulk import chunks
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import EVALUATION, EVENT, NOTIFICATION, REACTION, SERIES
from sentinel_core.store.outbox.enqueue import PENDING, SENT
from sentinel_core.store.outbox.reactions import IS_OPEN
from sentinel_core.store.retention.pace import Pace, Progress

_E, _N, _S, _V = EVENT.c, NOTIFICATION.c, SERIES.c, EVALUATION.c


def _unsettled() -> ColumnElement[bool]:
    """A notification of the event is pending, or nobody knows whether it arrived."""
    unknown = and_(_N.status != SENT, or_(_N.unknown > 0, _N.claimed_at.is_not(None)))
    return exists().where(_N.event_id == _E.id, or_(_N.status == PENDING, unknown))


def _under_way() -> ColumnElement[bool]:
    """A reaction to the event is to be started, or its run has not ended."""
    return exists().where(REACTION.c.event_id == _E.id, IS_OPEN)


def _evaluated() -> ColumnElement[bool]:
    """An evaluation of the event is on record: a late run may still be counted into it."""
    series = (_V.rule_id == _E.rule_id, _V.kind == _E.kind, _V.ticker == _E.ticker)
    during = (_V.at >= _E.first_seen, or_(_V.at <= _E.last_seen, _V.at <= _E.resolved_at))
    return exists().where(*series, *during, _V.event_id == _E.id)


def _current() -> ColumnElement[bool]:
    series = (_S.rule_id == _E.rule_id, _S.kind == _E.kind, _S.ticker == _E.ticker)
    return exists().where(*series, _S.event_id == _E.id)


def _ended(before: datetime) -> tuple[ColumnElement[bool], ...]:
    # No event ends before it begins, and the time of its beginning has an index.
    unfinished = or_(_unsettled(), _under_way(), _current())
    return _E.timestamp < before, _E.resolved_at < before, ~unfinished


def count_events(connection: Connection, before: datetime) -> tuple[int, int]:
    """How many events would go, at most, and how many notifications with them."""
    ended = select(_E.id).where(*_ended(before))
    events = connection.scalar(select(func.count()).select_from(ended.subquery()))
    theirs = select(func.count()).select_from(NOTIFICATION).where(_N.event_id.in_(ended))
    return int(events or 0), int(connection.scalar(theirs) or 0)


def delete_events(engine: Engine, before: datetime, pace: Pace, progress: Progress) -> None:
    """Delete the events that were resolved before this time."""
    goes = (*_ended(before), ~_evaluated())
    place: tuple[datetime | None, int] = None, 0
    while not pace.is_over:
        at, key = place
        old = select(_E.id, _E.timestamp).where(*goes)
        if at is not None:
            old = old.where(_E.timestamp >= at, or_(_E.timestamp > at, _E.id > key))
        with reading(engine) as connection:
            found = connection.execute(old.order_by(_E.timestamp, _E.id).limit(pace.size)).all()
        if not found:
            return
        with pace.deleting(engine) as connection:
            gone = notifications = 0
            for some in chunks(sorted(row.id for row in found)):
                # An event is locked before its notifications, as by everybody else.
                still = select(_E.id).where(_E.id.in_(some), *goes).order_by(_E.id)
                ids = list(connection.scalars(still.with_for_update(of=EVENT)))
                theirs = delete(NOTIFICATION).where(_N.event_id.in_(ids))
                notifications += connection.execute(theirs).rowcount
                connection.execute(delete(REACTION).where(REACTION.c.event_id.in_(ids)))
                gone += connection.execute(delete(EVENT).where(_E.id.in_(ids))).rowcount
        progress("alert_event", gone)
        progress("notification", notifications)
        place = found[-1].timestamp, found[-1].id
