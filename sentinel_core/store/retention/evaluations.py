"""Deletes old evaluations; each is added to its hour in the same transaction.

Rule by rule in the order of due times, which an index has: the evaluations of one run stand next to
each other. A rule's first evaluation stays: it says since when the rule has been checked.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    type_coerce,
)

from sentinel_core.store.db.bulk import chunks, insert_into, write_rows
from sentinel_core.store.db.engine import reading, rows
from sentinel_core.store.db.tables import EVALUATION, EVENT, HOUR, Row, UtcDateTime
from sentinel_core.store.retention.hours import EVALUATIONS, Key, Summary, merged, summarised
from sentinel_core.store.retention.pace import Pace, Progress

_V = EVALUATION.c
_SUMMARISED = (
    _V.id,
    _V.at,
    _V.kind,
    _V.ticker,
    _V.triggered,
    _V.metrics,
    _V.decision_code,
    _V.prefect_state,
)


def oldest_of_latest_runs(
    connection: Connection, rule_id: int, until: datetime, runs: int
) -> datetime | None:
    """The oldest of the rule's latest `runs` due times before `until`; None if there are fewer.

    One step of the index for each due time, however many evaluations it has.
    """
    newest = select(func.max(_V.at)).where(_V.rule_id == rule_id, _V.at < until)
    first = type_coerce(newest.scalar_subquery(), UtcDateTime).label("at")
    steps = select(first, literal(1).label("n")).cte("steps", recursive=True)
    earlier = select(func.max(_V.at)).where(_V.rule_id == rule_id, _V.at < steps.c.at)
    steps = steps.union_all(
        select(type_coerce(earlier.scalar_subquery(), UtcDateTime), steps.c.n + 1).where(
            steps.c.n < runs, steps.c.at.is_not(None)
        )
    )
    oldest: datetime | None = connection.scalar(select(steps.c.at).where(steps.c.n == runs))
    return oldest


class RuleEvaluations:
    """The evaluations of one rule that may go: due before `before`, of runs that ended before
    `ended`, and of no unresolved event."""

    def __init__(self, rule_id: int, before: datetime, ended: datetime) -> None:
        open_event = exists().where(EVENT.c.id == _V.event_id, EVENT.c.resolved_at.is_(None))
        self.rule_id = rule_id
        self.goes: tuple[ColumnElement[bool], ...] = (
            _V.rule_id == rule_id,
            _V.at < before,
            _V.completed_at < ended,
            or_(_V.event_id.is_(None), ~open_event),
        )

    def count(self, connection: Connection) -> int:
        """The number of them."""
        if (first := self._first(connection)) is None:
            return 0
        counted = select(func.count()).select_from(EVALUATION)
        return int(connection.scalar(counted.where(*self.goes, _after(*first))) or 0)

    def delete(self, engine: Engine, pace: Pace, progress: Progress) -> None:
        """Delete them, in transactions of the pace's size."""
        with reading(engine) as connection:
            place = self._first(connection)
        while place is not None and not pace.is_over:
            with reading(engine) as connection:
                old = rows(connection, self._next(place, pace.size))
            if not old:
                return
            with pace.deleting(engine) as connection:
                gone = self._delete(connection, old)
            progress("evaluation", gone)
            place = old[-1]["at"], old[-1]["id"]

    def _first(self, connection: Connection) -> tuple[datetime, int] | None:
        """The place of the rule's first evaluation."""
        mine = select(_V.at, _V.id).where(_V.rule_id == self.rule_id)
        row = connection.execute(mine.order_by(_V.at, _V.id).limit(1)).first()
        return None if row is None else (row.at, row.id)

    def _next(self, place: tuple[datetime, int], size: int) -> Select[Any]:
        old = select(*_SUMMARISED).where(*self.goes, _after(*place))
        return old.order_by(_V.at, _V.id).limit(size)

    def _delete(self, connection: Connection, old: Sequence[Row]) -> int:
        """Delete those of these rows that are still there, and add them to their hours."""
        gone: set[int] = set()
        for some in chunks([row["id"] for row in old]):
            statement = delete(EVALUATION).where(_V.id.in_(some), *self.goes).returning(_V.id)
            gone.update(connection.scalars(statement))
        add_to_hours(connection, self.rule_id, [row for row in old if row["id"] in gone])
        return len(gone)


def _after(at: datetime, key: int) -> ColumnElement[bool]:
    return and_(_V.at >= at, or_(_V.at > at, _V.id > key))


def add_to_hours(connection: Connection, rule_id: int, evaluations: Sequence[Row]) -> None:
    """Add these evaluations of a rule to its hours."""
    new = summarised(evaluations)
    if not new:
        return
    for key, summary in _stored(connection, rule_id, list(new)):
        if key in new:
            new[key] = merged(summary, new[key])
    names = ("hour", "kind", "ticker", "metric")
    added = [
        {"rule_id": rule_id, **dict(zip(names, key, strict=True)), **summary}
        for key, summary in sorted(new.items())
    ]
    statement = insert_into(connection, HOUR)
    keys = ["rule_id", *names]
    changed = {name: statement.excluded[name] for name in added[0] if name not in keys}
    write_rows(
        connection, statement.on_conflict_do_update(index_elements=keys, set_=changed), added
    )


def _stored(connection: Connection, rule_id: int, keys: Sequence[Key]) -> list[tuple[Key, Summary]]:
    """The rows of these hours; perhaps some more."""
    h = HOUR.c
    hours, kinds, tickers = ({key[place] for key in keys} for place in range(3))
    mine = select(HOUR).where(h.rule_id == rule_id, h.hour.in_(hours), h.kind.in_(kinds))
    found = []
    for some in chunks(sorted(tickers)):
        for row in rows(connection, mine.where(h.ticker.in_(some))):
            del row["rule_id"]
            key = tuple(row.pop(name) for name in ("hour", "kind", "ticker", "metric"))
            found.append((key, row))
    return found


def deleted_before(connection: Connection, rule_id: int) -> datetime | None:
    """Evaluations of a rule due before this may be gone; None if none is."""
    h = HOUR.c
    newest = connection.scalar(
        select(func.max(h.hour)).where(h.rule_id == rule_id, h.metric == EVALUATIONS)
    )
    return None if newest is None else newest + timedelta(hours=1)
