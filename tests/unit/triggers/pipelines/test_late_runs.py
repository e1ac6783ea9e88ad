"""Since when a run is late, and what its event says. Causes have a file of their own."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import AwaitingRetry, Pending, Scheduled

from sentinel_core.model.trigger import PastEvaluation
from triggers.pipelines.due_runs import LateRun, late_run
from triggers.pipelines.late_cause import Cause
from triggers.pipelines.late_runs import LateRuns
from triggers.pipelines.series import looked_at, recovered

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EARLIER = NOON - timedelta(minutes=30)


@pytest.mark.parametrize(
    ("state", "due"),
    [
        (Scheduled(scheduled_time=EARLIER), EARLIER),
        (Scheduled(scheduled_time=EARLIER, name="Late"), EARLIER),
        (Scheduled(scheduled_time=NOON, name="AwaitingConcurrencySlot"), EARLIER),
        (AwaitingRetry(scheduled_time=NOON), NOON),
        (Scheduled(scheduled_time=NOON), NOON),
        (Pending(), None),
    ],
)
def test_a_run_is_due_since(state, due):
    run = FlowRun(id=uuid4(), flow_id=uuid4(), expected_start_time=EARLIER, state=state)
    late = late_run(run)
    assert (late.due if late else None) == due


def late(number: int, minutes: float) -> LateRun:
    due = NOON - timedelta(minutes=minutes)
    return LateRun(UUID(int=number), f"run-{number}", due, "Late", "k8s", "default")


def test_the_event_names_the_oldest_run_the_cause_and_who_is_in_the_way():
    blocking = [{"id": "1", "name": "slow-snail"}]
    output = LateRuns().evaluate(
        "etl/nightly",
        [late(1, 5), late(2, 20)],
        NOON,
        (Cause.POOL_FULL, "the pool is full"),
        blocking,
    )
    assert output.triggered
    assert output.message == (
        "etl/nightly: 2 runs are late. run-2 was due at 2026-03-02 11:40:00 UTC, 20 min ago: "
        "the pool is full (by slow-snail)"
    )
    assert output.metrics == {"value": 2, "oldest_seconds": 1_200}
    assert output.metadata["cause"] == "work_pool_limit"
    assert [run["name"] for run in output.metadata["runs"]] == ["run-2", "run-1"]


def test_one_run_that_is_due_this_very_moment():
    output = LateRuns().evaluate("a/b", [late(1, 0)], NOON, (Cause.UNKNOWN, "who knows"))
    assert output.message.startswith("a/b: 1 run is late.")
    assert output.metrics["oldest_seconds"] == 0


def past(ticker: str, value: float) -> PastEvaluation:
    return PastEvaluation(NOON, ticker, value > 0, {"value": value})


def test_only_series_that_were_looked_at_and_had_something_before_recover():
    evaluations = [past("", 0), past("a/b", 2), past("c/d", 0), past("c/d", 1), past("e/f", 1)]
    known = {"a/b", "c/d", "e/f"}
    assert [one.ticker for one in recovered(evaluations, known, {"e/f"}, "fine")] == ["a/b"]
    assert recovered(evaluations, set(), {"e/f"}, "fine") == []
    assert recovered([], known, set(), "fine") == []


def test_runs_that_were_not_read_are_not_fine():
    [output] = looked_at(None, "", 10, unread=True, most=10)
    assert output.problem == "no_data"
