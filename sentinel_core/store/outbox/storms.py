"""Storms: times in which a channel gets one message instead of one for each event.

A storm drops no event: each notification says which storm's message replaces it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
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
from sentinel_core.decide.fanout import about_row, dropped_columns
from sentinel_core.model.reasons import NotifyReason, Suppression, SuppressionCode
from sentinel_core.model.routing import StormLimit
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.tables import EVENT, NOTIFICATION, STORM, Row
from sentinel_core.store.outbox.enqueue import IS_PENDING, IS_STEP, SUPPRESSED, insert_notifications

BEGAN, ENDED = NotifyReason.STORM.value, NotifyReason.STORM_ENDED.value
_NEWS = (NotifyReason.OPENED.value, NotifyReason.FLAPPING.value)
_FOLLOWING_UP = (
    NotifyReason.RESOLVED.value,
    NotifyReason.FLAPPING_ENDED.value,
    NotifyReason.ACKNOWLEDGED.value,
    NotifyReason.UNACKNOWLEDGED.value,
)
_LISTED = 10
_AREA = 0x5E47  # of PostgreSQL's advisory locks: those that are about channels


@dataclass(frozen=True, slots=True)
class Gathered:
    """A notification replaced by a storm; `message_id` is the storm's own if it begins just now."""

    message_id: int | None = None


def gathered(
    connection: Connection, lead: Mapping[str, Any], limit: StormLimit | None, now: datetime
) -> Gathered | None:
    """The storm that replaces this notification and all that wait for the same channel, if any.

    The caller holds the channel (`one_at_a_time`).
    """
    if limit is None or _follows_up(connection, lead):
        return None
    channel, recipient = lead["channel"], lead["recipient"]
    began: int | None = None
    storm_id = _open_storm(connection, channel, recipient)
    if storm_id is None:
        if lead["reason"] not in _NEWS:
            return None
        since, until = storm_window(limit, lead["created_at"], now)
        if not storm_begins(limit, _opened(connection, lead, since, until)):
            return None
        storm_id, began = _begin(connection, lead, limit, now)
    _take_in(connection, storm_id, channel, recipient, now)
    return Gathered(began)


def one_at_a_time(connection: Connection, channel: str, recipient: str) -> None:
    """Lock a channel: only one deliverer at a time decides what leaves there together."""
    if connection.dialect.name == "postgresql":
        key = crc32(f"{channel} {recipient}".encode()) - 2**31  # PostgreSQL's are signed
        lock = text("SELECT pg_advisory_xact_lock(:area, :key)")
        connection.execute(lock, {"area": _AREA, "key": key})


def _follows_up(connection: Connection, message: Mapping[str, Any]) -> bool:
    """True for a follow-up to an event that was already sent individually."""
    n = NOTIFICATION.c
    if message["reason"] not in _FOLLOWING_UP:
        return False
    before = select(n.id).where(
        n.event_id == message["event_id"],
        *_mine(message["channel"], message["recipient"]),
        n.id < message["id"],
        n.attempts > 0,
    )
    return connection.scalar(before.limit(1)) is not None


def _mine(channel: str, recipient: str) -> tuple[ColumnElement[bool], ...]:
    n = NOTIFICATION.c
    return n.channel == channel, n.recipient == recipient


def _open_storm(connection: Connection, channel: str, recipient: str) -> int | None:
    s = STORM.c
    return connection.scalar(
        select(s.id).where(s.channel == channel, s.recipient == recipient, s.ended_at.is_(None))
    )


def _opened(
    connection: Connection, way: Mapping[str, Any], since: datetime, until: datetime
) -> int:
    """The number of events with a notification for this channel in between, also within a storm;
    muted ones are not counted."""
    n = NOTIFICATION.c
    statement = select(func.count(n.event_id.distinct())).where(
        *_mine(way["channel"], way["recipient"]),
        n.created_at >= since,
        n.created_at <= until,
        n.reason.in_(_NEWS),
        or_(n.status != SUPPRESSED, n.storm_id.is_not(None)),
    )
    return int(connection.scalar(statement) or 0)


def _begin(
    connection: Connection, lead: Mapping[str, Any], limit: StormLimit, now: datetime
) -> tuple[int, int]:
    values = {
        "channel": lead["channel"],
        "recipient": lead["recipient"],
        "threshold": limit.events,
        "window_seconds": limit.window_seconds,
        "started_at": now,
    }
    storm_id = connection.scalar(insert(STORM).values(**values).returning(STORM.c.id))
    assert storm_id is not None
    [message_id] = insert_notifications(connection, [_message(storm_id, lead, BEGAN, now)], now)
    return storm_id, message_id


