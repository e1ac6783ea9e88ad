"""The ledger in memory, for replay and rule tests: events, notifications and every decision.

Pure: no clock, no database. What decides is decide/effects.py, as in the store; here is only what
the store's transaction reads and writes otherwise, and what people do to events.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from sentinel_core.decide.conditions import Samples
from sentinel_core.decide.effects import apply_run, release_withheld
from sentinel_core.decide.fanout import Fanout, Row, follow_ups
from sentinel_core.decide.late import LateDecision, Neighbour
from sentinel_core.decide.ledger import Notify
from sentinel_core.decide.lifecycle import OUTPUTS, Lifecycle
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.state import Decision, Key, Series, Status
from sentinel_core.decide.transition import resolved_by_hand
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Suppression
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule
from sentinel_core.model.silence import Inhibitor, Silence, Subject, muted

_START = datetime(1970, 1, 1, tzinfo=UTC)  # before any run
_PILE = 64  # neighbours that may be out of date before they are worth dropping


@dataclass(slots=True)
class Event:
    """An event as the store would have it."""

    id: int
    kind: Kind
    ticker: str
    opened_at: datetime
    importance: Importance
    message: str
    reason: str
    occurrences: int = 1
    resolved_at: datetime | None = None
    resolution: str | None = None
    acknowledged_by: str | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification to some channels, or the sentence that says why it was suppressed."""

    at: datetime
    event_id: int
    kind: Kind
    ticker: str
    importance: Importance
    reason: str
    channels: tuple[str, ...]
    suppressed: str | None = None


@dataclass(slots=True)
class Evaluated:
    """One evaluation: what was observed, and what was decided."""

    observation: Observation
    action: str
    code: str
    reason: str
    event_id: int | None


@dataclass(slots=True)
class _Evaluations:
    """The latest evaluations of a series, in the order of time: due, breached, event."""

    entries: list[tuple[datetime, bool, int | None]] = field(default_factory=list)
    limit: int = _PILE  # entries from which on it is worth while to look for old ones

    def forget(self, before: datetime, keep: int) -> None:
        """Drop what is older than `before`, but for the last `keep` of them."""
        old = bisect_left(self.entries, before, key=itemgetter(0)) - keep
        if old > 0:
            del self.entries[:old]
        self.limit = 2 * len(self.entries) + _PILE


