"""One run, recorded once, in one transaction. Asks the policy; decides nothing itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter

from sqlalchemy import (
    Connection,
    Engine,
    Table,
    and_,
    bindparam,
    case,
    func,
    insert,
    not_,
    null,
    update,
)

from sentinel_core.alert import Importance
from sentinel_core.judge import Observation
from sentinel_core.models import Notification
from sentinel_core.policy import (
    Action,
    Decision,
    LateDecision,
    Neighbour,
    Place,
    Series,
    Status,
)
from sentinel_core.run import RuleFacts, RunFacts
from sentinel_core.store.engine import writing
from sentinel_core.store.known import EVENT, SERIES, Known, recorded_runs
from sentinel_core.store.rows import (
    Row,
    evaluation_row,
    event_row,
    last_run,
    owed_rows,
    series_row,
    shown,
)
from sentinel_core.store.rules import EVALUATION, RULE, insert_or, touch

NOTIFICATION: Table = Notification.__table__  # type: ignore[attr-defined]

Decide = Callable[[Series | None, Observation], Decision]
DecideLate = Callable[[Observation, Neighbour | None, Neighbour | None], LateDecision]


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
        known = Known(connection, rule_id, run)
        recording = _Recording(connection, rule_id, rule, run, now)
        fresh = known.not_yet_recorded(observations)
        if run is not None and fresh:
            _note_run(connection, rule_id, run, observations)
        series = known.series(fresh)
        for seen in fresh:
            previous = series.get((seen.kind, seen.ticker))
            fires = previous is not None and previous.status is Status.FIRING
            if not seen.breached and not seen.evaluated and not fires:
                continue  # good news about a series that is fine: nothing to write
            if not known.is_late(seen, previous):
                recording.apply(seen, previous, decide(previous, seen))
            elif seen.evaluated:
                before = known.neighbour(seen, newer=False)
                after = known.neighbour(seen, newer=True)
                recording.place(seen, decide_late(seen, before, after))
        return recording.finish()


def _note_run(
    connection: Connection, rule_id: int, run: RunFacts, observations: Sequence[Observation]
) -> None:
    """The rule's newest run, for the rules page; an older one told late changes nothing."""
    newest = RULE.c.last_evaluated_at.is_(None) | (RULE.c.last_evaluated_at <= run.at)
    connection.execute(
        update(RULE).where(RULE.c.id == rule_id, newest).values(last_run(run, observations))
    )


