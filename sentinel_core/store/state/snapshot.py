"""What the store knows already: of a run, of its series, and of the evaluations around it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select, true

from sentinel_core.decide.conditions import Samples
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.policy import Neighbour, Series, Status
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.model.run import Run, StateType
from sentinel_core.store.db.tables import EVALUATION, EVENT, RULE, SERIES
from sentinel_core.store.state.rows import retries_of

_CHUNK = 500  # values in one IN list: SQLite takes 32,766 parameters, the planner prefers fewer

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
_ACKED = (EVENT.c.is_acknowledged, EVENT.c.acknowledged_until)
_KINDS = {kind.value: kind for kind in Kind}
_STATUSES = {status.value: status for status in Status}
_IMPORTANCES = {importance.value: importance for importance in Importance}

_Told = tuple[int, datetime]  # which attempt, and when the state it was told in began


class RuleSnapshot:
    """What one transaction reads before anything is decided."""

    def __init__(self, connection: Connection, rule_id: int, run: Run | None) -> None:
        self.connection = connection
        self.rule_id = rule_id
        self.run = run

    def not_yet_recorded(self, observations: Sequence[Observation]) -> list[Observation]:
        """What of this is new of this run."""
        if self.run is None:
            return list(observations)
        c = EVALUATION.c
        rows = self.connection.execute(
            select(c.kind, c.retry_count, func.max(c.completed_at))
            .where(c.prefect_flow_run_id == self.run.id)
            .group_by(c.kind, c.retry_count)
        )
        told = sorted((retries, ended, kind) for kind, retries, ended in rows)
        measured = next((t[:2] for t in reversed(told) if t[2] != Kind.FAILURE), None)
        failed = next((t[:2] for t in reversed(told) if t[2] == Kind.FAILURE), None)
        return [seen for seen in observations if self._is_news(seen, measured, failed)]

    def _is_news(self, seen: Observation, measured: _Told | None, failed: _Told | None) -> bool:
        """Is this new of this run? An attempt measures once and fails once; its last state wins."""
        assert self.run is not None
        attempt = retries_of(self.run)
        now = (attempt, self.run.state_at)
        if not (seen.kind is Kind.FAILURE and seen.breached):
            if measured is not None and measured[0] >= attempt:
                return False
            return seen.evaluated or failed is None or failed <= now
        if failed is not None and failed[0] >= attempt:
            return False
        # "What it measured is gone" is no news of a run whose measurement is on record.
        return (
            measured is None
            or measured[0] < attempt
            or (measured < now and self.run.state_type is not StateType.COMPLETED)
        )

    def checked_since(self, seen: Observation) -> bool:
        """Of a run that failed: did another one check since? It is late then."""
        if seen.kind is not Kind.FAILURE or not seen.breached or self.run is None:
            return False
        c = EVALUATION.c
        later = select(c.id).where(
            c.rule_id == self.rule_id,
            c.at >= seen.at,
            c.kind == Kind.ALERT.value,
            c.prefect_flow_run_id != self.run.id,
        )
        return self.connection.execute(later.limit(1)).first() is not None

    def series(
        self, observations: Sequence[Observation], *, everything: bool
    ) -> dict[tuple[Kind, str], Series]:
        """The series these are about, and those of the rule that are not simply ok.

        With `everything`, all of the rule's.
        """
        mine = SERIES.c.rule_id == self.rule_id
        tickers = sorted({seen.ticker for seen in observations})
        if everything or len(tickers) > _CHUNK:
            return self._series(mine)
        found = self._series(and_(mine, SERIES.c.status != Status.OK.value))
        return found | self._series(and_(mine, SERIES.c.ticker.in_(tickers)))

    def _series(self, which: ColumnElement[bool]) -> dict[tuple[Kind, str], Series]:
        event = SERIES.join(EVENT, EVENT.c.id == SERIES.c.event_id, isouter=True)
        columns = (SERIES.c.kind, SERIES.c.ticker, *(SERIES.c[name] for name in _STATE), *_ACKED)
        rows = self.connection.execute(select(*columns).select_from(event).where(which))
        return {(_KINDS[kind], ticker): _series_of(*state) for kind, ticker, *state in rows}

    def samples(
        self, observations: Sequence[Observation], look_back: timedelta
    ) -> dict[str, Samples]:
        """What the rule's conditions may look at, by ticker; this run's measurements included."""
        measured = [seen for seen in observations if seen.reported is not None]
        found: dict[str, Samples] = {seen.ticker: Samples() for seen in measured}
        if not measured:
            return found
        if look_back:
            first, last = min(s.at for s in measured) - look_back, max(s.at for s in measured)
            for ticker, at, metrics in self.connection.execute(self._measured(first, last)):
                if ticker in found:
                    found[ticker].add(at.timestamp(), metrics)
        for seen in measured:
            found[seen.ticker].add(seen.at.timestamp(), seen.metrics)
        return found

    def _measured(self, first: datetime, last: datetime) -> Select[Any]:
        c = EVALUATION.c
        own = c.prefect_flow_run_id != self.run.id if self.run else true()
        return (
            select(c.ticker, c.at, c.metrics)
            .where(c.rule_id == self.rule_id, c.at > first, c.at <= last, own)
            .where(c.reported.is_not(None))
            .order_by(c.at, c.id)
        )

    def first_at(self) -> datetime | None:
        """When the rule was first evaluated."""
        c = EVALUATION.c
        first: datetime | None = self.connection.scalar(
            select(func.min(c.at)).where(c.rule_id == self.rule_id)
        )
        return first

    def told(self) -> list[datetime]:
        """When people were last told of this rule's events."""
        texts = self.connection.scalar(select(RULE.c.told).where(RULE.c.id == self.rule_id)) or []
        return [datetime.fromisoformat(text) for text in texts]

    def neighbours(self, seen: Observation, count: int, *, newer: bool) -> list[Neighbour]:
        """The evaluations next to `seen` in time, nearest first; for a failure, any run that did
        check is an ok."""
        c = EVALUATION.c
        side = c.at > seen.at if newer else c.at <= seen.at
        order = (c.at.asc(), c.id.asc()) if newer else (c.at.desc(), c.id.desc())
        statement = (
            select(c.kind, c.triggered, c.event_id, EVENT.c.importance)
            .join(EVENT, EVENT.c.id == c.event_id, isouter=True)
            .where(c.rule_id == self.rule_id, side)
        )
        if seen.kind is Kind.FAILURE:
            statement = statement.where(c.kind != Kind.SKIPPED.value)
        else:
            statement = statement.where(c.kind == seen.kind.value, c.ticker == seen.ticker)
        rows = self.connection.execute(statement.order_by(*order).limit(count))
        return [
            Neighbour(
                bool(row.triggered) and row.kind == seen.kind,
                row.event_id,
                Importance(row.importance) if row.importance else None,
            )
            for row in rows
        ]


