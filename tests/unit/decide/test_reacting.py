"""Which reactions start, wait or are skipped, and the sentence that says why."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from sentinel_core.decide.observe import Kind, Observation, judge
from sentinel_core.decide.reacting import Cause, Change, Planned, Reactor, identity_of, runs_in
from sentinel_core.model.alert import Importance
from sentinel_core.model.reaction import Occasion, ReactionCode, ReactionStatus
from sentinel_core.model.reasons import Suppression, SuppressionCode
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.silence import Matchers
from sentinel_core.replay.actions import resolve
from sentinel_core.replay.ledger import MemoryLedger
from tests.support.runs import NOW, a_run, a_silence, at, fired, quiet

RETRAIN: dict[str, Any] = {"run": "retrain/nightly", "times_per_hour": 2}
IDENTITY = "drift on_open: run retrain/nightly"


def a_change(**fields: Any) -> Change:
    seen = Observation(
        Kind.ALERT, "EU", NOW, True, Importance.HIGH, "drifted", metrics={"drift": 0.2}
    )
    return replace(Change(Occasion.OPEN, seen, Importance.HIGH), **fields)


def planned(
    change: Change, reaction: dict[str, Any], lately: list[datetime] | None = None
) -> list[Planned]:
    settings = RuleSettings.model_validate({f"on_{change.occasion}": [reaction]})
    reactor = Reactor("drift", settings, NOW, lambda _: lately or [])
    return list(reactor.plan(change))


def test_a_reaction_starts() -> None:
    [plan] = planned(a_change(), {**RETRAIN, "parameters": {"drift": "{{ event.metrics.drift }}"}})
    assert (plan.status, plan.code, plan.identity) == (ReactionStatus.PENDING, None, IDENTITY)
    assert plan.chain == (IDENTITY,)
    assert plan.parameters("drift", "Models", 12) == {"drift": 0.2}


def test_a_reaction_waits_for_its_approval() -> None:
    [plan] = planned(a_change(), {**RETRAIN, "approval": True})
    assert (plan.status, plan.code) == (ReactionStatus.WAITING, None)


def test_each_value_of_the_event_has_a_name() -> None:
    names = ("id", "rule", "ticker", "kind", "category", "importance", "message", "at", "run_id")
    parameters = {name: f"{{{{ event.{name} }}}}" for name in names}
    [plan] = planned(a_change(run_id="r1"), {**RETRAIN, "parameters": parameters})
    assert plan.parameters("drift", "Models", 12) == {
        "id": 12,
        "rule": "drift",
        "ticker": "EU",
        "kind": "alert",
        "category": "Models",
        "importance": "high",
        "message": "drifted",
        "at": NOW.isoformat(),
        "run_id": "r1",
    }


def test_a_value_that_is_missing_keeps_it_from_starting() -> None:
    [plan] = planned(a_change(), {**RETRAIN, "parameters": {"x": "{{ event.metrics.psi }}"}})
    assert (plan.status, plan.code) == (ReactionStatus.FAILED, ReactionCode.PARAMETERS)
    assert plan.sentence == "not started: the event has no value event.metrics.psi"


@pytest.mark.parametrize(("kind", "plans"), [(Kind.ALERT, 1), (Kind.FAILURE, 0), (Kind.ERROR, 1)])
def test_only_chosen_kinds_of_events_are_reacted_to(kind: Kind, plans: int) -> None:
    change = a_change()
    change = replace(change, observation=replace(change.observation, kind=kind))
    assert len(planned(change, {**RETRAIN, "kinds": ["alert", "error"]})) == plans


@pytest.mark.parametrize(
    ("minutes", "status"),
    [
        ([50], ReactionStatus.PENDING),
        ([50, 10], ReactionStatus.SKIPPED),
        ([60, 10], ReactionStatus.PENDING),
        ([70, 65, 61], ReactionStatus.PENDING),
        ([59, 58, 1], ReactionStatus.SKIPPED),
    ],
)
def test_the_bound_counts_the_last_hour(minutes: list[int], status: ReactionStatus) -> None:
    [plan] = planned(a_change(), RETRAIN, [NOW - timedelta(minutes=m) for m in minutes])
    assert plan.status is status
    if status is ReactionStatus.SKIPPED:
        assert plan.code is ReactionCode.BOUND
        assert plan.sentence.startswith("the bound is reached (times_per_hour: 2), free again from")


def test_the_bound_says_when_it_is_free_again() -> None:
    [plan] = planned(a_change(), RETRAIN, [NOW - timedelta(minutes=m) for m in (40, 30, 10)])
    assert plan.sentence.endswith(f"free again from {NOW + timedelta(minutes=30):%H:%M}") or (
        f"{NOW + timedelta(minutes=30):%H:%M}" in plan.sentence
    )


def test_a_muted_event_starts_nothing() -> None:
    muted = Suppression(SuppressionCode.SILENCED, "silenced by ana: new disks")
    [plan] = planned(a_change(suppression=muted), RETRAIN)
    assert (plan.status, plan.code) == (ReactionStatus.SKIPPED, ReactionCode.MUTED)
    assert plan.sentence == "the event is muted: silenced by ana: new disks"


def test_a_reaction_never_answers_an_event_it_caused() -> None:
    [plan] = planned(a_change(cause=Cause(3, 11, (IDENTITY,))), RETRAIN)
    assert (plan.status, plan.code) == (ReactionStatus.SKIPPED, ReactionCode.LOOP)
    assert plan.sentence == (
        f"a loop: {IDENTITY} → {IDENTITY} (this event is about the run that reaction 3 of event "
        "11 started)"
    )


def test_a_loop_over_other_rules_is_found_and_named() -> None:
    other = "failures on_open: run repair/now"
    first = "before on_open: run x/y"
    [plan] = planned(a_change(cause=Cause(9, 14, (first, IDENTITY, other))), RETRAIN)
    assert plan.code is ReactionCode.LOOP
    assert plan.sentence.startswith(f"a loop: {IDENTITY} → {other} → {IDENTITY} (")


def test_an_event_that_another_reaction_caused_is_reacted_to_with_the_whole_chain() -> None:
    other = "failures on_open: run repair/now"
    [plan] = planned(a_change(cause=Cause(9, 14, (other,))), RETRAIN)
    assert (plan.status, plan.chain) == (ReactionStatus.PENDING, (other, IDENTITY))


def test_one_reactor_counts_what_it_has_planned_itself() -> None:
    settings = RuleSettings.model_validate({"on_open": [RETRAIN]})
    reads: list[str] = []
    reactor = Reactor("drift", settings, NOW, lambda identity: reads.append(identity) or [])
    plans = [plan for _ in range(3) for plan in reactor.plan(a_change())]
    assert [plan.code for plan in plans] == [None, None, ReactionCode.BOUND]
    assert reads == [IDENTITY]


def test_the_identity_names_rule_occasion_action_and_target() -> None:
    settings = RuleSettings.model_validate(
        {"on_resolve": [{"resume": "ingest/hourly"}], "on_escalate": [{"retry": "failed-run"}]}
    )
    named = [
        identity_of("drift", occasion, reaction)
        for occasion in (Occasion.RESOLVE, Occasion.ESCALATE)
        for reaction in settings.reactions(occasion)
    ]
    assert named == [
        "drift on_resolve: resume ingest/hourly",
        "drift on_escalate: retry failed-run",
    ]


def test_the_runs_that_evidence_names_are_found_in_its_order() -> None:
    assert runs_in({"run_id": "a", "runs": [{"id": "b"}, "x", {"name": "y"}, {"id": "a"}]}) == [
        "a",
        "b",
    ]
    assert runs_in({"tasks": [{"id": "task", "flow_run": "c"}]}) == ["c"]
    assert runs_in({"flow_run_id": "d", "runs": "none"}) == ["d"]
    assert runs_in({"run_id": 5}) == []


# -- in a run -------------------------------------------------------------------------------------


def a_ledger(*silences: Any, **reactions: Any) -> MemoryLedger:
    settings = {"importance": "high", "policy": {"flapping": None}, **reactions}
    return MemoryLedger("drift", RuleSettings.model_validate(settings), silences=silences)


def ran(ledger: MemoryLedger, minute: float, *outputs: Any) -> None:
    ledger.run(judge(a_run(minute), ledger.settings, list(outputs)))


def test_each_change_of_an_event_has_its_reaction_once() -> None:
    ledger = a_ledger(
        on_open=[{"run": "a/open"}], on_escalate=[{"run": "a/more"}], on_resolve=[{"run": "a/end"}]
    )
    ran(ledger, 0, fired())
    ran(ledger, 1, fired())
    ran(ledger, 2, fired(importance="critical"))
    ran(ledger, 3, fired(importance="critical"))
    ran(ledger, 4, quiet())
    ran(ledger, 5, quiet())
    assert [(r.at, r.event_id, r.occasion.value, r.target) for r in ledger.reactions] == [
        (at(0), 1, "open", "a/open"),
        (at(2), 1, "escalate", "a/more"),
        (at(4), 1, "resolve", "a/end"),
    ]


def test_an_end_by_hand_is_reacted_to() -> None:
    ledger = a_ledger(on_resolve=[{"run": "a/end", "parameters": {"t": "{{ event.ticker }}"}}])
    ran(ledger, 0, fired())
    assert resolve(ledger, Kind.ALERT, "AAPL", at(1), "ana")
    [reacted] = ledger.reactions
    assert (reacted.at, reacted.parameters) == (at(1), {"t": "AAPL"})


def test_a_late_breach_that_raises_the_importance_is_reacted_to_while_the_event_is_open() -> None:
    ledger = a_ledger(on_escalate=[{"run": "a/more"}])
    ran(ledger, 0, fired())
    ran(ledger, 2, fired())
    ran(ledger, 1, fired(importance="critical"))
    assert [r.target for r in ledger.reactions] == ["a/more"]
    ended = a_ledger(on_escalate=[{"run": "a/more"}])
    ran(ended, 0, fired())
    ran(ended, 2, fired())
    ran(ended, 3, quiet())
    ran(ended, 1, fired(importance="critical"))
    assert ended.reactions == []


def test_an_event_that_was_over_before_it_was_recorded_is_not_reacted_to() -> None:
    ledger = a_ledger(on_open=[{"run": "a/open"}], on_resolve=[{"run": "a/end"}])
    ran(ledger, 0, quiet())
    ran(ledger, 2, quiet())
    ran(ledger, 1, fired())
    assert len(ledger.events) == 1
    assert ledger.reactions == []


def test_a_silence_of_the_event_skips_its_reactions() -> None:
    ledger = a_ledger(a_silence(0, 60, matchers=Matchers(ticker="AAPL")), on_open=[RETRAIN])
    ran(ledger, 0, fired("AAPL"), fired("MSFT"))
    assert [(r.ticker, r.code) for r in ledger.reactions] == [
        ("AAPL", ReactionCode.MUTED),
        ("MSFT", None),
    ]


def test_a_thousand_events_start_no_more_runs_than_the_bound_and_each_says_so() -> None:
    ledger = a_ledger(on_open=[RETRAIN])
    ran(ledger, 0, *(fired(f"T{n:04}") for n in range(1_000)))
    begun = [r for r in ledger.reactions if r.status is ReactionStatus.PENDING]
    held = [r for r in ledger.reactions if r.code is ReactionCode.BOUND]
    assert (len(begun), len(held)) == (2, 998)
    assert all("times_per_hour: 2" in r.sentence for r in held)


def test_the_bound_holds_over_runs_and_ends_with_the_hour() -> None:
    ledger = a_ledger(on_open=[RETRAIN])
    for minute in range(0, 140, 10):
        ran(ledger, minute, fired(f"T{minute}"))
    begun = [r.at for r in ledger.reactions if r.status is ReactionStatus.PENDING]
    assert begun == [at(0), at(10), at(60), at(70), at(120), at(130)]


def test_two_reactions_have_a_bound_each() -> None:
    ledger = a_ledger(on_open=[{**RETRAIN, "times_per_hour": 1}, {"run": "b/c"}])
    ran(ledger, 0, fired("A"), fired("B"))
    assert [(r.target, r.status.value) for r in ledger.reactions] == [
        ("retrain/nightly", "pending"),
        ("b/c", "pending"),
        ("retrain/nightly", "skipped"),
        ("b/c", "pending"),
    ]
