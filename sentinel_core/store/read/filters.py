"""Filters and orders of events, as SQL that the indexes support. Reads nothing."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
)

from sentinel_core.decide.observe import Kind
from sentinel_core.model.alert import EARLIEST, Importance
from sentinel_core.store.db.tables import (
    EVENT,
    NOT_ALERT,
    NOTIFICATION,
    RULE,
    UNACKNOWLEDGED,
    Row,
    UtcDateTime,
)

NO_STATE = "NONE"  # among Prefect states: events without a run
COUNT_CAP = 10_000  # counting stops above this number
RESOLVED_STAYS = timedelta(minutes=1)
"""How long a resolved event stays in the live list, so that people see how it ended. Critical and
high ones that nobody acknowledged stay: what came and went in the night was seen by nobody."""
URGENT = frozenset({Importance.CRITICAL.value, Importance.HIGH.value})


class Status(StrEnum):
    """The status of an event. A resolved event is RESOLVED whether acknowledged or not."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Sort(StrEnum):
    """The orders of a list of events: one for each column that a list can show."""

    TIME = "time"
    LAST_SEEN = "last seen"
    IMPORTANCE = "importance"
    RULE = "rule"
    TICKER = "ticker"
    OCCURRENCES = "occurrences"
    MESSAGE = "message"
    STATE = "state"
    STATUS = "status"
    CATEGORY = "category"
    KIND = "kind"
    ENVIRONMENT = "environment"
    RESOLVED = "resolved"
    ENDING = "ending"
    ACKNOWLEDGED = "acknowledged"
    ACKNOWLEDGED_BY = "acknowledged by"
    COMMENT = "comment"
    ASSIGNED = "assigned to"
    DISPOSITION = "disposition"
    STARTED = "run started"
    ENDED = "run ended"
    RETRIES = "retries"


TIMES = frozenset({Sort.TIME, Sort.LAST_SEEN, Sort.RESOLVED, Sort.ACKNOWLEDGED}) | {
    Sort.STARTED,
    Sort.ENDED,
}
NUMBERS = frozenset({Sort.IMPORTANCE, Sort.OCCURRENCES, Sort.STATUS, Sort.RETRIES})
"""The orders by a time and by a number; all others are by text."""

_SORTED_LENGTH = 100  # characters of a long text that its order depends on


