"""A rule's lifecycle in memory: what replay and rule tests run, with the code that decides live.

Pure: no clock, no database. It goes through a run as store/recording.py does and keeps what that
would write: events, messages and the reason of every decision.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sentinel_core.decide.conditions import Samples
from sentinel_core.decide.lifecycle import PROBLEMS, Key, Lifecycle, is_late
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.policy import (
    Action,
    Decision,
    DecisionContext,
    LateAction,
    LateDecision,
    Neighbour,
    Series,
    Status,
    importance_of,
    policy_for,
    released,
    resolved_by_hand,
    unless_muted,
)
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Suppression
from sentinel_core.model.routing import Route
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.silence import Inhibitor, Silence, Subject, muted

_CHECKED = {Kind.ALERT, *PROBLEMS}  # what only a run that checked observes


@dataclass(slots=True)
class SimulatedEvent:
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
class Message:
    """Something people are told, or would have been had nobody muted it."""

    at: datetime
    event_id: int
    kind: Kind
    ticker: str
    importance: Importance
    reason: str
    channels: tuple[str, ...]
    suppressed: str | None = None


@dataclass(slots=True)
class Step:
    """One decision: what was seen, and what became of it."""

    seen: Observation
    action: str
    code: str
    reason: str
    event_id: int | None


@dataclass(slots=True)
class _Past:
    """What a late observation is compared with: a series' last evaluations, in time."""

    entries: deque[tuple[datetime, bool, int | None]] = field(
        default_factory=lambda: deque(maxlen=400)
    )

    def add(self, at: datetime, breached: bool, event_id: int | None) -> None:
        late = bool(self.entries) and at < self.entries[-1][0]
        self.entries.append((at, breached, event_id))
        if late:
            self.entries = deque(sorted(self.entries, key=lambda item: item[0]), maxlen=400)


