"""Storms: periods in which a channel gets one message instead of one for each event.

No event is lost: each replaced notification names the storm whose message replaces it.
"""

from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    text,
    update,
)

from sentinel_core.decide.delivery import storm_begins, storm_ends, storm_window
from sentinel_core.decide.fanout import about_row, route_of
from sentinel_core.model.reasons import NotifyReason, Suppression, SuppressionCode, is_step
from sentinel_core.store.db.engine import reading, rows, writing
from sentinel_core.store.db.tables import EVENT, NOTIFICATION, STORM, Row
from sentinel_core.store.outbox.enqueue import (
    IS_PENDING,
    IS_STEP,
    SUPPRESSED,
    insert_notifications,
    same_address,
    suppress,
)

BEGAN, ENDED = NotifyReason.STORM.value, NotifyReason.STORM_ENDED.value
_NEWS = (NotifyReason.OPENED.value, NotifyReason.FLAPPING.value)
_FOLLOWING_UP = (
    NotifyReason.RESOLVED.value,
    NotifyReason.FLAPPING_ENDED.value,
    NotifyReason.ACKNOWLEDGED.value,
    NotifyReason.UNACKNOWLEDGED.value,
)
_LISTED = 10
_AREA = 0x5E47  # namespace of PostgreSQL's advisory locks on channels


def outside_storms(connection: Connection, lead: Row, now: datetime) -> Row | None:
    """The message to send for this notification: itself, unless a storm replaces it.

    In a storm, every notification that waits for the channel is replaced. Returns the storm's
    message if the storm begins now, None if it has begun before. The caller holds the channel
    (`one_at_a_time`).
    """
    limit = route_of(lead).storm
    if lead["attempts"] or is_step(lead["reason"]) or not limit or _follows_up(connection, lead):
        return lead
    s = STORM.c
    is_open = (*same_address(s, lead), s.ended_at.is_(None))
    storm_id = connection.scalar(select(s.id).where(*is_open))
    message_id = None
    if storm_id is None:
        if lead["reason"] not in _NEWS:
            return lead
        since, until = storm_window(limit, lead["created_at"], now)
        if not storm_begins(limit, _opened(connection, lead, since, until)):
            return lead
        values = {
            "channel": lead["channel"],
            "recipient": lead["recipient"],
            "threshold": limit.events,
            "window_seconds": limit.window_seconds,
            "started_at": now,
        }
        storm_id = connection.scalars(insert(STORM).values(**values).returning(s.id)).one()
        [message_id] = insert_notifications(connection, [_message(storm_id, lead, BEGAN, now)], now)
    _take_in(connection, storm_id, lead, now)
    if message_id is None:
        return None
    message = select(NOTIFICATION).where(NOTIFICATION.c.id == message_id)
    return rows(connection, message)[0]


def one_at_a_time(connection: Connection, channel: str, recipient: str) -> None:
    """Lock a channel: one transaction at a time decides which notifications leave together."""
    if connection.dialect.name == "postgresql":
        key = crc32(f"{channel} {recipient}".encode()) - 2**31  # PostgreSQL's are signed
        lock = text("SELECT pg_advisory_xact_lock(:area, :key)")
        connection.execute(lock, {"area": _AREA, "key": key})


def _follows_up(connection: Connection, message: Row) -> bool:
    """True for a follow-up to an event that was already sent individually."""
    n = NOTIFICATION.c
    if message["reason"] not in _FOLLOWING_UP:
        return False
    before = select(n.id).where(
        n.event_id == message["event_id"],
        *same_address(n, message),
        n.id < message["id"],
        n.attempts > 0,
    )
    return connection.scalar(before.limit(1)) is not None


def _opened(connection: Connection, address: Row, since: datetime, until: datetime) -> int:
    """The number of events enqueued for this channel in between, in storms or not.

    Muted events are not counted.
    """
    n = NOTIFICATION.c
    statement = select(func.count(n.event_id.distinct())).where(
        *same_address(n, address),
        n.created_at >= since,
        n.created_at <= until,
        n.reason.in_(_NEWS),
        or_(n.status != SUPPRESSED, n.storm_id.is_not(None)),
    )
    return int(connection.scalar(statement) or 0)


def _message(storm_id: int, address: Row, reason: str, now: datetime) -> Row:
    about = f"storm:{storm_id}"
    return about_row(
        about, address["channel"], address["recipient"], reason, now, storm_id=storm_id
    )


