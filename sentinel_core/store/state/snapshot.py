"""Reads what is on record of a run, its series and neighbouring evaluations."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    null,
    select,
    true,
    union_all,
)

from sentinel_core.decide.conditions import Samples
from sentinel_core.decide.late import Neighbour
from sentinel_core.decide.lifecycle import OUTPUTS
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.snooze import Limits
from sentinel_core.decide.state import Key, Series, Status
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.model.run import Run, StateType
from sentinel_core.store.db.bulk import CHUNK, chunks
from sentinel_core.store.db.tables import CHECKPOINT, EVALUATION, EVENT, RULE, SERIES
from sentinel_core.store.state.rows import retries_of
from sentinel_core.store.state.rules import RETENTION

_STATE = (  # columns of a series that are its state
    "status",
    "last_at",
    "event_id",
    "event_importance",
    "breaches",
    "oks",
    "recent",
    "flapping",
    "breached_at",
    "ended_at",
    "ended_importance",
    "told_at",
    "tells",
    "untold",
)
ACKNOWLEDGED = (
    EVENT.c.is_acknowledged,
    EVENT.c.acknowledged_until,
    EVENT.c.acknowledged_above,
    EVENT.c.acknowledged_below,
)
_KINDS = {kind.value: kind for kind in Kind}
_STATUSES = {status.value: status for status in Status}
_IMPORTANCES: dict[str | None, Importance | None] = {
    None: None,
    **{importance.value: importance for importance in Importance},
}

# Written once: to put a statement together takes as long as to run it.
_RECORDED = (
    select(EVALUATION.c.kind, EVALUATION.c.retry_count, func.max(EVALUATION.c.completed_at))
    .where(EVALUATION.c.prefect_flow_run_id == bindparam("run"))
    .group_by(EVALUATION.c.kind, EVALUATION.c.retry_count)
)
_DELETED = select(null(), null(), CHECKPOINT.c.at).where(CHECKPOINT.c.name == RETENTION)
_ATTEMPTS = union_all(_RECORDED, _DELETED)


def _series(place: int, *conditions: ColumnElement[bool]) -> Select[Any]:
    """The rule's series that meet the conditions; `place`: where they belong in a union."""
    state = (SERIES.c[name] for name in _STATE)
    return (
        select(
            literal_column(str(place)),
            SERIES.c.id,
            SERIES.c.kind,
            SERIES.c.ticker,
            *state,
            *ACKNOWLEDGED,
        )
        .select_from(SERIES.join(EVENT, EVENT.c.id == SERIES.c.event_id, isouter=True))
        .where(SERIES.c.rule_id == bindparam("rule"), *conditions)
    )


_NAMED = SERIES.c.ticker.in_(bindparam("tickers", expanding=True))
_EVERY, _OF_TICKERS = _series(0), _series(0, _NAMED)
_NOT_OK_OR_NAMED = union_all(_series(0, SERIES.c.status != Status.OK.value), _series(1, _NAMED))

_Attempt = tuple[int, datetime]  # number of the attempt, and start of its state


