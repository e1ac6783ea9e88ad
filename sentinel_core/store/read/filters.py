"""Which events, in which order: filters as conditions the indexes can answer. Reads nothing."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select

from sentinel_core.model.alert import Importance
from sentinel_core.store.db.tables import EVENT, NOTIFICATION, RULE, UNACKNOWLEDGED

COUNT_CAP = 10_000  # counting stops above this number


class Status(StrEnum):
    """Where an event stands. Resolved wins: a resolved event may be acknowledged or not."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Sort(StrEnum):
    """What a list of events can be sorted by."""

    TIME = "time"
    LAST_SEEN = "last seen"
    IMPORTANCE = "importance"
    RULE = "rule"
    TICKER = "ticker"
    OCCURRENCES = "occurrences"


_SORTED_BY: dict[Sort, ColumnElement[Any]] = {
    Sort.TIME: EVENT.c.timestamp,
    Sort.LAST_SEEN: EVENT.c.last_seen,
    Sort.IMPORTANCE: case(
        {item.value: item.rank for item in Importance}, value=EVENT.c.importance, else_=-1
    ),
    Sort.RULE: EVENT.c.rule_name,
    Sort.TICKER: EVENT.c.ticker,
    Sort.OCCURRENCES: EVENT.c.occurrences,
}


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events. An empty set, text or time means: any. All conditions hold together."""

    importance: frozenset[str] = frozenset()
    category: frozenset[str] = frozenset()
    kind: frozenset[str] = frozenset()
    status: frozenset[Status] = frozenset()
    state: frozenset[str] = frozenset()
    """Prefect state types, `FAILED` and so on."""
    rules: frozenset[str] = frozenset()
    ticker: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    """Anywhere in message, ticker or rule name; letter case does not matter."""
    storm: int | None = None
    """Told of in the message of this storm."""
    live: bool = False
    """Only what still asks for attention: see `live_condition`."""


def live_condition(now: datetime) -> ColumnElement[bool]:
    """Critical and high stay until acknowledged, the others while they are due to be shown."""
    return and_(
        UNACKNOWLEDGED,
        or_(
            EVENT.c.importance.in_([Importance.CRITICAL.value, Importance.HIGH.value]),
            EVENT.c.display_until > now,
        ),
    )


_STATUS: dict[Status, ColumnElement[bool]] = {
    Status.OPEN: and_(EVENT.c.resolved_at.is_(None), UNACKNOWLEDGED),
    Status.ACKNOWLEDGED: and_(EVENT.c.resolved_at.is_(None), EVENT.c.is_acknowledged),
    Status.RESOLVED: EVENT.c.resolved_at.is_not(None),
}


def conditions(wanted: EventFilter, now: datetime) -> list[ColumnElement[bool]]:
    """What all must hold."""
    e = EVENT.c
    found: list[ColumnElement[bool]] = []
    for chosen, one_of in (
        (wanted.importance, e.importance),
        (wanted.category, e.category),
        (wanted.kind, e.kind),
        (wanted.state, e.prefect_state),
    ):
        if chosen:
            found.append(one_of.in_(sorted(chosen)))
    if wanted.rules:
        named = select(RULE.c.id).where(RULE.c.name.in_(sorted(wanted.rules)))
        found.append(e.rule_id.in_(named))
    if wanted.status:
        found.append(or_(false(), *(_STATUS[status] for status in sorted(wanted.status))))
    if wanted.ticker:
        found.append(e.ticker == wanted.ticker)
    if wanted.since is not None:
        found.append(e.timestamp >= wanted.since)
    if wanted.until is not None:
        found.append(e.timestamp < wanted.until)
    if wanted.storm is not None:
        found.append(e.id.in_(in_storm(wanted.storm)))
    if wanted.text:
        places = (e.message, e.ticker, e.rule_name)
        found.append(or_(*(place.icontains(wanted.text, autoescape=True) for place in places)))
    if wanted.live:
        if not wanted.importance:
            found.append(e.importance.in_([item.value for item in Importance]))  # for the index
        found.append(live_condition(now))
    return found


def in_storm(storm_id: int) -> Select[tuple[int]]:
    """Ids of the events that a storm's message told of."""
    n = NOTIFICATION.c
    return select(n.event_id).where(n.storm_id == storm_id, n.event_id.is_not(None))


def sorted_by(sort: Sort, wanted: EventFilter) -> ColumnElement[Any]:
    """What a list is ordered by."""
    by = _SORTED_BY[sort]
    if wanted.live and sort is Sort.TIME:
        # Offered the time index for sorting, SQLite would walk everything ever acknowledged
        # to find the few rows that are not; this spelling leaves it the partial index.
        return func.coalesce(by, by)
    return by
