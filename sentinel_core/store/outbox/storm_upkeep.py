"""What becomes of storms with time: they end, go on for long, and all of their events end.

Called by the flow deliver, every minute.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, exists, func, select, update

from sentinel_core.decide.storms import LONGEST_WAIT, Composition, storm_ends
from sentinel_core.store.db.engine import reading, rows, writing
from sentinel_core.store.db.tables import EVENT, NOTIFICATION, STORM
from sentinel_core.store.outbox.enqueue import IS_ABOUT, SENT
from sentinel_core.store.outbox.storm_messages import (
    ENDED,
    OPEN,
    RESOLVED,
    last_message,
    newest_message,
    next_message,
)
from sentinel_core.store.outbox.storms import let_join, one_at_a_time, opened_events

_N = NOTIFICATION.c


def end_storms(engine: Engine, now: datetime) -> list[int]:
    """End storms that have calmed down and enqueue their summaries; returns the storms' ids.

    A storm that goes on for long has a message about what has joined it meanwhile.
    """
    s = STORM.c
    with reading(engine) as connection:
        storms = rows(connection, select(STORM).where(s.ended_at.is_(None)).order_by(s.id))
    ended = []
    for storm in storms:
        with writing(engine) as connection:
            one_at_a_time(connection, storm["channel"], storm["recipient"])
            if connection.scalar(select(s.ended_at).where(s.id == storm["id"])) is not None:
                continue  # another process has ended it
            let_join(connection, storm, now)  # left pending, they would begin the next storm
            window = timedelta(seconds=storm["window_seconds"])
            own = _N.storm_id == storm["id"]
            opened = opened_events(connection, storm, now - window, now, own).total()
            if storm_ends(storm["threshold"], window, storm["started_at"], opened, now):
                connection.execute(update(STORM).where(s.id == storm["id"]).values(ended_at=now))
                last_message(connection, storm, ENDED, now)
                ended.append(storm["id"])
            elif _has_waited_long(connection, storm["id"], now):
                newest = newest_message(connection, storm["id"])
                made_of = Composition.from_json(newest["content"])
                next_message(connection, storm, newest, made_of, now, now)
    return ended


def _has_waited_long(connection: Connection, storm_id: int, now: datetime) -> bool:
    """True if an event has waited for a message of its storm for as long as it may."""
    waiting = (_N.storm_id == storm_id, _N.event_id.is_not(None), _N.message_id.is_(None))
    first = connection.scalar(select(func.min(_N.settled_at)).where(*waiting))
    return first is not None and now - first >= LONGEST_WAIT


def report_resolved_storms(engine: Engine, now: datetime) -> list[int]:
    """Enqueue the last message about storms that ended while something of them was open, and of
    which nothing is open any more; returns the storms' ids."""
    last = NOTIFICATION.alias("last").c
    s = STORM.c
    is_open = exists().where(
        _N.storm_id == s.id, EVENT.c.id == _N.event_id, EVENT.c.resolved_at.is_(None)
    )
    summaries = (
        select(STORM)
        .join(NOTIFICATION, _N.storm_id == s.id)
        .where(_N.reason == ENDED, _N.status == SENT, IS_ABOUT)
        .where(_N.content[OPEN].as_integer() > 0)
        .where(~exists().where(last.storm_id == s.id, last.reason == RESOLVED))
        .order_by(s.id)
    )
    with reading(engine) as connection:
        found = rows(connection, summaries)
    resolved = []
    for storm in found:
        with writing(engine) as connection:
            if connection.scalar(select(s.id).where(s.id == storm["id"], ~is_open)) is None:
                continue
            last_message(connection, storm, RESOLVED, now)
            resolved.append(storm["id"])
    return resolved
