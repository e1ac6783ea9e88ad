"""The messages about a storm: its first, one for each time it has grown, its summary, its end.

A message stands for the events that had joined the storm when it was first claimed: their
notifications name it as `message_id`. Those that join later wait for the next message.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    select,
    update,
)

from sentinel_core.decide.fanout import about_row
from sentinel_core.decide.storms import PARTS, Composition
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Reason, Suppression, SuppressionCode
from sentinel_core.store.db.engine import rows
from sentinel_core.store.db.tables import EVENT, NOTIFICATION, STORM, Row
from sentinel_core.store.outbox.enqueue import (
    IS_ABOUT,
    IS_PENDING,
    PENDING,
    SENT,
    insert_notifications,
    suppress,
)

BEGAN, ENDED = NotifyReason.STORM.value, NotifyReason.STORM_ENDED.value
RESOLVED = NotifyReason.STORM_RESOLVED.value
OPEN = "open"  # of a summary's content: the number of events that were open at its first attempt
_LISTED = 10  # of each count, and events by name

_N, _E = NOTIFICATION.c, EVENT.c


def first_message(connection: Connection, storm: Row, made_of: Composition, now: datetime) -> Row:
    """Enqueue the message that says a storm has begun; returns it."""
    return _enqueue(connection, storm, BEGAN, now, now, made_of.to_json())


def next_message(
    connection: Connection,
    storm: Row,
    newest: Row,
    made_of: Composition,
    now: datetime,
    at: datetime,
) -> Row:
    """Let the storm's next message say at this time what it has grown by; returns that message.

    If its newest was not attempted yet, that one says it, no later than it would have been sent.
    """
    if newest["status"] == PENDING and newest["claimed_at"] is None and not newest["attempts"]:
        changed = {
            "content": made_of.to_json(),
            "next_attempt_at": min(at, newest["next_attempt_at"]),
        }
        connection.execute(update(NOTIFICATION).where(_N.id == newest["id"]).values(**changed))
        return {**newest, **changed}
    number = Reason.parse(newest["reason"]).step or 1
    reason = str(Reason(NotifyReason.STORM, step=number + 1))
    return _enqueue(connection, storm, reason, now, at, made_of.to_json())


def last_message(connection: Connection, storm: Row, reason: str, now: datetime) -> None:
    """Enqueue a storm's summary, or the message that all of its events are resolved.

    It replaces a message about its growth that was not attempted yet.
    """
    unattempted = (
        _N.about == _about(storm["id"]),
        IS_ABOUT,
        IS_PENDING,
        _N.attempts == 0,
        _N.claimed_at.is_(None),
        _N.reason != BEGAN,
    )
    why = Suppression(SuppressionCode.STORM, "the storm's summary replaces it")
    suppress(connection, unattempted, why, now)
    _enqueue(connection, storm, reason, now, now, {})


def newest_message(connection: Connection, storm_id: int) -> Row:
    """The newest message about what a storm is made of."""
    statement = (
        select(NOTIFICATION)
        .where(_N.about == _about(storm_id), IS_ABOUT, _N.reason.not_in((ENDED, RESOLVED)))
        .order_by(_N.id.desc())
        .limit(1)
    )
    return rows(connection, statement)[0]


def _about(storm_id: int) -> str:
    return f"storm:{storm_id}"


def _enqueue(
    connection: Connection,
    storm: Row,
    reason: str,
    now: datetime,
    at: datetime,
    content: dict[str, Any],
) -> Row:
    row = about_row(
        _about(storm["id"]),
        storm["channel"],
        storm["recipient"],
        reason,
        now,
        content=content,
        storm_id=storm["id"],
    )
    row["next_attempt_at"] = at
    insert_notifications(connection, [row], now)
    mine = (_N.about == row["about"], IS_ABOUT, _N.reason == reason)
    return rows(connection, select(NOTIFICATION).where(*mine))[0]


# -- what a message says ---------------------------------------------------------------------


def storm_facts(connection: Connection, message: Row) -> dict[str, Any]:
    """What a claimed message about a storm says: counts, and its most important events.

    The first claim decides which events it stands for: an attempt that is repeated says the same.
    """
    storm_id, reason = message["storm_id"], message["reason"]
    in_storm = (_N.storm_id == storm_id, _N.event_id.is_not(None))
    if message["message_id"] is None:
        waiting = (*in_storm, _N.message_id.is_(None))
        connection.execute(update(NOTIFICATION).where(*waiting).values(message_id=message["id"]))
    events = select(_N.event_id).where(*in_storm)
    all_events = int(connection.scalar(_counts(events, func.count())) or 0)
    if reason not in (ENDED, RESOLVED):
        events = events.where(_N.message_id == message["id"])
    [storm] = rows(connection, select(STORM).where(STORM.c.id == storm_id))
    numbers = (func.count(), func.count(_E.ticker.distinct()), func.count(_E.resolved_at))
    total, tickers, resolved = connection.execute(_counts(events, *numbers)).one()
    still_open = total - resolved
    if reason == ENDED and still_open and not message["content"].get(OPEN):
        content = {OPEN: still_open}
        connection.execute(
            update(NOTIFICATION).where(_N.id == message["id"]).values(content=content)
        )
    return {
        "id": storm_id,
        "events": total,
        "all_events": all_events,
        "tickers": tickers,
        "resolved": resolved,
        "open": still_open,
        "window_seconds": storm["window_seconds"],
        "threshold": storm["threshold"],
        "started_at": storm["started_at"],
        "ended_at": storm["ended_at"],
        "grown": _grown(connection, message),
        "named": _named(connection, events),
        "by_rule": _counted(connection, _E.rule_name, events),
        "by_category": _counted(connection, _E.category, events),
        "by_importance": _counted(connection, _E.importance, events),
        "open_by_importance": _counted(connection, _E.importance, events, _E.resolved_at.is_(None)),
    }


def _grown(connection: Connection, message: Row) -> list[int]:
    """The numbers of the storm's messages about what it has grown by, as far as attempted."""
    attempted = (_N.about == message["about"], IS_ABOUT, _N.attempts > 0)
    reasons = connection.scalars(select(_N.reason).where(*attempted).order_by(_N.id))
    return [number for reason in reasons if (number := Reason.parse(reason).step)]


