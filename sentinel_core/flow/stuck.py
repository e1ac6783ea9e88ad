"""Stuck runs: they outlived their timeout, no process will end them, and Prefect crashes them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed

from sentinel_core.model.run import Rule
from sentinel_core.prefect_io.client import in_states, runs_of

FALLBACK_TIMEOUT_SECONDS = 3600.0


def close_stuck(
    client: SyncPrefectClient, rules: Mapping[UUID, Rule], now: datetime, grace_seconds: float
) -> Iterator[tuple[Rule, FlowRun, str]]:
    """Crash stuck runs, which frees their concurrency slots; yields each with the reason."""
    unfinished = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)
    wanted = FlowRunFilter(state=in_states(unfinished))
    for flow_run in [run for page in runs_of(client, list(rules), wanted) for run in page]:
        assert flow_run.deployment_id is not None
        rule = rules[flow_run.deployment_id]
        seconds = _seconds_in_state(flow_run, now)
        over = seconds - (rule.timeout_seconds or FALLBACK_TIMEOUT_SECONDS)
        if over <= grace_seconds:
            continue
        message = f"Outlived its timeout by {over:.0f} s as {flow_run.state_name}."
        client.set_flow_run_state(flow_run.id, Crashed(message=message), force=True)
        yield rule, client.read_flow_run(flow_run.id), message


def _seconds_in_state(flow_run: FlowRun, now: datetime) -> float:
    """Seconds that a run has been in its state; for a running one, since its newest start.

    Prefect keeps the first `start_time` of a run that starts again, a day after it failed, say.
    """
    if flow_run.state is None:
        return 0.0
    first = flow_run.state.type is StateType.RUNNING and flow_run.run_count <= 1
    began = flow_run.start_time if first and flow_run.start_time else flow_run.state.timestamp
    return (now - began).total_seconds()
