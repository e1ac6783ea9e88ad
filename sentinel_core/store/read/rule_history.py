"""What rules did lately: their events of some days, and the latest values of one series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Select, case, select

from sentinel_core.decide.observe import Kind
from sentinel_core.decide.state import Status
from sentinel_core.store.db.engine import count_up_to, reading
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import EVALUATION, EVENT, SERIES

EVENTS_CAP = 1_000
VALUES_SHOWN = 40
_MOST_RULES = 200
_MOST_TICKERS = 200


@dataclass(frozen=True, slots=True)
class RuleHistory:
    """A rule's number of new events (up to the cap), whether it fires, and values of one series.

    `ticker` names the series: one that fires, else the one that was evaluated last. `values` are
    oldest first, of the metric `value`, or of its first metric where it has none of that name.
    """

    events: int = 0
    firing: bool = False
    ticker: str = ""
    values: tuple[float, ...] = ()


def rule_histories(
    engine: Engine, rule_ids: Sequence[int], *, now: datetime, days: float = 7
) -> dict[int, RuleHistory]:
    """The histories of the rules of one page, by id; of at most 200 rules.

    Raises StoreUnavailableError.
    """
    since = now - timedelta(days=days)
    with answering(engine), reading(engine) as connection:
        return {key: _history(connection, key, since) for key in list(rule_ids)[:_MOST_RULES]}


@dataclass(frozen=True, slots=True)
class Point:
    """What one evaluation of a series measured."""

    at: datetime
    triggered: bool
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RuleSeries:
    """The points of one series of a rule, oldest first, and the tickers of all of its series."""

    ticker: str
    tickers: tuple[str, ...]
    points: tuple[Point, ...]


def rule_series(
    engine: Engine,
    rule_id: int,
    *,
    ticker: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int,
) -> RuleSeries:
    """The newest points of a series, from `since` until before `until`.

    Without a ticker, of the series that `RuleHistory` names. Raises StoreUnavailableError.
    """
    s, v = SERIES.c, EVALUATION.c
    with answering(engine), reading(engine) as connection:
        mine = (s.rule_id == rule_id, s.kind == Kind.ALERT.value)
        tickers = select(s.ticker).where(*mine).order_by(s.ticker).limit(_MOST_TICKERS)
        named = tuple(connection.scalars(tickers))
        if ticker is None:
            chosen = connection.execute(_shown_first(rule_id)).first()
            ticker = chosen.ticker if chosen is not None else ""
        found = _newest(rule_id, ticker).add_columns(v.at, v.triggered)
        if since is not None:
            found = found.where(v.at >= since)
        if until is not None:
            found = found.where(v.at < until)
        rows = connection.execute(found.limit(limit)).all()
    points = tuple(Point(row.at, row.triggered, row.metrics) for row in reversed(rows))
    return RuleSeries(ticker, named, points)


def _shown_first(rule_id: int) -> Select[Any]:
    """The series of a rule that is shown for it: one that fires, else the newest."""
    s = SERIES.c
    firing_first = case((s.status == Status.FIRING.value, 0), else_=1)
    return (
        select(s.ticker, s.status)
        .where(s.rule_id == rule_id, s.kind == Kind.ALERT.value)
        .order_by(firing_first, s.last_at.desc(), s.ticker)
        .limit(1)
    )


def _newest(rule_id: int, ticker: str) -> Select[Any]:
    """The metrics of a series, the newest first."""
    v = EVALUATION.c
    return (
        select(v.metrics)
        .where(v.rule_id == rule_id, v.kind == Kind.ALERT.value, v.ticker == ticker)
        .order_by(v.at.desc(), v.id.desc())
    )


def _history(connection: Connection, rule_id: int, since: datetime) -> RuleHistory:
    opened = select(EVENT.c.id).where(EVENT.c.rule_id == rule_id, EVENT.c.timestamp >= since)
    events = count_up_to(connection, opened, EVENTS_CAP)
    chosen = connection.execute(_shown_first(rule_id)).first()
    if chosen is None:
        return RuleHistory(events)
    firing = chosen.status == Status.FIRING.value
    return RuleHistory(events, firing, chosen.ticker, _values(connection, rule_id, chosen.ticker))


def _values(connection: Connection, rule_id: int, ticker: str) -> tuple[float, ...]:
    newest = _newest(rule_id, ticker).limit(VALUES_SHOWN)
    measured = [metrics for metrics in connection.scalars(newest) if metrics]
    if not measured:
        return ()
    name = "value" if "value" in measured[0] else min(measured[0])
    return tuple(metrics[name] for metrics in reversed(measured) if name in metrics)
