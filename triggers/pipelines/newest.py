"""The newest runs of a deployment."""

from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort


def newest_runs(
    client: SyncPrefectClient,
    deployment: UUID,
    wanted: FlowRunFilter,
    most: int,
    sort: FlowRunSort = FlowRunSort.END_TIME_DESC,
) -> list[FlowRun]:
    """At most so many runs of a deployment that the filter takes, those that ended last first."""
    chosen = FlowRunFilterDeploymentId(any_=[deployment])
    return client.read_flow_runs(
        flow_run_filter=wanted.model_copy(update={"deployment_id": chosen}),
        sort=sort,
        limit=most,
    )
