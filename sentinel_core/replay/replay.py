"""Replays a rule's recorded evaluations under other settings. Pure.

Stored evaluations become the observations they were before the rule's conditions were asked; they
are judged and decided again, in the order in which they were recorded, with the silences, the
inhibition and the manual actions of that time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sentinel_core.decide.flapping import FLAPPING_STATES
from sentinel_core.decide.late import LateDecision
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.state import Decision, Status
from sentinel_core.model.rule import Meaning, Policy
from sentinel_core.model.silence import Inhibitor
from sentinel_core.replay.actions import acknowledge, resolve, unacknowledge
from sentinel_core.replay.ledger import MemoryLedger
from sentinel_core.replay.recorded import Firing, ManualAction, Past, Stored, Variant
from sentinel_core.replay.timeline import Mismatch, Timeline

_BARE = ("Not triggered.", "Triggered.")  # the message of a trigger that gives none
_EXAMPLES = 10
_MINUTE = timedelta(minutes=1)


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

    What was due before `since` only fills windows and opens the events that were open. With
    `compare`, the first variant's decisions are compared with the recorded ones. A notification
    that was withheld is sent between the runs, and after the last one until `until`, as soon as
    nothing suppresses it; an acknowledgement whose time is over ends in the same way.
    """
    replays = [
        _Replay(past, variant, since, compare=compare and not number)
        for number, variant in enumerate(variants)
    ]
    actions = _Actions(past.actions)

    def act(due: Iterable[ManualAction]) -> None:
        for action in due:
            for each in replays:
                each.pass_time(action.at)
                each.act(action)

    for run in runs:
        recorded_at = run[0].recorded_at
        act(actions.due(recorded_at))
        observations = [row.observation() for row in run]
        for each in replays:
            each.pass_time(recorded_at)
            each.take(run, observations)
        actions.note_ended(run)
    act(actions.rest())
    for each in replays:
        if until is not None:
            each.pass_time(until)
    return [each.timeline() for each in replays]


class _Replay:
    """A ledger, fed with what was recorded, under one variant's settings."""

    def __init__(self, past: Past, variant: Variant, since: datetime, *, compare: bool) -> None:
        self.settings = variant.settings
        self.since = since
        self.result = Timeline(since)
        self.compare = compare
        self.recorded_as = variant.recorded_as or variant.settings.importance
        self.same_importance = self.recorded_as is variant.settings.importance
        self.has_conditions = bool(variant.settings.conditions)
        self.asks_missing = variant.settings.policy.on_missing is not Meaning.KEEP
        self.early_actions: list[ManualAction] = []
        self.now: datetime | None = None
        self.ledger = MemoryLedger(
            past.rule,
            variant.settings,
            tags=variant.tags,
            silences=past.silences,
            inhibitors=_Inhibitors(past.firings) if past.firings else None,
            keep_evaluations=compare,
            latest_by=past.latest_by,
        )

    def pass_time(self, until: datetime) -> None:
        """The whole minutes from the last moment to this one, with what reconcile does at each."""
        before, self.now = self.now, until
        ledger = self.ledger
        if before is None or not ledger.waits:
            return
        moment = before.replace(second=0, microsecond=0) + _MINUTE
        while moment < until and ledger.waits:
            ledger.release(moment)
            moment += _MINUTE

    def take(self, run: Sequence[Stored], observations: Sequence[Observation | None]) -> None:
        """Feed one recorded run into the ledger."""
        fresh = [
            self._adapted(observation, row)
            for observation, row in zip(observations, run, strict=True)
            if observation is not None
        ]
        at = run[0].at
        if fresh:
            self._add_implied(fresh)
            self.ledger.run(fresh, run[0].recorded_at)
        if self.early_actions:
            if at >= self.since:
                self.early_actions.clear()
            self.early_actions = [one for one in self.early_actions if not self._act(one)]
        if self.compare:
            if at >= self.since:
                self._compare(run)
            self.ledger.evaluations.clear()
        if at >= self.since:
            self.result.runs += 1
            self.result.evaluations += len(run)

    def _adapted(self, observation: Observation, row: Stored) -> Observation:
        """As these settings would have had it: the rule's own importance, and its own words."""
        own = not self.same_importance and observation.importance is self.recorded_as
        if own and not row.cancelled:
            observation = replace(observation, importance=self.settings.importance)
        if observation.kind is Kind.ALERT and observation.reported is not None:
            if self.has_conditions and observation.message in _BARE:
                return replace(observation, message="")
            if not self.has_conditions and not observation.message:
                return replace(observation, message=_BARE[observation.breached])
        return observation

    def _add_implied(self, fresh: list[Observation]) -> None:
        """A run that completed implies that the rule is not failing."""
        failing = self.ledger.series.get((Kind.FAILURE, ""))
        failed = failing is not None and failing.status is not Status.OK
        completed = fresh[0].kind not in (Kind.FAILURE, Kind.SKIPPED)
        if completed and (failed or self.asks_missing):
            at, importance = fresh[0].at, self.settings.importance
            ran = Observation(
                Kind.FAILURE, "", at, False, importance, "The check ran.", evaluated=False
            )
            fresh.append(ran)

    def _compare(self, run: Sequence[Stored]) -> None:
        decided: dict[tuple[str, str], Decision | LateDecision] = {
            (each.observation.kind, each.observation.ticker): each.decision
            for each in self.ledger.evaluations
        }
        for row in run:
            now = decided.get((row.kind, row.ticker))
            if now is not None and (
                now.code == row.decision_code
                and now.reason == row.decision_reason
                and now.action == row.decision
            ):
                continue
            self.result.mismatches += 1
            if len(self.result.examples) < _EXAMPLES:
                text = f"{now.action}: {now.reason}" if now else "not evaluated"
                before = f"{row.decision}: {row.decision_reason}"
                self.result.examples.append(
                    Mismatch(row.at, Kind(row.kind), row.ticker, before, text)
                )

    def act(self, action: ManualAction) -> None:
        """Apply a person's action to the open event of the same series."""
        if not self._act(action) and not self.result.runs:
            self.early_actions.append(action)  # applied once the replay has opened that event

    def _act(self, action: ManualAction) -> bool:
        ledger, kind, ticker = self.ledger, action.kind, action.ticker
        if action.action == "acknowledged":
            until, limits = action.until, action.limits
            return acknowledge(ledger, kind, ticker, action.at, action.actor, until, limits)
        if action.action == "unacknowledged":
            return unacknowledge(ledger, kind, ticker, action.at)
        return action.action != "resolved" or resolve(ledger, kind, ticker, action.at, action.actor)

    def timeline(self) -> Timeline:
        """The events and notifications from `since` on."""
        for event in self.ledger.events:
            if event.resolved_at is None or max(event.resolved_at, event.opened_at) >= self.since:
                self.result.events.append(event)
        self.result.notifications = [n for n in self.ledger.notifications if n.at >= self.since]
        self.result.reactions = [r for r in self.ledger.reactions if r.at >= self.since]
        return self.result


