"""Counts over all events: what asks for attention, events over time, names to filter by."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Integer,
    column,
    exists,
    func,
    select,
    values,
)

from sentinel_core.model.alert import Importance
from sentinel_core.store.db.engine import count_up_to, reading
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import (
    EVENT,
    NOTIFICATION,
    RULE,
    SERIES,
    UNACKNOWLEDGED,
    UtcDateTime,
)
from sentinel_core.store.read.filters import COUNT_CAP, EventFilter, conditions, parameters
from sentinel_core.store.state.watched import WATCHED, hooks_of

_FACET_LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class Overview:
    """Live events by importance (each counted up to the cap), and what exists at all."""

    unacknowledged: dict[str, int]
    any_event: bool
    any_notification: bool


@dataclass(frozen=True, slots=True)
class Facets:
    """The names in the store that a filter can choose from."""

    rules: tuple[str, ...]
    categories: tuple[str, ...]
    tickers: tuple[str, ...]
    environments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bucket:
    """The number of events that opened from `start` on, by importance."""

    start: datetime
    counts: dict[str, int]


def overview(engine: Engine, *, now: datetime, cap: int = COUNT_CAP) -> Overview:
    """Live events by importance (each up to `cap + 1`). Raises StoreUnavailableError."""
    with answering(engine), reading(engine) as connection:
        counts: dict[str, int] = {}
        for importance in Importance:
            wanted = EventFilter(importance=frozenset({importance.value}), live=True)
            events = select(EVENT.c.id).where(*conditions(wanted))
            given = parameters(connection, wanted, now)
            counts[importance.value] = count_up_to(connection, events, cap, given)
        return Overview(
            counts,
            bool(connection.scalar(select(exists(select(EVENT.c.id))))),
            bool(connection.scalar(select(exists(select(NOTIFICATION.c.id))))),
        )


def facets(engine: Engine) -> Facets:
    """Names to choose from, read from the small tables. Raises StoreUnavailableError."""
    with answering(engine), reading(engine) as connection:

        def distinct(name: ColumnElement[str]) -> tuple[str, ...]:
            statement = select(name).distinct().where(name != "").order_by(name)
            return tuple(connection.scalars(statement.limit(_FACET_LIMIT)))

        return Facets(
            distinct(RULE.c.name),
            distinct(RULE.c.category),
            distinct(SERIES.c.ticker),
            tuple(
                sorted(
                    {
                        *distinct(RULE.c.parameters["environment"].as_string()),
                        *_environments_of_hooks(connection),
                    }
                )
            ),
        )


def _environments_of_hooks(connection: Connection) -> set[str]:
    watched = select(RULE.c.parameters).where(RULE.c.trigger == WATCHED).limit(_FACET_LIMIT)
    hooks = [hook for row in connection.execute(watched).mappings() for hook in hooks_of(row)]
    return {hook.settings.environment for hook in hooks if hook.settings.environment}


def histogram(
    engine: Engine,
    wanted: EventFilter,
    *,
    start: datetime,
    end: datetime,
    step: timedelta,
) -> list[Bucket]:
    """Events by importance in steps from `start` to `end`; the filter's own times don't count.

    One range count for each bar reads the index only; grouping all rows of the range by hour
    takes ten times as long. Raises StoreUnavailableError.
    """
    edges = [start + step * n for n in range(max(1, -((start - end) // step)))]
    bars = (
        values(column("opens", UtcDateTime()), column("closes", UtcDateTime()), name="bar")
        .data([(edge, min(edge + step, end)) for edge in edges])
        .cte("bar")
    )
    matching = conditions(
        replace(wanted, since=None, until=None, importance=frozenset(), live=False)
    )
    if wanted.live:
        matching.append(UNACKNOWLEDGED)
    names = [i.value for i in Importance if not wanted.importance or i.value in wanted.importance]
    counts = [
        select(func.count())
        .where(
            EVENT.c.importance == name,
            EVENT.c.timestamp >= bars.c.opens,
            EVENT.c.timestamp < bars.c.closes,
            *matching,
        )
        .correlate(bars)
        .scalar_subquery()
        .cast(Integer)
        .label(f"n_{name}")
        for name in names
    ]
    with answering(engine), reading(engine) as connection:
        given = parameters(connection, wanted, end)
        bar_counts = select(bars.c.opens, *counts).order_by(bars.c.opens)
        rows = connection.execute(bar_counts, given).all()
    return [Bucket(row[0], dict(zip(names, row[1:], strict=True))) for row in rows]
