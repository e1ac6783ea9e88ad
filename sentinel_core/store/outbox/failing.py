"""Channels that do not take messages, as the outbox knows them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, func, select

from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import NOTIFICATION
from sentinel_core.store.outbox.enqueue import IS_FAILED

_N = NOTIFICATION.c


@dataclass(frozen=True, slots=True)
class Trouble:
    """A channel that failed for good and has taken nothing since."""

    channel: str
    failed: int
    latest: datetime
    error: str


def failing_channels(engine: Engine, since: datetime) -> list[Trouble]:
    """Channels whose newest settled message failed, of those that failed since then."""
    with reading(engine) as connection:
        failed = connection.execute(
            select(_N.channel, func.count(), func.max(_N.settled_at))
            .where(IS_FAILED, _N.settled_at >= since)
            .group_by(_N.channel)
            .order_by(_N.channel)
        ).all()
        return [
            Trouble(channel, count, last, _error(connection, channel, last))
            for channel, count, last in failed
            if not _sent_since(connection, channel, last)
        ]


def sent_since(engine: Engine, channel: str, at: datetime) -> bool:
    """Has this channel taken a message since then?"""
    with reading(engine) as connection:
        return _sent_since(connection, channel, at)


def _sent_since(connection: Connection, channel: str, at: datetime) -> bool:
    sent = select(_N.id).where(_N.channel == channel, _N.sent_at >= at).limit(1)
    return connection.scalar(sent) is not None


def _error(connection: Connection, channel: str, at: datetime) -> str:
    failed = select(_N.last_error).where(IS_FAILED, _N.channel == channel, _N.settled_at == at)
    return connection.scalar(failed.limit(1)) or "no reason given"