class RuleSnapshot:
    """A rule's record as one transaction reads it before anything is decided."""

    def __init__(
        self, connection: Connection, rule_id: int, run: Run | None, *, apart: bool = False
    ) -> None:
        """`apart`: each series is recorded by itself, as by the hooks of a watched flow."""
        self.connection = connection
        self.rule_id = rule_id
        self.run = run
        self.apart = apart

    def not_yet_recorded(self, observations: Sequence[Observation]) -> list[Observation]:
        """The observations that are not on record for this run.

        Each attempt measures once and fails once; its last state wins. A run whose evaluations may
        have been deleted was recorded before.
        """
        if self.run is None:
            return list(observations)
        # One statement, so one state of the store: what was deleted has its checkpoint in it.
        statement = _ATTEMPTS
        if self.apart:
            c, tickers = EVALUATION.c, {observation.ticker for observation in observations}
            mine = _RECORDED.where(c.rule_id == self.rule_id, c.ticker.in_(tickers))
            statement = union_all(mine, _DELETED)
        rows = self.connection.execute(statement, {"run": self.run.id}).all()
        if any(kind is None and self.run.state_at < before for kind, _, before in rows):
            return []
        attempts = sorted((retries, ended, kind) for kind, retries, ended in rows if kind)
        measured = next((a[:2] for a in reversed(attempts) if a[2] != Kind.FAILURE), None)
        failed = next((a[:2] for a in reversed(attempts) if a[2] == Kind.FAILURE), None)
        return [each for each in observations if self._is_new(each, measured, failed)]

    def _is_new(
        self, observation: Observation, measured: _Attempt | None, failed: _Attempt | None
    ) -> bool:
        assert self.run is not None
        attempt = retries_of(self.run)
        now = (attempt, self.run.state_at)
        if not (observation.kind is Kind.FAILURE and observation.breached):
            if measured is not None and measured[0] >= attempt:
                return False
            return observation.evaluated or failed is None or failed <= now
        if failed is not None and failed[0] >= attempt:
            return False
        # A lost measurement is no failure if the run's measurement is on record.
        return (
            measured is None
            or measured[0] < attempt
            or (measured < now and self.run.state_type is not StateType.COMPLETED)
        )

    def checked_since(self, at: datetime) -> bool:
        """True if another run, due at `at` or later, has checked."""
        if self.run is None:
            return False
        c = EVALUATION.c
        later = select(c.id).where(
            c.rule_id == self.rule_id,
            c.at >= at,
            c.kind == Kind.ALERT.value,
            c.prefect_flow_run_id != self.run.id,
        )
        return self.connection.execute(later.limit(1)).first() is not None

    def read_series(
        self, observations: Sequence[Observation], *, everything: bool
    ) -> dict[Key, Series]:
        """The series of these observations, and the rule's series that are not OK.

        With `everything`, all series of the rule.
        """
        tickers = sorted({observation.ticker for observation in observations})
        if self.apart:
            return self._select(_OF_TICKERS, tickers=tickers)
        if everything or len(tickers) > CHUNK:
            return self._select(_EVERY)
        return self._select(_NOT_OK_OR_NAMED, tickers=tickers)

    def select_series(self, *conditions: ColumnElement[bool]) -> dict[Key, Series]:
        """The rule's series that meet these conditions, in the order they were created."""
        return self._select(_series(0, *conditions))

    def _select(self, statement: Executable, **values: object) -> dict[Key, Series]:
        rows = self.connection.execute(statement, {"rule": self.rule_id, **values}).all()
        return {
            (_KINDS[kind], ticker): _series_of(state)
            for _place, _id, kind, ticker, *state in sorted(rows, key=itemgetter(0, 1))
        }

    def read_samples(
        self, observations: Sequence[Observation], look_back: timedelta
    ) -> dict[str, Samples]:
        """The measurements for the rule's conditions, by ticker, including this run's."""
        measured = [each for each in observations if each.reported is not None]
        samples: dict[str, Samples] = {each.ticker: Samples() for each in measured}
        if measured and look_back:
            first, last = min(m.at for m in measured) - look_back, max(m.at for m in measured)
            c = EVALUATION.c
            others = c.prefect_flow_run_id != self.run.id if self.run else true()
            past = (
                select(c.ticker, c.at, c.metrics)
                .where(c.rule_id == self.rule_id, c.at > first, c.at <= last, others)
                .where(c.reported.is_not(None))
                .order_by(c.at, c.id)
            )
            for ticker, at, metrics in self.connection.execute(past):
                if ticker in samples:
                    samples[ticker].add(at.timestamp(), metrics)
        for each in measured:
            samples[each.ticker].add(each.at.timestamp(), each.metrics)
        return samples

    @cached_property
    def _first_at(self) -> datetime | None:
        c = EVALUATION.c
        first: datetime | None = self.connection.scalar(
            select(func.min(c.at)).where(c.rule_id == self.rule_id)
        )
        return first

    def first_at(self) -> datetime | None:
        """The time of the rule's first evaluation."""
        return self._first_at

    def last_notified(self) -> list[datetime]:
        """The times of the rule's recent notifications, oldest first."""
        texts = self.connection.scalar(select(RULE.c.told).where(RULE.c.id == self.rule_id)) or []
        return [datetime.fromisoformat(text) for text in texts]

    def neighbours(
        self, observation: Observation, count: int
    ) -> tuple[list[Neighbour], list[Neighbour]]:
        """The evaluations before and after an observation in time, nearest first.

        For a failure, every due time at which the rule was checked counts as OK.
        """
        before = self._nearest(observation, count, newer=False)
        return before, self._nearest(observation, count, newer=True)

    def _nearest(self, observation: Observation, count: int, *, newer: bool) -> list[Neighbour]:
        c, at = EVALUATION.c, observation.at
        side = c.at > at if newer else c.at <= at
        mine = and_(c.rule_id == self.rule_id, c.kind == observation.kind.value, side)
        if observation.kind is not Kind.FAILURE:
            mine = and_(mine, c.ticker == observation.ticker)
        order = (c.at.asc(), c.id.asc()) if newer else (c.at.desc(), c.id.desc())
        columns = (c.at, c.id, c.triggered, c.event_id, EVENT.c.importance, EVENT.c.is_acknowledged)
        own = select(*columns).join(EVENT, EVENT.c.id == c.event_id, isouter=True).where(mine)
        nearest = [
            (
                row.at,
                row.id,
                Neighbour(
                    bool(row.triggered),
                    row.event_id,
                    _IMPORTANCES[row.importance],
                    bool(row.is_acknowledged),
                ),
            )
            for row in self.connection.execute(own.order_by(*order).limit(count))
        ]
        if observation.kind is Kind.FAILURE:
            last = (func.min if newer else func.max)(c.id)
            kinds = c.kind.in_([kind.value for kind in OUTPUTS])
            checks = select(c.at, last).where(c.rule_id == self.rule_id, kinds, side)
            rows = self.connection.execute(checks.group_by(c.at).order_by(order[0]).limit(count))
            nearest += [(checked, key, Neighbour(False, None)) for checked, key in rows]
            nearest.sort(key=itemgetter(0, 1), reverse=not newer)
        return [neighbour for *_, neighbour in nearest[:count]]


