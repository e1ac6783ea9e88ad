"""One run, recorded once, in one transaction. Asks the policy; decides nothing itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Table, bindparam, func, insert, select, update

from sentinel_core.alert import Importance
from sentinel_core.judge import Kind, Observation
from sentinel_core.models import AlertEvent, AlertSeries, Notification
from sentinel_core.policy import (
    Action,
    Decision,
    LateDecision,
    Neighbour,
    Place,
    Series,
    Status,
)
from sentinel_core.run import RuleFacts, RunFacts, StateType
from sentinel_core.store.engine import writing
from sentinel_core.store.rules import EVALUATION, RULE, insert_or, touch

EVENT: Table = AlertEvent.__table__  # type: ignore[attr-defined]
SERIES: Table = AlertSeries.__table__  # type: ignore[attr-defined]
NOTIFICATION: Table = Notification.__table__  # type: ignore[attr-defined]

Decide = Callable[[Series | None, Observation], Decision]
DecideLate = Callable[[Observation, Neighbour | None, Neighbour | None], LateDecision]

_Told = tuple[int, datetime]  # which attempt, and when the state it was told in began

_CHUNK = 500  # values in one IN list: SQLite takes 32,766 parameters, the planner prefers fewer


@dataclass(slots=True)
class Recorded:
    """What one recording changed. All empty when the run was recorded before."""

    evaluations: int = 0
    opened: list[int] = field(default_factory=list)
    resolved: list[int] = field(default_factory=list)
    notifications: list[int] = field(default_factory=list)


def record(
    engine: Engine,
    rule: RuleFacts,
    run: RunFacts | None,
    observations: Sequence[Observation],
    *,
    decide: Decide,
    decide_late: DecideLate,
    now: datetime,
) -> Recorded:
    """Record what a run observed: evaluations, series, events and owed messages, all or nothing.

    Recording the same run again changes nothing (the evaluation's key is the run and the series),
    unless the run itself was started once more. `run` None is for what no run saw: silence.
    """
    with writing(engine) as connection:
        rule_id = touch(connection, rule, now)
        return _Recording(connection, rule_id, rule, run, decide, decide_late, now).write(
            observations
        )


def _note_run(
    connection: Connection, rule_id: int, run: RunFacts, observations: Sequence[Observation]
) -> None:
    """The rule's newest run, for the rules page; an older one told late changes nothing."""
    connection.execute(
        update(RULE)
        .where(
            RULE.c.id == rule_id,
            RULE.c.last_evaluated_at.is_(None) | (RULE.c.last_evaluated_at <= run.at),
        )
        .values(
            last_evaluated_at=run.at,
            last_prefect_state=run.state_type.value,
            last_prefect_state_name=run.state_name,
            last_output=[
                {"ticker": seen.ticker, "breached": seen.breached, "message": seen.message[:500]}
                for seen in observations
                if seen.evaluated
            ][:20],
        )
    )


class _Recording:
    """The state of one transaction: what was read, and the rows still to be written."""

    def __init__(
        self,
        connection: Connection,
        rule_id: int,
        rule: RuleFacts,
        run: RunFacts | None,
        decide: Decide,
        decide_late: DecideLate,
        now: datetime,
    ) -> None:
        self.connection = connection
        self.rule_id = rule_id
        self.rule = rule
        self.run = run
        self.decide = decide
        self.decide_late = decide_late
        self.now = now
        self.result = Recorded()
        self.evaluation_rows: list[dict[str, Any]] = []
        self.series_rows: list[dict[str, Any]] = []
        self.continued: list[dict[str, Any]] = []
        self.resolving: list[dict[str, Any]] = []
        self.opening: list[tuple[Observation, Decision]] = []
        self.owed: list[dict[str, Any]] = []

    def write(self, observations: Sequence[Observation]) -> Recorded:
        fresh = self._not_yet_recorded(observations)
        if self.run is not None and fresh:
            _note_run(self.connection, self.rule_id, self.run, observations)
        known = self._series(fresh)
        for seen in fresh:
            previous = known.get((seen.kind, seen.ticker))
            if not seen.breached and not seen.evaluated and not _fires(previous):
                continue  # good news about a series that is fine: nothing to write
            if not self._is_late(seen, previous):
                self._apply(seen, previous, self.decide(previous, seen))
            elif seen.evaluated:
                self._place_late(seen)
        self._flush()
        return self.result

    # -- reading ---------------------------------------------------------------------------

    def _not_yet_recorded(self, observations: Sequence[Observation]) -> list[Observation]:
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
        attempt = _retries(self.run)
        now = (attempt, self.run.state_at)
        if not (seen.kind is Kind.FAILURE and seen.breached):
            if measured is not None and measured[0] >= attempt:
                return False
            return seen.evaluated or failed is None or failed <= now
        if failed is not None and failed[0] >= attempt:
            return False
        # "What it measured is gone" is no news of a run whose measurement is on record.
        return measured is None or (
            measured < now and (self.run.state_type is not StateType.COMPLETED)
        )

    def _is_late(self, seen: Observation, previous: Series | None) -> bool:
        """Is something newer known? Of a failure, any later run that did check is."""
        if previous is not None and seen.at < previous.last_at:
            return True
        if seen.kind is not Kind.FAILURE or not seen.breached or self.run is None:
            return False
        c = EVALUATION.c
        checked_since = select(c.id).where(
            c.rule_id == self.rule_id,
            c.at >= seen.at,
            c.kind == Kind.ALERT.value,
            c.prefect_flow_run_id != self.run.id,
        )
        return self.connection.execute(checked_since.limit(1)).first() is not None

    def _series(self, observations: Sequence[Observation]) -> dict[tuple[str, str], Series]:
        tickers = sorted({seen.ticker for seen in observations})
        found: dict[tuple[str, str], Series] = {}
        for start in range(0, len(tickers), _CHUNK):
            statement = select(
                SERIES.c.kind,
                SERIES.c.ticker,
                SERIES.c.status,
                SERIES.c.last_at,
                SERIES.c.event_id,
                SERIES.c.event_importance,
            ).where(
                SERIES.c.rule_id == self.rule_id,
                SERIES.c.ticker.in_(tickers[start : start + _CHUNK]),
            )
            for kind, ticker, status, last_at, event_id, importance in self.connection.execute(
                statement
            ):
                found[kind, ticker] = Series(
                    Status(status),
                    last_at,
                    event_id,
                    Importance(importance) if importance else None,
                )
        return found

    def _neighbour(self, seen: Observation, *, newer: bool) -> Neighbour | None:
        """The evaluation next to `seen` in time; for a failure, any run that did check is an ok."""
        c = EVALUATION.c
        side = c.at > seen.at if newer else c.at <= seen.at
        order = (c.at.asc(), c.id.asc()) if newer else (c.at.desc(), c.id.desc())
        statement = (
            select(c.kind, c.triggered, c.event_id, EVENT.c.importance)
            .join(EVENT, EVENT.c.id == c.event_id, isouter=True)
            .where(c.rule_id == self.rule_id, side)
        )
        if seen.kind is not Kind.FAILURE:
            statement = statement.where(c.kind == seen.kind, c.ticker == seen.ticker)
        row = self.connection.execute(statement.order_by(*order).limit(1)).first()
        if row is None:
            return None
        return Neighbour(
            bool(row.triggered) and row.kind == seen.kind,
            row.event_id,
            Importance(row.importance) if row.importance else None,
        )

    # -- what a decision means for the rows ------------------------------------------------

    def _apply(self, seen: Observation, previous: Series | None, decision: Decision) -> None:
        event_id = previous.event_id if previous else None
        importance = previous.event_importance if previous else None
        match decision.action:
            case Action.OPEN:
                self.opening.append((seen, decision))
                return  # its rows need the event's id: _flush
            case Action.CONTINUE | Action.ESCALATE:
                assert event_id is not None
                self._continue(event_id, seen, decision)
                importance = max(seen.importance, importance or seen.importance, key=_rank)
            case Action.RESOLVE:
                assert event_id is not None
                self.resolving.append({"event": event_id, "at": seen.at})
                self.result.resolved.append(event_id)
        stays = event_id if decision.status is Status.FIRING else None
        self._remember(seen, decision, event_id, stays, importance if stays else None)

    def _continue(self, event_id: int, seen: Observation, decision: Decision) -> None:
        raised = seen.importance.value if decision.action is Action.ESCALATE else None
        shown = {"last_seen": seen.at, **self._shown(seen)}
        row = {f"new_{name}": value for name, value in shown.items()}
        self.continued.append({"event": event_id, "raised": raised, **row})
        if decision.action is Action.ESCALATE:
            self._owe(event_id, seen, reason=f"escalated-{seen.importance}")

    def _remember(
        self,
        seen: Observation,
        decision: Decision,
        event_id: int | None,
        open_event: int | None,
        importance: Importance | None,
    ) -> None:
        self._evaluated(seen, decision.action.value, decision.code, decision.reason, event_id)
        self.series_rows.append(
            {
                "rule_id": self.rule_id,
                "kind": seen.kind.value,
                "ticker": seen.ticker,
                "status": decision.status.value,
                "last_at": seen.at,
                "changed_at": self.now,
                "event_id": open_event,
                "event_importance": importance.value if importance else None,
            }
        )

    def _place_late(self, seen: Observation) -> None:
        before = self._neighbour(seen, newer=False)
        after = self._neighbour(seen, newer=True)
        placed = self.decide_late(seen, before, after)
        event_id = placed.event_id
        if event_id is not None:
            self._join(event_id, seen, raised=placed.place is Place.RAISE)
        elif placed.place is Place.PAST:
            [event_id] = self._insert_events([seen], resolved_at=self.now)
            self._owe(event_id, seen, reason="opened")
        self._evaluated(seen, placed.place.value, placed.code, placed.reason, event_id)

    def _join(self, event_id: int, seen: Observation, *, raised: bool) -> None:
        least, most = ("min", "max") if self._sqlite else ("least", "greatest")
        importance = {"importance": seen.importance.value} if raised else {}
        self.connection.execute(
            update(EVENT)
            .where(EVENT.c.id == event_id)
            .values(
                occurrences=EVENT.c.occurrences + 1,
                first_seen=getattr(func, least)(EVENT.c.first_seen, seen.at),
                last_seen=getattr(func, most)(EVENT.c.last_seen, seen.at),
                **importance,
            )
        )
        if raised:
            self.connection.execute(
                update(SERIES)
                .where(SERIES.c.event_id == event_id)
                .values(event_importance=seen.importance.value)
            )
            self._owe(event_id, seen, reason=f"escalated-{seen.importance}")

    @property
    def _sqlite(self) -> bool:
        return self.connection.dialect.name == "sqlite"

    # -- rows ------------------------------------------------------------------------------

    def _evaluated(
        self, seen: Observation, decision: str, code: str, reason: str, event_id: int | None
    ) -> None:
        if self.run is None or not seen.evaluated:
            return
        self.evaluation_rows.append(
            {
                "rule_id": self.rule_id,
                "prefect_flow_run_id": self.run.id,
                "kind": seen.kind.value,
                "ticker": seen.ticker,
                "at": seen.at,
                "started_at": self.run.started_at,
                "completed_at": self.run.state_at,
                "measured_at": seen.measured_at,
                "retry_count": _retries(self.run),
                "prefect_state": self.run.state_type.value,
                "prefect_state_name": self.run.state_name,
                "prefect_state_message": self.run.state_message,
                "triggered": seen.breached,
                "importance": seen.importance.value,
                "message": seen.message,
                "metrics": seen.metrics,
                "metadata": seen.metadata,
                "decision": decision,
                "decision_code": code,
                "decision_reason": reason,
                "event_id": event_id,
            }
        )

    def _shown(self, seen: Observation) -> dict[str, Any]:
        """The columns of an event that always show its newest run."""
        run = self.run
        return {
            "message": seen.message,
            "metrics": seen.metrics,
            "metadata": seen.metadata,
            "prefect_flow_run_id": run.id if run else None,
            "prefect_state": run.state_type.value if run else None,
            "prefect_state_name": run.state_name if run else None,
            "started_at": run.started_at if run else None,
            "completed_at": run.state_at if run else None,
            "retry_count": _retries(run) if run else 0,
        }

    def _insert_events(
        self, opening: Sequence[Observation], resolved_at: datetime | None = None
    ) -> list[int]:
        if not opening:
            return []
        settings = self.rule.settings
        display = timedelta(minutes=settings.display_duration_minutes)
        rows = [
            {
                "rule_id": self.rule_id,
                "rule_name": self.rule.name,
                "kind": seen.kind.value,
                "ticker": seen.ticker,
                "category": settings.category,
                "importance": seen.importance.value,
                "timestamp": seen.at,
                "first_seen": seen.at,
                "last_seen": seen.at,
                "occurrences": 1,
                "display_until": seen.at + display,
                "is_acknowledged": False,
                "resolved_at": resolved_at,
                "runbook": settings.runbook,
                **self._shown(seen),
            }
            for seen in opening
        ]
        statement = insert(EVENT).returning(EVENT.c.id, sort_by_parameter_order=True)
        ids = [int(key) for key in self.connection.scalars(statement, rows)]
        self.result.opened.extend(ids)
        return ids

    def _owe(self, event_id: int, seen: Observation, reason: str) -> None:
        for channel in self.rule.settings.notify.channels(seen.importance):
            self.owed.append(
                {
                    "event_id": event_id,
                    "channel": channel,
                    "reason": reason,
                    "sequence": 0,
                    "status": "pending",
                    "attempts": 0,
                    "created_at": self.now,
                    "next_attempt_at": self.now,
                }
            )

    def _flush(self) -> None:
        opened = self._insert_events([seen for seen, _ in self.opening])
        for event_id, (seen, decision) in zip(opened, self.opening, strict=True):
            self._owe(event_id, seen, reason="opened")
            self._remember(seen, decision, event_id, event_id, seen.importance)
        self._update_events()
        self._upsert(EVALUATION, ["prefect_flow_run_id", "kind", "ticker"], self.evaluation_rows)
        self._upsert(SERIES, ["rule_id", "kind", "ticker"], self.series_rows)
        self.result.evaluations = len(self.evaluation_rows)
        if self.owed:
            statement = insert_or(self.connection, NOTIFICATION).on_conflict_do_nothing()
            statement = statement.returning(NOTIFICATION.c.id)
            self.result.notifications = list(self.connection.scalars(statement, self.owed))

    def _update_events(self) -> None:
        e = EVENT.c
        if self.continued:
            shown = {e[name]: bindparam(f"new_{name}", type_=e[name].type) for name in _SHOWN}
            raised = bindparam("raised", type_=e.importance.type)
            statement = (
                update(EVENT)
                .where(e.id == bindparam("event"))
                .values(
                    {
                        e.occurrences: e.occurrences + 1,
                        e.importance: func.coalesce(raised, e.importance),
                        **shown,
                    }
                )
            )
            # By id, as whoever else locks several events does: no two wait for each other.
            self.connection.execute(statement, sorted(self.continued, key=itemgetter("event")))
        if self.resolving:
            statement = (
                update(EVENT)
                .where(e.id == bindparam("event"), e.resolved_at.is_(None))
                .values(resolved_at=bindparam("at", type_=e.resolved_at.type))
            )
            self.connection.execute(statement, sorted(self.resolving, key=itemgetter("event")))

    def _upsert(self, table: Table, key: list[str], rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        statement = insert_or(self.connection, table)
        changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
        self.connection.execute(
            statement.on_conflict_do_update(index_elements=key, set_=changed), rows
        )


_SHOWN = (
    "last_seen",
    "message",
    "metrics",
    "metadata",
    "prefect_flow_run_id",
    "prefect_state",
    "prefect_state_name",
    "started_at",
    "completed_at",
    "retry_count",
)


def _fires(series: Series | None) -> bool:
    return series is not None and series.status is Status.FIRING


def _rank(importance: Importance) -> int:
    return importance.rank


def _retries(run: RunFacts) -> int:
    return max(run.run_count - 1, 0)


def recorded_runs(connection: Connection, run_ids: Sequence[UUID]) -> dict[UUID, set[str]]:
    """Of these runs, those with a record, and the Prefect state types they were recorded in."""
    found: dict[UUID, set[str]] = {}
    for start in range(0, len(run_ids), _CHUNK):
        statement = select(EVALUATION.c.prefect_flow_run_id, EVALUATION.c.prefect_state).where(
            EVALUATION.c.prefect_flow_run_id.in_(run_ids[start : start + _CHUNK])
        )
        for run_id, state in connection.execute(statement):
            found.setdefault(run_id, set()).add(state)
    return found
