"""Events of the last day and of the day before, to compare."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, select

from sentinel_core.store.db.engine import count_up_to, reading
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import EVENT, UNACKNOWLEDGED
from sentinel_core.store.read.filters import COUNT_CAP

PERIOD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Periods:
    """Events that opened in the last day and in the day before, each counted up to the cap: all of
    them, and those that are still unacknowledged (`waiting`)."""

    events: tuple[int, int]
    waiting: tuple[int, int]


def periods(engine: Engine, *, now: datetime, cap: int = COUNT_CAP) -> Periods:
    """The events of both days. Raises StoreUnavailableError."""
    days = ((now - PERIOD, now), (now - 2 * PERIOD, now - PERIOD))
    with answering(engine), reading(engine) as connection:
        events = [_opened(connection, *day, cap) for day in days]
        waiting = [_opened(connection, *day, cap, UNACKNOWLEDGED) for day in days]
    return Periods((events[0], events[1]), (waiting[0], waiting[1]))


def _opened(
    connection: Connection, since: datetime, until: datetime, cap: int, *and_: ColumnElement[bool]
) -> int:
    e = EVENT.c
    found = select(e.id).where(e.timestamp >= since, e.timestamp < until, *and_)
    return count_up_to(connection, found, cap)
