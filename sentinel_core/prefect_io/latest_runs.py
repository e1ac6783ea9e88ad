"""The newest and the next run of many deployments, in few requests."""

from collections.abc import Collection, Sequence
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

from sentinel_core.prefect_io.client import PAGE

_SCHEDULED = [StateType.SCHEDULED]
_BEGUN = FlowRunFilterState(type=FlowRunFilterStateType(not_any_=_SCHEDULED))
_WAITING = FlowRunFilterState(type=FlowRunFilterStateType(any_=_SCHEDULED))


def newest_runs(client: SyncPrefectClient, deployment_id: UUID, limit: int) -> list[FlowRun]:
    """The newest runs of a deployment that are more than scheduled, the newest first."""
    return _read(client, [deployment_id], _BEGUN, FlowRunSort.EXPECTED_START_TIME_DESC, limit)


def last_runs(client: SyncPrefectClient, deployments: Collection[UUID]) -> dict[UUID, FlowRun]:
    """The newest run of each deployment that is more than scheduled, where it has one."""
    return _first_of_each(client, deployments, _BEGUN, FlowRunSort.EXPECTED_START_TIME_DESC)


def next_runs(client: SyncPrefectClient, deployments: Collection[UUID]) -> dict[UUID, FlowRun]:
    """The next scheduled run of each deployment, where it has one."""
    sort = FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC
    return _first_of_each(client, deployments, _WAITING, sort)


def _first_of_each(
    client: SyncPrefectClient,
    deployments: Collection[UUID],
    state: FlowRunFilterState,
    sort: FlowRunSort,
) -> dict[UUID, FlowRun]:
    """The first run of each: a page holds those of the busy ones, the next one of the others."""
    found: dict[UUID, FlowRun] = {}
    left = list(deployments)
    while left:
        page = _read(client, left[:PAGE], state, sort, PAGE)
        for run in page:
            if run.deployment_id is not None:
                found.setdefault(run.deployment_id, run)
        complete = len(page) < PAGE  # of the others there is none
        asked = set(left[:PAGE])
        left = [one for one in left if one not in found and not (complete and one in asked)]
    return found


def _read(
    client: SyncPrefectClient,
    deployments: Sequence[UUID],
    state: FlowRunFilterState,
    sort: FlowRunSort,
    limit: int,
) -> list[FlowRun]:
    mine = FlowRunFilterDeploymentId(any_=list(deployments))
    wanted = FlowRunFilter(deployment_id=mine, state=state)
    return client.read_flow_runs(flow_run_filter=wanted, sort=sort, limit=limit)
