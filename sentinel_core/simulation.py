"""A rule's lifecycle in memory: what replay and rule tests run, with the code that decides live.

Pure: no clock, no database. It goes through a run as store/recording.py does and keeps what that
would write: events, messages and the reason of every decision.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sentinel_core.alert import Importance
from sentinel_core.judge import Kind, Observation
from sentinel_core.lifecycle import PROBLEMS, Key, Lifecycle, is_late
from sentinel_core.policy import (
    Action,
    Decision,
    LateDecision,
    Neighbour,
    Place,
    Series,
    Status,
    Tell,
    World,
    importance_of,
    resolved_by_hand,
)
from sentinel_core.rule import RuleSettings
from sentinel_core.silence import Inhibitor, Silence, Subject, muted
from sentinel_core.windows import Samples

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
        self.entries.append((at, breached, event_id))
        if len(self.entries) > 1 and at < self.entries[-2][0]:
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
                    self._apply(over, decision)
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
        first = self._first_at if self.lifecycle.look_back else None
        return self.lifecycle.judged(
            seen, self.series.get((seen.kind, seen.ticker)), samples, first
        )

    def _take(self, seen: Observation, now: datetime) -> None:
        previous = self.series.get((seen.kind, seen.ticker))
        fine = previous is None or previous.status is Status.OK
        if not seen.breached and not seen.evaluated and fine:
            return
        if not self._is_late(seen, previous):
            quiet = fine and not seen.breached  # nothing to tell, whoever is muted
            world = World(None if quiet else self._muted(seen, now, previous), self._told)
            self._apply(seen, self.lifecycle.decide(previous, seen, world))
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
    ) -> str | None:
        if not self._silences and self._inhibitors is None:
            return None
        subject = Subject(
            self.name,
            seen.ticker,
            self.settings.category,
            importance_of(previous, seen),
            self._tags,
            seen.kind.value,
        )
        others = self._inhibitors(now) if self._inhibitors else ()
        return muted(subject, now, self._silences, others)

    def _apply(self, seen: Observation, decision: Decision) -> None:
        key = (seen.kind, seen.ticker)
        previous = self.series.get(key)
        event_id = previous.event_id if previous else None
        if decision.action is Action.OPEN:
            event_id = self._open(seen, decision.reason)
        elif event_id is not None:
            self._change(self.events[event_id - 1], seen, decision)
        opened = decision.action is Action.OPEN  # any other series knows its event
        self.series[key] = (
            replace(decision.series, event_id=event_id) if opened else decision.series
        )
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
        assert decision.tell is not None
        importance = self.events[event_id - 1].importance
        reason = decision.tell.value
        if decision.tell is Tell.ESCALATED:
            reason = f"{reason}-{importance}"
        if decision.again:
            return  # held back before this, and written down then
        most = self.settings.policy.max_notifications_per_hour
        if most is not None and decision.suppressed is None:
            insort(self._told, seen.at)
            del self._told[:-most]
        channels = tuple(self.settings.notify.channels(importance))
        self.messages.append(
            Message(
                seen.at,
                event_id,
                seen.kind,
                seen.ticker,
                importance,
                reason,
                channels,
                decision.suppressed,
            )
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
            if placed.place is Place.RAISE:
                self._raise(event, seen, now)
        elif placed.place is Place.PAST:
            event_id = self._open(seen, placed.reason)
            self.events[-1].resolved_at, self.events[-1].resolution = now, "late"
            self._tell_late(seen, event_id, Tell.OPENED.value, now)
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
        channels = tuple(self.settings.notify.channels(seen.importance))
        why = self._muted(seen, now)
        self.messages.append(
            Message(now, event_id, seen.kind, seen.ticker, seen.importance, reason, channels, why)
        )

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
        self._past(seen.kind, seen.ticker).add(seen.at, seen.breached, event_id)
        if self._keep_steps:
            self.steps.append(Step(seen, action, why.code, why.reason, event_id))

    # -- people ----------------------------------------------------------------------------

    def acknowledge(self, kind: Kind, ticker: str, by: str, until: datetime | None = None) -> bool:
        """Somebody takes on the open event of a series; False when there is none."""
        known = self.series.get((kind, ticker))
        if known is None or known.event_id is None:
            return False
        self.series[kind, ticker] = replace(known, acknowledged=True, acknowledged_until=until)
        self.events[known.event_id - 1].acknowledged_by = by
        return True

    def unacknowledge(self, kind: Kind, ticker: str) -> bool:
        """Nobody has taken it on after all; False when there is no open event."""
        known = self.series.get((kind, ticker))
        if known is None or known.event_id is None:
            return False
        self.series[kind, ticker] = replace(known, acknowledged=False, acknowledged_until=None)
        self.events[known.event_id - 1].acknowledged_by = None
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
        if kind in (Kind.ALERT, Kind.NO_DATA):
            self._forget_gone(ticker)
        return True

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