def _or_first(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column with a value where it has none, as nothing is before or after NULL in SQL."""
    if isinstance(column.type, UtcDateTime):
        return func.coalesce(column, literal(EARLIEST, UtcDateTime()))
    return func.coalesce(column, literal("", Text()))


def _beginning(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.substr(func.coalesce(column, literal("", Text())), 1, _SORTED_LENGTH)


_SORTED_BY: dict[Sort, ColumnElement[Any]] = {
    Sort.TIME: EVENT.c.timestamp,
    Sort.LAST_SEEN: EVENT.c.last_seen,
    Sort.IMPORTANCE: case(
        {item.value: item.rank for item in Importance}, value=EVENT.c.importance, else_=-1
    ),
    Sort.RULE: EVENT.c.rule_name,
    Sort.TICKER: EVENT.c.ticker,
    Sort.OCCURRENCES: EVENT.c.occurrences,
    Sort.MESSAGE: _beginning(EVENT.c.message),
    Sort.STATE: _or_first(EVENT.c.prefect_state_name),
    # What still needs somebody has the highest number
    Sort.STATUS: case((EVENT.c.resolved_at.is_(None), 2), else_=0) + cast(UNACKNOWLEDGED, Integer),
    Sort.CATEGORY: EVENT.c.category,
    Sort.KIND: EVENT.c.kind,
    Sort.ENVIRONMENT: _or_first(EVENT.c.environment),
    Sort.RESOLVED: _or_first(EVENT.c.resolved_at),
    Sort.ENDING: _or_first(EVENT.c.resolution),
    Sort.ACKNOWLEDGED: _or_first(EVENT.c.acknowledged_at),
    Sort.ACKNOWLEDGED_BY: _or_first(EVENT.c.acknowledged_by),
    Sort.COMMENT: _beginning(EVENT.c.comment),
    Sort.ASSIGNED: _or_first(EVENT.c.assigned_to),
    Sort.DISPOSITION: _or_first(EVENT.c.disposition),
    Sort.STARTED: _or_first(EVENT.c.started_at),
    Sort.ENDED: _or_first(EVENT.c.completed_at),
    Sort.RETRIES: EVENT.c.retry_count,
}


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Conditions on events, which must all hold. An empty set, text or None means any."""

    importance: frozenset[str] = frozenset()
    category: frozenset[str] = frozenset()
    environment: frozenset[str] = frozenset()
    kind: frozenset[str] = frozenset()
    status: frozenset[Status] = frozenset()
    state: frozenset[str] = frozenset()
    """Types of Prefect states: `FAILED` and so on; NO_STATE for events without a run."""
    rules: frozenset[str] = frozenset()
    ticker: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    """Part of the message, the ticker or the rule's name; case is ignored."""
    storm: int | None = None
    """The id of a storm whose message covers the event."""
    mine: str = ""
    """A person whom the event is assigned to, or who acknowledged it."""
    live: bool = False
    """Only events that need attention now: see `live_condition`."""


_NOW, _RESOLVED_AFTER, _SINCE, _UNTIL = (
    bindparam(name, type_=UtcDateTime()) for name in ("now", "resolved_after", "since", "until")
)


_RULE_IDS: BindParameter[int] = bindparam("rule_ids", expanding=True)


def parameters(connection: Connection, wanted: EventFilter, now: datetime) -> Row:
    """What the SQL of a filter's conditions leaves open: its times, and the ids of its rules.

    Planning for ids, PostgreSQL sees that the index of one rule has its events in order.
    """
    return {
        "now": now,
        "resolved_after": now - RESOLVED_STAYS,
        "since": wanted.since,
        "until": wanted.until,
        "rule_ids": _ids_of(connection, wanted.rules) if wanted.rules else [],
    }


def _ids_of(connection: Connection, names: frozenset[str]) -> list[int]:
    ids = select(RULE.c.id).where(RULE.c.name.in_(sorted(names)))
    return list(connection.scalars(ids.order_by(RULE.c.id)))


def without_times(wanted: EventFilter) -> EventFilter:
    """The filter by which to remember its SQL: alike for all whose times alone differ."""
    some_since = None if wanted.since is None else EARLIEST
    some_until = None if wanted.until is None else EARLIEST
    return replace(wanted, since=some_since, until=some_until)


def live_condition(importance: Collection[str] = ()) -> ColumnElement[bool]:
    """Unacknowledged events: critical and high ones, and below that those that go on or resolved
    within a minute, until their `display_until`.

    With `importance`, only these. Several searches of one index find the few events that are due
    among all that nobody ever acknowledged: joined by OR, they would read all of those.
    """
    e = EVENT.c
    wanted = set(importance or (item.value for item in Importance))
    found: list[ColumnElement[bool]] = []
    if urgent := wanted & URGENT:
        found.append(e.importance.in_(sorted(urgent)))
    if others := wanted - URGENT:
        shown = and_(e.importance.in_(sorted(others)), e.display_until > _NOW)
        recently = e.resolved_at > _RESOLVED_AFTER
        found += [and_(shown, e.resolved_at.is_(None)), and_(shown, recently)]
    searches = (select(e.id).where(UNACKNOWLEDGED, one).correlate(None) for one in found)
    return e.id.in_(union_all(*searches))


_STATUS: dict[Status, ColumnElement[bool]] = {
    Status.OPEN: and_(EVENT.c.resolved_at.is_(None), UNACKNOWLEDGED),
    Status.ACKNOWLEDGED: and_(EVENT.c.resolved_at.is_(None), EVENT.c.is_acknowledged),
    Status.RESOLVED: EVENT.c.resolved_at.is_not(None),
}


def conditions(wanted: EventFilter) -> list[ColumnElement[bool]]:
    """The SQL conditions of a filter, to be executed with its `parameters`."""
    e = EVENT.c
    all_of: list[ColumnElement[bool]] = []
    for chosen, column in (
        (frozenset() if wanted.live else wanted.importance, e.importance),
        (wanted.category, e.category),
        (wanted.environment, e.environment),
        (wanted.kind, e.kind),
    ):
        if chosen:
            all_of.append(column.in_(sorted(chosen)))
    if wanted.kind and Kind.ALERT.value not in wanted.kind:
        all_of.append(NOT_ALERT)  # names the index of the few that are not
    if wanted.state:
        all_of.append(_in_states(wanted.state))
    if wanted.rules:
        all_of.append(e.rule_id.in_(_RULE_IDS))
    if wanted.status:
        all_of.append(or_(false(), *(_STATUS[status] for status in sorted(wanted.status))))
    mine = or_(e.assigned_to == wanted.mine, e.acknowledged_by == wanted.mine)
    places = (e.message, e.ticker, e.rule_name)
    text = or_(*(place.icontains(wanted.text, autoescape=True) for place in places))
    for given, condition in (
        (wanted.ticker, e.ticker == wanted.ticker),
        (wanted.mine, mine),
        (wanted.text, text),
    ):
        if given:
            all_of.append(condition)
    if wanted.since is not None:
        all_of.append(e.timestamp >= _SINCE)
    if wanted.until is not None:
        all_of.append(e.timestamp < _UNTIL)
    if wanted.storm is not None:
        all_of.append(e.id.in_(in_storm(wanted.storm)))
    if wanted.live:
        all_of.append(live_condition(wanted.importance))
    return all_of


def ways(wanted: EventFilter) -> list[list[ColumnElement[bool]]]:
    """The conditions of a filter, as lists of which an event matches one at most.

    What concerns a person is found by an index for each way in which it does: joined by OR, the
    whole table would be read. (The index of a rule or a ticker finds fewer.)
    """
    if not wanted.mine or wanted.rules or wanted.ticker:
        return [conditions(wanted)]
    others = conditions(replace(wanted, mine=""))
    assigned = EVENT.c.assigned_to == wanted.mine
    acknowledged = EVENT.c.acknowledged_by == wanted.mine
    only = EVENT.c.assigned_to.is_distinct_from(wanted.mine)
    return [[*others, assigned], [*others, acknowledged, only]]


def _in_states(wanted: frozenset[str]) -> ColumnElement[bool]:
    column = EVENT.c.prefect_state
    if NO_STATE not in wanted:
        return column.in_(sorted(wanted))
    return or_(column.is_(None), column.in_(sorted(wanted - {NO_STATE})))


def in_storm(storm_id: int) -> Select[tuple[int]]:
    """Ids of the events that a storm's message covers."""
    n = NOTIFICATION.c
    return select(n.event_id).where(n.storm_id == storm_id, n.event_id.is_not(None))


def sorted_by(sort: Sort, wanted: EventFilter) -> ColumnElement[Any]:
    """The SQL expression that a list is ordered by."""
    by = _SORTED_BY[sort]
    narrow = wanted.live or (sort is Sort.TICKER and wanted.since is not None)
    if narrow and sort in (Sort.TIME, Sort.TICKER):
        # Offered the index of such a column for sorting, SQLite would walk everything on record
        # to find the few rows that match; this spelling leaves it the filter's index.
        return func.coalesce(by, by)
    return by
