"""What a rule's recorded evaluations would have come to under these settings or those. Pure.

Stored evaluations become the observations they were before the rule's conditions were asked; a
Simulation judges and decides them again, in the order in which they were recorded, with the
silences, the inhibition and the manual actions of that time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.policy import FLAPPING_STATES, Status
from sentinel_core.decide.simulation import Message, SimulatedEvent, Simulation, Step
from sentinel_core.model.alert import Importance
from sentinel_core.model.rule import Meaning, Policy, RuleSettings
from sentinel_core.model.run import StateType
from sentinel_core.model.silence import Inhibitor, Silence

_BARE = ("Not triggered.", "Triggered.")  # what judge says for a trigger that says nothing
_AGAIN = "The check ran."
_EXAMPLES = 10
_MINUTE = timedelta(minutes=1)
_KINDS = {kind.value: kind for kind in Kind}
_IMPORTANCES = {importance.value: importance for importance in Importance}
_NO_METADATA: dict[str, object] = {}


class Stored(NamedTuple):
    """One evaluation as the store has it. `run` is equal for what one run left behind."""

    run: object
    kind: str
    ticker: str
    at: datetime
    recorded_at: datetime
    triggered: bool | int
    reported: bool | int | None
    said: str | None
    importance: str
    message: str
    metrics: Mapping[str, float]
    measured: bool | int
    prefect_state: str
    decision: str
    decision_code: str
    decision_reason: str
    event_id: int | None


@dataclass(frozen=True, slots=True)
class ManualAction:
    """What somebody did to an event. `ended_at` is when that event was over, if it is."""

    at: datetime
    actor: str
    action: str
    event_id: int
    kind: Kind
    ticker: str
    until: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Firing:
    """A time during which a series of another rule fired and muted others."""

    inhibitor: Inhibitor
    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Past:
    """What surrounded a rule's evaluations: who was muted when, and who did what."""

    rule: str
    silences: Sequence[Silence] = ()
    actions: Sequence[ManualAction] = ()
    firings: Sequence[Firing] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """Settings to replay with. `recorded_as` is the importance the rule had when it was recorded:
    what has it is taken for the rule's own, what has another for the trigger's."""

    settings: RuleSettings
    tags: tuple[str, ...] = ()
    recorded_as: Importance | None = None


@dataclass(frozen=True, slots=True)
class Unlike:
    """An evaluation whose recorded decision is not what this version decides."""

    at: datetime
    kind: Kind
    ticker: str
    recorded: str
    decided: str


@dataclass(slots=True)
class Timeline:
    """What came of it: events and messages from `since` on, events open then included."""

    since: datetime
    events: list[SimulatedEvent] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    runs: int = 0
    evaluations: int = 0
    unlike: int = 0
    examples: list[Unlike] = field(default_factory=list)

    def sent(self) -> Counter[str]:
        """How many messages each channel was sent."""
        told = (m for m in self.messages if m.suppressed is None)
        return Counter(channel for m in told for channel in m.channels)

    def suppressed(self) -> Counter[str]:
        """How many messages were kept from each channel."""
        held = (m for m in self.messages if m.suppressed is not None)
        return Counter(channel for m in held for channel in m.channels)


def replay(
    past: Past,
    runs: Iterable[Sequence[Stored]],
    variants: Sequence[Variant],
    since: datetime,
    *,
    until: datetime | None = None,
    compare: bool = True,
) -> list[Timeline]:
    """Decide recorded runs again, once for each variant; the timeline of each.

    What was due before `since` leads in: it fills windows and opens what was open, and counts for
    nothing else. With `compare`, the first variant's decisions are held against the recorded ones.
    What was held back is told between the runs, and after the last one until `until`, as soon as
    nothing mutes it.
    """
    replays = [
        _Replay(past, variant, since, compare=compare and not number)
        for number, variant in enumerate(variants)
    ]
    actions = _Actions(past.actions)
    for run in runs:
        recorded_at = run[0].recorded_at
        for action in actions.due(recorded_at):
            for one in replays:
                one.pass_time(action.at)
                one.act(action)
        for one in replays:
            one.pass_time(recorded_at)
        seen = [_raw(row) for row in run]
        for one in replays:
            one.take(run, seen)
        actions.note(run)
    for action in actions.rest():
        for one in replays:
            one.pass_time(action.at)
            one.act(action)
    if until is not None:
        for one in replays:
            one.pass_time(until)
    return [one.timeline() for one in replays]


