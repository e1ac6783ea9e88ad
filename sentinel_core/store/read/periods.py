"""Events of the last day and of the day before, to compare, and of each hour of the last day."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Select, column, func, select, union_all, values

from sentinel_core.model.alert import Importance
from sentinel_core.store.db.engine import count_up_to, reading
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import EVENT, UNACKNOWLEDGED, UtcDateTime
from sentinel_core.store.read.filters import COUNT_CAP, URGENT

PERIOD = timedelta(days=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Periods:
    """Events that opened in the last day and in the day before, each counted up to the cap: all of
    them, and those that wait for somebody to acknowledge them (`waiting`)."""

    events: tuple[int, int]
    waiting: tuple[int, int]


def periods(engine: Engine, *, now: datetime, cap: int = COUNT_CAP) -> Periods:
    """The events of both days. Raises StoreUnavailableError."""
    days = ((now - PERIOD, now), (now - 2 * PERIOD, now - PERIOD))
    with answering(engine), reading(engine) as connection:
        events = [_opened(connection, *day, cap) for day in days]
        waiting = [count_up_to(connection, _waiting(*day), cap) for day in days]
    return Periods((events[0], events[1]), (waiting[0], waiting[1]))


@dataclass(frozen=True, slots=True)
class Trends:
    """Events by the hour of the last day in which they opened, the oldest hour first: all of them,
    and those of `Periods.waiting`."""

    events: tuple[int, ...]
    waiting: tuple[int, ...]


def trends(engine: Engine, *, now: datetime, cap: int = COUNT_CAP) -> Trends:
    """The events of each hour. Raises StoreUnavailableError.

    A range count for each hour reads nothing but an index; of those that wait there are few.
    """
    start = now - PERIOD
    edges = [start + HOUR * n for n in range(PERIOD // HOUR)]
    hours = (
        values(column("opens", UtcDateTime()), column("closes", UtcDateTime()), name="hour")
        .data([(edge, edge + HOUR) for edge in edges])
        .cte("hour")
    )
    e, opens = EVENT.c, hours.c.opens
    count = select(func.count()).where(e.timestamp >= opens, e.timestamp < hours.c.closes)
    counts = select(count.correlate(hours).scalar_subquery()).order_by(opens)
    with answering(engine), reading(engine) as connection:
        events = tuple(connection.scalars(counts.select_from(hours)))
        waiting = list(connection.scalars(_waiting(start, now).limit(cap)))
    return Trends(events, by_hour(waiting, start))


def by_hour(times: Iterable[datetime], start: datetime) -> tuple[int, ...]:
    """How many of the times are in each hour of the day that starts then. Pure."""
    counts = Counter((at - start) // HOUR for at in times)
    return tuple(counts[n] for n in range(PERIOD // HOUR))


def _opened(connection: Connection, since: datetime, until: datetime, cap: int) -> int:
    e = EVENT.c
    found = select(e.id).where(e.timestamp >= since, e.timestamp < until)
    return count_up_to(connection, found, cap)


def _waiting(since: datetime, until: datetime) -> Select[tuple[datetime]]:
    """When the events opened that wait for somebody. They are few: the index of live events finds
    them, not the one of times, which this spelling withholds."""
    e = EVENT.c
    opened = func.coalesce(e.timestamp, e.timestamp)
    within = (UNACKNOWLEDGED, opened >= since, opened < until)
    others = {item.value for item in Importance} - URGENT
    waiting = union_all(
        select(e.timestamp).where(e.importance.in_(sorted(URGENT)), *within),
        select(e.timestamp).where(
            e.importance.in_(sorted(others)), e.resolved_at.is_(None), *within
        ),
    ).subquery()
    return select(waiting.c.timestamp)
