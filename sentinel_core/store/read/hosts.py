"""The hosts on which runs execute, with how much of them was in use in the last day."""

from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import ColumnElement, Engine, and_, func, or_, select

from sentinel_core.decide.hosts import KEPT, Host, Sample
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import HOST

_MOST = 50  # hosts


def hosts(engine: Engine, now: datetime) -> tuple[Host, ...]:
    """The hosts by name, at most 50. Raises StoreUnavailableError."""
    h = HOST.c
    names = select(h.host).distinct().where(h.at >= now - KEPT).order_by(h.host).limit(_MOST)
    return _found(engine, h.host.in_(names), h.at >= now - KEPT)


def hosts_lately(engine: Engine, now: datetime, window: timedelta) -> tuple[Host, ...]:
    """All hosts by name with their samples of this time, or else with the newest one.

    Raises StoreUnavailableError.
    """
    h = HOST.c
    newest = (
        select(h.host, func.max(h.at).label("at"))
        .where(h.at >= now - KEPT)
        .group_by(h.host)
        .subquery()
    )
    is_newest = and_(h.host == newest.c.host, h.at == newest.c.at)
    wanted = or_(h.at >= now - window, select(newest.c.host).where(is_newest).exists())
    return _found(engine, h.at >= now - KEPT, wanted)


def _found(engine: Engine, *wanted: ColumnElement[bool]) -> tuple[Host, ...]:
    h = HOST.c
    found = select(h.host, h.at, h.cpu, h.memory, h.disk).where(*wanted).order_by(h.host, h.at)
    with answering(engine), reading(engine) as connection:
        rows = connection.execute(found).all()
    return tuple(
        Host(name, tuple(Sample(*row[1:]) for row in mine))
        for name, mine in groupby(rows, key=lambda row: str(row[0]))
    )
