"""Reads a rule's recorded past for replay, in the order in which it was recorded.

Core columns and streams: a million evaluations pass through without being in memory at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from heapq import heappop, heappush
from itertools import groupby
from operator import itemgetter
from typing import Any

from pydantic_core import from_json
from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Integer,
    RowMapping,
    Select,
    String,
    and_,
    func,
    null,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.types import TypeDecorator

from sentinel_core.decide.observe import Kind
from sentinel_core.decide.snooze import Limits
from sentinel_core.model.reasons import SuppressionCode
from sentinel_core.model.rule import Inhibition
from sentinel_core.model.silence import Inhibitor, Silence
from sentinel_core.replay.recorded import Firing, ManualAction, Past, Stored
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import AUDIT, EVALUATION, EVENT, RULE, SILENCE, Json, UtcDateTime
from sentinel_core.store.state.mutes import SILENCE_EXPIRED, has_items, silence_of

_AT_ONCE = 200  # rows fetched together: of more, the garbage collector looks at each
_ACTIONS = ("acknowledged", "unacknowledged", "resolved")


@dataclass(frozen=True, slots=True)
class Span:
    """Evaluations due in [first, until). From `since` on they count, before that they lead in.

    `older` of those that count were recorded before the store kept what the trigger itself said.
    Each was recorded at least `earliest_by` after it was due (less than nothing by a clock that is
    behind) and at most `latest_by`; None is unknown.
    """

    first: datetime
    since: datetime
    until: datetime
    older: int
    earliest_by: timedelta = timedelta()
    latest_by: timedelta | None = None


def rules_named(engine: Engine, name: str) -> list[RowMapping]:
    """The rules of this name: one, or one for each flow that has a deployment of that name."""
    with reading(engine) as connection:
        statement = select(RULE).where(RULE.c.name == name).order_by(RULE.c.flow_name)
        return list(connection.execute(statement).mappings())


def span(
    connection: Connection,
    rule_id: int,
    since: datetime,
    until: datetime,
    *,
    look_back: timedelta,
    states: int,
) -> Span:
    """The span to read: `look_back` and `states` runs before `since`, so that all is as it was."""
    c = EVALUATION.c
    mine = c.rule_id == rule_id
    moments = select(c.at).where(mine, c.at < since).distinct().order_by(c.at.desc()).limit(states)
    first = connection.scalar(select(func.min(moments.subquery().c.at))) or since
    first -= look_back
    recorded = _recorded()
    if connection.dialect.name == "sqlite":
        delay = (func.julianday(recorded) - func.julianday(c.at)) * 86_400
    else:
        delay = func.extract("epoch", recorded - c.at)
    older = func.count().filter(c.at >= since, c.recorded_at.is_(None))
    statement = select(func.min(delay), func.max(delay), older)
    row = connection.execute(statement.where(mine, c.at >= first, c.at < until)).one()
    earliest, latest = (timedelta(seconds=round(number or 0)) for number in row[:2])
    second = timedelta(seconds=1)  # what rounding may have taken away
    return Span(first, since, until, row[2], earliest - second, latest + second)


def runs(
    connection: Connection, rule_id: int, over: Span, *, metrics: bool = True
) -> Iterator[Sequence[Stored]]:
    """The evaluations of each run, in the order of recording, read as they are iterated.

    Only conditions need `metrics`.
    """
    statement = _stored(metrics).where(
        EVALUATION.c.rule_id == rule_id, EVALUATION.c.at >= over.first, EVALUATION.c.at < over.until
    )
    result = connection.execution_options(yield_per=_AT_ONCE).execute(statement)
    rows = (Stored._make(row) for part in result.partitions() for row in part)
    # By due time, the index has them in order. The few that are late wait here: the database would
    # sort, and so copy, every row.
    waiting: list[tuple[datetime, int, list[Stored]]] = []
    for number, (_, group) in enumerate(groupby(rows, key=itemgetter(0, 4))):
        run = list(group)
        while waiting and waiting[0][0] < run[0].at + over.earliest_by:
            yield heappop(waiting)[2]
        heappush(waiting, (run[0].recorded_at, number, run))
    while waiting:
        yield heappop(waiting)[2]


class _Moment(UtcDateTime):
    """The same moments from SQLite in a fifth of the time: reading them is most of reading."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """From the text that SQLite keeps, which is UTC without saying so."""
        if dialect.name != "sqlite":
            return super().result_processor(dialect, coltype)
        return _moment


@lru_cache(maxsize=1_000)  # the series of one run share theirs
def _moment(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


class _Metrics(TypeDecorator[dict[str, float]]):
    """JSON read by pydantic's parser, for the same reason."""

    impl = Json
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """From the text that SQLite keeps."""
        if dialect.name != "sqlite":
            return super().result_processor(dialect, coltype)
        return from_json


def _recorded() -> ColumnElement[datetime]:
    """When an evaluation was recorded: old ones kept only when their run ended."""
    return func.coalesce(EVALUATION.c.recorded_at, EVALUATION.c.completed_at)


