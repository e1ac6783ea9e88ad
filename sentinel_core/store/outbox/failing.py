"""Channels in which notifications fail, according to the outbox."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, and_, func, select

from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import NOTIFICATION
from sentinel_core.store.outbox.enqueue import FAILED, SENT

_N = NOTIFICATION.c
_DAY = timedelta(days=1)


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
            error = select(_N.last_error).where(
                failed, _N.channel == channel, _N.settled_at == latest
            )
            channels.append(
                FailingChannel(
                    channel,
                    count,
                    latest,
                    connection.scalar(error.limit(1)) or "no reason given",
                    _sent_since(connection, channel, latest),
                )
            )
        return channels


def sent_since(engine: Engine, channel: str, at: datetime) -> bool:
    """True if a notification was sent in this channel since then."""
    with reading(engine) as connection:
        return _sent_since(connection, channel, at)


def _sent_since(connection: Connection, channel: str, at: datetime) -> bool:
    sent = select(_N.id).where(_N.status == SENT, _N.channel == channel, _N.sent_at >= at).limit(1)
    return connection.scalar(sent) is not None
