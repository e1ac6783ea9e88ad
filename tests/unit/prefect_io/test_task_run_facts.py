"""The end of a task run, as a part of the flow run whose attempt it belongs to."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.states import Failed

from sentinel_core.prefect_io.facts import task_run_facts

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def task_run(attempt: int = 1) -> TaskRun:
    return TaskRun(
        id=uuid4(),
        name="extract-0",
        task_key="extract-1a2b",
        dynamic_key="0",
        flow_run_id=uuid4(),
        flow_run_run_count=attempt,
        expected_start_time=NOON + MINUTE,
        start_time=NOON + MINUTE,
        state=Failed(message="the tape is torn", timestamp=NOON + 3 * MINUTE),
    )


@pytest.mark.parametrize(("attempt", "count"), [(1, 1), (2, 2), (0, 3)])
def test_a_task_run_counts_for_the_attempt_of_its_flow_run(attempt, count):
    flow_run = FlowRun(id=uuid4(), flow_id=uuid4(), run_count=3, expected_start_time=NOON)
    run = task_run_facts(task_run(attempt), flow_run)
    assert (run.id, run.run_count, run.expected_start) == (flow_run.id, count, NOON)
    assert (run.name, run.state_name, run.state_at) == ("extract-0", "Failed", NOON + 3 * MINUTE)
    assert run.started_at == NOON + MINUTE


def test_a_task_outside_of_any_flow_counts_for_itself():
    alone = task_run()
    run = task_run_facts(alone, None, Failed(name="TimedOut", timestamp=NOON + 4 * MINUTE))
    assert (run.id, run.run_count, run.state_name) == (alone.id, 1, "TimedOut")
    assert run.expected_start == NOON + MINUTE
