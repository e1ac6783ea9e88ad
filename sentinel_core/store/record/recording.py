"""One run, recorded once, in one transaction. Asks the policy; decides nothing itself."""

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter

from sqlalchemy import Connection, Engine, Table, bindparam, func, insert, select, update

from sentinel_core.decide.conditions import Samples
from sentinel_core.decide.fanout import Fanout
from sentinel_core.decide.lifecycle import Key, Lifecycle, is_late
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.policy import (
    Action,
    Decision,
    DecisionContext,
    LateAction,
    LateDecision,
    Series,
    Status,
    importance_of,
    unless_muted,
)
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Suppression, SuppressionCode
from sentinel_core.model.rule import Meaning
from sentinel_core.model.run import Rule, Run
from sentinel_core.store.db.bulk import MANY, gc_paused, newest_id, write_rows
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import EVALUATION, EVENT, NOTIFICATION, RULE, SERIES, Row
from sentinel_core.store.outbox.enqueue import drop_steps, insert_messages, owe_notices
from sentinel_core.store.state.mutes import Mutes
from sentinel_core.store.state.rows import (
    evaluation_row,
    event_row,
    last_run,
    reason_of,
    series_row,
    shown,
)
from sentinel_core.store.state.rules import insert_or, touch
from sentinel_core.store.state.snapshot import RuleSnapshot, recorded_runs

BEGUN_ANEW = Suppression(SuppressionCode.ESCALATION_RESTARTED, "the escalation began anew")
NOBODY: Row = {
    "is_acknowledged": False,
    "acknowledged_at": None,
    "acknowledged_by": None,
    "acknowledged_until": None,
}
"""The columns of an event that nobody has taken on."""


@dataclass(slots=True)
class Recorded:
    """What one recording changed. All empty when the run was recorded before."""

    evaluations: int = 0
    opened: list[int] = field(default_factory=list)
    resolved: list[int] = field(default_factory=list)
    notifications: list[int] = field(default_factory=list)


def record(
    engine: Engine,
    rule: Rule,
    run: Run | None,
    observations: Sequence[Observation],
    *,
    now: datetime,
    lifecycle: Lifecycle | None = None,
) -> Recorded:
    """Record what a run observed: evaluations, series, events and owed messages, all or nothing.

    Recording the same run again changes nothing (the evaluation's key is the run and the series),
    unless the run itself was started once more. `run` None is for what no run saw: silence.
    `lifecycle` is that of the rule's settings unless another is given.
    """
    lifecycle = lifecycle or Lifecycle(rule.settings)
    with gc_paused(len(observations)), writing(engine) as connection:
        rule_id = touch(connection, rule, now)
        known = RuleSnapshot(connection, rule_id, run)
        fresh = known.not_yet_recorded(observations)
        if not fresh:
            return Recorded()
        recording = _Recording(connection, rule_id, rule, run, now, lifecycle, known)
        judged = recording.take(fresh)
        if run is not None:
            _note_run(connection, rule_id, run, judged)
        return recording.finish()


def _note_run(
    connection: Connection, rule_id: int, run: Run, judged: Sequence[Observation]
) -> None:
    """The rule's newest run, for the rules page; an older one told late changes nothing."""
    newest = RULE.c.last_evaluated_at.is_(None) | (RULE.c.last_evaluated_at <= run.at)
    connection.execute(
        update(RULE).where(RULE.c.id == rule_id, newest).values(last_run(run, judged))
    )


