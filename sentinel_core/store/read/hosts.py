"""The hosts on which runs execute, with how much of them was in use in the last day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import ColumnElement, Engine, func, or_, select, tuple_

from sentinel_core.decide.hosts import KEPT, Host, Sample, urgent_first
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import HOST

MOST = 50  # hosts, where each run may have one of its own


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts to show, at most MOST, and how many there are."""

    shown: Sequence[Host]
    count: int


def hosts(engine: Engine, now: datetime) -> Hosts:
    """The hosts of the last day with its samples, those that need a look first.

    Raises StoreUnavailableError.
    """
    newest = hosts_now(engine, now)
    h, names = HOST.c, [host.name for host in newest.shown]
    found = {host.name: host for host in _found(engine, h.host.in_(names), h.at >= now - KEPT)}
    return Hosts([found.get(host.name, host) for host in newest.shown], newest.count)


def hosts_now(engine: Engine, now: datetime) -> Hosts:
    """As `hosts`, each with its newest sample alone."""
    newest = _found(engine, _newest(now))
    return Hosts(urgent_first(newest, now)[:MOST], len(newest))


def hosts_lately(engine: Engine, now: datetime, window: timedelta) -> tuple[Host, ...]:
    """All hosts by name with their samples of this time, or else with the newest one.

    Raises StoreUnavailableError.
    """
    h = HOST.c
    return _found(engine, h.at >= now - KEPT, or_(h.at >= now - window, _newest(now)))


def _newest(now: datetime) -> ColumnElement[bool]:
    """The newest sample of each host of the last day."""
    h = HOST.c
    times = select(h.host, func.max(h.at)).where(h.at >= now - KEPT).group_by(h.host)
    return tuple_(h.host, h.at).in_(times)


def _found(engine: Engine, *wanted: ColumnElement[bool]) -> tuple[Host, ...]:
    h = HOST.c
    found = select(h.host, h.at, h.cpu, h.memory, h.disk).where(*wanted).order_by(h.host, h.at)
    with answering(engine), reading(engine) as connection:
        rows = connection.execute(found).all()
    return tuple(
        Host(name, tuple(Sample(*row[1:]) for row in mine))
        for name, mine in groupby(rows, key=lambda row: str(row[0]))
    )
