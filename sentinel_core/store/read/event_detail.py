"""One event with everything on record about it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Select, func, select

from sentinel_core.store.db.engine import answering, reading
from sentinel_core.store.db.tables import AUDIT, EVALUATION, EVENT, NOTIFICATION, RULE, Row
from sentinel_core.store.read.deliveries import storm_message, undelivered

EVALUATIONS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class EventDetail:
    """An event's row and the rows that belong to it.

    `event` also says whether a message about it is `undelivered`. `evaluations` are its own,
    `earlier` those of its series before it, both newest first and at most EVALUATIONS_SHOWN.
    `notifications` are oldest first; each also says how many other events left `together` with this
    one in the same message, and the status of its storm's own message as `storm_message`.
    """

    event: Row
    rule: Row | None
    evaluations: list[Row]
    earlier: list[Row]
    notifications: list[Row]
    audit: list[Row]


def event_detail(engine: Engine, event_id: int) -> EventDetail | None:
    """The event of this id, None if there is none. Raises StoreUnavailableError."""
    if not 0 < event_id < 2**63:
        return None
    with answering(engine), reading(engine) as connection:

        def rows(statement: Select[Any]) -> list[Row]:
            return [dict(row) for row in connection.execute(statement).mappings()]

        events = rows(select(EVENT).where(EVENT.c.id == event_id))
        if not events:
            return None
        [event] = events
        event["undelivered"] = bool(undelivered(connection, [event_id]))
        rules = rows(select(RULE).where(RULE.c.id == event["rule_id"]))
        a = AUDIT.c
        return EventDetail(
            event=event,
            rule=rules[0] if rules else None,
            evaluations=rows(_evaluations_of(event)),
            earlier=rows(_series_of(event).where(EVALUATION.c.at < event["first_seen"])),
            notifications=rows(_notifications_of(event_id)),
            audit=rows(select(AUDIT).where(a.event_id == event_id).order_by(a.at, a.id)),
        )


def _series_of(event: Row) -> Select[Any]:
    """The newest evaluations of an event's series."""
    v = EVALUATION.c
    return (
        select(EVALUATION)
        .where(v.rule_id == event["rule_id"], v.kind == event["kind"], v.ticker == event["ticker"])
        .order_by(v.at.desc(), v.id.desc())
        .limit(EVALUATIONS_SHOWN)
    )


def _evaluations_of(event: Row) -> Select[Any]:
    v = EVALUATION.c
    statement = _series_of(event).where(v.at >= event["first_seen"], v.event_id == event["id"])
    if event["resolved_at"] is not None:  # else its newest ones may be oks, after last_seen
        statement = statement.where(v.at <= max(event["last_seen"], event["resolved_at"]))
    return statement


def _notifications_of(event_id: int) -> Select[Any]:
    n, other = NOTIFICATION.c, NOTIFICATION.alias("other")
    message, announces = storm_message(n.storm_id)
    together = (  # what left as one message has all of this in common; the first two are an index
        select(func.count())
        .where(
            other.c.status == n.status,
            other.c.next_attempt_at == n.next_attempt_at,
            other.c.message_id == n.message_id,
            other.c.id != n.id,
        )
        .correlate(NOTIFICATION)
        .scalar_subquery()
    )
    return (
        select(NOTIFICATION, together.label("together"), message.c.status.label("storm_message"))
        .outerjoin(message, announces)
        .where(n.event_id == event_id)
        .order_by(n.id)
    )
