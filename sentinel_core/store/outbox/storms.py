"""Storms: periods in which a channel gets a few messages instead of one for each event.

No event is lost: each replaced notification names its storm, and the message that stands for it
once there is one (see storm_messages.py).
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zlib import crc32

from sqlalchemy import ColumnElement, Connection, exists, func, insert, not_, or_, select, text

from sentinel_core.decide.fanout import route_of
from sentinel_core.decide.storms import (
    Composition,
    Part,
    next_message_at,
    storm_level,
    storm_window,
)
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Reason, Suppression, SuppressionCode, is_step
from sentinel_core.model.routing import StormLimit
from sentinel_core.store.db.bulk import chunks
from sentinel_core.store.db.engine import rows
from sentinel_core.store.db.tables import EVENT, NOTIFICATION, STORM, Row
from sentinel_core.store.outbox.enqueue import (
    IS_PENDING,
    IS_STEP,
    SUPPRESSED,
    same_address,
    suppress,
)
from sentinel_core.store.outbox.storm_messages import first_message, newest_message, next_message

_NEWS = (NotifyReason.OPENED.value, NotifyReason.FLAPPING.value)
# Beside a storm, events that become more important than it are news as well.
_NEWS_BESIDE = (
    *_NEWS,
    *(str(Reason(NotifyReason.ESCALATED, importance=item)) for item in Importance),
)
_FOLLOWING_UP = (
    NotifyReason.RESOLVED.value,
    NotifyReason.FLAPPING_ENDED.value,
    NotifyReason.ACKNOWLEDGED.value,
    NotifyReason.UNACKNOWLEDGED.value,
)
_AREA = 0x5E47  # namespace of PostgreSQL's advisory locks on channels


class Waiting(NamedTuple):
    """A notification that was not attempted yet, and what its event is."""

    id: int
    reason: str
    part: Part
    importance: Importance

    @property
    def event(self) -> tuple[Part, Importance]:
        """What a storm's composition knows of its event."""
        return self.part, self.importance


def outside_storms(connection: Connection, lead: Row, now: datetime) -> int | None:
    """The id of what to send for this notification: its own, unless it is part of a storm.

    Every notification that waits for the channel and is part of the storm joins it. If this one
    begins the storm, or the storm grows by it, the id is that of the storm's message, which may not
    be due yet; if it joins otherwise, there is none. The caller holds the channel
    (`one_at_a_time`).
    """
    limit = route_of(lead).storm
    if lead["attempts"] or is_step(lead["reason"]) or not limit or _follows_up(connection, lead):
        return int(lead["id"])
    storm = _open_storm(connection, lead)
    if storm is not None and lead["id"] in let_join(connection, storm, now):
        return None
    news = _NEWS if storm is None else _NEWS_BESIDE
    message = _too_many(connection, lead, limit, storm, now) if lead["reason"] in news else None
    if message is not None:
        grown = storm or _open_storm(connection, lead)
        if grown is not None and lead["id"] in let_join(connection, grown, now):
            return int(message["id"])
    return int(lead["id"])


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


def _open_storm(connection: Connection, address: Row) -> Row | None:
    is_open = (*same_address(STORM.c, address), STORM.c.ended_at.is_(None))
    return next(iter(rows(connection, select(STORM).where(*is_open))), None)


def _too_many(
    connection: Connection, lead: Row, limit: StormLimit, storm: Row | None, now: datetime
) -> Row | None:
    """The message of the storm that begins or grows now; None while the limit is kept.

    Outside a storm that is open, the limit holds for the events that are no part of it.
    """
    since, until = storm_window(limit, lead["created_at"], now)
    news: Sequence[str] = _NEWS
    which = []
    if storm is not None:
        since = max(since, storm["started_at"])
        news, which = _NEWS_BESIDE, [NOTIFICATION.c.storm_id.is_(None)]
    level = storm_level(limit, opened_events(connection, lead, since, until, *which, news=news))
    if level is None:
        return None
    new = [
        waiting.event
        for waiting in _waiting(connection, lead)
        if waiting.reason in news and waiting.importance.rank <= level.rank
    ]
    if not new:
        return None
    if storm is None:
        return first_message(
            connection, _begin(connection, lead, limit, now), Composition().grown(new), now
        )
    newest = newest_message(connection, storm["id"])
    before = Composition.from_json(newest["content"])
    after = before.grown(new)
    latest = newest["sent_at"] or newest["created_at"]
    window = timedelta(seconds=storm["window_seconds"])
    at = next_message_at(before, after, latest, window, now)
    return next_message(connection, storm, newest, after, now, at)