class Simulation:
    """One rule, fed with what its runs observed, in the order in which they were recorded.

    `keep_steps` keeps every decision; without it only events and messages are kept. `inhibitors`
    says which series of other rules fire at a moment.
    """

    def __init__(
        self,
        name: str,
        settings: RuleSettings,
        *,
        tags: Sequence[str] = (),
        silences: Sequence[Silence] = (),
        inhibitors: Callable[[datetime], Iterable[Inhibitor]] | None = None,
        keep_steps: bool = False,
    ) -> None:
        self.name = name
        self.lifecycle = Lifecycle(settings)
        self.settings = settings
        self._look_back_seconds = self.lifecycle.look_back.total_seconds()
        self.events: list[SimulatedEvent] = []
        self.messages: list[Message] = []
        self.steps: list[Step] = []
        self.series: dict[Key, Series] = {}
        self._tags = tuple(tags)
        self._silences = silences
        self._inhibitors = inhibitors
        self._keep_steps = keep_steps
        self._samples: dict[str, Samples] = {}
        self._pasts: dict[Key, _Past] = {}
        self._told: list[datetime] = []
        self._may_be_muted = bool(silences) or inhibitors is not None
        self._heard = DecisionContext(None, self._told)  # of a moment at which nobody is muted
        self._heard_by: dict[int, dict[tuple[str, str], Route]] = {}  # who was told of an event
        self._held: set[Key] = set()  # series with something that was not told
        self._absent: set[str] = set()  # tickers that were missing when last they had no data
        self._first_at: datetime | None = None
        self._checked_at: datetime | None = None

    # -- a run -----------------------------------------------------------------------------

    def run(self, fresh: Sequence[Observation], now: datetime | None = None) -> None:
        """Take in what one run observed. `now` is when it was recorded; its own moment if None."""
        if not fresh:
            return
        at = fresh[0].at
        if self._first_at is None or at < self._first_at:
            self._first_at = at
        judged = [self._judged(seen) for seen in fresh]
        by_run = fresh[0].kind is not Kind.SILENT  # that nothing ran is what no run saw
        if by_run:
            judged += self.lifecycle.consequences(judged, self.series)
        for seen in judged:
            self._take(seen, now or at)
        if by_run:
            for over, previous, decision in self.lifecycle.expiries(at, judged, self.series):
                if at >= previous.last_at:
                    world = DecisionContext(self._muted(over, now or at, previous), self._told)
                    self._apply(over, previous, unless_muted(decision, world))
            self._note_run(at, judged)

    def _note_run(self, at: datetime, judged: Sequence[Observation]) -> None:
        """What a failure that is told late is compared with: any run that did check is an ok."""
        checked = False
        for seen in judged:
            if seen.evaluated and seen.kind in _CHECKED:
                checked = True
                if seen.kind is Kind.ALERT:
                    self._checked_at = max(at, self._checked_at or at)
                    break
        if checked:
            self._past(Kind.FAILURE, "").add(at, False, None)

    def _past(self, kind: Kind, ticker: str) -> _Past:
        found = self._pasts.get((kind, ticker))
        if found is None:
            found = self._pasts[kind, ticker] = _Past()
        return found

    def _judged(self, seen: Observation) -> Observation:
        if not self.settings.conditions or seen.reported is None:
            return seen
        samples = self._samples.get(seen.ticker)
        if samples is None:
            samples = self._samples[seen.ticker] = Samples()
        moment = seen.at.timestamp()
        samples.add(moment, seen.metrics)
        samples.forget(moment - self._look_back_seconds - 1)
        first = self._first_at if self._look_back_seconds else None
        return self.lifecycle.judged(
            seen, self.series.get((seen.kind, seen.ticker)), samples, first
        )

    def _take(self, seen: Observation, now: datetime) -> None:
        previous = self.series.get((seen.kind, seen.ticker))
        fine = previous is None or previous.status is Status.OK
        if not seen.breached and not seen.evaluated and fine:
            return
        if not self._is_late(seen, previous):
            world = self._heard
            if self._may_be_muted and (seen.breached or not fine):  # else there is nothing to tell
                world = DecisionContext(self._muted(seen, now, previous), self._told)
            self._apply(seen, previous, self.lifecycle.decide(previous, seen, world))
        elif seen.evaluated:
            self._place(seen, now)

    def _is_late(self, seen: Observation, previous: Series | None) -> bool:
        if previous is not None and seen.at < previous.last_at:
            return True
        if seen.kind in PROBLEMS:
            return is_late(seen, self.series)
        failed = seen.kind is Kind.FAILURE and seen.breached
        return failed and self._checked_at is not None and self._checked_at >= seen.at

    def _muted(
        self, seen: Observation, now: datetime, previous: Series | None = None
    ) -> Suppression | None:
        return self._why_muted(seen.kind, seen.ticker, importance_of(previous, seen), now)

    def _why_muted(
        self, kind: Kind, ticker: str, importance: Importance, now: datetime
    ) -> Suppression | None:
        if not self._may_be_muted:
            return None
        subject = Subject(
            self.name, ticker, self.settings.category, importance, self._tags, kind.value
        )
        others = self._inhibitors(now) if self._inhibitors else ()
        return muted(subject, now, self._silences, others)

    def _apply(self, seen: Observation, previous: Series | None, decision: Decision) -> None:
        event_id = previous.event_id if previous else None
        series = decision.series
        if decision.action is Action.OPEN:  # any other series knows its event
            event_id = self._open(seen, decision.reason)
            series = replace(series, event_id=event_id)
        elif event_id is not None:
            self._change(self.events[event_id - 1], seen, decision)
        self.series[seen.kind, seen.ticker] = series
        if series.untold is not None:
            self._held.add((seen.kind, seen.ticker))
        if decision.tell is not None and event_id is not None:
            self._tell(seen, event_id, decision)
        if seen.evaluated:
            self._note(seen, decision.action, decision, event_id)
            if seen.kind is Kind.NO_DATA:
                (self._absent.add if seen.reported is None else self._absent.discard)(seen.ticker)

    def _open(self, seen: Observation, reason: str) -> int:
        event = SimulatedEvent(
            len(self.events) + 1,
            seen.kind,
            seen.ticker,
            seen.at,
            seen.importance,
            seen.message,
            reason,
        )
        self.events.append(event)
        return event.id

    @staticmethod
    def _change(event: SimulatedEvent, seen: Observation, decision: Decision) -> None:
        if decision.action is Action.RESOLVE:
            event.resolved_at, event.resolution = seen.at, decision.code
        elif seen.breached:
            event.occurrences += 1
            event.message = seen.message
            if decision.action is Action.ESCALATE:
                event.importance = seen.importance
        if decision.reopen:
            event.acknowledged_by = None

    def _tell(self, seen: Observation, event_id: int, decision: Decision) -> None:
        event = self.events[event_id - 1]
        if decision.again:
            return  # held back before this, and written down then
        if decision.suppressed is None:
            self._remember_told(seen.at)
        reason = _reason(decision, event.importance)
        if decision.action is Action.RESOLVE:
            self._tell_end(event, seen.at, reason, decision.suppressed)
        else:
            self._message(event, seen.at, event.importance, reason, decision.suppressed)

    def _remember_told(self, at: datetime) -> None:
        most = self.settings.policy.max_notifications_per_hour
        if most is not None:
            insort(self._told, at)
            del self._told[:-most]

    def _message(
        self,
        event: SimulatedEvent,
        at: datetime,
        importance: Importance,
        reason: str,
        suppressed: Suppression | None,
    ) -> None:
        routes = [
            route
            for route in self.settings.notify.routes(importance)
            if reason != NotifyReason.REMINDER.value or self.settings.wants_reminder(route)
        ]
        if suppressed is None:
            heard = self._heard_by.setdefault(event.id, {})
            heard |= {(route.channel, route.recipient): route for route in routes}
        self._write(event, at, importance, reason, routes, suppressed)

    def _tell_end(
        self, event: SimulatedEvent, at: datetime, reason: str, suppressed: Suppression | None
    ) -> None:
        """For those who heard of it, whoever they are; an incident ends also while it is mute."""
        routes = [
            route
            for route in self._heard_by.pop(event.id, {}).values()
            if reason != NotifyReason.RESOLVED.value or self.settings.wants_end(route)
        ]
        if routes:
            self._write_news(event, at, reason, routes, suppressed)
        else:
            self._write(event, at, event.importance, reason, (), suppressed)

    def _write_news(
        self,
        event: SimulatedEvent,
        at: datetime,
        reason: str,
        routes: Sequence[Route],
        suppressed: Suppression | None,
    ) -> None:
        """News of an event reaches what goes on, an incident or a thread, even while it is mute."""
        told = [route for route in routes if suppressed is None or route.follows]
        rest = [route for route in routes if route not in told]
        if told:
            self._write(event, at, event.importance, reason, told, None)
        if rest:
            self._write(event, at, event.importance, reason, rest, suppressed)

    def _write(
        self,
        event: SimulatedEvent,
        at: datetime,
        importance: Importance,
        reason: str,
        routes: Sequence[Route],
        suppressed: Suppression | None,
    ) -> None:
        channels = tuple(dict.fromkeys(route.channel for route in routes))
        why = suppressed.sentence if suppressed else None
        self.messages.append(
            Message(at, event.id, event.kind, event.ticker, importance, reason, channels, why)
        )

    def _place(self, seen: Observation, now: datetime) -> None:
        past = self._pasts.get((seen.kind, seen.ticker), _Past()).entries
        count = self.lifecycle.late_neighbours
        before = [self._neighbour(item) for item in past if item[0] <= seen.at][-count:][::-1]
        after = [self._neighbour(item) for item in past if item[0] > seen.at][:count]
        placed = self.lifecycle.decide_late(seen, before, after)
        event_id = placed.event_id
        if event_id is not None:
            event = self.events[event_id - 1]
            event.occurrences += 1
            if placed.place is LateAction.ESCALATE:
                self._raise(event, seen, now)
        elif placed.place is LateAction.BACKFILL:
            event_id = self._open(seen, placed.reason)
            self.events[-1].resolved_at, self.events[-1].resolution = now, "late"
            self._tell_late(seen, event_id, NotifyReason.OPENED.value, now)
        self._note(seen, placed.place.value, placed, event_id)

    def _raise(self, event: SimulatedEvent, seen: Observation, now: datetime) -> None:
        """A late breach matters more than the event it belongs to, be that over or not."""
        event.importance = seen.importance
        if not self.settings.policy.sticky_acknowledgement:
            event.acknowledged_by = None
        key = (seen.kind, seen.ticker)
        known = self.series.get(key)
        if known is not None and known.event_id == event.id:
            held = known.acknowledged and event.acknowledged_by is not None
            self.series[key] = replace(
                known,
                event_importance=seen.importance,
                acknowledged=held,
                acknowledged_until=known.acknowledged_until if held else None,
            )
        if event.acknowledged_by is None:
            self._tell_late(seen, event.id, f"escalated-{seen.importance}", now)

    def _tell_late(self, seen: Observation, event_id: int, reason: str, now: datetime) -> None:
        event = self.events[event_id - 1]
        self._message(event, now, seen.importance, reason, self._muted(seen, now))

    def _neighbour(self, entry: tuple[datetime, bool, int | None]) -> Neighbour:
        _, breached, event_id = entry
        importance = self.events[event_id - 1].importance if event_id else None
        return Neighbour(breached, event_id, importance)

    def _note(
        self,
        seen: Observation,
        action: str,
        why: Decision | LateDecision,
        event_id: int | None,
    ) -> None:
        past = self._pasts.get((seen.kind, seen.ticker)) or self._past(seen.kind, seen.ticker)
        past.add(seen.at, seen.breached, event_id)
        if self._keep_steps:
            self.steps.append(Step(seen, action, why.code, why.reason, event_id))

    # -- between runs ----------------------------------------------------------------------

    @property
    def holds_back(self) -> bool:
        """Is there something that people should have been told and were not?"""
        self._held = {key for key in self._held if self._is_held(key)}
        return bool(self._held)

    def _is_held(self, key: Key) -> bool:
        known = self.series.get(key)
        return known is not None and known.untold is not None

    def release(self, at: datetime) -> None:
        """NotifyReason what was held back and nothing mutes at this moment, without a run: what
        store/releasing.py does every minute."""
        if not self.holds_back:
            return
        for key in [key for key in self.series if key in self._held]:
            kind, ticker = key
            known = self.series[key]
            importance = known.event_importance or self.settings.importance
            world = DecisionContext(self._why_muted(kind, ticker, importance, at), self._told)
            decision = released(policy_for(kind, self.lifecycle.policy), known, world, at)
            if decision is None or known.event_id is None:
                continue
            self.series[key] = decision.series
            event = self.events[known.event_id - 1]
            if decision.reopen:
                event.acknowledged_by = None
            self._remember_told(at)
            self._message(event, at, importance, _reason(decision, importance), None)

    # -- people ----------------------------------------------------------------------------

    def acknowledge(
        self, kind: Kind, ticker: str, at: datetime, by: str, until: datetime | None = None
    ) -> bool:
        """Somebody takes on the open event of a series; False when there is none. What somebody
        else has taken on stays theirs."""
        known = self.series.get((kind, ticker))
        if known is None or known.event_id is None:
            return False
        if not _is_taken(known, at):
            self.series[kind, ticker] = replace(known, acknowledged=True, acknowledged_until=until)
            event = self.events[known.event_id - 1]
            event.acknowledged_by = by
            self._tell_who(event, at, NotifyReason.ACKNOWLEDGED.value)
        return True

    def unacknowledge(self, kind: Kind, ticker: str, at: datetime) -> bool:
        """Nobody has taken it on after all; False when there is no open event."""
        known = self.series.get((kind, ticker))
        if known is None or known.event_id is None:
            return False
        if known.acknowledged:
            self.series[kind, ticker] = replace(known, acknowledged=False, acknowledged_until=None)
            event = self.events[known.event_id - 1]
            event.acknowledged_by = None
            self._tell_who(event, at, NotifyReason.UNACKNOWLEDGED.value)
        return True

    def resolve(self, kind: Kind, ticker: str, at: datetime, by: str) -> bool:
        """Somebody ends the open event of a series; False when there is none."""
        known = self.series.get((kind, ticker))
        if known is None or known.event_id is None:
            return False
        event = self.events[known.event_id - 1]
        decision = resolved_by_hand(known, at, by)
        event.resolved_at, event.resolution = decision.series.ended_at, decision.code
        event.acknowledged_by = event.acknowledged_by or by
        self.series[kind, ticker] = decision.series
        self._tell_who(event, at, NotifyReason.RESOLVED.value)
        self._heard_by.pop(event.id, None)
        if kind in (Kind.ALERT, Kind.NO_DATA):
            self._forget_gone(ticker)
        return True

    def _tell_who(self, event: SimulatedEvent, at: datetime, reason: str) -> None:
        """What a person did, for those who heard of the event and want to know (as store/notices.py
        has it)."""
        ends = reason == NotifyReason.RESOLVED.value
        wants = self.settings.wants_end if ends else self.settings.wants_acknowledgement
        routes = [route for route in self._heard_by.get(event.id, {}).values() if wants(route)]
        if routes:
            mute = self._why_muted(event.kind, event.ticker, event.importance, at)
            self._write_news(event, at, reason, routes, mute)

    def _forget_gone(self, ticker: str) -> None:
        """A ticker that the check no longer reports is known no longer, once both its alert and
        the "no data" about its absence are over (as store/handling.py has it)."""
        alert = self.series.get((Kind.ALERT, ticker))
        absence = self.series.get((Kind.NO_DATA, ticker))
        if alert is None or absence is None or ticker not in self._absent:
            return
        over = Status.FIRING not in (alert.status, absence.status)
        if over and absence.last_at > alert.last_at:
            del self.series[Kind.ALERT, ticker]

    @property
    def firing(self) -> Mapping[Key, Series]:
        """The series with an open event."""
        return {k: v for k, v in self.series.items() if v.status is Status.FIRING}


def _is_taken(known: Series, at: datetime) -> bool:
    until = known.acknowledged_until
    return known.acknowledged and (until is None or until > at)


def _reason(decision: Decision, importance: Importance) -> str:
    """What a message is for, as the outbox has it."""
    assert decision.tell is not None
    if decision.tell is NotifyReason.ESCALATED:
        return f"{decision.tell.value}-{importance}"
    return decision.tell.value