# -- from rows to observations --------------------------------------------------------------


def _raw(row: Stored) -> Observation | None:
    """What the run observed, before conditions; None for what the policy concluded from it."""
    kind = _KINDS[row.kind]
    importance = _IMPORTANCES[row.importance]
    if row.said is not None:  # conditions had a say: back to what the trigger itself said
        breached, message, kind = bool(row.reported), row.said, Kind.ALERT
    elif kind is Kind.NO_DATA and not row.measured:
        return None  # a ticker that was missing among the outputs
    else:
        told = kind is Kind.ALERT and row.reported is not None
        breached, message = bool(row.reported if told else row.triggered), row.message
    return Observation(
        kind,
        row.ticker,
        row.at,
        breached,
        importance,
        message,
        True,
        None,
        row.metrics,  # type: ignore[arg-type]
        _NO_METADATA,
        None if row.reported is None else bool(row.reported),
    )


def _again(at: datetime, importance: Importance) -> Observation:
    """A run that completed says in passing that the rule is not failing."""
    return Observation(Kind.FAILURE, "", at, False, importance, _AGAIN, evaluated=False)


# -- one variant ----------------------------------------------------------------------------


class _Replay:
    """A simulation, fed with what was recorded."""

    def __init__(self, past: Past, variant: Variant, since: datetime, *, compare: bool) -> None:
        self.settings = variant.settings
        self.since = since
        self.found = Timeline(since)
        self.compare = compare
        self.was = variant.recorded_as or variant.settings.importance
        self.conditional = bool(variant.settings.conditions)
        self.same = self.was is variant.settings.importance
        self.asks_missing = variant.settings.policy.on_missing is not Meaning.KEEP
        self.held: list[ManualAction] = []
        self.now: datetime | None = None
        self.simulation = Simulation(
            past.rule,
            variant.settings,
            tags=variant.tags,
            silences=past.silences,
            inhibitors=_Inhibitors(past.firings) if past.firings else None,
            keep_steps=compare,
        )

    def pass_time(self, until: datetime) -> None:
        """The whole minutes from the last moment to this one: reconcile runs at each of them."""
        before, self.now = self.now, until
        if before is None:
            return
        moment = before.replace(second=0, microsecond=0) + _MINUTE
        while moment < until and self.simulation.holds_back:
            self.simulation.release(moment)
            moment += _MINUTE

    def take(self, run: Sequence[Stored], seen: Sequence[Observation | None]) -> None:
        """One run."""
        fresh = [
            self._adapted(one, row) for one, row in zip(seen, run, strict=True) if one is not None
        ]
        if fresh:
            known = self.simulation.series.get((Kind.FAILURE, ""))
            failing = known is not None and known.status is not Status.OK
            if (failing or self.asks_missing) and _completed(fresh):
                fresh.append(_again(fresh[0].at, self.settings.importance))
            self.simulation.run(fresh, run[0].recorded_at)
        if self.held:
            self._act_held(run[0].at)
        if self.compare:
            if run[0].at >= self.since:
                self._compare(run, self.simulation.steps)
            self.simulation.steps.clear()
        if run[0].at >= self.since:
            self.found.runs += 1
            self.found.evaluations += len(run)

    def _adapted(self, one: Observation, row: Stored) -> Observation:
        """As these settings would have had it: the rule's own importance, and its own words."""
        if not self.same and one.importance is self.was and not _cancelled(row):
            one = replace(one, importance=self.settings.importance)
        if one.kind is Kind.ALERT and one.reported is not None:
            if self.conditional and one.message in _BARE:
                return replace(one, message="")
            if not self.conditional and not one.message:
                return replace(one, message=_BARE[one.breached])
        return one

    def _compare(self, run: Sequence[Stored], steps: Sequence[Step]) -> None:
        decided: dict[tuple[str, str], Step] = {
            (step.seen.kind, step.seen.ticker): step for step in steps
        }
        for row in run:
            step = decided.get((row.kind, row.ticker))
            if step is not None and (
                step.code == row.decision_code
                and step.reason == row.decision_reason
                and step.action == row.decision
            ):
                continue
            self.found.unlike += 1
            if len(self.found.examples) < _EXAMPLES:
                now = f"{step.action}: {step.reason}" if step else "not evaluated"
                before = f"{row.decision}: {row.decision_reason}"
                one = Unlike(row.at, _KINDS[row.kind], row.ticker, before, now)
                self.found.examples.append(one)

    def act(self, action: ManualAction) -> None:
        """What somebody did, to the open event of the same series."""
        if not self._act(action) and not self.found.runs:
            self.held.append(action)  # of an event older than what is replayed: once it is there

    def _act(self, action: ManualAction) -> bool:
        sim, kind, ticker = self.simulation, action.kind, action.ticker
        if action.action == "acknowledged":
            return sim.acknowledge(kind, ticker, action.at, action.actor, action.until)
        if action.action == "unacknowledged":
            return sim.unacknowledge(kind, ticker, action.at)
        return action.action != "resolved" or sim.resolve(kind, ticker, action.at, action.actor)

    def _act_held(self, at: datetime) -> None:
        if at >= self.since:
            self.held.clear()
        self.held = [action for action in self.held if not self._act(action)]

    def timeline(self) -> Timeline:
        """What is of the look-back."""
        for event in self.simulation.events:
            if event.resolved_at is None or max(event.resolved_at, event.opened_at) >= self.since:
                self.found.events.append(event)
        self.found.messages = [m for m in self.simulation.messages if m.at >= self.since]
        return self.found


