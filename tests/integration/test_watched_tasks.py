"""The ends of tasks with hooks, as Prefect has them, for runs whose own hooks were not called."""

from typing import Any
from uuid import uuid4

import pytest
from prefect import Task, flow, task
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.states import Completed, Crashed, Failed, Running

from sentinel_core.flow.watched import task_completed
from sentinel_core.flow.watched_tasks import _is_last, ended_tasks
from sentinel_core.model.run import StateType
from sentinel_core.model.watched import Hook, HookKind


@task
def extract() -> None:
    """A task with a hook."""


@task
def load() -> None:
    """Another one."""


@flow(name="tasks-watched")
def pipeline() -> None:
    """A flow whose runs are made by hand."""


def a_hook(kind: HookKind, *states: StateType) -> Hook:
    key = extract.task_key
    return Hook(kind=kind, ticker="extract: x", task="extract", task_key=key, states=states)


FAILURE = a_hook(HookKind.FAILURE, StateType.FAILED)
SLOW = a_hook(HookKind.SLOW, StateType.COMPLETED, StateType.FAILED)


def a_run(client: SyncPrefectClient, state: State[Any]) -> FlowRun:
    made = client.create_flow_run(pipeline, state=Running())
    client.set_flow_run_state(made.id, state, force=True)
    return client.read_flow_run(made.id)


def a_task_run(
    client: SyncPrefectClient, run: FlowRun, state: State[Any], of: Task[..., Any] = extract
) -> TaskRun:
    return client.create_task_run(of, run.id, dynamic_key=uuid4().hex, state=state)


def test_tasks_that_failed_are_found_by_the_run_they_were_part_of(
    client: SyncPrefectClient,
) -> None:
    first, second = a_run(client, Failed()), a_run(client, Failed())
    one, two = (a_task_run(client, first, Failed()) for _ in range(2))
    a_task_run(client, first, Completed())
    a_task_run(client, first, Crashed())
    a_task_run(client, first, Failed(), of=load)
    three = a_task_run(client, second, Failed())
    a_task_run(client, a_run(client, Failed()), Failed())  # of a run that is not asked for
    found = ended_tasks(client, FAILURE, [first, second])
    assert {key: {run.id for run in runs} for key, runs in found.items()} == {
        first.id: {one.id, two.id},
        second.id: {three.id},
    }
    assert ended_tasks(client, FAILURE, []) == {}


def test_a_hook_on_slow_tasks_also_looks_at_those_that_completed(
    client: SyncPrefectClient,
) -> None:
    run = a_run(client, Completed())
    made = {a_task_run(client, run, state).id for state in (Completed(), Failed())}
    a_task_run(client, run, Running())
    assert {task_run.id for task_run in ended_tasks(client, SLOW, [run])[run.id]} == made


def test_what_a_task_returned_is_not_known_to_prefect(client: SyncPrefectClient) -> None:
    run = a_run(client, Completed())
    a_task_run(client, run, Completed())
    assert ended_tasks(client, a_hook(HookKind.RESULT, StateType.COMPLETED), [run]) == {}


@pytest.mark.parametrize(
    ("of_attempt", "attempts", "last"),
    [(1, 1, True), (1, 2, False), (2, 2, True), (0, 2, True)],  # 0: Prefect does not say
)
def test_a_task_run_of_an_earlier_attempt_of_its_run_is_not_the_last(
    client: SyncPrefectClient, of_attempt: int, attempts: int, last: bool
) -> None:
    run = a_run(client, Completed())
    made = a_task_run(client, run, Failed())
    task_run = made.model_copy(update={"flow_run_run_count": of_attempt})
    assert _is_last(task_run, {run.id: attempts}) is last


def test_a_task_has_completed_where_each_of_its_runs_has_and_it_may_end_an_event(
    client: SyncPrefectClient,
) -> None:
    run, unresolved = a_run(client, Completed()), {FAILURE.ticker}
    assert not task_completed(client, run, FAILURE, unresolved)  # the task did not run
    a_task_run(client, run, Failed(), of=load)
    a_task_run(client, run, Completed())
    assert task_completed(client, run, FAILURE, unresolved)
    assert not task_completed(client, run, FAILURE, set())  # nothing to end
    assert not task_completed(client, run, SLOW, {SLOW.ticker, "x"})  # its duration decides
    assert not task_completed(client, a_run(client, Failed()), FAILURE, unresolved)
    a_task_run(client, run, Failed())
    assert not task_completed(client, run, FAILURE, unresolved)


def test_a_run_that_failed_says_nothing_of_a_task_that_completed(
    client: SyncPrefectClient,
) -> None:
    run = a_run(client, Failed())
    a_task_run(client, run, Completed())
    assert not task_completed(client, run, FAILURE, {FAILURE.ticker})
