"""The state of each channel: sent, pending and failed notifications. Read only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, and_, case, func, not_, select

from sentinel_core.store.db.bulk import chunks
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import NOTIFICATION, STORM
from sentinel_core.store.outbox.enqueue import FAILED, IS_STEP, PENDING, SENT

_N = NOTIFICATION.c
# Escalation steps are enqueued long before they are due: only an attempted one counts as pending.
_LATER = and_(_N.status == PENDING, _N.attempts == 0, IS_STEP)


@dataclass(frozen=True, slots=True)
class ChannelState:
    """The state of one channel, all its recipients together.

    `pending` counts notifications that wait to be sent, `steps` escalation steps that may become
    due. `last_error` is that of the newest attempted notification without success,
    `last_failed_at` the last time a notification failed for good, and `storm_since` the start of
    the storm that is open.
    """

    channel: str
    sent: int = 0
    last_sent_at: datetime | None = None
    pending: int = 0
    steps: int = 0
    failed: int = 0
    last_failed_at: datetime | None = None
    last_error: str | None = None
    storm_since: datetime | None = None


def states(engine: Engine) -> dict[str, ChannelState]:
    """The state of every channel with notifications on record, by slug."""
    with reading(engine) as connection:
        storms = {
            row.channel: row.since
            for row in connection.execute(
                select(STORM.c.channel, func.min(STORM.c.started_at).label("since"))
                .where(STORM.c.ended_at.is_(None))
                .group_by(STORM.c.channel)
            )
        }
        counted = connection.execute(
            select(
                _N.channel,
                _count(_N.status == SENT).label("sent"),
                func.max(_N.sent_at).label("last_sent_at"),
                _count(and_(_N.status == PENDING, not_(_LATER))).label("pending"),
                _count(_LATER).label("steps"),
                _count(_N.status == FAILED).label("failed"),
                func.max(case((_N.status == FAILED, _N.settled_at))).label("last_failed_at"),
                func.max(case((_has_error(), _N.id))).label("failing"),
            )
            .group_by(_N.channel)
            .order_by(_N.channel)
        ).all()
        newest = [row.failing for row in counted if row.failing is not None]
        rows = connection.execute(select(_N.id, _N.last_error).where(_N.id.in_(newest)))
        errors = {row.id: row.last_error for row in rows}
    return {
        row.channel: ChannelState(
            row.channel,
            sent=row.sent,
            last_sent_at=row.last_sent_at,
            pending=row.pending,
            steps=row.steps,
            failed=row.failed,
            last_failed_at=row.last_failed_at,
            last_error=errors.get(row.failing),
            storm_since=storms.get(row.channel),
        )
        for row in counted
    }


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


def _has_error() -> ColumnElement[bool]:
    tried = and_(_N.status == PENDING, _N.attempts > 0, _N.last_error.is_not(None))
    return (_N.status == FAILED) | tried


def failed_since(engine: Engine, channel: str, since: datetime) -> list[int]:
    """Ids of notifications that failed in a channel since then, oldest first."""
    with reading(engine) as connection:
        statement = select(_N.id).where(
            _N.channel == channel, _N.status == FAILED, _N.settled_at >= since
        )
        return list(connection.scalars(statement.order_by(_N.id)))


def standing(engine: Engine, ids: Sequence[int]) -> dict[str, int]:
    """The number of these notifications by status."""
    by_status: dict[str, int] = {}
    with reading(engine) as connection:
        for some in chunks(list(ids)):
            counts = select(_N.status, func.count()).where(_N.id.in_(some)).group_by(_N.status)
            for status, count in connection.execute(counts):
                by_status[status] = by_status.get(status, 0) + count
    return by_status