def series_of(row: Mapping[str, Any]) -> Series:
    """A series as its row has it, with what its open event's row says of acknowledgement."""

    return _series_of(*(row[name] for name in (*_STATE, *(column.name for column in _ACKED))))


def _series_of(
    status: str,
    last_at: datetime,
    event_id: int | None,
    event_importance: str | None,
    breaches: int,
    oks: int,
    recent: str,
    flapping: bool,
    breached_at: datetime | None,
    ended_at: datetime | None,
    ended_importance: str | None,
    told_at: datetime | None,
    tells: int,
    untold: str | None,
    is_acknowledged: bool | None,
    acknowledged_until: datetime | None,
) -> Series:
    """In the order of `Series`, as thousands are read at once."""
    return Series(
        _STATUSES[status],
        last_at,
        event_id,
        _IMPORTANCES[event_importance] if event_importance else None,
        breaches,
        oks,
        recent,
        flapping,
        breached_at,
        ended_at,
        _IMPORTANCES[ended_importance] if ended_importance else None,
        told_at,
        tells,
        NotifyReason(untold) if untold else None,
        bool(is_acknowledged),
        acknowledged_until,
    )


def recorded_runs(
    connection: Connection, run_ids: Sequence[UUID]
) -> dict[UUID, set[tuple[str, int]]]:
    """Of these runs, those with a record: the Prefect state types and retries on record."""
    found: dict[UUID, set[tuple[str, int]]] = {}
    c = EVALUATION.c
    for start in range(0, len(run_ids), _CHUNK):
        statement = (
            select(c.prefect_flow_run_id, c.prefect_state, c.retry_count)
            .where(c.prefect_flow_run_id.in_(run_ids[start : start + _CHUNK]))
            .distinct()
        )
        for run_id, state, retries in connection.execute(statement):
            found.setdefault(run_id, set()).add((state, retries))
    return found


def firing_rules(connection: Connection, kind: Kind) -> set[int]:
    """Ids of the rules with a series of this kind that fires."""
    firing = select(SERIES.c.rule_id).where(
        SERIES.c.kind == kind.value, SERIES.c.status == Status.FIRING.value
    )
    return set(connection.scalars(firing))
