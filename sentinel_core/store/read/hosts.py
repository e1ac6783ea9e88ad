"""The hosts on which runs execute, with how much of them was in use in the last day."""

from datetime import datetime
from itertools import groupby

from sqlalchemy import Engine, select

from sentinel_core.decide.hosts import KEPT, Host, Sample
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import HOST

_MOST = 50  # hosts


def hosts(engine: Engine, now: datetime) -> tuple[Host, ...]:
    """The hosts by name, at most 50. Raises StoreUnavailableError."""
    h = HOST.c
    names = select(h.host).distinct().where(h.at >= now - KEPT).order_by(h.host).limit(_MOST)
    found = select(h.host, h.at, h.cpu, h.memory, h.disk).where(
        h.host.in_(names), h.at >= now - KEPT
    )
    with answering(engine), reading(engine) as connection:
        rows = connection.execute(found.order_by(h.host, h.at)).all()
    return tuple(
        Host(name, tuple(Sample(*row[1:]) for row in mine))
        for name, mine in groupby(rows, key=lambda row: str(row[0]))
    )
