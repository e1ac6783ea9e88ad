"""Failed runs of watched flows that are part of the event of the run which started them.

Such a run is not recorded by its own hook: the hook of the run that started it lists it. It is
recorded after all where that run copes with the failure, goes on for long, or recovers without it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterId,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterEndTime,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterParentTaskRunId,
)
from prefect.client.schemas.objects import FlowRun
from sqlalchemy import Engine, RowMapping

from sentinel_core.decide.cause import Starter, joined
from sentinel_core.decide.watch import alerts_at
from sentinel_core.model.run import StateType
from sentinel_core.prefect_io.client import in_states, run_pages
from sentinel_core.prefect_io.starters import read_starters
from sentinel_core.store.state.watched import (
    hooks_of,
    identity_of,
    runs_of_ended_events,
    watched_row,
)

WAIT = timedelta(minutes=10)  # for the end of a run whose part failed
FAILED = (StateType.FAILED, StateType.CRASHED)


def event_of_starter(
    client: SyncPrefectClient, engine: Engine, run: FlowRun, *, waited: bool = False
) -> str | None:
    """The name of the watched flow whose event a failed run is part of; None for one of its own.

    That is the flow of the run that started it, where that has failed as well, or is under way and
    not `waited` for any longer. Raises what Prefect's client raises.
    """
    if run.parent_task_run_id is None:
        return None
    starters = read_starters(client, [run], levels=1).get(run.id, ())
    return joined(_starter(client, engine, one, waited=waited) for one in starters)


def _starter(
    client: SyncPrefectClient, engine: Engine, run: FlowRun, *, waited: bool
) -> Starter[str]:
    state = run.state
    under_way = state is None or not state.is_final()
    failing = not waited if under_way else state is not None and state.type.value in FAILED
    kind, name = StateType.FAILED, "Failed"  # as it would end, if it does not cope
    if state is not None and not under_way:
        kind, name = StateType(state.type.value), state.name or ""
    row = _row_of(client, engine, run)
    hooks = [hook for hook in hooks_of(row) if not hook.task] if row else []
    alerts = any(alerts_at(hook, kind, name) for hook in hooks)
    return Starter(failing, row["name"] if row and alerts else None)


def _row_of(client: SyncPrefectClient, engine: Engine, run: FlowRun) -> RowMapping | None:
    name = "" if run.deployment_id else client.read_flow(run.flow_id).name
    return watched_row(engine, identity_of(name, run.deployment_id))


def released_runs(
    client: SyncPrefectClient,
    engine: Engine,
    rows: Sequence[RowMapping],
    since: datetime,
    until: datetime,
) -> Iterator[tuple[RowMapping, FlowRun]]:
    """Failed runs of watched flows that are not part of another event any longer, with their flow.

    Those whose starting run has had its time, and those that did not recover when the event they
    were part of ended. Recording one again changes nothing. Raises what Prefect's client raises.
    """
    known = {row["deployment_id"]: row for row in rows}
    time = FlowRunFilterEndTime(after_=since - WAIT, before_=until - WAIT)
    started = FlowRunFilterParentTaskRunId(is_null_=False)
    for page in run_pages(
        client, FlowRunFilter(state=in_states(FAILED), end_time=time, parent_task_run_id=started)
    ):
        for run in page:
            row = known.get(_identity(client, run))
            if row and event_of_starter(client, engine, run, waited=True) is None:
                yield row, run
    for ids in runs_of_ended_events(engine, since):
        below = FlowRunFilter(
            state=in_states(FAILED), parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=ids)
        )
        for page in run_pages(client, below):
            for run in page:
                row = known.get(_identity(client, run))
                if row and not has_recovered(client, run):
                    yield row, run


def _identity(client: SyncPrefectClient, run: FlowRun) -> object:
    name = "" if run.deployment_id else client.read_flow(run.flow_id).name
    return identity_of(name, run.deployment_id)


def has_recovered(client: SyncPrefectClient, run: FlowRun) -> bool:
    """True if a later run of the same flow, or deployment, has completed."""
    of_deployment = (
        FlowRunFilterDeploymentId(any_=[run.deployment_id])
        if run.deployment_id
        else FlowRunFilterDeploymentId(is_null_=True)
    )
    later = FlowRunFilter(
        deployment_id=of_deployment,
        state=in_states((StateType.COMPLETED,)),
        end_time=FlowRunFilterEndTime(after_=run.end_time),
    )
    mine = FlowFilter(id=FlowFilterId(any_=[run.flow_id]))
    return bool(client.read_flow_runs(flow_filter=mine, flow_run_filter=later, limit=1))
