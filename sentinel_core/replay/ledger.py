"""The ledger in memory, for replay and rule tests: events, notifications and every decision.

Pure: no clock, no database. What decides is decide/effects.py, as in the store; here is only what
the store's transaction reads and writes otherwise, and what people do to events.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sentinel_core.decide.conditions import Samples
from sentinel_core.decide.effects import apply_run, end_snoozes, release_withheld
from sentinel_core.decide.fanout import Fanout, Row, follow_ups
from sentinel_core.decide.late import LateDecision, Neighbour
from sentinel_core.decide.ledger import Notify
from sentinel_core.decide.lifecycle import Lifecycle
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.reacting import Change, Reactor
from sentinel_core.decide.snooze import SnoozeEnd
from sentinel_core.decide.state import Decision, Key, Series
from sentinel_core.model.alert import Importance
from sentinel_core.model.reaction import ReactionStatus
from sentinel_core.model.reasons import NotifyReason, Suppression
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule
from sentinel_core.model.silence import Inhibitor, Silence, Subject, muted
from sentinel_core.replay.memory import RecentPast
from sentinel_core.replay.timeline import Evaluated, Event, Notification, Reacted

_START = datetime(1970, 1, 1, tzinfo=UTC)  # before any run


class MemoryLedger:
    """One rule, fed with what its runs observed, in the order in which they were recorded.

    `evaluations` holds every decision if `keep_evaluations`. `inhibitors` returns the series of
    other rules that fire at a moment. `latest_by` is how much later than due a run may be recorded,
    as RecentPast takes it.
    """

    def __init__(
        self,
        name: str,
        settings: RuleSettings,
        *,
        tags: Sequence[str] = (),
        silences: Sequence[Silence] = (),
        inhibitors: Callable[[datetime], Iterable[Inhibitor]] | None = None,
        keep_evaluations: bool = False,
        latest_by: timedelta | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.lifecycle = Lifecycle(settings)
        self.events: list[Event] = []
        self.notifications: list[Notification] = []
        self.reactions: list[Reacted] = []
        self.evaluations: list[Evaluated] = []
        self.series: dict[Key, Series] = {}
        self.notified: list[datetime] = []
        self._tags = tuple(tags)
        self._silences = silences
        self._inhibitors = inhibitors
        self._may_be_suppressed = bool(silences) or inhibitors is not None
        self._keep_evaluations = keep_evaluations
        self.past = RecentPast(self.lifecycle, latest_by)
        self._fanout = Fanout(Rule(UUID(int=0), name, "", settings), 0, _START)
        self._began: dict[str, list[datetime]] = {}  # of reactions, by identity
        self._rows: dict[int, list[Row]] = {}  # the notifications of each open event
        self._waiting: set[Key] = set()  # for what is done between runs
        self.missing: set[str] = set()  # tickers that were absent when they last had no data
        self._now = _START

    def run(self, observations: Sequence[Observation], now: datetime | None = None) -> None:
        """Take in what one run observed, recorded at `now`; at the moment it was due if None."""
        if not observations:
            return
        at = observations[0].at
        self._now = now or at
        self.past.observe(observations)
        ran = observations[0].kind is not Kind.SILENT
        judged = apply_run(self.lifecycle, self, observations, ran=ran)
        if ran:
            self.past.note_check(at, judged)

    # -- the past ---------------------------------------------------------------------------

    def samples(self, observation: Observation) -> Samples:
        """The series' measurements, this one included."""
        return self.past.samples[observation.ticker]

    def first_at(self) -> datetime | None:
        """The due time of the rule's first evaluation."""
        return self.past.first_at

    def checked_since(self, at: datetime) -> bool:
        """True if a run due at `at` or later has checked."""
        checked_at = self.past.checked_at
        return checked_at is not None and checked_at >= at

    def neighbours(
        self, observation: Observation, count: int
    ) -> tuple[list[Neighbour], list[Neighbour]]:
        """The evaluations before and after, nearest first."""
        key = (observation.kind, observation.ticker)
        before, after = self.past.around(key, observation.at, count)
        return [self._neighbour(*e[1:]) for e in before], [self._neighbour(*e[1:]) for e in after]

    def _neighbour(self, breached: bool, event_id: int | None) -> Neighbour:
        if event_id is None:
            return Neighbour(breached, None)
        event = self.events[event_id - 1]
        acknowledged = event.acknowledged_by is not None
        return Neighbour(breached, event_id, event.importance, acknowledged)

    def suppression(self, key: Key, importance: Importance) -> Suppression | None:
        """The reason to notify nobody of this series just now; None without one."""
        if not self._may_be_suppressed:
            return None
        kind, ticker = key
        category = self.settings.category
        subject = Subject(self.name, ticker, category, importance, self._tags, kind.value)
        others = self._inhibitors(self._now) if self._inhibitors else ()
        return muted(subject, self._now, self._silences, others)

    # -- effects ----------------------------------------------------------------------------

    def save(self, key: Key, series: Series) -> None:
        """Store the state of a series."""
        self.series[key] = series
        if _waits(series):
            self._waiting.add(key)

    def evaluated(
        self, observation: Observation, decision: Decision | LateDecision, event_id: int | None
    ) -> None:
        """Add an evaluation with its decision."""
        key = (observation.kind, observation.ticker)
        self.past.remember(key, observation.at, observation.breached, event_id)
        if self._keep_evaluations:
            self.evaluations.append(Evaluated(observation, decision, event_id))
        if observation.kind is Kind.NO_DATA:
            absent = observation.reported is None
            (self.missing.add if absent else self.missing.discard)(observation.ticker)

    def open_event(
        self,
        observation: Observation,
        reason: str,
        suppression: Suppression | None,
        *,
        ended: bool = False,
    ) -> int:
        """Open an event, already over if `ended`; returns its id."""
        del suppression  # its notification says so
        event = Event(
            len(self.events) + 1,
            observation.kind,
            observation.ticker,
            observation.at,
            observation.importance,
            observation.message,
            reason,
        )
        if ended:
            event.resolved_at, event.resolution = self._now, "late"
        self.events.append(event)
        return event.id

    def continue_event(self, event_id: int, observation: Observation, *, escalated: bool) -> None:
        """Add a breach to an open event, which shows it."""
        event = self.events[event_id - 1]
        event.occurrences += 1
        event.message = observation.message
        if escalated:
            event.importance = observation.importance

    def merge_late(self, event_id: int, observation: Observation) -> None:
        """Add a late breach to an event, open or over."""
        del observation  # the event shows its newest run
        self.events[event_id - 1].occurrences += 1

    def escalate_late(self, event_id: int, importance: Importance, *, reopen: bool) -> None:
        """Raise an event's importance for a late breach."""
        event = self.events[event_id - 1]
        event.importance = importance
        if reopen:
            event.acknowledged_by = None

    def resolve_event(self, event_id: int, at: datetime, code: str) -> None:
        """End an event."""
        event = self.events[event_id - 1]
        event.resolved_at, event.resolution = at, code

    def reopen_event(self, event_id: int, end: SnoozeEnd | None) -> None:
        """End an event's acknowledgement."""
        del end  # its notification says why
        self.events[event_id - 1].acknowledged_by = None

    def suppress(self, event_id: int, suppression: Suppression | None) -> None:
        """Nothing to do: each suppressed notification says why."""
        del event_id, suppression

    def notify(self, event_id: int, key: Key, notify: Notify) -> None:
        """Add a notification for every route of an importance, without steps of an escalation."""
        rows = self._fanout.plan(event_id, key[1], replace(notify, escalates=False))
        self._rows.setdefault(event_id, []).extend(rows)
        event, at, reason = self.events[event_id - 1], notify.at or self._now, notify.full_reason
        self._write(event, at, notify.importance, str(reason), rows, notify.suppression)

    def react(self, event_id: int, change: Change) -> None:
        """Add what would be started. Nothing is, so no event is about a reaction's run."""
        seen, began = change.observation, self._began
        reactor = Reactor(self.name, self.settings, self._now, lambda key: began.get(key, ()))
        for planned in reactor.plan(change):
            parameters = {}
            if planned.status is not ReactionStatus.SKIPPED:
                began.setdefault(planned.identity, []).append(self._now)
            if planned.code is None:
                parameters = planned.parameters(self.name, self.settings.category, event_id)
            self.reactions.append(
                Reacted(
                    self._now,
                    event_id,
                    seen.kind,
                    seen.ticker,
                    change.occasion,
                    planned.reaction.action,
                    planned.reaction.target,
                    parameters,
                    planned.status,
                    planned.code,
                    planned.sentence,
                )
            )

    def notify_followers(
        self, event_id: int, at: datetime, reason: NotifyReason, suppression: Suppression | None
    ) -> bool:
        """Add the end of an event for those who were notified of it; True if it is sent to any."""
        event = self.events[event_id - 1]
        rows = follow_ups(self._rows.pop(event_id, ()), event_id, reason.value, at, suppression)
        self._write(event, at, event.importance, reason.value, rows, suppression)
        return any(row["status"] == "pending" for row in rows)

    def _write(
        self,
        event: Event,
        at: datetime,
        importance: Importance,
        reason: str,
        rows: Sequence[Row],
        suppression: Suppression | None,
    ) -> None:
        """Add what is sent and what is suppressed: follow-ups reach some routes of a muted rule."""
        parts = [(suppression, list(rows))]
        if suppression and rows:
            parts = [(None, [row for row in rows if row["status"] == "pending"])]
            parts += [(suppression, [row for row in rows if row["status"] != "pending"])]
        key = (event.kind, event.ticker)
        for why, part in parts:
            if part or not rows:
                channels = tuple(dict.fromkeys(row["channel"] for row in part))
                sentence = why.sentence if why else None
                self.notifications.append(
                    Notification(at, event.id, *key, importance, reason, channels, sentence)
                )

    # -- between runs -----------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """True if a notification is withheld, or an event is acknowledged until a time."""
        known = ((key, self.series.get(key)) for key in self._waiting)
        self._waiting = {key for key, series in known if series and _waits(series)}
        return bool(self._waiting)

    def release(self, at: datetime) -> None:
        """What reconcile does at a moment without a run: end what was acknowledged until then, and
        notify of what was withheld and nothing suppresses."""
        if not self.waits:
            return
        self._now = at
        keys = [key for key in self.series if key in self._waiting]
        end_snoozes(self.lifecycle, self, keys, at)
        release_withheld(self.lifecycle, self, keys, at)

    def notify_of_action(self, event: Event, at: datetime, reason: NotifyReason) -> None:
        """Notify those who were notified of the event, and want to know, of a person's action."""
        self._now = at
        suppression = self.suppression((event.kind, event.ticker), event.importance)
        rows = follow_ups(self._rows.get(event.id, ()), event.id, reason.value, at, suppression)
        if rows:
            self._rows[event.id] += rows
            self._write(event, at, event.importance, reason.value, rows, suppression)
        if reason is NotifyReason.RESOLVED:
            self._rows.pop(event.id, None)


def _waits(series: Series) -> bool:
    return series.withheld is not None or series.acknowledged_until is not None
