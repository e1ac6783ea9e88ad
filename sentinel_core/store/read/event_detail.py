"""One event with everything on record about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Select, func, select

from sentinel_core.decide.observe import Kind
from sentinel_core.store.db.bulk import storable_ids
from sentinel_core.store.db.engine import reading, rows
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import (
    AUDIT,
    EVALUATION,
    EVENT,
    NOTIFICATION,
    REACTION,
    RULE,
    Row,
)
from sentinel_core.store.outbox.storm_messages import covering_message
from sentinel_core.store.read.deliveries import undelivered

EVALUATIONS_SHOWN = 50
VALUES_SHOWN = 40  # in the small chart of a message


@dataclass(frozen=True, slots=True)
class EventDetail:
    """An event's row and the rows that belong to it.

    `event` also says whether a message about it is `undelivered`. `evaluations` are its own,
    `earlier` those of its series before it, both newest first and at most EVALUATIONS_SHOWN.
    `notifications` are oldest first; each also says how many other events left `together` with this
    one in the same message, and as `storm_message` the status of the message of its storm that
    stands for it: None while it waits for the storm's next one. `reactions` are oldest first.
    """

    event: Row
    rule: Row | None
    evaluations: list[Row]
    earlier: list[Row]
    notifications: list[Row]
    audit: list[Row]
    reactions: list[Row] = field(default_factory=list)


def event_detail(engine: Engine, event_id: int) -> EventDetail | None:
    """The event of this id, None if there is none. Raises StoreUnavailableError."""
    if not storable_ids([event_id]):
        return None
    with answering(engine), reading(engine) as connection:
        events = rows(connection, select(EVENT).where(EVENT.c.id == event_id))
        if not events:
            return None
        [event] = events
        event["undelivered"] = bool(undelivered(connection, [event_id]))
        rules = rows(connection, select(RULE).where(RULE.c.id == event["rule_id"]))
        v = EVALUATION.c
        series = (
            select(EVALUATION)
            .where(v.rule_id == event["rule_id"], v.kind == event["kind"])
            .where(v.ticker == event["ticker"])
            .order_by(v.at.desc(), v.id.desc())
            .limit(EVALUATIONS_SHOWN)
        )
        own = series.where(v.at >= event["first_seen"], v.event_id == event_id)
        if event["resolved_at"] is not None:  # else its newest ones may be oks, after last_seen
            own = own.where(v.at <= max(event["last_seen"], event["resolved_at"]))
        audit = select(AUDIT).where(AUDIT.c.event_id == event_id).order_by(AUDIT.c.at, AUDIT.c.id)
        reactions = select(REACTION).where(REACTION.c.event_id == event_id)
        return EventDetail(
            event=event,
            rule=rules[0] if rules else None,
            evaluations=rows(connection, own),
            earlier=rows(connection, series.where(v.at < event["first_seen"])),
            notifications=rows(connection, _notifications_of(event_id)),
            audit=rows(connection, audit),
            reactions=rows(connection, reactions.order_by(REACTION.c.id)),
        )


def _notifications_of(event_id: int) -> Select[Any]:
    n, other = NOTIFICATION.c, NOTIFICATION.alias("other")
    message, covers = covering_message(n)
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
        .select_from(NOTIFICATION)
        .outerjoin(message, covers)
        .where(n.event_id == event_id)
        .order_by(n.id)
    )


def latest_values(engine: Engine, event: Mapping[str, Any]) -> list[tuple[datetime, float]]:
    """(time, value) of an event's series up to its newest run, oldest first, at most VALUES_SHOWN.

    The value is the metric `value`, else the event's first metric by name; [] without metrics.
    """
    metrics = event["metrics"]
    if not metrics:
        return []
    name = "value" if "value" in metrics else min(metrics)
    v = EVALUATION.c
    statement = (
        select(v.at, v.metrics)
        .where(
            v.rule_id == event["rule_id"],
            v.kind == Kind.ALERT.value,
            v.ticker == event["ticker"],
            v.at <= event["last_seen"],
        )
        .order_by(v.at.desc(), v.id.desc())
        .limit(VALUES_SHOWN)
    )
    with reading(engine) as connection:
        latest = connection.execute(statement).all()
    return [(at, values[name]) for at, values in reversed(latest) if name in values]