def series_of(row: Mapping[str, Any]) -> Series:
    """The series of a row that includes its open event's acknowledgement columns."""
    return _series_of([row[name] for name in (*_STATE, *(column.name for column in ACKNOWLEDGED))])


def _series_of(values: Sequence[Any]) -> Series:
    """The series of these columns; positional, as thousands are read at once."""
    status, last_at, event_id, importance, *counts = values[:10]
    ended_importance, told_at, tells, untold, acknowledged, until, above, below = values[10:]
    return Series(  # type: ignore[call-arg]  # mypy does not know the number of counts
        _STATUSES[status],
        last_at,
        event_id,
        _IMPORTANCES[importance],
        *counts,  # breaches, oks, recent, flapping, breached_at, ended_at
        _IMPORTANCES[ended_importance],
        told_at,
        tells,
        NotifyReason(untold) if untold else None,
        bool(acknowledged),
        until,
        None if above is None and below is None else Limits(above, below),
    )


def recorded_runs(
    connection: Connection, run_ids: Sequence[UUID]
) -> dict[UUID, set[tuple[str, int]]]:
    """Prefect state types and retries on record, by run, for the runs that have a record."""
    recorded: dict[UUID, set[tuple[str, int]]] = {}
    c = EVALUATION.c
    for some in chunks(run_ids):
        statement = (
            select(c.prefect_flow_run_id, c.prefect_state, c.retry_count)
            .where(c.prefect_flow_run_id.in_(some))
            .distinct()
        )
        for run_id, state, retries in connection.execute(statement):
            recorded.setdefault(run_id, set()).add((state, retries))
    return recorded


def firing_rules(connection: Connection, kind: Kind) -> set[int]:
    """Ids of rules with a firing series of this kind."""
    firing = select(SERIES.c.rule_id).where(
        SERIES.c.kind == kind.value, SERIES.c.status == Status.FIRING.value
    )
    return set(connection.scalars(firing))


def unresolved_tickers(connection: Connection, deployment_id: UUID) -> set[str]:
    """The tickers for which a deployment's rule has a series that is pending or firing."""
    not_ok = (
        select(SERIES.c.ticker)
        .join(RULE, RULE.c.id == SERIES.c.rule_id)
        .where(RULE.c.deployment_id == deployment_id, SERIES.c.status != Status.OK.value)
    )
    return set(connection.scalars(not_ok))
