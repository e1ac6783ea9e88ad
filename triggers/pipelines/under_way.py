"""The runs under way, of deployments and of flows that are run without one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterId,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterParentTaskRunId,
)
from prefect.client.schemas.objects import Flow, FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

from sentinel_core.prefect_io.client import PAGE, each_page, in_states, run_pages
from triggers.pipelines.reading import each_run
from triggers.pipelines.selection import Pipeline, Selection
from triggers.pipelines.stuck import UNDER_WAY
from triggers.sources.readings import fitting_ticker

_STATES = in_states(kind.value for kind in UNDER_WAY)


@dataclass(frozen=True)
class Source:
    """Whose runs they are: a deployment's, or those of a flow that is run without one."""

    ticker: str
    deployment: UUID | None = None
    flow: UUID | None = None


def of_deployments(
    client: SyncPrefectClient, pipelines: Sequence[Pipeline]
) -> Iterator[tuple[Source, FlowRun]]:
    """The runs of these deployments that are under way."""
    sources = {one.id: Source(one.ticker, deployment=one.id) for one in pipelines}
    for run in each_run(client, list(sources), FlowRunFilter(state=_STATES)):
        if run.deployment_id is not None:
            yield sources[run.deployment_id], run


def foreign_flows(client: SyncPrefectClient, pipelines: Sequence[Pipeline]) -> dict[UUID, str]:
    """The names of all flows but those of Sentinel."""
    own = {one.flow_id for one in pipelines if one.own}

    def page(offset: int) -> list[Flow]:
        return client.read_flows(limit=PAGE, offset=offset)

    return {flow.id: flow.name for some in each_page(page) for flow in some if flow.id not in own}


def ad_hoc_runs(
    client: SyncPrefectClient, flows: Mapping[UUID, str], watch: Selection
) -> Iterator[tuple[Source, FlowRun]]:
    """The runs of these flows that are under way and have no deployment; no subflows."""
    wanted = FlowRunFilter(
        state=_STATES,
        deployment_id=FlowRunFilterDeploymentId(is_null_=True),
        parent_task_run_id=FlowRunFilterParentTaskRunId(is_null_=True),
    )
    for page in run_pages(client, wanted):
        for run in page:
            name = flows.get(run.flow_id)
            if name is not None and watch.takes_run(name, run.tags):
                yield Source(fitting_ticker(name), flow=run.flow_id), run


def last_completed(client: SyncPrefectClient, source: Source, most: int) -> list[FlowRun]:
    """The last completed runs of the same deployment, or flow without one, newest first."""
    done = in_states([StateType.COMPLETED.value])
    if source.deployment is not None:
        mine, flow = FlowRunFilterDeploymentId(any_=[source.deployment]), None
    else:
        mine = FlowRunFilterDeploymentId(is_null_=True)
        flow = FlowFilter(id=FlowFilterId(any_=[source.flow] if source.flow else []))
    return client.read_flow_runs(
        flow_filter=flow,
        flow_run_filter=FlowRunFilter(deployment_id=mine, state=done),
        sort=FlowRunSort.END_TIME_DESC,
        limit=most,
    )