class _Recording:
    """What decisions mean for the rows of one transaction. Many rows are written together."""

    def __init__(
        self,
        connection: Connection,
        rule_id: int,
        rule: RuleFacts,
        run: RunFacts | None,
        now: datetime,
    ) -> None:
        self.connection = connection
        self.rule_id = rule_id
        self.rule = rule
        self.run = run
        self.now = now
        self.result = Recorded()
        self.evaluations: list[Row] = []
        self.series: list[Row] = []
        self.continued: list[Row] = []
        self.resolving: list[Row] = []
        self.opening: list[tuple[Observation, Decision]] = []
        self.owed: list[Row] = []

    def apply(self, seen: Observation, previous: Series | None, decision: Decision) -> None:
        """What the newest observation of a series does to its event."""
        event_id = previous.event_id if previous else None
        if decision.action is Action.OPEN:
            self.opening.append((seen, decision))  # its rows need the event's id: finish
        elif decision.action is Action.QUIET:
            self._remember(seen, decision, None, None)
        elif decision.action is Action.RESOLVE:
            assert event_id is not None
            self.resolving.append({"event": event_id, "at": seen.at})
            self.result.resolved.append(event_id)
            self._remember(seen, decision, event_id, None)
        else:
            assert previous is not None
            assert event_id is not None
            self._continue(event_id, seen, raised=decision.action is Action.ESCALATE)
            before = previous.event_importance or seen.importance
            most = max(seen.importance, before, key=lambda importance: importance.rank)
            self._remember(seen, decision, event_id, most)

    def place(self, seen: Observation, placed: LateDecision) -> None:
        """What an observation does that is older than what is known of its series."""
        event_id = placed.event_id
        if event_id is not None:
            self._join(event_id, seen, raised=placed.place is Place.RAISE)
        elif placed.place is Place.PAST:
            [event_id] = self._insert_events([seen], resolved_at=self.now)
            self._owe(event_id, seen, "opened")
        self._evaluated(seen, placed.place.value, placed, event_id)

    def finish(self) -> Recorded:
        """Write what was gathered."""
        opened = self._insert_events([seen for seen, _ in self.opening])
        for event_id, (seen, decision) in zip(opened, self.opening, strict=True):
            self._owe(event_id, seen, "opened")
            self._remember(seen, decision, event_id, seen.importance)
        self._update_continued()
        self._update_resolved()
        self._upsert(EVALUATION, ["prefect_flow_run_id", "kind", "ticker"], self.evaluations)
        self._upsert(SERIES, ["rule_id", "kind", "ticker"], self.series)
        self.result.evaluations = len(self.evaluations)
        if self.owed:
            statement = insert_or(self.connection, NOTIFICATION).on_conflict_do_nothing()
            statement = statement.returning(NOTIFICATION.c.id)
            self.result.notifications = list(self.connection.scalars(statement, self.owed))
        return self.result

    # -- gathering -------------------------------------------------------------------------

    def _remember(
        self,
        seen: Observation,
        decision: Decision,
        event_id: int | None,
        importance: Importance | None,
    ) -> None:
        """`importance` None: the event, if any, is over."""
        self._evaluated(seen, decision.action.value, decision, event_id)
        event = (event_id, importance) if event_id is not None and importance is not None else None
        self.series.append(series_row(self.rule_id, seen, decision.status, self.now, event))

    def _evaluated(
        self,
        seen: Observation,
        decision: str,
        why: Decision | LateDecision,
        event_id: int | None,
    ) -> None:
        if self.run is None or not seen.evaluated:
            return
        reasons = {
            "decision": decision,
            "decision_code": why.code,
            "decision_reason": why.reason,
        }
        self.evaluations.append(evaluation_row(self.rule_id, self.run, seen, reasons, event_id))

    def _continue(self, event_id: int, seen: Observation, *, raised: bool) -> None:
        row = {f"new_{name}": value for name, value in shown(self.run, seen).items()}
        importance = seen.importance.value if raised else None
        self.continued.append({"event": event_id, "raised": importance, "reopened": raised, **row})
        if raised:
            self._owe(event_id, seen, f"escalated-{seen.importance}")

    def _owe(self, event_id: int, seen: Observation, reason: str) -> None:
        self.owed += owed_rows(self.rule, event_id, seen.importance, reason, self.now)

    # -- writing ---------------------------------------------------------------------------

    def _insert_events(
        self, opening: Sequence[Observation], resolved_at: datetime | None = None
    ) -> list[int]:
        if not opening:
            return []
        rows = [event_row(self.rule_id, self.rule, self.run, seen, resolved_at) for seen in opening]
        statement = insert(EVENT).returning(EVENT.c.id, sort_by_parameter_order=True)
        ids = [int(key) for key in self.connection.scalars(statement, rows)]
        self.result.opened.extend(ids)
        return ids

    def _join(self, event_id: int, seen: Observation, *, raised: bool) -> None:
        sqlite = self.connection.dialect.name == "sqlite"
        least, most = (func.min, func.max) if sqlite else (func.least, func.greatest)
        importance: Row = {"importance": seen.importance.value} if raised else {}
        if raised:
            importance |= {
                "is_acknowledged": False,
                "acknowledged_at": None,
                "acknowledged_by": None,
            }
        self.connection.execute(
            update(EVENT)
            .where(EVENT.c.id == event_id)
            .values(
                occurrences=EVENT.c.occurrences + 1,
                first_seen=least(EVENT.c.first_seen, seen.at),
                last_seen=most(EVENT.c.last_seen, seen.at),
                **importance,
            )
        )
        if raised:
            self.connection.execute(
                update(SERIES)
                .where(SERIES.c.event_id == event_id)
                .values(event_importance=seen.importance.value)
            )
            self._owe(event_id, seen, f"escalated-{seen.importance}")

    def _update_continued(self) -> None:
        if not self.continued:
            return
        e = EVENT.c
        names = [name for name in self.continued[0] if name.startswith("new_")]
        newest = {
            (c := e[name.removeprefix("new_")]): bindparam(name, type_=c.type) for name in names
        }
        raised = bindparam("raised", type_=e.importance.type)
        reopened = bindparam("reopened", type_=e.is_acknowledged.type)
        statement = (
            update(EVENT)
            .where(e.id == bindparam("event"))
            .values(
                {
                    e.occurrences: e.occurrences + 1,
                    e.importance: func.coalesce(raised, e.importance),
                    # Whoever acknowledged it took on something that mattered less.
                    e.is_acknowledged: and_(e.is_acknowledged, not_(reopened)),
                    e.acknowledged_at: case((reopened, null()), else_=e.acknowledged_at),
                    e.acknowledged_by: case((reopened, null()), else_=e.acknowledged_by),
                    **newest,
                }
            )
        )
        # By id, as whoever else locks several events does: no two wait for each other.
        self.connection.execute(statement, sorted(self.continued, key=itemgetter("event")))

    def _update_resolved(self) -> None:
        if not self.resolving:
            return
        e = EVENT.c
        statement = (
            update(EVENT)
            .where(e.id == bindparam("event"), e.resolved_at.is_(None))
            .values(resolved_at=bindparam("at", type_=e.resolved_at.type))
        )
        self.connection.execute(statement, sorted(self.resolving, key=itemgetter("event")))

    def _upsert(self, table: Table, key: list[str], rows: list[Row]) -> None:
        if not rows:
            return
        statement = insert_or(self.connection, table)
        changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
        self.connection.execute(
            statement.on_conflict_do_update(index_elements=key, set_=changed), rows
        )


__all__ = ["EVENT", "NOTIFICATION", "SERIES", "Recorded", "record", "recorded_runs"]