def _take_in(connection: Connection, storm_id: int, address: Row, now: datetime) -> None:
    """Replace the channel's notifications that were not attempted yet.

    Attempted notifications may have arrived, escalation steps go to other people, and follow-ups
    to individually sent events stay individual.
    """
    n, earlier = NOTIFICATION.c, NOTIFICATION.alias("earlier").c
    sent_individually = exists().where(
        earlier.event_id == n.event_id,
        *same_address(earlier, n),
        earlier.id < n.id,
        earlier.attempts > 0,
    )
    waiting = (
        *same_address(n, address),
        IS_PENDING,
        n.event_id.is_not(None),
        n.attempts == 0,
        not_(IS_STEP),
        _storms_enabled(connection),
        or_(n.reason.not_in(_FOLLOWING_UP), not_(sent_individually)),
    )
    # Rows that another transaction has locked are handled when they are claimed.
    chosen = select(n.id).where(*waiting).with_for_update(skip_locked=True)
    why = Suppression(SuppressionCode.STORM, f"part of the message of storm {storm_id}")
    suppress(connection, [n.id.in_(chosen)], why, now, storm_id=storm_id)


def _storms_enabled(connection: Connection) -> ColumnElement[bool]:
    """SQL condition: the notification's route has storms enabled."""
    route: Any = NOTIFICATION.c.route
    if connection.dialect.name == "sqlite":
        kind = func.json_type(route, "$.storm")
    else:
        kind = func.jsonb_typeof(route.op("->")("storm"))
    enabled: ColumnElement[bool] = kind.is_distinct_from("null")
    return enabled


def end_storms(engine: Engine, now: datetime) -> list[int]:
    """End storms that have calmed down and enqueue their summaries; returns the storms' ids."""
    s = STORM.c
    with reading(engine) as connection:
        still_open = select(s.id, s.channel, s.recipient).where(s.ended_at.is_(None))
        storms = connection.execute(still_open.order_by(s.id)).all()
    ended = []
    for storm_id, channel, recipient in storms:
        with writing(engine) as connection:
            one_at_a_time(connection, channel, recipient)
            mine = select(STORM).where(s.id == storm_id, s.ended_at.is_(None))
            storm = next(iter(rows(connection, mine)), None)
            if storm is None:
                continue  # another process has ended it
            window = timedelta(seconds=storm["window_seconds"])
            opened = _opened(connection, storm, now - window, now)
            if not storm_ends(storm["threshold"], window, storm["started_at"], opened, now):
                continue
            # Left pending, they would begin the next storm.
            _take_in(connection, storm_id, storm, now)
            connection.execute(update(STORM).where(s.id == storm_id).values(ended_at=now))
            insert_notifications(connection, [_message(storm_id, storm, ENDED, now)], now)
            ended.append(storm_id)
    return ended


def storm_facts(connection: Connection, storm_id: int) -> dict[str, Any]:
    """The counts in a storm's message: its events by rule, category and importance."""
    [storm] = rows(connection, select(STORM).where(STORM.c.id == storm_id))
    n, e = NOTIFICATION.c, EVENT.c
    events = select(n.event_id).where(n.storm_id == storm_id, n.event_id.is_not(None))
    counts = select(func.count(), func.count(e.ticker.distinct()), func.count(e.resolved_at))
    total, tickers, resolved = connection.execute(counts.where(e.id.in_(events))).one()
    return {
        "id": storm_id,
        "events": total,
        "tickers": tickers,
        "resolved": resolved,
        "window_seconds": storm["window_seconds"],
        "threshold": storm["threshold"],
        "started_at": storm["started_at"],
        "ended_at": storm["ended_at"],
        "by_rule": _counted(connection, e.rule_name, events),
        "by_category": _counted(connection, e.category, events),
        "by_importance": _counted(connection, e.importance, events),
    }


def _counted(connection: Connection, column: Any, events: Any) -> list[list[Any]]:
    """Pairs of a value and its number of events, the most frequent first."""
    statement = (
        select(column, func.count())
        .where(EVENT.c.id.in_(events))
        .group_by(column)
        .order_by(func.count().desc(), column)
        .limit(_LISTED)
    )
    return [[name, count] for name, count in connection.execute(statement)]
