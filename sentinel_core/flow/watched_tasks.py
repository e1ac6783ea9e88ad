"""The ends of tasks with hooks, as Prefect has them: killed processes call no hook."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    TaskRunFilter,
    TaskRunFilterFlowRunId,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.client.schemas.objects import StateType as PrefectState
from prefect.client.schemas.sorting import TaskRunSort

from sentinel_core.model.watched import Hook, HookKind
from sentinel_core.prefect_io.client import PAGE, each_page

_OF_FAILURES = (HookKind.FAILURE, HookKind.TIMEOUT)


def ended_tasks(
    client: SyncPrefectClient, hook: Hook, flow_runs: Sequence[FlowRun]
) -> dict[UUID, list[TaskRun]]:
    """The runs of a hook's task at whose end Prefect calls it, by flow run: of the last attempts.

    Completed ones only where the hook looks at their duration.
    """
    if hook.kind in _OF_FAILURES:
        states = [PrefectState.FAILED]
    elif hook.kind is HookKind.SLOW:
        states = [PrefectState(state) for state in hook.states]
    else:  # what a task returned is known in its process alone
        return {}
    attempts = {run.id: run.run_count for run in flow_runs}
    by_flow_run: dict[UUID, list[TaskRun]] = defaultdict(list)
    for start in range(0, len(flow_runs), PAGE):
        ids = [run.id for run in flow_runs[start : start + PAGE]]
        for run in _task_runs(client, ids, states):
            if run.flow_run_id and run.task_key == hook.task_key and _is_last(run, attempts):
                by_flow_run[run.flow_run_id].append(run)
    return by_flow_run


def _is_last(run: TaskRun, attempts: Mapping[UUID, int]) -> bool:
    """True for a task run of the flow run's last attempt: an earlier one was made good by it."""
    newest = attempts[run.flow_run_id] if run.flow_run_id else 0
    return (run.flow_run_run_count or newest) >= newest


def _task_runs(
    client: SyncPrefectClient, flow_runs: Sequence[UUID], states: Sequence[PrefectState]
) -> list[TaskRun]:
    wanted = TaskRunFilter(
        flow_run_id=TaskRunFilterFlowRunId(any_=list(flow_runs)),
        state=TaskRunFilterState(type=TaskRunFilterStateType(any_=list(states))),
    )

    def page(offset: int) -> list[TaskRun]:
        return client.read_task_runs(
            task_run_filter=wanted, sort=TaskRunSort.ID_DESC, limit=PAGE, offset=offset
        )

    return [run for some in each_page(page) for run in some]
