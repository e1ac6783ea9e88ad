"""Failed tasks of ended runs, and whether the newest run is free of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import TaskRun
from prefect.states import Completed, Crashed, Failed, Running

from triggers.pipelines.ended_run import EndedRun, Ending
from triggers.pipelines.task_run_failures import FailedTask, TaskRunFailures, failed_task
from triggers.pipelines.task_runs import task_name

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def run(number: int) -> EndedRun:
    at = NOON + timedelta(minutes=number)
    return EndedRun(
        UUID(int=number), f"run-{number}", Ending.COMPLETED, "Completed", "", at, at, at, 9
    )


def task(flow_run: int, name: str = "extract", retries: int = 0) -> FailedTask:
    failed = Ending.FAILED
    return FailedTask(uuid4(), UUID(int=flow_run), name, f"{name}-0", failed, "torn", 41, retries)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("extract-1a2b3c4d", "extract"),
        ("load-to-s3-1a2b3c4d", "load-to-s3"),
        ("test.<locals>.extract-1a2b3c4d", "extract"),
        ("extract", "extract"),
        ("", ""),
        ("-", "-"),
    ],
)
def test_the_name_of_a_tasks_function(key, name):
    assert task_name(key) == name


@pytest.mark.parametrize(
    ("state", "ending"),
    [
        (Failed(), Ending.FAILED),
        (Failed(name="TimedOut"), Ending.TIMED_OUT),
        (Crashed(), Ending.CRASHED),
        (Completed(name="Failed"), None),
        (Running(), None),
        (None, None),
    ],
)
def test_the_type_of_the_state_says_whether_a_task_failed(state, ending):
    given = TaskRun(
        id=uuid4(), task_key="extract-1", dynamic_key="0", flow_run_id=uuid4(), state=state
    )
    found = failed_task(given)
    assert (found.ending if found else None) == ending


@pytest.mark.parametrize(
    ("failed_in", "value", "newest"), [([], 0, 0), ([1], 1, 0), ([2], 1, 1), ([1, 2, 2], 3, 1)]
)
def test_the_newest_run_says_whether_the_event_goes_on(failed_in, value, newest):
    failed = {UUID(int=n): [task(n)] * failed_in.count(n) for n in failed_in}
    output = TaskRunFailures().evaluate("etl/nightly", [run(2), run(1)], failed, NOON)
    assert output.triggered is (value > 0)
    assert (output.metrics["value"], output.metrics["newest_failed"]) == (value, newest)


def test_the_event_says_which_task_and_how_often_it_was_tried():
    failed = {UUID(int=1): [task(1, retries=2)]}
    output = TaskRunFailures().evaluate("etl/nightly", [run(1)], failed, NOON)
    assert output.message == (
        "etl/nightly: 1 task run failed (extract). extract-0 failed after 2 retries and 41 s: torn"
    )
    assert output.metadata["tasks"][0]["retries"] == 2


def test_many_hostile_tasks_fit_into_one_event():
    hostile = "\N{SNOWMAN}\n\x00'\"" * 3_000
    one = replace(task(1), task=hostile, name=hostile, message=hostile)
    output = TaskRunFailures().evaluate("a/b", [run(1)], {UUID(int=1): [one] * 300}, NOON)
    assert output.metadata["not_listed"] == 280
    assert "\n" not in output.message
