"""Events of the last day and of the day before, to compare, and of each hour of the last day."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Select, func, select

from sentinel_core.model.alert import Importance
from sentinel_core.store.db.engine import count_up_to, reading
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import EVENT, UNACKNOWLEDGED
from sentinel_core.store.read.filters import COUNT_CAP

PERIOD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Periods:
    """Events that opened in the last day and in the day before, each counted up to the cap: all of
    them, and those that still go on and that nobody acknowledged (`waiting`)."""

    events: tuple[int, int]
    waiting: tuple[int, int]


def periods(engine: Engine, *, now: datetime, cap: int = COUNT_CAP) -> Periods:
    """The events of both days. Raises StoreUnavailableError."""
    days = ((now - PERIOD, now), (now - 2 * PERIOD, now - PERIOD))
    with answering(engine), reading(engine) as connection:
        events = [_opened(connection, *day, cap) for day in days]
        waiting = [count_up_to(connection, _waiting(*day), cap) for day in days]
    return Periods((events[0], events[1]), (waiting[0], waiting[1]))


def _opened(connection: Connection, since: datetime, until: datetime, cap: int) -> int:
    e = EVENT.c
    found = select(e.id).where(e.timestamp >= since, e.timestamp < until)
    return count_up_to(connection, found, cap)


def _waiting(since: datetime, until: datetime) -> Select[tuple[datetime]]:
    """When the events opened that wait for somebody. Few go on: their index finds them, not the
    one of times, which this spelling withholds."""
    e = EVENT.c
    opened = func.coalesce(e.timestamp, e.timestamp)
    return select(e.timestamp).where(
        e.importance.in_([item.value for item in Importance]),
        e.resolved_at.is_(None),
        UNACKNOWLEDGED,
        opened >= since,
        opened < until,
    )