def _counts(events: Any, *numbers: Any) -> Any:
    return select(*numbers).where(_E.id.in_(events))


def _counted(connection: Connection, column: Any, events: Any, *which: Any) -> list[list[Any]]:
    """Pairs of a value and its number of events, the most frequent first."""
    statement = (
        _counts(events, column, func.count())
        .where(*which)
        .group_by(column)
        .order_by(func.count().desc(), column)
        .limit(_LISTED)
    )
    return [[name, count] for name, count in connection.execute(statement)]


def _named(connection: Connection, events: Any) -> list[Row]:
    """The events that are listed one by one: the most important first, open ones before others.

    Among equals, each rule's first comes before any rule's second.
    """
    rank = case({item.value: item.rank for item in Importance}, value=_E.importance, else_=0)
    resolved = case((_E.resolved_at.is_(None), 0), else_=1)
    of_rule = func.row_number().over(
        partition_by=(_E.rule_id, _E.importance, resolved), order_by=_E.id
    )
    columns = (
        _E.id,
        _E.rule_name,
        _E.ticker,
        _E.kind,
        _E.importance,
        _E.message,
        _E.timestamp,
        _E.is_acknowledged,
        _E.resolved_at,
    )
    statement = (
        _counts(events, *columns).order_by(rank.desc(), resolved, of_rule, _E.id).limit(_LISTED)
    )
    return rows(connection, statement)


def covering_message(n: Any) -> tuple[FromClause, ColumnElement[bool]]:
    """The message about its storm that stands for a notification, under an alias, and the
    condition that joins it. None joins while the notification waits for the storm's next message.

    A summary that was sent counts every event of its storm.
    """
    message, about = NOTIFICATION.alias("storm_message"), NOTIFICATION.alias("about_storm").c
    of_storm = (
        select(about.id)
        .where(
            about.about == literal("storm:", String) + cast(n.storm_id, String),
            about.about != "",  # the condition of its partial index
        )
        .correlate(NOTIFICATION)
    )
    summary = of_storm.where(about.reason == ENDED)
    # Older versions named no message: what joined one of their storms belongs to its first.
    older = of_storm.where(about.reason == BEGAN, about.content[PARTS].as_string().is_(None))
    which = (
        summary.where(about.status == SENT).scalar_subquery(),
        n.message_id,
        older.scalar_subquery(),
        summary.scalar_subquery(),
    )
    return message, and_(n.storm_id.is_not(None), message.c.id == func.coalesce(*which))
