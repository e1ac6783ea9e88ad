"""Deletes old evaluation hours, but for each rule's newest one: it says what else was deleted."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select, tuple_

from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import HOUR
from sentinel_core.store.retention.pace import Pace, Progress

_H = HOUR.c
_KEY = (_H.rule_id, _H.hour, _H.kind, _H.ticker, _H.metric)


def count_hours(connection: Connection, rule_id: int, before: datetime) -> int:
    """The number of rows that would go."""
    old = select(func.count()).select_from(HOUR).where(*_old(connection, rule_id, before))
    return int(connection.scalar(old) or 0)


def delete_hours(
    engine: Engine, rule_id: int, before: datetime, pace: Pace, progress: Progress
) -> None:
    """Delete the rule's hours that began before this time."""
    with reading(engine) as connection:
        goes = _old(connection, rule_id, before)
    gone = 1
    while gone and not pace.is_over:
        some = select(*_KEY).where(*goes).order_by(*_KEY).limit(pace.size)
        with pace.deleting(engine) as connection:
            gone = connection.execute(delete(HOUR).where(tuple_(*_KEY).in_(some))).rowcount
        progress("evaluation_hour", gone)


def _old(connection: Connection, rule_id: int, before: datetime) -> tuple[ColumnElement[bool], ...]:
    newest = connection.scalar(select(func.max(_H.hour)).where(_H.rule_id == rule_id))
    before = before if newest is None else min(before, newest)
    return _H.rule_id == rule_id, _H.hour < before
