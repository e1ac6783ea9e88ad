"""Figures about the checking itself: how much, how late, how often without a result.

Every query reads a bounded number of rows, however large the store is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import quantiles
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from sentinel_core.decide.hosts import Endings, Host
from sentinel_core.decide.observe import Kind
from sentinel_core.decide.state import Status
from sentinel_core.store.db.engine import count_up_to, reading
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import EVALUATION, NOTIFICATION, RULE, SERIES
from sentinel_core.store.outbox.group import ready
from sentinel_core.store.read.filters import COUNT_CAP

WINDOW = timedelta(hours=1)
MOST_ROWS = 10_000  # evaluations that are looked at; the newest
_NOT_RUN = (Kind.SILENT.value, Kind.SKIPPED.value)
_UNMEASURED = (Kind.FAILURE.value, Kind.ERROR.value, Kind.NO_DATA.value)
_MOST_RULES = 1_000


@dataclass(frozen=True, slots=True)
class Throughput:
    """The evaluations of a window of time.

    `minutes` is the length of the window; where it has more than MOST_ROWS evaluations, the time
    that the newest ones cover, and `cut` is true. `runs` are flow runs that checked something,
    `failed` those that ended without a result. Lateness is the time from when a run was to start,
    which is when it was due unless its worker spreads runs, until it started. What can't be said of
    an empty window is None.
    """

    minutes: float
    evaluations: int
    runs: int
    failed: int
    lateness_p50: float | None
    lateness_p95: float | None
    cut: bool = False

    @property
    def per_minute(self) -> float:
        """Evaluations in a minute, on average."""
        return self.evaluations / self.minutes if self.minutes > 0 else 0.0

    @property
    def error_rate(self) -> float | None:
        """The share of the runs that ended without a result."""
        return self.failed / self.runs if self.runs else None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Notifications that may be sent now (counted up to the cap), and since when the first may."""

    due: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of the whole store. `kept` is about the number of evaluations it holds.

    `unmeasured` names the active rules of which the newest check of some series has no result, and
    `active` counts all active ones. `hosts` are those of the last day on which runs executed, as
    far as they are shown; `host_count` counts all.
    """

    throughput: Throughput
    backlog: Backlog
    kept: int
    active: int
    unmeasured: tuple[str, ...]
    hosts: Sequence[Host] = ()
    host_count: int = 0


def figures(engine: Engine, now: datetime, window: timedelta = WINDOW) -> Figures:
    """The figures at this time. Raises StoreUnavailableError."""
    with answering(engine), reading(engine) as connection:
        first, last = connection.execute(
            select(func.min(EVALUATION.c.id), func.max(EVALUATION.c.id))
        ).one()
        active = select(RULE.c.id).where(RULE.c.is_active)
        return Figures(
            _throughput(connection, now, window),
            _backlog(connection, now),
            last - first + 1 if last is not None else 0,
            count_up_to(connection, active, COUNT_CAP),
            _unmeasured(connection),
        )


def endings(engine: Engine, now: datetime, window: timedelta = WINDOW) -> Endings:
    """How the runs of this time ended, of the newest MOST_ROWS evaluations.

    Raises StoreUnavailableError.
    """
    with answering(engine), reading(engine) as connection:
        found = _throughput(connection, now, window)
    return Endings(found.runs, found.failed, found.minutes)


def _throughput(connection: Connection, now: datetime, window: timedelta) -> Throughput:
    v = EVALUATION.c
    newest = select(
        v.prefect_flow_run_id,
        v.kind,
        v.triggered,
        v.at,
        v.planned_at,
        v.started_at,
        v.completed_at,
    ).order_by(v.id.desc())
    found = connection.execute(newest.limit(MOST_ROWS)).all()
    inside = [row for row in found if now - window < row.completed_at <= now]
    cut = len(found) == MOST_ROWS and min(row.completed_at for row in found) > now - window
    if cut:
        window = now - min(row.completed_at for row in inside)
    return summarized(inside, window, cut=cut)


def summarized(rows: list[Any], window: timedelta, *, cut: bool = False) -> Throughput:
    """The figures of these rows of the table of evaluations."""
    checked = [row for row in rows if row.kind not in _NOT_RUN]
    failed = {
        row.prefect_flow_run_id
        for row in checked
        if row.kind == Kind.FAILURE.value and row.triggered
    }
    starts = {
        row.prefect_flow_run_id: max(
            0.0, (row.started_at - (row.planned_at or row.at)).total_seconds()
        )
        for row in checked
        if row.started_at is not None
    }
    late = list(starts.values())
    cuts = (
        quantiles(late * 2 if len(late) == 1 else late, n=100, method="inclusive") if late else []
    )
    return Throughput(
        minutes=window.total_seconds() / 60,
        evaluations=len(checked),
        runs=len({row.prefect_flow_run_id for row in checked}),
        failed=len(failed),
        lateness_p50=cuts[49] if cuts else None,
        lateness_p95=cuts[94] if cuts else None,
        cut=cut,
    )


def _backlog(connection: Connection, now: datetime) -> Backlog:
    n = NOTIFICATION.c
    waiting = select(n.id).where(ready(now))
    oldest = select(func.min(n.next_attempt_at)).where(ready(now))
    return Backlog(count_up_to(connection, waiting, COUNT_CAP), connection.scalar(oldest))


def _unmeasured(connection: Connection) -> tuple[str, ...]:
    s = SERIES.c
    named = (
        select(RULE.c.name)
        .join(SERIES, s.rule_id == RULE.c.id)
        .where(RULE.c.is_active, s.kind.in_(_UNMEASURED), s.status == Status.FIRING.value)
    )
    return tuple(connection.scalars(named.distinct().order_by(RULE.c.name).limit(_MOST_RULES)))
