"""Whatever happens to a rule: what must hold of its events, messages and reasons, at every step."""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sentinel_core.decide.notifying import HOUR, released
from sentinel_core.decide.observe import Kind
from sentinel_core.decide.state import DecisionContext, Series, Status
from sentinel_core.decide.transition import policy_for
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.model.rule import Meaning
from sentinel_core.replay.ledger import MemoryLedger
from sentinel_core.replay.timeline import Evaluated, Event, Notification
from tests.support.histories import (
    ENDS,
    TICKERS,
    Hand,
    Ran,
    Setting,
    any_setting,
    deeds,
    firing,
    hand,
    outcomes,
    ran,
)
from tests.support.runs import at
from tests.support.search import examples

LATE = {"raise", "past"}
IN_TIME = {"recovered", "flapping-ended"}
ENDED = {NotifyReason.RESOLVED.value, NotifyReason.FLAPPING_ENDED.value}
# What people do, for whoever wants to know.
DEEDS = {NotifyReason.ACKNOWLEDGED, NotifyReason.UNACKNOWLEDGED}


class RuleLife(RuleBasedStateMachine):
    """One rule, its runs and the people who handle its events."""

    def __init__(self) -> None:
        super().__init__()
        self.minute = 0
        self.due: set[int] = set()
        self.history: list[Ran | Hand] = []
        self.resolved_by_hand: set[int] = set()
        self.open_before: set[int] = set()
        self.evaluations = self.messages = 0  # how many before the last thing that happened

    @initialize(setting=any_setting())
    def begin(self, setting: Setting) -> None:
        self.setting = setting
        self.sim = setting.simulation()
        self.policy = setting.settings.policy

    # -- what may happen -------------------------------------------------------------------

    def happens(self, item: Ran | Hand) -> None:
        self.open_before = {e.id for e in self.sim.events if e.resolved_at is None}
        self.evaluations, self.messages = len(self.sim.evaluations), len(self.sim.notifications)
        self.history.append(item)
        known = self.sim.series.get(item.key) if isinstance(item, Hand) else None
        done = item.happen(self.sim)
        if known is not None and done and item.what == "resolve":  # type: ignore[union-attr]
            assert known.event_id is not None
            self.resolved_by_hand.add(known.event_id)

    @rule(outcome=outcomes(), step=st.sampled_from([1, 1, 1, 5, 5, 30]))
    def a_run_in_time(self, outcome: Any, step: int) -> None:
        self.minute += step
        self.due.add(self.minute)
        self.happens(ran(self.minute, outcome, now=self.minute))

    @precondition(lambda self: self.minute > 1)
    @rule(outcome=outcomes(), ago=st.integers(1, 40))
    def a_run_that_is_told_late(self, outcome: Any, ago: int) -> None:
        minute = max(0, self.minute - ago)
        if minute not in self.due:
            self.due.add(minute)
            self.happens(ran(minute, outcome, now=self.minute))

    @precondition(lambda self: firing(self.sim))
    @rule(what=deeds, which=st.integers(0, 9), minutes=st.one_of(st.none(), st.integers(1, 60)))
    def a_person(self, what: str, which: int, minutes: int | None) -> None:
        open_series = sorted(firing(self.sim))
        self.happens(hand(what, *open_series[which % len(open_series)], minutes, now=self.minute))

    # -- what must hold --------------------------------------------------------------------

    @invariant()
    def a_series_has_at_most_one_unresolved_event_and_it_is_the_one_it_knows(self) -> None:
        unresolved = {(e.kind, e.ticker): e.id for e in self.sim.events if e.resolved_at is None}
        count = Counter((e.kind, e.ticker) for e in self.sim.events if e.resolved_at is None)
        assert not [key for key, many in count.items() if many > 1]
        assert {key: s.event_id for key, s in firing(self.sim).items()} == unresolved
        for key, series in firing(self.sim).items():
            known = self.sim.events[unresolved[key] - 1]
            assert series.event_importance is known.importance
            assert series.acknowledged == (known.acknowledged_by is not None)
        for series in self.sim.series.values():
            if series.status is not Status.FIRING:
                assert (series.event_id, series.withheld, series.flapping) == (None, None, False)

    @invariant()
    def nobody_is_told_of_what_is_not_open(self) -> None:
        """A message is about an event that is open, or was until the run that ended it; what is
        found out late is told though it is over."""
        late = {
            s.event_id
            for s in self.sim.evaluations[self.evaluations :]
            if s.decision.action in LATE
        }
        for message in self.sim.notifications[self.messages :]:
            about = self.sim.events[message.event_id - 1]
            assert (about.kind, about.ticker) == (message.kind, message.ticker)
            if message.event_id in late:
                continue
            if about.resolved_at is None:
                assert message.reason != NotifyReason.RESOLVED.value
            else:
                assert message.reason in ENDED
                assert message.event_id in self.open_before

    @invariant()
    def the_first_that_is_said_of_an_event_is_that_it_is_there(self) -> None:
        first: dict[int, str] = {}
        for message in self.sim.notifications:
            first.setdefault(message.event_id, message.reason)
        assert first.keys() == {e.id for e in self.sim.events}
        assert set(first.values()) <= {NotifyReason.OPENED.value, NotifyReason.FLAPPING.value}

    @invariant()
    def the_end_of_what_nobody_heard_of_is_not_told(self) -> None:
        heard: set[int] = set()
        for message in self.sim.notifications:
            if message.reason == NotifyReason.RESOLVED.value:
                assert message.event_id in heard
            if message.suppressed is None:
                heard.add(message.event_id)

    @invariant()
    def every_life_is_explained_by_its_steps(self) -> None:
        of: dict[int, list[Evaluated]] = defaultdict(list)
        for step in self.sim.evaluations:
            assert step.decision.code
            assert step.decision.reason
            if step.event_id is not None:
                of[step.event_id].append(step)
        for known in self.sim.events:
            self._explained(known, of[known.id])

    def _explained(self, known: Event, steps: list[Evaluated]) -> None:
        assert {(s.observation.kind, s.observation.ticker) for s in steps} == {
            (known.kind, known.ticker)
        }
        [opening] = [s for s in steps if s.decision.action in ("open", "past")]
        assert (opening.observation.at, opening.decision.reason) == (known.opened_at, known.reason)
        assert opening is min(steps, key=self.sim.evaluations.index)
        breaches = [s for s in steps if s.observation.breached and s.decision.action != "resolve"]
        assert known.occurrences == len(breaches)
        assert known.importance is max(
            (s.observation.importance for s in breaches), key=lambda i: i.rank
        )
        ends = [s for s in steps if s.decision.action == "resolve"]
        assert len(ends) <= 1
        if known.resolved_at is None:
            assert not ends
            assert known.resolution is None
        elif ends:
            assert (ends[0].observation.at, ends[0].decision.code) == (
                known.resolved_at,
                known.resolution,
            )
            assert known.id not in self.resolved_by_hand
        elif known.resolution == "by-hand":
            assert known.id in self.resolved_by_hand
        elif known.resolution == "late":
            assert opening.decision.action == "past"
        else:  # a run ended it in passing: its series was not among what it evaluated
            assert known.resolution in {*IN_TIME, "expired"}
            if known.resolution == "expired":
                assert self.policy.expire_seconds is not None
                since = known.resolved_at - known.opened_at
                assert since >= timedelta(seconds=self.policy.expire_seconds)

    @invariant()
    def what_is_told_keeps_to_the_rate_limit(self) -> None:
        most = self.policy.max_notifications_per_hour
        if most is None:
            return
        told: list[Notification] = []
        late = {s.event_id for s in self.sim.evaluations if s.decision.action in LATE}
        for message in self.sim.notifications:
            if message.suppressed is not None or message.event_id in late:
                continue
            if self.is_of_a_person(message):
                continue
            if message.reason not in ENDED:
                lately = [m for m in told if m.at > message.at - HOUR]
                assert len(lately) < most
            told.append(message)

    @invariant()
    def somebody_who_has_acknowledged_is_left_alone(self) -> None:
        held = {s.event_id for s in firing(self.sim).values() if s.acknowledged}
        fresh = [m for m in self.sim.notifications[self.messages :] if m.reason not in DEEDS]
        assert not [m for m in fresh if m.event_id in held]

    def is_of_a_person(self, message: Notification) -> bool:
        """Does it say what somebody did? No rate limit counts that."""
        by_hand = self.sim.events[message.event_id - 1].resolution == "by-hand"
        return message.reason in DEEDS or (
            by_hand and message.reason == NotifyReason.RESOLVED.value
        )

    # -- at the end ------------------------------------------------------------------------

    def teardown(self) -> None:
        if not self.history:
            return
        event(f"events: {min(len(self.sim.events), 10)}")
        self.the_same_history_again_is_decided_the_same()
        self.everybody_hears_of_what_is_open_once_nothing_mutes_it()
        self.the_order_of_series_that_do_not_interact_does_not_matter()
        self.a_series_alone_lives_as_it_does_among_others()

    def the_same_history_again_is_decided_the_same(self) -> None:
        again = self.setting.after(self.history)
        assert again.evaluations == self.sim.evaluations
        assert again.events == self.sim.events
        assert again.notifications == self.sim.notifications
        assert again.series == self.sim.series

    def everybody_hears_of_what_is_open_once_nothing_mutes_it(self) -> None:
        heard = {m.event_id for m in self.sim.notifications if m.suppressed is None}
        for (kind, _), series in firing(self.sim).items():
            policy = policy_for(kind, self.policy)
            decision = released(policy, series, DecisionContext(), at(ENDS))
            if series.acknowledged and series.acknowledged_until is None:
                assert decision is None
            elif decision is not None:
                assert decision.notify is series.withheld
                assert released(policy, decision.series, DecisionContext(), at(ENDS)) is None
            else:
                assert series.event_id in heard

    def the_order_of_series_that_do_not_interact_does_not_matter(self) -> None:
        if self.policy.max_notifications_per_hour is not None:
            return
        shuffled = [
            replace(item, outputs=item.outputs[::-1]) if isinstance(item, Ran) else item
            for item in self.history
        ]
        other = self.setting.after(shuffled)
        for key in {*self.sim.series, *other.series}:
            assert lived(other, *key) == lived(self.sim, *key)

    def a_series_alone_lives_as_it_does_among_others(self) -> None:
        policy, rules = self.policy, self.setting.settings
        interact = (
            policy.max_notifications_per_hour is not None
            or policy.expire_seconds is not None  # any run of the rule lets others expire
            or policy.on_missing is not Meaning.KEEP
            or any(getattr(one, "over_seconds", None) for one in rules.conditions)
        )
        if interact:
            return
        alone = [
            item if isinstance(item, Hand) or not item.outputs else item.without("A").without("B")
            for item in self.history
        ]
        # a run that was about the others only did not find "nothing"
        kept = [
            item
            for item, before in zip(alone, self.history, strict=True)
            if isinstance(item, Hand) or item.outputs or not before.outputs  # type: ignore[union-attr]
        ]
        other = self.setting.after(kept)
        for kind in (Kind.ALERT, Kind.ERROR, Kind.NO_DATA):
            assert lived(other, kind, TICKERS[2]) == lived(self.sim, kind, TICKERS[2])


def lived(sim: MemoryLedger, kind: Kind, ticker: str) -> dict[str, Any]:
    """All that is known of one series, without the numbers of its events."""
    series = sim.series.get((kind, ticker))
    return {
        "steps": [
            (s.observation, s.decision.action, s.decision.code, s.decision.reason)
            for s in sim.evaluations
            if (s.observation.kind, s.observation.ticker) == (kind, ticker)
        ],
        "events": [replace(e, id=0) for e in sim.events if (e.kind, e.ticker) == (kind, ticker)],
        "messages": [
            replace(m, event_id=0)
            for m in sim.notifications
            if (m.kind, m.ticker) == (kind, ticker)
        ],
        "series": nameless(series) if series else None,
    }


def nameless(series: Series) -> Series:
    """Without the number of its event."""
    return replace(series, event_id=None)


TestRuleLife = RuleLife.TestCase
TestRuleLife.settings = settings(
    max_examples=examples(250),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