class _Recording:
    """What decisions mean for the rows of one transaction. Many rows are written together."""

    def __init__(
        self,
        connection: Connection,
        rule_id: int,
        rule: Rule,
        run: Run | None,
        now: datetime,
        lifecycle: Lifecycle,
        known: RuleSnapshot,
    ) -> None:
        self.connection = connection
        self.rule_id = rule_id
        self.rule = rule
        self.run = run
        self.now = now
        self.lifecycle = lifecycle
        self.known = known
        self.muting = Mutes(connection, now)
        # SQLite has one writer at a time: whatever is new in a table is this transaction's
        self._alone = connection.dialect.name == "sqlite"
        self._limited = lifecycle.policy.max_notifications_per_hour is not None
        self.told = known.told() if self._limited else []
        self.result = Recorded()
        self.evaluations: list[Row] = []
        self.series: list[Row] = []
        self.continued: list[Row] = []
        self.resolving: list[Row] = []
        self.reopening: list[int] = []
        self.suppressing: list[tuple[int, Suppression | None]] = []
        self.opening: list[tuple[Observation, Decision]] = []
        self.owing = Fanout(rule, rule_id, now)
        self.owed: list[Row] = []
        self.ending: list[tuple[int, str, Suppression | None]] = []

    # -- asking ----------------------------------------------------------------------------

    def take(self, fresh: Sequence[Observation]) -> list[Observation]:
        """Judge and decide what is new, in the order it was observed; what was judged."""
        everything = self.lifecycle.policy.on_missing is Meaning.EVENT
        series = self.known.series(fresh, everything=everything)
        judged = self._judged(fresh, series)
        if self.run is not None:
            judged = [*judged, *self.lifecycle.consequences(judged, series)]
        for seen in judged:
            self._decide(seen, series)
        if self.run is not None:
            for over, previous, decision in self.lifecycle.expiries(self.run.at, judged, series):
                if self.run.at >= previous.last_at:
                    world = self._world(over, previous)
                    self.apply(over, previous, unless_muted(decision, world))
        if self._limited:
            self._remember_told()
        return judged

    def _judged(
        self, fresh: Sequence[Observation], series: Mapping[Key, Series]
    ) -> list[Observation]:
        if not self.lifecycle.settings.conditions:
            return list(fresh)
        samples = self.known.samples(fresh, self.lifecycle.look_back)
        first_at = self.known.first_at() if self.lifecycle.look_back else None
        return [
            self.lifecycle.judged(
                seen,
                series.get((seen.kind, seen.ticker)),
                samples.get(seen.ticker, Samples()),
                first_at,
            )
            for seen in fresh
        ]

    def _decide(self, seen: Observation, series: Mapping[Key, Series]) -> None:
        previous = series.get((seen.kind, seen.ticker))
        fine = previous is None or previous.status is Status.OK
        if not seen.breached and not seen.evaluated and fine:
            return  # good news about a series that is fine: nothing to write
        if not is_late(seen, series) and not self.known.checked_since(seen):
            self.apply(
                seen, previous, self.lifecycle.decide(previous, seen, self._world(seen, previous))
            )
        elif seen.evaluated:
            count = self.lifecycle.late_neighbours
            before = self.known.neighbours(seen, count, newer=False)
            after = self.known.neighbours(seen, count, newer=True)
            self.place(seen, self.lifecycle.decide_late(seen, before, after))

    def _world(self, seen: Observation, previous: Series | None = None) -> DecisionContext:
        muted = None
        if seen.kind is not Kind.SKIPPED:
            importance = importance_of(previous, seen)
            muted = self.muting.why(self.rule, seen.kind, seen.ticker, importance)
        return DecisionContext(muted, self.told)

    def _remember_told(self) -> None:
        most = self.lifecycle.policy.max_notifications_per_hour or 0
        latest = [moment.isoformat() for moment in self.told[-most:]]
        self.connection.execute(update(RULE).where(RULE.c.id == self.rule_id).values(told=latest))

    # -- what decisions mean ---------------------------------------------------------------

    def apply(self, seen: Observation, previous: Series | None, decision: Decision) -> None:
        """What the newest observation of a series does to its event."""
        event_id = previous.event_id if previous else None
        if self._limited and decision.tell is not None and decision.suppressed is None:
            insort(self.told, decision.series.told_at or seen.at)  # the next decision counts it
        if decision.action is Action.OPEN:
            self.opening.append((seen, decision))  # its rows need the event's id: finish
            return
        self._remember(seen, decision, event_id)
        if event_id is None:
            return
        if decision.action is Action.RESOLVE:
            self.resolving.append({"event": event_id, "at": seen.at, "how": decision.code})
            self.result.resolved.append(event_id)
        elif seen.breached:
            self._continue(event_id, seen, raised=decision.action is Action.ESCALATE)
        if decision.reopen:
            self.reopening.append(event_id)
        self._tell(event_id, seen, decision, importance_of(previous, seen))

    def place(self, seen: Observation, placed: LateDecision) -> None:
        """What an observation does that is older than what is known of its series."""
        event_id = placed.event_id
        if event_id is not None:
            self._join(event_id, seen, raised=placed.place is LateAction.ESCALATE)
        elif placed.place is LateAction.BACKFILL:
            muted = self._world(seen).muted
            [event_id] = self._insert_events([(seen, muted)], resolved_at=self.now)
            reason = NotifyReason.OPENED.value
            self._owe(event_id, seen, seen.importance, reason, suppressed=muted, escalates=False)
        self._evaluated(seen, placed.place.value, placed, event_id)

    def finish(self) -> Recorded:
        """Write what was gathered."""
        opening = [(seen, decision.suppressed) for seen, decision in self.opening]
        opened = self._insert_events(opening)
        for event_id, (seen, decision) in zip(opened, self.opening, strict=True):
            self._tell(event_id, seen, decision, seen.importance, opened=True)
            self._remember(seen, decision, event_id)
        self._update_continued()
        self._update_reopened()
        self._update_suppressed()
        self._update_resolved()
        self._upsert(EVALUATION, ["prefect_flow_run_id", "kind", "ticker"], self.evaluations)
        self._upsert(SERIES, ["rule_id", "kind", "ticker"], self.series)
        self.result.evaluations = len(self.evaluations)
        self.owed += owe_notices(self.connection, self.ending, self.now)
        if self.owed:
            self.result.notifications = insert_messages(self.connection, self.owed, self.now)
        return self.result

    # -- gathering -------------------------------------------------------------------------

    def _remember(self, seen: Observation, decision: Decision, event_id: int | None) -> None:
        """The evaluation, and what the series is from now on."""
        self._evaluated(seen, decision.action.value, decision, event_id)
        open_id = event_id if decision.status is Status.FIRING else None
        self.series.append(series_row(self.rule_id, seen, decision.series, self.now, open_id))

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
        row = evaluation_row(self.rule_id, self.run, seen, reasons, event_id, self.now)
        self.evaluations.append(row)

    def _continue(self, event_id: int, seen: Observation, *, raised: bool) -> None:
        newest = shown(self.run, seen, self.rule.settings.suggestions)
        row = {f"new_{name}": value for name, value in newest.items()}
        importance = seen.importance.value if raised else None
        self.continued.append({"event": event_id, "raised": importance, **row})

    def _tell(
        self,
        event_id: int,
        seen: Observation,
        decision: Decision,
        importance: Importance,
        *,
        opened: bool = False,
    ) -> None:
        """Owe what is to be told, or write down why it is not."""
        if decision.tell is None:
            return
        if not opened:
            self.suppressing.append((event_id, decision.suppressed))
        if decision.again:
            return  # held back before this, and written down then
        if decision.action is Action.RESOLVE:  # for those who heard of it, whoever they are
            self.ending.append((event_id, decision.tell.value, decision.suppressed))
            return
        self._owe(
            event_id,
            seen,
            importance,
            reason_of(decision, importance),
            sequence=max(decision.series.tells - 1, 0),
            suppressed=decision.suppressed,
            anew=decision.reopen,
        )

    def _owe(
        self,
        event_id: int,
        seen: Observation,
        importance: Importance,
        reason: str,
        *,
        sequence: int = 0,
        suppressed: Suppression | None = None,
        anew: bool = False,
        escalates: bool = True,
    ) -> None:
        self.owed += self.owing.rows(
            event_id,
            seen.ticker,
            importance,
            reason,
            sequence=sequence,
            suppressed=suppressed,
            anew=anew,
            escalates=escalates,
        )

    # -- writing ---------------------------------------------------------------------------

    def _insert_events(
        self,
        opening: Sequence[tuple[Observation, Suppression | None]],
        resolved_at: datetime | None = None,
    ) -> list[int]:
        """Each with the reason why nobody is told of it, if there is one."""
        if not opening:
            return []
        rows = [
            event_row(self.rule_id, self.rule, self.run, seen, resolved_at, muted)
            for seen, muted in opening
        ]
        if self._alone and len(rows) >= MANY:
            before = newest_id(self.connection, EVENT)
            write_rows(self.connection, insert(EVENT), rows)
            new = select(EVENT.c.id).where(EVENT.c.id > before).order_by(EVENT.c.id)
            ids = list(self.connection.scalars(new))
        else:
            statement = insert(EVENT).returning(EVENT.c.id, sort_by_parameter_order=True)
            ids = list(self.connection.scalars(statement, rows))
        self.result.opened.extend(ids)
        return ids

    def _join(self, event_id: int, seen: Observation, *, raised: bool) -> None:
        sqlite = self.connection.dialect.name == "sqlite"
        least, most = (func.min, func.max) if sqlite else (func.least, func.greatest)
        importance: Row = {"importance": seen.importance.value} if raised else {}
        sticky = self.lifecycle.policy.sticky_acknowledgement
        if raised and not sticky:
            importance |= NOBODY
        acknowledged = self.connection.scalar(
            update(EVENT)
            .where(EVENT.c.id == event_id)
            .values(
                occurrences=EVENT.c.occurrences + 1,
                first_seen=least(EVENT.c.first_seen, seen.at),
                last_seen=most(EVENT.c.last_seen, seen.at),
                **importance,
            )
            .returning(EVENT.c.is_acknowledged)
        )
        if not raised:
            return
        self.connection.execute(
            update(SERIES)
            .where(SERIES.c.event_id == event_id)
            .values(event_importance=seen.importance.value)
        )
        if not acknowledged:
            reason = f"escalated-{seen.importance}"
            muted = self._world(seen).muted
            self._owe(event_id, seen, seen.importance, reason, suppressed=muted)

    def _update_continued(self) -> None:
        if not self.continued:
            return
        e = EVENT.c
        names = [name for name in self.continued[0] if name.startswith("new_")]
        newest = {
            (c := e[name.removeprefix("new_")]): bindparam(name, type_=c.type) for name in names
        }
        raised = bindparam("raised", type_=e.importance.type)
        statement = (
            update(EVENT)
            .where(e.id == bindparam("event"))
            .values(
                {
                    e.occurrences: e.occurrences + 1,
                    e.importance: func.coalesce(raised, e.importance),
                    **newest,
                }
            )
        )
        # By id, as whoever else locks several events does: no two wait for each other.
        write_rows(self.connection, statement, sorted(self.continued, key=itemgetter("event")))

    def _update_reopened(self) -> None:
        """Whoever acknowledged these took on something that mattered less, or for a time."""
        if self.reopening:
            self.connection.execute(
                update(EVENT).where(EVENT.c.id == bindparam("event")).values(**NOBODY),
                [{"event": event_id} for event_id in sorted(self.reopening)],
            )
            drop_steps(self.connection, self.reopening, BEGUN_ANEW, self.now)

    def _update_suppressed(self) -> None:
        if not self.suppressing:
            return
        statement = (
            update(EVENT)
            .where(EVENT.c.id == bindparam("event"))
            .values(suppressed=bindparam("why"), suppressed_code=bindparam("code"))
        )
        rows = [
            {"event": event_id, "why": why and why.sentence, "code": why and why.code.value}
            for event_id, why in sorted(self.suppressing, key=itemgetter(0))
        ]
        self.connection.execute(statement, rows)

    def _update_resolved(self) -> None:
        if not self.resolving:
            return
        e = EVENT.c
        statement = (
            update(EVENT)
            .where(e.id == bindparam("event"), e.resolved_at.is_(None))
            .values(
                resolved_at=bindparam("at", type_=e.resolved_at.type),
                resolution=bindparam("how", type_=e.resolution.type),
            )
        )
        write_rows(self.connection, statement, sorted(self.resolving, key=itemgetter("event")))

    def _upsert(self, table: Table, key: list[str], rows: list[Row]) -> None:
        if not rows:
            return
        statement = insert_or(self.connection, table)
        changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
        statement = statement.on_conflict_do_update(index_elements=key, set_=changed)
        write_rows(self.connection, statement, rows)


__all__ = ["EVENT", "NOTIFICATION", "SERIES", "Recorded", "record", "recorded_runs"]