def _completed(fresh: Sequence[Observation]) -> bool:
    return fresh[0].kind not in (Kind.FAILURE, Kind.SKIPPED)


def _cancelled(row: Stored) -> bool:
    """Somebody's cancelled run is of low importance, whatever the rule's."""
    return row.kind == Kind.FAILURE and row.prefect_state == StateType.CANCELLED


class _Inhibitors:
    """Which series of other rules fire at a moment; asked in the order of time."""

    def __init__(self, firings: Sequence[Firing]) -> None:
        self.coming = sorted(firings, key=lambda firing: firing.start, reverse=True)
        self.now: list[Firing] = []

    def __call__(self, at: datetime) -> Iterator[Inhibitor]:
        while self.coming and self.coming[-1].start <= at:
            self.now.append(self.coming.pop())
        # `end` is when the run was due that ended it: only after that moment anybody knew
        self.now = [firing for firing in self.now if firing.end is None or firing.end >= at]
        return (firing.inhibitor for firing in self.now)


class _Actions:
    """Manual actions in the order of time, without those on events that were over by then."""

    def __init__(self, actions: Sequence[ManualAction]) -> None:
        self.coming = sorted(actions, key=lambda action: action.at, reverse=True)
        self.over: set[int] = set()

    def due(self, until: datetime) -> Iterator[ManualAction]:
        while self.coming and self.coming[-1].at <= until:
            action = self.coming.pop()
            if not self._too_late(action):
                yield action

    def rest(self) -> Iterator[ManualAction]:
        while self.coming:
            yield from self.due(self.coming[-1].at)

    def note(self, run: Sequence[Stored]) -> None:
        """An event is over for people once the run that ended it was recorded."""
        for row in run:
            if row.decision == "resolve" and row.event_id is not None:
                self.over.add(row.event_id)

    def _too_late(self, action: ManualAction) -> bool:
        if action.action == "resolved":
            return False
        if action.kind is Kind.ALERT:
            return action.event_id in self.over
        return action.ended_at is not None and action.ended_at <= action.at


def states_needed(policy: Policy) -> int:
    """How many runs before the look-back it takes until nothing older counts."""
    counts = (
        policy.of_last or 0,
        policy.breaches,
        policy.recoveries,
        policy.errors,
        policy.no_data,
        FLAPPING_STATES,
    )
    return max(counts) + FLAPPING_STATES


