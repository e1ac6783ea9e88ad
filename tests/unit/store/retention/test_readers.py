"""Readers of evaluations that are gone say so, and take no deleted run for a missing one."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sentinel_core.base.errors import ReplayError
from sentinel_core.model.run import Rule
from sentinel_core.replay.service import FileRule, replay_rule
from sentinel_core.report.coverage import coverage
from sentinel_core.report.figures import Window
from sentinel_core.report.query import figures
from sentinel_core.store.retention.cutoffs import LATEST_RUNS, Periods
from sentinel_core.store.retention.pace import Pace
from sentinel_core.store.retention.prune import prune
from sentinel_core.store.state.rules import RECONCILE, set_checkpoint, sync
from tests.support.runs import a_rule, a_run, at, quiet, told

RULE = a_rule()  # due every five minutes
GO = 24  # runs that go: two hours
RUNS = GO + LATEST_RUNS
END = at(5 * RUNS)


@pytest.fixture(autouse=True)
def _pruned(engine: Engine) -> None:
    """A rule that ran whenever it was due, of which the first two hours are gone."""
    sync(engine, [RULE], at(0))
    for number in range(RUNS):
        told(engine, RULE, a_run(5 * number), [quiet()], now=at(5 * number + 0.1))
    now = END + timedelta(days=1)
    set_checkpoint(engine, RECONCILE, now)
    periods = Periods(timedelta(hours=1), None, None, None)
    done = prune(engine, periods, now, pace=Pace(sleep=lambda _: None))
    assert done.rows["evaluation"] == GO - 1


def the_rule(rule: Rule) -> FileRule:
    """The rule as its file has it."""
    return FileRule(rule.name, rule.flow_name, "prefect.yaml", rule.settings, rule.tags, None)


@pytest.mark.slow("postgres")
def test_a_replay_of_deleted_evaluations_is_refused_and_says_since_when_they_are_there(
    engine: Engine,
) -> None:
    with pytest.raises(ReplayError, match=r"were deleted.*--since 2026-11-02T11:00"):
        replay_rule(engine, the_rule(RULE), at(119), END, deployed=RULE.settings)


def test_a_replay_that_begins_where_evaluations_were_deleted_says_so(engine: Engine) -> None:
    result = replay_rule(engine, the_rule(RULE), at(120), END, deployed=RULE.settings)
    assert result.deployed.runs == LATEST_RUNS
    assert "were deleted" in " ".join(result.notes)


@pytest.mark.slow("postgres")
def test_coverage_counts_from_the_first_evaluation_that_is_kept(engine: Engine) -> None:
    window = Window(at(0), END)
    [rule] = figures(engine, window, END).rules
    found = coverage(rule, window)
    assert found is not None
    assert found.done == found.due
    assert found.due in range(LATEST_RUNS - 5, LATEST_RUNS + 1)
