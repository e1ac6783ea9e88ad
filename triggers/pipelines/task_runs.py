"""The task runs of ended flow runs, read from Prefect's API."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    TaskRunFilter,
    TaskRunFilterFlowRunId,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import StateType, TaskRun
from prefect.client.schemas.sorting import TaskRunSort

from sentinel_core import AlertOutput
from sentinel_core.prefect_io.client import PAGE, each_page

MOST_TASKS = 20_000  # of one evaluation


def task_name(task_key: str) -> str:
    """The name of a task's function: `flows.<locals>.extract-1a2b3c4d` is `extract`."""
    name = task_key.rpartition("-")[0] or task_key
    return name.rpartition(".")[2] or name


def task_states(*types: StateType) -> TaskRunFilterState:
    """A filter for task runs in one of these state types."""
    return TaskRunFilterState(type=TaskRunFilterStateType(any_=list(types)))


def task_runs(
    client: SyncPrefectClient, flow_runs: Sequence[UUID], *types: StateType
) -> tuple[list[TaskRun], bool]:
    """The task runs of these flow runs in these states, each once.

    True if there are more than one evaluation reads.
    """
    runs: list[TaskRun] = []
    for run in _each(client, flow_runs, task_states(*types)):
        if len(runs) >= MOST_TASKS:
            return runs, True
        runs.append(run)
    return runs, False


def _each(
    client: SyncPrefectClient, flow_runs: Sequence[UUID], states: TaskRunFilterState
) -> Iterable[TaskRun]:
    for start in range(0, len(flow_runs), PAGE):
        some = TaskRunFilterFlowRunId(any_=list(flow_runs[start : start + PAGE]))
        wanted = TaskRunFilter(flow_run_id=some, state=states)

        def page(offset: int, wanted: TaskRunFilter = wanted) -> list[TaskRun]:
            return client.read_task_runs(
                task_run_filter=wanted, sort=TaskRunSort.ID_DESC, limit=PAGE, offset=offset
            )

        for some_runs in each_page(page):
            yield from some_runs


def too_many_tasks(what: str) -> AlertOutput:
    """Not checked: more task runs than one evaluation reads."""
    return AlertOutput(
        triggered=False,
        problem="no_data",
        message=f"Not checked: more than {MOST_TASKS:,} {what} since the last evaluation, "
        "and no more are read. Narrow the filter",
        metadata={"code": "more_tasks_than_read"},
    )