def _begin(connection: Connection, address: Row, limit: StormLimit, now: datetime) -> Row:
    values = {
        "channel": address["channel"],
        "recipient": address["recipient"],
        "threshold": limit.events,
        "window_seconds": limit.window_seconds,
        "started_at": now,
    }
    connection.execute(insert(STORM).values(**values))
    storm = _open_storm(connection, address)
    assert storm is not None
    return storm


def opened_events(
    connection: Connection,
    address: Row,
    since: datetime,
    until: datetime,
    *which: Any,
    news: Sequence[str] = _NEWS,
) -> Counter[Importance]:
    """The number of events enqueued for this channel in between, by importance.

    Muted events are not counted.
    """
    n, e = NOTIFICATION.c, EVENT.c
    statement = (
        select(e.importance, func.count(n.event_id.distinct()))
        .join(EVENT, e.id == n.event_id)
        .where(
            *same_address(n, address),
            n.created_at >= since,
            n.created_at <= until,
            n.reason.in_(news),
            or_(n.status != SUPPRESSED, n.storm_id.is_not(None)),
            *which,
        )
        .group_by(e.importance)
    )
    return Counter({Importance(name): count for name, count in connection.execute(statement)})


def _waiting(connection: Connection, address: Row) -> list[Waiting]:
    """The channel's notifications that a storm may replace: none of them was attempted.

    Attempted notifications may have arrived, escalation steps go to other people, and follow-ups
    to individually sent events stay individual.
    """
    n, e, earlier = NOTIFICATION.c, EVENT.c, NOTIFICATION.alias("earlier").c
    sent_individually = exists().where(
        earlier.event_id == n.event_id,
        *same_address(earlier, n),
        earlier.id < n.id,
        earlier.attempts > 0,
    )
    statement = (
        select(n.id, n.reason, e.rule_id, e.kind, e.importance)
        .join(EVENT, e.id == n.event_id)
        .where(
            *same_address(n, address),
            IS_PENDING,
            n.attempts == 0,
            not_(IS_STEP),
            _storms_enabled(connection),
            or_(n.reason.not_in(_FOLLOWING_UP), not_(sent_individually)),
        )
        # Rows that another transaction has locked are handled when they are claimed.
        .with_for_update(skip_locked=True, of=NOTIFICATION)
    )
    return [
        Waiting(row.id, row.reason, (row.rule_id, row.kind), Importance(row.importance))
        for row in connection.execute(statement)
    ]


def let_join(connection: Connection, storm: Row, now: datetime) -> set[int]:
    """Let the waiting notifications that are part of this storm join it; returns their ids."""
    made_of = Composition.from_json(newest_message(connection, storm["id"])["content"])
    waiting = _waiting(connection, storm)
    joining = [one.id for one in waiting if made_of.takes(*one.event)]
    why = Suppression(SuppressionCode.STORM, f"part of storm {storm['id']}: its messages count it")
    for some in chunks(joining):
        suppress(connection, [NOTIFICATION.c.id.in_(some)], why, now, storm_id=storm["id"])
    return set(joining)


def _storms_enabled(connection: Connection) -> ColumnElement[bool]:
    """SQL condition: the notification's route has storms enabled."""
    route: Any = NOTIFICATION.c.route
    if connection.dialect.name == "sqlite":
        kind = func.json_type(route, "$.storm")
    else:
        kind = func.jsonb_typeof(route.op("->")("storm"))
    enabled: ColumnElement[bool] = kind.is_distinct_from("null")
    return enabled