# -- comparing two --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """One message to one channel."""

    at: datetime
    kind: Kind
    ticker: str
    importance: Importance
    reason: str
    channel: str


@dataclass(frozen=True, slots=True)
class ChannelCount:
    """What one channel is sent and spared, before and after."""

    sent: tuple[int, int]
    suppressed: tuple[int, int]

    @property
    def more(self) -> int:
        """How many more messages it is sent."""
        return self.sent[1] - self.sent[0]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What another set of settings changes. Pairs are (before, after)."""

    added: tuple[SimulatedEvent, ...]
    removed: tuple[SimulatedEvent, ...]
    changed: tuple[tuple[SimulatedEvent, SimulatedEvent], ...]
    told_added: tuple[Told, ...]
    told_removed: tuple[Told, ...]
    channels: Mapping[str, ChannelCount]

    @property
    def more(self) -> int:
        """How many more messages are sent, all channels together; negative for fewer."""
        return sum(count.more for count in self.channels.values())

    @property
    def nothing(self) -> bool:
        """Is it all the same?"""
        return not (
            self.added or self.removed or self.changed or self.told_added or self.told_removed
        )


def compare(before: Timeline, after: Timeline) -> Comparison:
    """What is different in `after`. An event that only begins at another time is a changed one."""
    old = {(e.kind, e.ticker, e.opened_at): e for e in before.events}
    new = {(e.kind, e.ticker, e.opened_at): e for e in after.events}
    pairs = [(old[key], new[key]) for key in old if key in new]
    removed = [event for key, event in old.items() if key not in new]
    added = [event for key, event in new.items() if key not in old]
    moved = _moved(removed, added)
    gone, come = {id(a) for a, _ in moved}, {id(b) for _, b in moved}
    told_before, told_after = Counter(_told(before)), Counter(_told(after))
    return Comparison(
        added=tuple(event for event in added if id(event) not in come),
        removed=tuple(event for event in removed if id(event) not in gone),
        changed=tuple([pair for pair in pairs if _differ(*pair)] + moved),
        told_added=tuple((told_after - told_before).elements()),
        told_removed=tuple((told_before - told_after).elements()),
        channels=_channels(before, after),
    )


def _moved(
    removed: Sequence[SimulatedEvent], added: Sequence[SimulatedEvent]
) -> list[tuple[SimulatedEvent, SimulatedEvent]]:
    """Events of one series that overlap in time are one event that begins earlier or later."""
    waiting: dict[tuple[Kind, str], list[SimulatedEvent]] = {}
    for event in sorted(added, key=lambda event: event.opened_at, reverse=True):
        waiting.setdefault((event.kind, event.ticker), []).append(event)
    found = []
    for event in sorted(removed, key=lambda event: event.opened_at):
        others = waiting.get((event.kind, event.ticker), [])
        while others and _before(others[-1], event):
            others.pop()
        if others and not _before(event, others[-1]):
            found.append((event, others.pop()))
    return found


def _before(one: SimulatedEvent, other: SimulatedEvent) -> bool:
    return one.resolved_at is not None and one.resolved_at <= other.opened_at


def _differ(old: SimulatedEvent, new: SimulatedEvent) -> bool:
    return (old.resolved_at, old.resolution, old.importance, old.reason, old.acknowledged_by) != (
        new.resolved_at,
        new.resolution,
        new.importance,
        new.reason,
        new.acknowledged_by,
    )


def _told(line: Timeline) -> Iterator[Told]:
    for m in line.messages:
        if m.suppressed is None:
            for channel in m.channels:
                yield Told(m.at, m.kind, m.ticker, m.importance, m.reason, channel)


def _channels(before: Timeline, after: Timeline) -> dict[str, ChannelCount]:
    sent, held = (before.sent(), after.sent()), (before.suppressed(), after.suppressed())
    names = sorted({*sent[0], *sent[1], *held[0], *held[1]})
    return {
        name: ChannelCount((sent[0][name], sent[1][name]), (held[0][name], held[1][name]))
        for name in names
    }
