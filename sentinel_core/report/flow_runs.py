"""Runs of people's own flows that have ended, read from Prefect.

Sentinel's own runs are left out, and so are subflow runs without a deployment: they are part of the
runs that started them.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain, islice
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterEndTime,
    FlowRunFilterParentTaskRunId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from sentinel_core.model.cleaning import clean_message, clean_text
from sentinel_core.model.run import TERMINAL
from sentinel_core.prefect_io.client import (
    PAGE,
    all_deployments,
    each_page,
    in_states,
    names_of_flows,
    of_deployments,
    run_pages,
    runs_of,
)
from sentinel_core.prefect_io.facts import is_rule, run_facts
from sentinel_core.report.figures import Window
from sentinel_core.report.run_figures import SLOW_SECONDS, FlowRunEnd, FlowRuns, flow_runs

MOST_RUNS = 20_000  # of one report
TAG = "sentinel"  # of Sentinel's own flows
_INSTANT = timedelta(microseconds=1)


def read_flow_runs(
    client: SyncPrefectClient, window: Window, slow_seconds: float = SLOW_SECONDS
) -> FlowRuns:
    """The figures of the runs that ended within the window, at most MOST_RUNS of them."""
    deployed = all_deployments(client)
    own = [item for item, _ in deployed if is_rule(item) or TAG in item.tags]
    own_ids, own_flows = {item.id for item in own}, {item.flow_id for item in own}
    names = {item.id: f"{flow}/{item.name}" for item, flow in deployed if item.id not in own_ids}
    ended = FlowRunFilter(
        state=in_states(TERMINAL),
        end_time=FlowRunFilterEndTime(after_=window.since, before_=window.until - _INSTANT),
    )
    ad_hoc = ended.model_copy(
        update={
            "deployment_id": FlowRunFilterDeploymentId(is_null_=True),
            "parent_task_run_id": FlowRunFilterParentTaskRunId(is_null_=True),
        }
    )
    pages = chain(runs_of(client, list(names), ended), run_pages(client, ad_hoc))
    every = chain.from_iterable(pages)
    own_runs = (run for run in every if run.deployment_id or run.flow_id not in own_flows)
    runs = list(islice(own_runs, MOST_RUNS))
    left_out = 0
    if len(runs) == MOST_RUNS:
        left_out = (
            sum(
                client.count_flow_runs(flow_run_filter=wanted)
                for wanted in (*of_deployments(list(names), ended), ad_hoc)
            )
            - MOST_RUNS
        )
    flows = names_of_flows(client, (run.flow_id for run in runs if run.deployment_id is None))
    return flow_runs(
        [_end(run, names, flows.get(run.flow_id, "a flow that is gone")) for run in runs],
        slow_seconds,
        left_out,
    )


def last_runs_of_flow(client: SyncPrefectClient, flow: str, last: int) -> list[FlowRunEnd] | None:
    """The last runs of a flow that have ended, the newest first; None if there is no such flow."""
    named = FlowFilter(name=FlowFilterName(any_=[flow]))
    if not client.read_flows(flow_filter=named, limit=1):
        return None
    names = {item.id: f"{name}/{item.name}" for item, name in all_deployments(client)}
    runs = client.read_flow_runs(
        flow_filter=named,
        flow_run_filter=FlowRunFilter(state=in_states(TERMINAL)),
        sort=FlowRunSort.END_TIME_DESC,
        limit=last,
    )
    return [_end(run, names, flow) for run in runs]


def flow_names(client: SyncPrefectClient) -> Iterator[str]:
    """The names of all flows."""
    for page in each_page(lambda offset: client.read_flows(limit=PAGE, offset=offset)):
        yield from (flow.name for flow in page)


def _end(flow_run: FlowRun, deployed: Mapping[UUID, str], flow: str) -> FlowRunEnd:
    run = run_facts(flow_run)
    name = deployed.get(flow_run.deployment_id, flow) if flow_run.deployment_id else flow
    ended: datetime = flow_run.end_time or run.state_at
    # Prefect gives a run that never ran a start as well, that of its end; its count stays 0.
    started = run.started_at if run.run_count else None
    return FlowRunEnd(
        id=str(run.id),
        run=run.name,
        name=clean_text(name),
        state=run.state_type,
        state_name=run.state_name,
        ended_at=ended,
        seconds=max(0.0, (ended - started).total_seconds()) if started else None,
        retries=max(0, run.run_count - 1),
        message=clean_message(run.state_message),
    )