class MemoryLedger:
    """One rule, fed with what its runs observed, in the order in which they were recorded.

    `evaluations` holds every decision if `keep_evaluations`. `inhibitors` returns the series of
    other rules that fire at a moment. `latest_by` is how much later than due a run may be recorded:
    what is older than that, and than conditions look back, is forgotten; nothing is if it is None.
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
        self.evaluations: list[Evaluated] = []
        self.series: dict[Key, Series] = {}
        self.notified: list[datetime] = []
        self._tags = tuple(tags)
        self._silences = silences
        self._inhibitors = inhibitors
        self._may_be_suppressed = bool(silences) or inhibitors is not None
        self._keep_evaluations = keep_evaluations
        self._latest_by = latest_by
        self._kept_seconds = (self.lifecycle.look_back + (latest_by or timedelta())).total_seconds()
        self._fanout = Fanout(Rule(UUID(int=0), name, "", settings), 0, _START)
        self._rows: dict[int, list[Row]] = {}  # the notifications of each open event
        self._samples: dict[str, Samples] = {}
        self._past: dict[Key, _Evaluations] = {}
        self._withheld: set[Key] = set()
        self._missing: set[str] = set()  # tickers that were absent when they last had no data
        self._first_at: datetime | None = None
        self._checked_at: datetime | None = None
        self._now = _START

    def run(self, observations: Sequence[Observation], now: datetime | None = None) -> None:
        """Take in what one run observed, recorded at `now`; at the moment it was due if None."""
        if not observations:
            return
        at = observations[0].at
        self._now = now or at
        if self._first_at is None or at < self._first_at:
            self._first_at = at
        if self.settings.conditions:
            self._measure(observations)
        ran = observations[0].kind is not Kind.SILENT
        judged = apply_run(self.lifecycle, self, observations, ran=ran)
        if ran:
            self._note_check(at, judged)

    def _measure(self, observations: Sequence[Observation]) -> None:
        for observation in observations:
            if observation.reported is None:
                continue
            samples = self._samples.get(observation.ticker)
            if samples is None:
                samples = self._samples[observation.ticker] = Samples()
            moment = observation.at.timestamp()
            samples.add(moment, observation.metrics)
            if self._latest_by is not None:
                samples.forget(samples.times[-1] - self._kept_seconds - 1)

    def _note_check(self, at: datetime, judged: Sequence[Observation]) -> None:
        """A failure that is recorded late is compared with the runs that did check."""
        kinds = {observation.kind for observation in judged if observation.evaluated}
        if kinds.isdisjoint(OUTPUTS):
            return
        if Kind.ALERT in kinds:
            self._checked_at = max(at, self._checked_at or at)
        self._remember((Kind.FAILURE, ""), at, False, None)

    def _remember(self, key: Key, at: datetime, breached: bool, event_id: int | None) -> None:
        past = self._past.get(key)
        if past is None:
            past = self._past[key] = _Evaluations()
        entries = past.entries
        late = entries and at < entries[-1][0]
        entries.append((at, breached, event_id))
        if late:
            entries.sort(key=itemgetter(0))
        if len(entries) > past.limit and self._latest_by is not None:
            past.forget(entries[-1][0] - self._latest_by, self.lifecycle.late_neighbours)

    # -- the past ---------------------------------------------------------------------------

    def samples(self, observation: Observation) -> Samples:
        """What the series measured, this observation included."""
        return self._samples[observation.ticker]

    def first_at(self) -> datetime | None:
        """When the rule was first evaluated."""
        return self._first_at

    def checked_since(self, at: datetime) -> bool:
        """True if a run due at `at` or later has checked."""
        return self._checked_at is not None and self._checked_at >= at

    def neighbours(
        self, observation: Observation, count: int
    ) -> tuple[list[Neighbour], list[Neighbour]]:
        """The evaluations before and after, nearest first."""
        key, at = (observation.kind, observation.ticker), observation.at
        entries = self._past[key].entries if key in self._past else []
        before = [entry for entry in entries if entry[0] <= at][-count:][::-1]
        after = [entry for entry in entries if entry[0] > at][:count]
        return [self._neighbour(*e[1:]) for e in before], [self._neighbour(*e[1:]) for e in after]

    def _neighbour(self, breached: bool, event_id: int | None) -> Neighbour:
        if event_id is None:
            return Neighbour(breached, None)
        event = self.events[event_id - 1]
        acknowledged = event.acknowledged_by is not None
        return Neighbour(breached, event_id, event.importance, acknowledged)

    def suppression(self, key: Key, importance: Importance) -> Suppression | None:
        """Why nobody is notified of this series just now."""
        if not self._may_be_suppressed:
            return None
        kind, ticker = key
        category = self.settings.category
        subject = Subject(self.name, ticker, category, importance, self._tags, kind.value)
        others = self._inhibitors(self._now) if self._inhibitors else ()
        return muted(subject, self._now, self._silences, others)

    # -- effects ----------------------------------------------------------------------------

    def save(self, key: Key, series: Series) -> None:
        """The state of a series from now on."""
        self.series[key] = series
        if series.withheld is not None:
            self._withheld.add(key)

    def evaluated(
        self,
        observation: Observation,
        action: str,
        decision: Decision | LateDecision,
        event_id: int | None,
    ) -> None:
        """An evaluation with its decision."""
        key = (observation.kind, observation.ticker)
        self._remember(key, observation.at, observation.breached, event_id)
        if self._keep_evaluations:
            self.evaluations.append(
                Evaluated(observation, action, decision.code, decision.reason, event_id)
            )
        if observation.kind is Kind.NO_DATA:
            absent = observation.reported is None
            (self._missing.add if absent else self._missing.discard)(observation.ticker)

    def open_event(
        self,
        observation: Observation,
        reason: str,
        suppression: Suppression | None,
        *,
        ended: bool = False,
    ) -> int:
        """A new event, already over if `ended`; its id."""
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
        """One more breach of an open event, which shows it."""
        event = self.events[event_id - 1]
        event.occurrences += 1
        event.message = observation.message
        if escalated:
            event.importance = observation.importance

    def merge_late(self, event_id: int, observation: Observation) -> None:
        """A late breach of an event, open or over."""
        del observation  # the event shows its newest run
        self.events[event_id - 1].occurrences += 1

    def escalate_late(self, event_id: int, importance: Importance, *, reopen: bool) -> None:
        """A late breach raises an event's importance."""
        event = self.events[event_id - 1]
        event.importance = importance
        if reopen:
            event.acknowledged_by = None

    def resolve_event(self, event_id: int, at: datetime, code: str) -> None:
        """The end of an event."""
        event = self.events[event_id - 1]
        event.resolved_at, event.resolution = at, code

    def reopen_event(self, event_id: int) -> None:
        """An acknowledgement no longer holds."""
        self.events[event_id - 1].acknowledged_by = None

    def suppress(self, event_id: int, suppression: Suppression | None) -> None:
        """Nothing to do: each suppressed notification says why."""
        del event_id, suppression

    def notify(self, event_id: int, key: Key, notify: Notify) -> None:
        """A notification for every route of an importance; steps of an escalation stay out."""
        rows = self._fanout.plan(event_id, key[1], replace(notify, escalates=False))
        self._rows.setdefault(event_id, []).extend(rows)
        event = self.events[event_id - 1]
        self._write(
            event,
            notify.at or self._now,
            notify.importance,
            str(notify.full_reason),
            rows,
            notify.suppression,
        )

    def notify_followers(
        self, event_id: int, at: datetime, reason: NotifyReason, suppression: Suppression | None
    ) -> None:
        """The end of an event, for those who were notified of it."""
        event = self.events[event_id - 1]
        rows = follow_ups(self._rows.pop(event_id, ()), event_id, reason.value, at, suppression)
        if rows:
            self._write_followed(event, at, reason.value, rows, suppression)
        else:
            self._write(event, at, event.importance, reason.value, (), suppression)

    def _write_followed(
        self,
        event: Event,
        at: datetime,
        reason: str,
        rows: Sequence[Row],
        suppression: Suppression | None,
    ) -> None:
        """News that reaches incidents and threads although the rule is muted."""
        for suppressed, part in groupby(
            sorted(rows, key=lambda row: row["status"]), key=lambda row: row["status"] != "pending"
        ):
            why = suppression if suppressed else None
            self._write(event, at, event.importance, reason, list(part), why)

    def _write(
        self,
        event: Event,
        at: datetime,
        importance: Importance,
        reason: str,
        rows: Sequence[Row],
        suppression: Suppression | None,
    ) -> None:
        channels = tuple(dict.fromkeys(row["channel"] for row in rows))
        sentence = suppression.sentence if suppression else None
        self.notifications.append(
            Notification(
                at, event.id, event.kind, event.ticker, importance, reason, channels, sentence
            )
        )

    # -- between runs -----------------------------------------------------------------------

    @property
    def withholds(self) -> bool:
        """True if there is a notification that was withheld and is still due."""
        self._withheld = {key for key in self._withheld if self._is_withheld(key)}
        return bool(self._withheld)

    def _is_withheld(self, key: Key) -> bool:
        series = self.series.get(key)
        return series is not None and series.withheld is not None

    def release(self, at: datetime) -> None:
        """Notify of what was withheld and nothing suppresses at this moment, without a run."""
        if not self.withholds:
            return
        self._now = at
        keys = [key for key in self.series if key in self._withheld]
        release_withheld(self.lifecycle, self, keys, at)

    # -- people -----------------------------------------------------------------------------

    def acknowledge(
        self, kind: Kind, ticker: str, at: datetime, by: str, until: datetime | None = None
    ) -> bool:
        """Somebody acknowledges the open event of a series; False when there is none.

        What somebody else has acknowledged stays theirs.
        """
        series = self.series.get((kind, ticker))
        if series is None or series.event_id is None:
            return False
        if not series.acknowledged_at(at):
            changed = replace(series, acknowledged=True, acknowledged_until=until)
            self.series[kind, ticker] = changed
            event = self.events[series.event_id - 1]
            event.acknowledged_by = by
            self._notify_of_action(event, at, NotifyReason.ACKNOWLEDGED)
        return True

    def unacknowledge(self, kind: Kind, ticker: str, at: datetime) -> bool:
        """An acknowledgement is taken back; False when there is no open event."""
        series = self.series.get((kind, ticker))
        if series is None or series.event_id is None:
            return False
        if series.acknowledged:
            changed = replace(series, acknowledged=False, acknowledged_until=None)
            self.series[kind, ticker] = changed
            event = self.events[series.event_id - 1]
            event.acknowledged_by = None
            self._notify_of_action(event, at, NotifyReason.UNACKNOWLEDGED)
        return True

    def resolve(self, kind: Kind, ticker: str, at: datetime, by: str) -> bool:
        """Somebody ends the open event of a series; False when there is none."""
        series = self.series.get((kind, ticker))
        if series is None or series.event_id is None:
            return False
        event = self.events[series.event_id - 1]
        decision = resolved_by_hand(series, at, by)
        event.resolved_at, event.resolution = decision.series.ended_at, decision.code
        event.acknowledged_by = event.acknowledged_by or by
        self.series[kind, ticker] = decision.series
        self._notify_of_action(event, at, NotifyReason.RESOLVED)
        self._rows.pop(event.id, None)
        if kind in (Kind.ALERT, Kind.NO_DATA):
            self._forget_missing(ticker)
        return True

    def _notify_of_action(self, event: Event, at: datetime, reason: NotifyReason) -> None:
        """What a person did, for those who were notified of the event and want to know."""
        self._now = at
        suppression = self.suppression((event.kind, event.ticker), event.importance)
        rows = follow_ups(self._rows.get(event.id, ()), event.id, reason.value, at, suppression)
        if rows:
            self._rows[event.id] += rows
            self._write_followed(event, at, reason.value, rows, suppression)

    def _forget_missing(self, ticker: str) -> None:
        """A ticker that the check no longer reports is forgotten once both its alert and the
        "no data" about its absence are over."""
        alert = self.series.get((Kind.ALERT, ticker))
        absence = self.series.get((Kind.NO_DATA, ticker))
        if alert is None or absence is None or ticker not in self._missing:
            return
        ended = Status.FIRING not in (alert.status, absence.status)
        if ended and absence.last_at > alert.last_at:
            del self.series[Kind.ALERT, ticker]

    @property
    def firing(self) -> Mapping[Key, Series]:
        """The series with an open event."""
        return {k: v for k, v in self.series.items() if v.status is Status.FIRING}
