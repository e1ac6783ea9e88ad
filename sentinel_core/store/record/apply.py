"""The ledger of one transaction: reads a rule's past, collects effects, writes them together."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from sentinel_core.decide.conditions import Samples
from sentinel_core.decide.fanout import Fanout
from sentinel_core.decide.late import LateDecision
from sentinel_core.decide.ledger import Notify
from sentinel_core.decide.lifecycle import Lifecycle
from sentinel_core.decide.observe import Observation
from sentinel_core.decide.reacting import Change, Planned, Reactor
from sentinel_core.decide.snooze import SnoozeEnd
from sentinel_core.decide.state import Decision, Key, Series
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Suppression
from sentinel_core.model.run import Rule, Run
from sentinel_core.model.silence import Subject
from sentinel_core.store.db.bulk import MANY, newest_id, upsert, write_rows
from sentinel_core.store.db.tables import EVALUATION, EVENT, RULE, SERIES, Row
from sentinel_core.store.outbox.enqueue import PENDING, insert_notifications, plan_follow_ups
from sentinel_core.store.outbox.reactions import cause_of, insert_reactions, lately
from sentinel_core.store.record.reopen import reopen
from sentinel_core.store.state.mutes import Mutes
from sentinel_core.store.state.rows import (
    NOT_ACKNOWLEDGED,
    evaluation_row,
    event_row,
    newest_run_row,
    series_row,
    suppressed_columns,
)
from sentinel_core.store.state.snapshot import RuleSnapshot


class SqlLedger(RuleSnapshot):
    """A rule's state and past in the store, for one run in one transaction.

    Nothing is written before `write`. Until then a new event's id is provisional: negative.
    Events are updated in the order of their ids, so that transactions never deadlock.
    """

    def __init__(
        self,
        connection: Connection,
        rule_id: int,
        rule: Rule,
        run: Run | None,
        lifecycle: Lifecycle,
        now: datetime,
        observations: Sequence[Observation],
        series: dict[Key, Series],
    ) -> None:
        super().__init__(connection, rule_id, run)
        self.rule = rule
        self.now = now
        self.series = series
        self._look_back = lifecycle.look_back
        self._observations = observations
        self._mutes = Mutes(connection, now)
        limited = lifecycle.policy.max_notifications_per_hour is not None
        self.notified: list[datetime] = self.last_notified() if limited else []
        self._notified_before = list(self.notified)
        self._fanout = Fanout(rule, rule_id, now)
        self._reactor = Reactor(
            rule.name, rule.settings, now, lambda identity: lately(connection, identity, now)
        )
        self._reactions: list[tuple[int, Planned]] = []
        self._opened: list[Row] = []
        self._evaluations: list[Row] = []
        self._saved: dict[Key, Series] = {}
        self._continued: list[Row] = []
        self._merged: list[Row] = []
        self._escalated: list[Row] = []
        self._resolved: list[Row] = []
        self._reopened: list[tuple[int, SnoozeEnd | None]] = []
        self._suppressed: dict[int, Row] = {}
        self._notifications: list[Row] = []
        self._followed: list[tuple[int, str, Suppression | None]] = []
        self._though_muted: dict[NotifyReason, set[int]] = {}

    @cached_property
    def _samples(self) -> dict[str, Samples]:
        return self.read_samples(self._observations, self._look_back)

    def samples(self, observation: Observation) -> Samples:
        """The series' measurements as far back as conditions look, including this observation."""
        return self._samples.get(observation.ticker, Samples())

    def suppression(self, key: Key, importance: Importance) -> Suppression | None:
        """Why this series is muted now; None if it is not."""
        kind, ticker = key
        rule, category = self.rule, self.rule.settings.category
        subject = Subject(rule.name, ticker, category, importance, rule.tags, kind.value)
        return self._mutes.reason_for(subject)

    def save(self, key: Key, series: Series) -> None:
        """Set the state of a series."""
        self.series[key] = self._saved[key] = series

    def evaluated(
        self, observation: Observation, decision: Decision | LateDecision, event_id: int | None
    ) -> None:
        """Add an evaluation with its decision."""
        if self.run is not None:
            row = evaluation_row(self.rule_id, self.run, observation, decision, event_id, self.now)
            self._evaluations.append(row)

    def open_event(
        self,
        observation: Observation,
        reason: str,
        suppression: Suppression | None,
        *,
        ended: bool = False,
    ) -> int:
        """Open an event, already over if `ended`; returns its provisional id."""
        del reason  # the evaluation has it
        resolved_at = self.now if ended else None
        row = event_row(self.rule_id, self.rule, self.run, observation, resolved_at, suppression)
        self._opened.append(row)
        return -len(self._opened)

    def continue_event(self, event_id: int, observation: Observation, *, escalated: bool) -> None:
        """Add a breach to an open event, which shows the newest run."""
        newest = newest_run_row(self.run, observation, self.rule.settings.suggestions)
        importance = observation.importance.value if escalated else None
        row = {f"new_{name}": value for name, value in newest.items()}
        self._continued.append({"event": event_id, "importance": importance, **row})

    def merge_late(self, event_id: int, observation: Observation) -> None:
        """Count a late breach into an event, open or over."""
        self._merged.append({"event": event_id, "at": observation.at})

    def escalate_late(self, event_id: int, importance: Importance, *, reopen: bool) -> None:
        """Raise an event's importance because of a late breach."""
        row = {"importance": importance.value, **(NOT_ACKNOWLEDGED if reopen else {})}
        self._escalated.append({"event": event_id, "columns": row})

    def resolve_event(self, event_id: int, at: datetime, code: str) -> None:
        """End an event."""
        self._resolved.append({"event": event_id, "at": at, "how": code})

    def reopen_event(self, event_id: int, end: SnoozeEnd | None) -> None:
        """Clear an acknowledgement that no longer holds."""
        self._reopened.append((event_id, end))

    def suppress(self, event_id: int, suppression: Suppression | None) -> None:
        """Set why nobody is notified of an event's latest change; None if people are."""
        columns = suppressed_columns(suppression).items()
        self._suppressed[event_id] = {"event": event_id, **{f"new_{k}": v for k, v in columns}}

    def notify(self, event_id: int, key: Key, notify: Notify) -> None:
        """Add a notification for every route that applies."""
        self._notifications += self._fanout.plan(event_id, key[1], notify)

    def react(self, event_id: int, change: Change) -> None:
        """Plan the rule's reactions to a change of an event."""
        run = self.run.id if self.run else None
        cause = cause_of(self.connection, run, change.observation.metadata)
        change = replace(change, run_id=str(run) if run else None, cause=cause)
        self._reactions += [(event_id, planned) for planned in self._reactor.plan(change)]

    def notify_followers(
        self, event_id: int, at: datetime, reason: NotifyReason, suppression: Suppression | None
    ) -> bool:
        """Add a follow-up for everybody who was notified of the event; True if it is sent to any.

        Of a follow-up that nothing suppresses, the answer is True without a look.
        """
        del at  # it is enqueued now
        self._followed.append((event_id, reason.value, suppression))
        return suppression is None or event_id in self._sent_though_muted(reason, suppression)

    def _sent_though_muted(self, reason: NotifyReason, suppression: Suppression) -> set[int]:
        """The open events with a follow-up that is sent although they are muted; read once."""
        if reason not in self._though_muted:
            ids = {series.event_id for series in self.series.values() if series.event_id}
            ids |= {row["event"] for row in self._resolved}  # no longer those of their series
            changes = [(event_id, reason.value, suppression) for event_id in ids]
            rows = plan_follow_ups(self.connection, changes, self.now)
            sent = {row["event_id"] for row in rows if row["status"] == PENDING}
            self._though_muted[reason] = sent
        return self._though_muted[reason]

    def write(self) -> tuple[list[int], list[int], list[int], list[int]]:
        """Write all effects; ids of opened events, resolved events, new notifications and
        reactions to be started."""
        opened = self._insert_events()
        # News of events that are known already go first: a storm that this run begins takes in what
        # comes after them.
        self._notifications.sort(key=lambda row: row["event_id"] < 0)
        series = [series_row(self.rule_id, *item, self.now) for item in self._saved.items()]
        for row in (*self._evaluations, *self._notifications, *series):
            if (row["event_id"] or 0) < 0:
                row["event_id"] = opened[-row["event_id"] - 1]
        self._update_events()
        run_key, series_key = (
            ("prefect_flow_run_id", "kind", "ticker"),
            ("rule_id", "kind", "ticker"),
        )
        upsert(self.connection, EVALUATION, run_key, self._evaluations)
        upsert(self.connection, SERIES, series_key, series)
        if self.notified != self._notified_before:
            latest = [moment.isoformat() for moment in self.notified]
            mine = RULE.c.id == self.rule_id
            self.connection.execute(update(RULE).where(mine).values(told=latest))
        planned = plan_follow_ups(self.connection, self._followed, self.now)
        planned = [*self._notifications, *planned]
        sent = insert_notifications(self.connection, planned, self.now) if planned else []
        return opened, [row["event"] for row in self._resolved], sent, self._react(opened)

    def _react(self, opened: Sequence[int]) -> list[int]:
        """Write the reactions, with the ids of the events that opened just now."""
        if not self._reactions:
            return []
        plans = [(opened[-key - 1] if key < 0 else key, plan) for key, plan in self._reactions]
        rule = self.rule
        category = rule.settings.category
        return insert_reactions(self.connection, plans, self.rule_id, rule.name, category, self.now)

    @property
    def evaluations(self) -> int:
        """The number of evaluations."""
        return len(self._evaluations)

    def _insert_events(self) -> list[int]:
        """Insert the new events; returns their ids in the order in which they opened."""
        rows = self._opened
        if not rows:
            return []
        # SQLite has one writer at a time: every new row of a table is this transaction's.
        if self.connection.dialect.name == "sqlite" and len(rows) >= MANY:
            before = newest_id(self.connection, EVENT)
            write_rows(self.connection, insert(EVENT), rows)
            new = select(EVENT.c.id).where(EVENT.c.id > before).order_by(EVENT.c.id)
            return list(self.connection.scalars(new))
        statement = insert(EVENT).returning(EVENT.c.id, sort_by_parameter_order=True)
        return list(self.connection.scalars(statement, rows))

    def _update_events(self) -> None:
        """Update the events that were on record before, one kind of change after another."""
        e, this = EVENT.c, EVENT.c.id == bindparam("event")
        if self._continued:
            newest = {
                c: bindparam(f"new_{c.name}", type_=c.type)
                for c in e
                if f"new_{c.name}" in self._continued[0]
            }
            raised = bindparam("importance", type_=e.importance.type)
            changed = {
                e.occurrences: e.occurrences + 1,
                e.importance: func.coalesce(raised, e.importance),
                **newest,
            }
            self._update(update(EVENT).where(this).values(changed), self._continued)
        if self._merged:
            sqlite = self.connection.dialect.name == "sqlite"
            least, most = (func.min, func.max) if sqlite else (func.least, func.greatest)
            at = bindparam("at", type_=e.timestamp.type)
            period = {"first_seen": least(e.first_seen, at), "last_seen": most(e.last_seen, at)}
            merge = update(EVENT).where(this).values(occurrences=e.occurrences + 1, **period)
            self._update(merge, self._merged)
        for row in sorted(self._escalated, key=itemgetter("event")):
            mine = e.id == row["event"]
            self.connection.execute(update(EVENT).where(mine).values(**row["columns"]))
        if self._reopened:
            reopen(self.connection, self._reopened, self.now)
        if self._suppressed:
            columns: Any = {
                c: bindparam(f"new_{c.name}") for c in (e.suppressed, e.suppressed_code)
            }
            suppress = update(EVENT).where(this).values(columns)
            self._update(suppress, list(self._suppressed.values()))
        if self._resolved:
            ended = {
                "resolved_at": bindparam("at", type_=e.resolved_at.type),
                "resolution": bindparam("how", type_=e.resolution.type),
            }
            resolve = update(EVENT).where(this, e.resolved_at.is_(None)).values(**ended)
            self._update(resolve, self._resolved)

    def _update(self, statement: Any, rows: list[Row]) -> None:
        write_rows(self.connection, statement, sorted(rows, key=itemgetter("event")))
