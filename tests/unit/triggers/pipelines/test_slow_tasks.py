"""When a task was slow, and which runs say that it is not any longer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import TaskRun
from prefect.states import Completed, Failed, Running

from triggers.pipelines.ended_run import EndedRun, Ending
from triggers.pipelines.slow import p95
from triggers.pipelines.slow_tasks import SlowTasks, TimedTask, timed_task

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def run(number: int, ending: Ending = Ending.COMPLETED) -> EndedRun:
    at = NOON + timedelta(minutes=number)
    return EndedRun(UUID(int=number), f"run-{number}", ending, "", "", at, at, at, 9)


def task(flow_run: int, seconds: float, name: str = "load") -> TimedTask:
    return TimedTask(uuid4(), UUID(int=flow_run), f"{name}-1", name, f"{name}-0", seconds, NOON)


@pytest.mark.parametrize(
    ("settings", "seconds", "p95", "code"),
    [
        ({"max_seconds": 600}, 600, None, None),
        ({"max_seconds": 600}, 601, None, "limit"),
        ({}, 9_999, None, None),
        ({}, 150, 100, None),
        ({}, 151, 100, "earlier_runs"),
        ({}, 60, 10, None),
        ({}, 61, 10, "earlier_runs"),
        ({"times_p95": None}, 9_999, 1, None),
    ],
)
def test_a_task_is_slow_beyond_a_limit(settings, seconds, p95, code):
    found = SlowTasks(**settings).slow(task(1, seconds), p95)
    assert (found.code if found else None) == code


def test_a_percentile_needs_ten_runs():
    assert p95([1.0] * 9) is None
    assert p95([float(n) for n in range(1, 101)]) == 95


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        (Completed(), 41),
        (Completed(name="Cached"), None),  # it took its result from an earlier run
        (Failed(), None),
        (Running(), None),
        (None, None),
    ],
)
def test_only_a_task_that_did_its_work_has_a_duration(state, seconds):
    given = TaskRun(
        id=uuid4(),
        name="load-0",
        task_key="flows.load-1a2b",
        dynamic_key="0",
        flow_run_id=uuid4(),
        state=state,
        start_time=NOON,
        end_time=NOON + timedelta(seconds=41),
    )
    found = timed_task(given)
    assert (found.seconds if found else None) == seconds
    assert found is None or found.task == "load"


@pytest.mark.parametrize(
    ("runs", "slow_in", "value", "newest"),
    [
        ([run(1), run(2)], [], 0, 0),
        ([run(1), run(2)], [1], 1, 0),
        ([run(2), run(1)], [2], 1, 1),
        ([run(1), run(2, Ending.FAILED)], [1], 1, 1),  # the failed run may not have got that far
        ([run(1), run(2, Ending.FAILED)], [1, 2], 2, 1),
    ],
)
def test_the_newest_run_that_can_tell_says_whether_the_event_goes_on(runs, slow_in, value, newest):
    trigger = SlowTasks(max_seconds=60)
    slow = {UUID(int=n): [trigger.slow(task(n, 61), None)] for n in slow_in}
    output = trigger.evaluate("etl/nightly", runs, slow, NOON)
    assert output.triggered is (value > 0)
    assert (output.metrics["value"], output.metrics["newest_slow"]) == (value, newest)


def test_runs_that_failed_without_a_slow_task_say_nothing():
    assert SlowTasks().evaluate("etl/nightly", [run(1, Ending.FAILED)], {}, NOON) is None


def test_the_event_names_the_slowest_first():
    trigger = SlowTasks(max_seconds=60)
    slow = {UUID(int=1): [trigger.slow(task(1, seconds), None) for seconds in (90, 150)]}
    output = trigger.evaluate("etl/nightly", [run(1)], slow, NOON)
    assert output.message == (
        "etl/nightly: 2 task runs were slow. load-0 took 2 min 30 s, the limit is 1 min; "
        "load-0 took 1 min 30 s, the limit is 1 min"
    )
    assert [item["seconds"] for item in output.metadata["tasks"]] == [150, 90]


def test_many_hostile_tasks_fit_into_one_event():
    hostile = "\N{SNOWMAN}\n\x00'\"" * 3_000
    trigger = SlowTasks(max_seconds=1)
    one = trigger.slow(replace(task(1, 99), task=hostile, name=hostile), None)
    output = trigger.evaluate("a/b", [run(1)], {UUID(int=1): [one] * 300}, NOON)
    assert output.metadata["not_listed"] == 280
    assert "\n" not in output.message