def _message(storm_id: int, way: Mapping[str, Any], reason: str, now: datetime) -> Row:
    about = f"storm:{storm_id}"
    return about_row(about, way["channel"], way["recipient"], reason, now, storm_id=storm_id)


def _take_in(
    connection: Connection, storm_id: int, channel: str, recipient: str, now: datetime
) -> None:
    """Replace what was not attempted yet.

    Attempted notifications are on their way, steps of an escalation are for others, and follow-ups
    to individually sent events stay individual.
    """
    n, earlier = NOTIFICATION.c, NOTIFICATION.alias("earlier").c
    sent_individually = exists().where(
        earlier.event_id == n.event_id,
        earlier.channel == n.channel,
        earlier.recipient == n.recipient,
        earlier.id < n.id,
        earlier.attempts > 0,
    )
    waiting = (
        *_mine(channel, recipient),
        IS_PENDING,
        n.event_id.is_not(None),
        n.attempts == 0,
        not_(IS_STEP),
        _may_be_gathered(connection),
        or_(n.reason.not_in(_FOLLOWING_UP), not_(sent_individually)),
    )
    # Rows that another process has locked are decided when they are claimed.
    chosen = select(n.id).where(*waiting).with_for_update(skip_locked=True)
    why = Suppression(SuppressionCode.STORM, f"told in the message of storm {storm_id}")
    connection.execute(
        update(NOTIFICATION)
        .where(n.id.in_(chosen))
        .values(status=SUPPRESSED, storm_id=storm_id, settled_at=now, **dropped_columns(why))
    )


def _may_be_gathered(connection: Connection) -> ColumnElement[bool]:
    """The route of a notification does not say `storm: null`, in SQL."""
    route: Any = NOTIFICATION.c.route
    if connection.dialect.name == "sqlite":
        kind = func.json_type(route, "$.storm")
    else:
        kind = func.jsonb_typeof(route.op("->")("storm"))
    may: ColumnElement[bool] = kind.is_distinct_from("null")
    return may


def end_storms(engine: Engine, now: datetime) -> list[int]:
    """End the storms that have calmed down and enqueue their summaries; ids of the storms."""
    s = STORM.c
    with reading(engine) as connection:
        statement = select(s.id, s.channel, s.recipient).where(s.ended_at.is_(None))
        open_ones = connection.execute(statement.order_by(s.id)).all()
    return [
        storm_id
        for storm_id, channel, recipient in open_ones
        if _end(engine, storm_id, channel, recipient, now)
    ]


def _end(engine: Engine, storm_id: int, channel: str, recipient: str, now: datetime) -> bool:
    with writing(engine) as connection:
        one_at_a_time(connection, channel, recipient)
        statement = select(STORM).where(STORM.c.id == storm_id, STORM.c.ended_at.is_(None))
        found = connection.execute(statement).mappings().first()
        if found is None:
            return False
        storm = dict(found)
        window = timedelta(seconds=storm["window_seconds"])
        opened = _opened(connection, storm, now - window, now)
        if not storm_ends(storm["threshold"], window, storm["started_at"], opened, now):
            return False
        _take_in(
            connection, storm_id, channel, recipient, now
        )  # or they would begin the next storm
        connection.execute(update(STORM).where(STORM.c.id == storm_id).values(ended_at=now))
        insert_notifications(connection, [_message(storm_id, storm, ENDED, now)], now)
        return True


def storm_facts(connection: Connection, storm_id: int) -> dict[str, Any]:
    """What a storm's message counts: its events by rule, category and importance."""
    storm = dict(connection.execute(select(STORM).where(STORM.c.id == storm_id)).mappings().one())
    events = _events_of(storm)
    e = EVENT.c
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


def _events_of(storm: Mapping[str, Any]) -> Any:
    n = NOTIFICATION.c
    told = select(n.event_id).where(n.storm_id == storm["id"], n.event_id.is_not(None))
    return told.scalar_subquery()


def _counted(connection: Connection, column: Any, events: Any) -> list[list[Any]]:
    """Values with how many events they have, the most frequent first."""
    statement = (
        select(column, func.count())
        .where(EVENT.c.id.in_(events))
        .group_by(column)
        .order_by(func.count().desc(), column)
        .limit(_LISTED)
    )
    return [[name, count] for name, count in connection.execute(statement)]
