"""Runs that a concurrency limit cancelled because another run of their rule was under way.

Prefect says so in a message only: the state is Cancelled, as if a person had cancelled a scheduled
run. So the same question is put to the facts: the run was due, it never had a slot, its
deployment cancels runs that collide, and at that moment other runs of the deployment had all of the
slots, one of them with the same parameters. Where all of this holds the run was not needed, whoever
cancelled it: the other run says how the rule is. Where no such run is found (a slot was never given
back, or an ad-hoc run checked something else, say), the rule was not checked.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterStartTime,
)
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, FlowRun, State, StateType
from prefect.client.schemas.responses import DeploymentResponse

from sentinel_core.prefect_io.client import SKEW, in_states, runs_of

UNDER_WAY = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)
_AHEAD = timedelta(minutes=1)  # workers ask for a slot some seconds before a run is due
_STARTING = timedelta(hours=1)  # from having a slot to the start, where infrastructure is slow


def cancels_new(deployment: DeploymentResponse) -> bool:
    """True if a concurrency limit of the deployment cancels a run that collides with another."""
    limit, options = deployment.global_concurrency_limit, deployment.concurrency_options
    return (
        limit is not None
        and options is not None
        and options.collision_strategy is ConcurrencyLimitStrategy.CANCEL_NEW
    )


def overlaps(client: SyncPrefectClient, flow_run: FlowRun) -> bool:
    """True if a run of a deployment that `cancels_new` was cancelled while an equal one ran.

    Raises what its client raises.
    """
    state, due = flow_run.state, flow_run.expected_start_time
    if state is None or not state.is_cancelled() or flow_run.run_count or due is None:
        return False
    at = state.timestamp
    if _had_slot(flow_run) or due > at + _AHEAD:
        return False
    around = {run.id: run for run in _runs_around(client, flow_run, at) if run.id != flow_run.id}
    under_way = [
        run for run in around.values() if _was_under_way(client.read_flow_run_states(run.id), at)
    ]
    # Another run covers this one only where it checks the same: an ad-hoc run may check less.
    same = any(run.parameters == flow_run.parameters for run in under_way)
    return same and len(under_way) >= _slots(client, flow_run)


def _slots(client: SyncPrefectClient, flow_run: FlowRun) -> int:
    """How many runs of the deployment may be under way; with a slot free, nothing collides."""
    assert flow_run.deployment_id is not None
    limit = client.read_deployment(flow_run.deployment_id).global_concurrency_limit
    return limit.limit if limit is not None else 1


def _runs_around(client: SyncPrefectClient, flow_run: FlowRun, at: datetime) -> Iterator[FlowRun]:
    """The runs of the deployment that had a slot and may have been under way then."""
    assert flow_run.deployment_id is not None
    started = FlowRunFilterStartTime(before_=at + _STARTING)
    ended = FlowRunFilterEndTime(after_=at - SKEW)
    for wanted in (
        FlowRunFilter(state=in_states(UNDER_WAY)),
        FlowRunFilter(start_time=started, end_time=ended),
    ):
        for page in runs_of(client, [flow_run.deployment_id], wanted):
            yield from (run for run in page if run.run_count or _had_slot(run))


def _had_slot(flow_run: FlowRun) -> bool:
    """True if a run had a slot before its present state, or has one: Prefect keeps its lease."""
    state = flow_run.state
    return state is not None and state.state_details.deployment_concurrency_lease_id is not None


def _was_under_way(states: list[State], at: datetime) -> bool:
    """True if a run with these states had a slot at that moment, as far as clocks agree."""
    in_order = sorted(states, key=lambda state: state.timestamp)
    spans = [*pairwise(in_order), *((state, None) for state in in_order[-1:])]
    return any(
        state.type in UNDER_WAY
        and state.timestamp <= at + SKEW
        and (following is None or following.timestamp >= at - SKEW)
        for state, following in spans
    )
