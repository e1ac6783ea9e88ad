"""The state of deliveries: failing channels, storms, overdue and undelivered notifications."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    CompoundSelect,
    Connection,
    Engine,
    String,
    and_,
    bindparam,
    cast,
    exists,
    func,
    literal,
    select,
)

from sentinel_core.store.db.engine import count_up_to, reading, rows
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import NOTIFICATION, STORM
from sentinel_core.store.outbox.channels import FailingChannel, failing_channels
from sentinel_core.store.outbox.claim import due
from sentinel_core.store.outbox.enqueue import FAILED, PENDING, SENT, same_address
from sentinel_core.store.outbox.storm_messages import BEGAN, covering_message
from sentinel_core.store.read.filters import COUNT_CAP, in_storm

_FAILED_WITHIN = timedelta(days=1)
_LATE = timedelta(minutes=5)  # the flow deliver runs every minute


@dataclass(frozen=True, slots=True)
class OpenStorm:
    """A storm that has not ended. `events` and `waiting` are counted up to the cap.

    `message_status` is the status of the storm's first message; `waiting` events have joined after
    it and wait for the next.
    """

    id: int
    channel: str
    recipient: str
    started_at: datetime
    events: int
    message_status: str
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Channels that failed for good in the last day, open storms, and how many messages have been
    due for minutes without being sent (counted up to the cap)."""

    failing: tuple[FailingChannel, ...]
    storms: tuple[OpenStorm, ...]
    late: int


def deliveries(engine: Engine, *, now: datetime, cap: int = COUNT_CAP) -> Deliveries:
    """The state of all deliveries. Raises StoreUnavailableError."""
    with answering(engine):
        late = len(due(engine, now - _LATE, limit=cap + 1))
        failing = failing_channels(engine, now - _FAILED_WITHIN)
        with reading(engine) as connection:
            return Deliveries(tuple(failing), _open_storms(connection, cap), late)


def _open_storms(connection: Connection, cap: int) -> tuple[OpenStorm, ...]:
    s = STORM.c
    message = NOTIFICATION.alias("first_message")
    m = message.c
    about = literal("storm:", String) + cast(s.id, String)
    announces = and_(m.about == about, m.about != "", m.reason == BEGAN)  # its partial index
    status = func.coalesce(m.status, PENDING).label("message_status")
    opened = select(s.id, s.channel, s.recipient, s.started_at, status)
    opened = opened.outerjoin(message, announces).where(s.ended_at.is_(None)).order_by(s.started_at)
    return tuple(
        OpenStorm(
            **row,
            events=count_up_to(connection, in_storm(row["id"]).distinct(), cap),
            waiting=count_up_to(
                connection,
                in_storm(row["id"]).where(NOTIFICATION.c.message_id.is_(None)).distinct(),
                cap,
            ),
        )
        for row in rows(connection, opened)
    )


def undelivered(connection: Connection, event_ids: Sequence[int]) -> set[int]:
    """Those of these events that a channel failed to take and has taken no later message about."""
    return set(connection.scalars(_undelivered(), {"events": list(event_ids)}))


@cache  # to build it takes ten times as long as to run it
def _undelivered() -> CompoundSelect[Any]:
    """The ids of undelivered events among `events`."""
    among: BindParameter[int] = bindparam("events", expanding=True)
    n, later = NOTIFICATION.c, NOTIFICATION.alias("later")
    reached = exists().where(
        later.c.event_id == n.event_id,
        *same_address(later.c, n),
        later.c.status == SENT,
        later.c.id > n.id,
    )
    # Offered an index over the status, SQLite would read all that ever failed.
    status = func.coalesce(n.status, n.status)
    failed = select(n.event_id).where(n.event_id.in_(among), status == FAILED, ~reached)
    message, covers = covering_message(n)
    in_failed_storm = (
        select(n.event_id)
        .select_from(NOTIFICATION)
        .join(message, covers)
        .where(n.event_id.in_(among), n.storm_id.is_not(None))
        .where(message.c.status == FAILED, ~reached)
    )
    return failed.union(in_failed_storm)