class _Inhibitors:
    """The series of other rules that fire at a moment, in the store's order.

    Asked in the order of time.
    """

    def __init__(self, firings: Sequence[Firing]) -> None:
        self.coming = sorted(firings, key=lambda firing: firing.start, reverse=True)
        self.now: list[Firing] = []

    def __call__(self, at: datetime) -> Iterator[Inhibitor]:
        while self.coming and self.coming[-1].start <= at:
            self.now.append(self.coming.pop())
            self.now.sort(key=lambda firing: (firing.inhibitor.rule, firing.inhibitor.ticker))
        self.now = [firing for firing in self.now if firing.end is None or at < firing.end]
        return (firing.inhibitor for firing in self.now)


class _Actions:
    """Manual actions in the order of time, without those on events that were over by then."""

    def __init__(self, actions: Sequence[ManualAction]) -> None:
        self.coming = sorted(actions, key=lambda action: action.at, reverse=True)
        self.ended: set[int] = set()

    def due(self, until: datetime) -> Iterator[ManualAction]:
        while self.coming and self.coming[-1].at <= until:
            action = self.coming.pop()
            if not self._too_late(action):
                yield action

    def rest(self) -> Iterator[ManualAction]:
        while self.coming:
            yield from self.due(self.coming[-1].at)

    def note_ended(self, run: Sequence[Stored]) -> None:
        """An event is over for people once the run that ended it was recorded."""
        if not self.coming:
            return
        for row in run:
            if row.decision == "resolve" and row.event_id is not None:
                self.ended.add(row.event_id)

    def _too_late(self, action: ManualAction) -> bool:
        if action.action == "resolved":
            return False
        if action.kind is Kind.ALERT:
            return action.event_id in self.ended
        return action.ended_at is not None and action.ended_at <= action.at


def states_needed(policy: Policy) -> int:
    """The number of runs before the look-back beyond which nothing counts."""
    counts = (
        policy.of_last or 0,
        policy.breaches,
        policy.recoveries,
        policy.errors,
        policy.no_data,
        FLAPPING_STATES,
    )
    return max(counts) + FLAPPING_STATES
