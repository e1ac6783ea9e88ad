"""What a run of somebody's own flow returned, read through Prefect. Judges nothing."""

from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import State, StateType
from prefect.client.schemas.sorting import FlowRunSort, TaskRunSort

from sentinel_core.prefect_io.client import in_states, prefect_api
from triggers.sources.errors import NoDataError, SourceError


def newest_result(deployment: str, task: str | None = None) -> Any:
    """The result of the newest completed run of a deployment (`flow/deployment`), or of its task.

    It must have been persisted where this process can read it. Raises NoDataError when there is
    none, SourceError when it can't be read, PrefectUnreachableError.
    """
    where = f"{deployment}, task {task}" if task else deployment
    with prefect_api() as client:
        state = _state(client, deployment, task)
        if state is None:
            raise NoDataError(f"{where}: no run has completed")
        try:
            return state.result(raise_on_failure=False)
        except Exception as error:  # of its storage, its serializer, its classes
            said = " ".join(str(error).split())[:300]
            raise SourceError(
                f"{where}: the result can't be read: {type(error).__name__}: {said}. Set "
                "persist_result=True, and a result storage that this process reaches"
            ) from error


def _state(client: SyncPrefectClient, deployment: str, task: str | None) -> State[Any] | None:
    flow, _, name = deployment.partition("/")
    runs = client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[name])),
        flow_run_filter=FlowRunFilter(state=in_states([StateType.COMPLETED.value])),
        sort=FlowRunSort.END_TIME_DESC,
        limit=1,
    )
    if not runs or task is None:
        return runs[0].state if runs else None
    mine = FlowRunFilter(id=FlowRunFilterId(any_=[runs[0].id]))
    found = client.read_task_runs(flow_run_filter=mine, sort=TaskRunSort.END_TIME_DESC)
    wanted = (run for run in found if run.task_key.partition("-")[0] == task and run.state)
    return next((run.state for run in wanted if run.state and run.state.is_completed()), None)