def _stored(metrics: bool) -> Select[Any]:
    """The columns of `Stored`, in its order, by due time."""
    c = EVALUATION.c
    return select(
        type_coerce(c.prefect_flow_run_id, String),  # compared only: no UUID need be made of it
        c.kind,
        c.ticker,
        type_coerce(c.at, _Moment),
        type_coerce(_recorded(), _Moment),
        type_coerce(c.triggered, Integer),
        type_coerce(c.reported, Integer),
        c.said,
        c.importance,
        c.message,
        type_coerce(c.metrics, _Metrics) if metrics else null(),
        type_coerce(c.measured_at.is_not(None), Integer),
        c.prefect_state,
        c.decision,
        c.decision_code,
        c.decision_reason,
        c.event_id,
    ).order_by(c.at, c.id)


def past(connection: Connection, rule_id: int, name: str, over: Span) -> Past:
    """The silences, manual actions and inhibiting events around these evaluations."""
    return Past(
        rule=name,
        silences=_silences(connection, over),
        actions=_actions(connection, rule_id, over),
        firings=_firings(connection, rule_id, name, over),
        latest_by=over.latest_by,
    )


def _silences(connection: Connection, over: Span) -> list[Silence]:
    """Those of the time. None muted anything before it was made, nor after somebody ended it."""
    c = SILENCE.c
    statement = select(SILENCE).where(c.ends_at > over.first).order_by(c.id)
    planned_ends = _planned_ends(connection)
    silences = []
    for row in connection.execute(statement).mappings():
        silence = silence_of(dict(row))
        start = max(silence.starts_at, row["created_at"])
        if start < silence.ends_at:
            changed: dict[str, datetime] = {"starts_at": start}
            if (planned := planned_ends.get(row["id"])) is not None:
                changed |= {"ends_at": planned, "ended_at": silence.ends_at}
            silences.append(silence.model_copy(update=changed))
    return silences


def _planned_ends(connection: Connection) -> dict[int, datetime]:
    """The planned ends of silences that somebody ended before their time."""
    statement = select(AUDIT.c.detail).where(AUDIT.c.action == SILENCE_EXPIRED)
    return {
        detail["silence"]: end
        for detail in connection.scalars(statement)
        if detail and (end := _time(detail.get("was_until"))) is not None
    }


def _actions(connection: Connection, rule_id: int, over: Span) -> list[ManualAction]:
    statement = (
        select(AUDIT, EVENT.c.kind, EVENT.c.ticker, EVENT.c.resolved_at)
        .join(EVENT, EVENT.c.id == AUDIT.c.event_id)
        .where(
            EVENT.c.rule_id == rule_id,
            or_(EVENT.c.resolved_at.is_(None), EVENT.c.resolved_at >= over.first),
            AUDIT.c.action.in_(_ACTIONS),
        )
        .order_by(AUDIT.c.at, AUDIT.c.id)
    )
    return [
        ManualAction(
            at=row["at"],
            actor=row["actor"],
            action=row["action"],
            event_id=row["event_id"],
            kind=Kind(row["kind"]),
            ticker=row["ticker"],
            until=_time((row["detail"] or {}).get("until")),
            limits=_limits(row["detail"] or {}),
            ended_at=row["resolved_at"],
        )
        for row in connection.execute(statement).mappings()
    ]


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _limits(detail: Mapping[str, Any]) -> Limits | None:
    above, below = detail.get("above"), detail.get("below")
    return None if above is None and below is None else Limits(above, below)


def _firings(connection: Connection, rule_id: int, name: str, over: Span) -> list[Firing]:
    """The times at which series of other rules fired that inhibit this one, as known at the time.

    What was inhibited itself mutes nobody, nor does an event that was over before it was recorded.
    A rule is taken to have inhibited then what it inhibits now.
    """
    e, c = EVENT.c, EVALUATION.c
    recorded = func.min(func.coalesce(c.recorded_at, c.completed_at))
    run = (c.rule_id == e.rule_id, c.kind == e.kind)
    opened = select(recorded).where(*run, c.ticker == e.ticker, c.at == e.timestamp)
    ended = select(recorded).where(c.rule_id == e.rule_id, c.at == e.resolved_at)
    statement = (
        select(
            RULE.c.name,
            RULE.c.inhibits,
            e.ticker,
            type_coerce(func.coalesce(opened.scalar_subquery(), e.timestamp), UtcDateTime),
            type_coerce(func.coalesce(ended.scalar_subquery(), e.resolved_at), UtcDateTime),
        )
        .join(EVENT, and_(e.rule_id == RULE.c.id, e.kind == Kind.ALERT.value))
        .where(
            RULE.c.id != rule_id,
            has_items(connection.dialect.name),
            e.timestamp < over.until,
            or_(e.resolved_at.is_(None), e.resolved_at > over.first),
            e.resolution.is_distinct_from("late"),
            e.suppressed_code.is_distinct_from(SuppressionCode.INHIBITED.value),
        )
        .order_by(e.timestamp, e.id)
    )
    firings = []
    for rule, inhibits, ticker, start, end in connection.execute(statement):
        inhibitions = [Inhibition.model_validate(item) for item in inhibits]
        if any(fnmatchcase(name, item.rule) for item in inhibitions):
            firings.append(Firing(Inhibitor(rule, ticker, inhibitions), start, end))
    return firings
