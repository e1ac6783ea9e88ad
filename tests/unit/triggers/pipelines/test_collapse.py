"""Runs that fail because the run that started them fails: one event, and none is lost."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sentinel_core import AlertOutput
from sentinel_core.model.trigger import PastEvaluation
from triggers.pipelines import collapse
from triggers.pipelines.ended_run import EndedRun, Ending
from triggers.pipelines.ended_since import EndedSince
from triggers.pipelines.flow_run_failures import FlowRunFailures
from triggers.pipelines.starting_run import StartingRun

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DONE, FAILED, CANCELLED = Ending.COMPLETED, Ending.FAILED, Ending.CANCELLED
ROOT = "etl/nightly"


def run(number: int, ending: Ending = FAILED) -> EndedRun:
    at = NOON + timedelta(minutes=number)
    return EndedRun(UUID(int=number), f"run-{number}", ending, "Failed", "torn", at, at)


class Rule:
    """A rule whose evaluations are kept, as the store would keep them."""

    def __init__(self, **settings: object) -> None:
        self.trigger = FlowRunFailures(**settings)
        self.past: dict[str, PastEvaluation] = {}

    def check(
        self,
        runs: dict[str, list[EndedRun]],
        starters: dict[int, list[StartingRun]] | None = None,
    ) -> dict[str, AlertOutput]:
        """The outputs of one evaluation, by series; `starters` by the number of the run."""
        started = {UUID(int=key): tuple(row) for key, row in (starters or {}).items()}
        ended = EndedSince((), runs, NOON, NOON, starters=started)
        outputs = {o.ticker: o for o in self.trigger.evaluate_all(ended, self.past.get)}
        for ticker, output in outputs.items():
            self.past[ticker] = PastEvaluation(
                NOON, ticker, output.triggered, output.metrics, output.metadata
            )
        return outputs

    def firing(self) -> set[str]:
        """The series whose newest evaluation was triggered."""
        return {ticker for ticker, one in self.past.items() if one.triggered}


def started_by(ending: Ending | None, ticker: str | None = ROOT) -> list[StartingRun]:
    return [StartingRun(ticker, ending)]


def downstream(count: int, ending: Ending | None) -> tuple[dict, dict]:
    runs = {f"load/{n:03}": [run(n)] for n in range(1, count + 1)}
    return runs, {n: started_by(ending) for n in range(1, count + 1)}


def test_forty_downstream_failures_are_one_event_which_ends_as_one():
    rule = Rule()
    runs, starters = downstream(40, FAILED)
    outputs = rule.check({ROOT: [run(99)], **runs}, starters)
    assert rule.firing() == {ROOT}
    event = outputs[ROOT]
    assert (event.metrics["value"], event.metrics["started_runs"]) == (41, 40)
    assert "40 runs that it started failed (load/001, " in event.message
    assert "and 35 more" in event.message
    assert event.metadata["started"][0]["series"] == "load/040"
    assert (len(event.metadata["started"]), event.metadata["started_not_listed"]) == (20, 20)
    assert event.metadata["joined_series"] == sorted(runs)
    assert "which is part of the event of etl/nightly" in outputs["load/007"].message
    rule.check({ROOT: [run(100, DONE)], **{name: [run(101, DONE)] for name in runs}})
    assert rule.firing() == set()


def test_a_failure_under_a_run_that_still_runs_is_an_event_at_once():
    rule = Rule()
    runs, starters = downstream(2, None)
    outputs = rule.check(runs, starters)
    assert rule.firing() == {ROOT}
    assert outputs[ROOT].message == (
        "etl/nightly: 2 runs that it started failed (load/001, load/002). The newest: run-2 "
        "Failed at 2026-03-02 12:02:00 UTC: torn"
    )
    assert outputs[ROOT].metrics["newest_failed"] == 1
    rule.check({ROOT: [run(99)]})
    assert rule.firing() == {ROOT}


def test_what_has_not_recovered_with_the_run_that_started_it_has_an_event_of_its_own():
    rule = Rule()
    runs, starters = downstream(3, None)
    rule.check(runs, starters)
    rule.check({"load/002": [run(50, DONE)]})  # started once more, by the run that still runs
    outputs = rule.check({ROOT: [run(99, DONE)], "load/003": [run(98, DONE)]})
    assert rule.firing() == {"load/001"}
    own = outputs["load/001"]
    assert own.message == (
        "load/001: etl/nightly, which started it, has recovered, and this has not: no run has "
        "ended well since 1 run failed. run-1: torn"
    )
    assert own.metadata["runs"][0]["id"] == str(UUID(int=1))
    rule.check({"load/001": [run(100, DONE)]})
    assert rule.firing() == set()


def test_series_that_joined_long_ago_are_not_forgotten():
    rule = Rule()
    rule.check({ROOT: [run(9)], "load/001": [run(1)]}, {1: started_by(FAILED)})
    for number in (20, 30):
        rule.check({ROOT: [run(number)]})
        assert rule.firing() == {ROOT}
    rule.check({ROOT: [run(40, CANCELLED)]})
    assert rule.firing() == {ROOT}
    rule.check({ROOT: [run(50, DONE)]})
    assert rule.firing() == {"load/001"}


def test_a_failure_that_the_starting_run_coped_with_is_its_own():
    rule = Rule()
    rule.check({ROOT: [run(9, DONE)], "load/001": [run(1)]}, {1: started_by(DONE)})
    assert rule.firing() == {"load/001"}


def test_a_late_failure_after_the_series_has_recovered_is_its_own():
    rule = Rule()
    rule.check({ROOT: [run(8), run(9, DONE)], "load/001": [run(7)]}, {7: started_by(FAILED)})
    assert "load/001" in rule.firing()


def test_an_ending_that_the_rule_ignores_takes_no_failures_in():
    rule = Rule(ignore=["crashed"])
    rule.check({"load/001": [run(1)]}, {1: started_by(Ending.CRASHED)})
    assert rule.firing() == {"load/001"}


def test_a_run_without_an_event_to_join_has_its_own():
    rule = Rule()
    rule.check({"load/001": [run(1)]}, {1: started_by(FAILED, None)})
    assert rule.firing() == {"load/001"}


def test_a_series_that_fails_by_itself_goes_on_in_its_own_event():
    rule = Rule()
    rule.check({"load/001": [run(1)]})
    rule.check({ROOT: [run(9)], "load/001": [run(2)]}, {2: started_by(FAILED)})
    assert rule.firing() == {ROOT, "load/001"}
    both = Rule()
    outputs = both.check({ROOT: [run(9)], "load/001": [run(1), run(2)]}, {2: started_by(FAILED)})
    assert both.firing() == {ROOT, "load/001"}
    assert outputs["load/001"].metrics["value"] == 2


def test_more_series_than_an_event_lists_have_events_of_their_own(monkeypatch):
    monkeypatch.setattr(collapse, "MOST_JOINED", 2)
    rule = Rule()
    runs, starters = downstream(3, None)
    rule.check(runs, starters)
    assert rule.firing() == {ROOT, "load/003"}


def test_the_highest_importance_of_all_joined_runs_is_that_of_the_event():
    rule = Rule(importances={"crashed": "critical", "failed": "low"})
    starters = {1: started_by(None)}
    outputs = rule.check({"load/001": [run(1, Ending.CRASHED)]}, starters)
    assert outputs[ROOT].importance == "critical"
