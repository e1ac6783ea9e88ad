"""Messages owed to channels: claimed before sending, settled after."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select, update

from sentinel_core.store.engine import reading, writing
from sentinel_core.store.recording import EVENT, NOTIFICATION

LEASE = timedelta(minutes=2)  # a deliverer that died is taken to be gone after this long


@dataclass(frozen=True, slots=True)
class Owed:
    """A claimed message and the event it tells of (the event's columns by name)."""

    id: int
    channel: str
    reason: str
    attempt: int
    event: dict[str, Any]


def due(
    engine: Engine, now: datetime, *, without: Collection[str] = (), limit: int = 500
) -> list[int]:
    """Ids of messages that may be attempted now, oldest first, but for some channels."""
    n = NOTIFICATION.c
    with reading(engine) as connection:
        statement = (
            select(n.id)
            .where(
                n.status == "pending", n.next_attempt_at <= now, n.channel.not_in(sorted(without))
            )
            .order_by(n.next_attempt_at, n.id)
            .limit(limit)
        )
        return list(connection.scalars(statement))


def claim(
    engine: Engine, notification_id: int, now: datetime, *, without: Collection[str] = ()
) -> Owed | None:
    """Take one message for sending; None when somebody else has it, it is settled, or its channel
    is one of `without`.

    The attempt is on record before anything is sent: whoever dies now leaves a trace.
    """
    n = NOTIFICATION.c
    with writing(engine) as connection:
        claimed = connection.execute(
            update(NOTIFICATION)
            .where(
                n.id == notification_id,
                n.status == "pending",
                n.next_attempt_at <= now,
                n.channel.not_in(sorted(without)),
            )
            .values(attempts=n.attempts + 1, next_attempt_at=now + LEASE)
            .returning(n.event_id, n.channel, n.reason, n.attempts)
        ).first()
        if claimed is None:
            return None
        event = (
            connection.execute(select(EVENT).where(EVENT.c.id == claimed.event_id)).mappings().one()
        )
        return Owed(notification_id, claimed.channel, claimed.reason, claimed.attempts, dict(event))


def settle(
    engine: Engine,
    notification_id: int,
    *,
    status: str,
    error: str | None,
    now: datetime,
    next_attempt_at: datetime | None = None,
) -> None:
    """Write the outcome of an attempt: sent, pending (tried again at `next_attempt_at`), failed.

    A message that was sent stays sent, and one that nobody needs any more (its event was ended by
    hand meanwhile) is not tried again.
    """
    values: dict[str, Any] = {"status": status, "last_error": error}
    if status == "sent":
        values["sent_at"] = now
    if next_attempt_at is not None:
        values["next_attempt_at"] = next_attempt_at
    n = NOTIFICATION.c
    before = n.status != "sent" if status == "sent" else n.status == "pending"
    with writing(engine) as connection:
        connection.execute(
            update(NOTIFICATION).where(n.id == notification_id, before).values(**values)
        )


def of_events(engine: Engine, event_ids: Sequence[int]) -> list[dict[str, Any]]:
    """All messages of some events, oldest first."""
    n = NOTIFICATION.c
    with reading(engine) as connection:
        statement = select(NOTIFICATION).where(n.event_id.in_(event_ids)).order_by(n.id)
        return [dict(row) for row in connection.execute(statement).mappings()]
