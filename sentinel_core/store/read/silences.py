"""Silences on record, and a preview of the events and series that a new one would mute."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import ColumnElement, Connection, Engine, and_, func, select

from sentinel_core.decide.observe import Kind
from sentinel_core.model.silence import Matchers, Silence, SilenceState
from sentinel_core.store.db.bulk import storable_ids
from sentinel_core.store.db.engine import reading, rows
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import AUDIT, EVENT, RULE, SERIES, SILENCE, Row
from sentinel_core.store.state.events import subject_of
from sentinel_core.store.state.mutes import SILENCE_EXPIRED, readable

PREVIEWED_EVENTS = 100  # events that a preview names; it counts the others
LONGEST_DAYS = 366  # that a preview looks back
_EVENT_COLUMNS = (
    "id",
    "timestamp",
    "rule_name",
    "ticker",
    "kind",
    "importance",
    "category",
    "resolved_at",
)


@dataclass(frozen=True, slots=True)
class Ending:
    """Who ended a silence before its time, and why if they gave a reason."""

    by: str
    at: datetime
    comment: str


@dataclass(frozen=True, slots=True)
class Preview:
    """Everything a silence matches, whenever it starts.

    `series` are (rule, ticker). `open_events` and `past_events` are the newest of `open_count` and
    `past_count`; past ones opened in the last days, at times at which the silence would have muted
    them.
    """

    rules: tuple[str, ...]
    series: tuple[tuple[str, str], ...]
    open_events: tuple[Row, ...]
    open_count: int
    past_events: tuple[Row, ...]
    past_count: int


def get(engine: Engine, silence_id: int) -> Silence | None:
    """The silence of this id; None if there is none. Raises StoreUnavailableError."""
    if not storable_ids([silence_id]):
        return None
    found = _read(engine, SILENCE.c.id == silence_id)
    return found[0] if found else None


def all_silences(
    engine: Engine, *, now: datetime, state: SilenceState | None = None
) -> list[Silence]:
    """Silences, newest first: all of them, or those in one state. Raises StoreUnavailableError."""
    c = SILENCE.c
    conditions = {
        None: (),
        SilenceState.ACTIVE: (c.starts_at <= now, c.ends_at > now),
        SilenceState.UPCOMING: (c.starts_at > now, c.ends_at > now),
        SilenceState.EXPIRED: (c.ends_at <= now,),
    }
    return _read(engine, *conditions[state])


def _read(engine: Engine, *conditions: ColumnElement[bool]) -> list[Silence]:
    statement = select(SILENCE).where(*conditions).order_by(SILENCE.c.id.desc())
    with answering(engine), reading(engine) as connection:
        return list(readable(rows(connection, statement)))


def ending(engine: Engine, silence_id: int) -> Ending | None:
    """The end of a silence by hand; None if nobody ended it early. Raises StoreUnavailableError."""
    c = AUDIT.c
    its_own = c.detail["silence"].as_integer() == silence_id
    statement = select(AUDIT).where(c.action == SILENCE_EXPIRED, its_own)
    with answering(engine), reading(engine) as connection:
        row = connection.execute(statement.order_by(c.id.desc()).limit(1)).mappings().first()
    return Ending(row["actor"], row["at"], row["detail"].get("comment", "")) if row else None


def preview(engine: Engine, silence: Silence, *, now: datetime, days: float = 7) -> Preview:
    """Everything a silence would mute now, and would have muted in the last days.

    Raises ValueError unless 0 < days <= LONGEST_DAYS, StoreUnavailableError when the store does not
    answer.
    """
    if not 0 < days <= LONGEST_DAYS:
        raise ValueError(f"look back more than 0 and at most {LONGEST_DAYS} days, not {days:g}")
    since = now - timedelta(days=days)
    recurrence = silence.recurrence
    with answering(engine), reading(engine) as connection:
        matched = list(_matched_series(connection, silence.matchers))
        still = _matched_events(connection, silence.matchers, EVENT.c.resolved_at.is_(None))
        past = [
            event
            for event in _matched_events(connection, silence.matchers, EVENT.c.timestamp >= since)
            if recurrence is None or recurrence.covers(event["timestamp"])
        ]
    series = tuple(key for key, _ in groupby(matched))
    return Preview(
        rules=tuple(name for name, _ in groupby(rule for rule, _ in series)),
        series=series,
        open_events=tuple(still[:PREVIEWED_EVENTS]),
        open_count=len(still),
        past_events=tuple(past[:PREVIEWED_EVENTS]),
        past_count=len(past),
    )


def _matched_series(connection: Connection, matchers: Matchers) -> Iterator[tuple[str, str]]:
    """(rule, ticker) of each matching series of active rules, in order; a rule without series yet
    counts as one without a ticker."""
    r, s = RULE.c, SERIES.c
    importance = func.coalesce(s.event_importance, r.importance).label("importance")
    statement = (
        select(r.name.label("rule_name"), r.category, r.tags, importance, s.kind, s.ticker)
        .join(SERIES, and_(s.rule_id == r.id, s.kind != Kind.SKIPPED.value), isouter=True)
        .where(r.is_active)
        .order_by(r.name, s.ticker)
    )
    for row in rows(connection, statement):
        if matchers.matches(subject_of(row)):
            yield row["rule_name"], row["ticker"] or ""


def _matched_events(
    connection: Connection, matchers: Matchers, condition: ColumnElement[bool]
) -> list[Row]:
    """Matching events, newest first."""
    e = EVENT.c
    statement = (
        select(*(e[name] for name in _EVENT_COLUMNS), RULE.c.tags)
        .join(RULE, RULE.c.id == e.rule_id, isouter=True)
        .where(condition)
        .order_by(e.timestamp.desc(), e.id.desc())
    )
    if matchers.importance:
        levels = [level.value for level in matchers.importance]
        statement = statement.where(e.importance.in_(levels))
    return [
        {name: row[name] for name in _EVENT_COLUMNS}
        for row in rows(connection, statement)
        if matchers.matches(subject_of(row))
    ]
