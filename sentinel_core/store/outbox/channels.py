"""The state of each channel: sent, pending and failed notifications. Read only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, and_, case, func, not_, or_, select

from sentinel_core.store.db.bulk import chunks
from sentinel_core.store.db.engine import reading, rows
from sentinel_core.store.db.tables import NOTIFICATION, STORM
from sentinel_core.store.outbox.enqueue import FAILED, IS_STEP, PENDING, SENT

_N = NOTIFICATION.c
_DAY = timedelta(days=1)
# Escalation steps are enqueued long before they are due: only an attempted one counts as pending.
_LATER = and_(_N.status == PENDING, _N.attempts == 0, IS_STEP)
_WITH_ERROR = or_(
    _N.status == FAILED,
    and_(_N.status == PENDING, _N.attempts > 0, _N.last_error.is_not(None)),
)


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


@dataclass(frozen=True, slots=True)
class FailingChannel:
    """A channel with notifications that failed for good. `recovered`: a later one was sent.

    `failed` counts the failed notifications, `latest` and `error` are those of the newest.
    """

    channel: str
    failed: int
    latest: datetime
    error: str
    recovered: bool = False


def states(engine: Engine) -> dict[str, ChannelState]:
    """The state of every channel with notifications on record, by slug."""
    with reading(engine) as connection:
        since = (
            select(STORM.c.channel, func.min(STORM.c.started_at))
            .where(STORM.c.ended_at.is_(None))
            .group_by(STORM.c.channel)
        )
        storms = dict(connection.execute(since).tuples().all())
        counted = rows(
            connection,
            select(
                _N.channel,
                _count(_N.status == SENT).label("sent"),
                func.max(_N.sent_at).label("last_sent_at"),
                _count(and_(_N.status == PENDING, not_(_LATER))).label("pending"),
                _count(_LATER).label("steps"),
                _count(_N.status == FAILED).label("failed"),
                func.max(case((_N.status == FAILED, _N.settled_at))).label("last_failed_at"),
                func.max(case((_WITH_ERROR, _N.id))).label("failing"),
            )
            .group_by(_N.channel)
            .order_by(_N.channel),
        )
        newest = [row["failing"] for row in counted if row["failing"] is not None]
        failing = select(_N.id, _N.last_error).where(_N.id.in_(newest))
        errors = dict(connection.execute(failing).tuples().all())
    return {
        row["channel"]: ChannelState(
            last_error=errors.get(row.pop("failing")), storm_since=storms.get(row["channel"]), **row
        )
        for row in counted
    }


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


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


def failing_channels(engine: Engine, since: datetime) -> list[FailingChannel]:
    """Channels in which a notification failed for good since then, ordered by slug."""
    # The index is on the end of an attempt's claim, which is close to the time of its outcome.
    failed = and_(_N.status == FAILED, _N.next_attempt_at > since - _DAY, _N.settled_at >= since)
    by_channel = (
        select(_N.channel, func.count(), func.max(_N.settled_at))
        .where(failed)
        .group_by(_N.channel)
        .order_by(_N.channel)
    )
    with reading(engine) as connection:
        channels = []
        for channel, count, latest in connection.execute(by_channel).all():
            newest = select(_N.last_error).where(
                failed, _N.channel == channel, _N.settled_at == latest
            )
            error = connection.scalar(newest.limit(1)) or "no reason given"
            recovered = _sent_since(connection, channel, latest)
            channels.append(FailingChannel(channel, count, latest, error, recovered))
        return channels


def sent_since(engine: Engine, channel: str, at: datetime) -> bool:
    """True if a notification was sent in this channel since then."""
    with reading(engine) as connection:
        return _sent_since(connection, channel, at)


def _sent_since(connection: Connection, channel: str, at: datetime) -> bool:
    sent = select(_N.id).where(_N.status == SENT, _N.channel == channel, _N.sent_at >= at).limit(1)
    return connection.scalar(sent) is not None
