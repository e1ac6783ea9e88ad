"""Cancelling the runs of a deployment, many with one request where Prefect's server can."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterExpectedStartTime
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import OrchestrationResult
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Cancelling

from sentinel_core.prefect_io.client import in_states, of_deployments, run_pages

BULK: Any = "/flow_runs/bulk_set_state"  # Prefect's client has no name for it
AT_ONCE = 50  # the most that Prefect's server takes
_MOST_REQUESTS = 20
_OPEN = (StateType.RUNNING, StateType.PENDING, StateType.SCHEDULED, StateType.PAUSED)
# A run that nothing works on becomes CANCELLED at once, which Prefect calls a rejection.
_CLOSED = (StateType.CANCELLING.value, StateType.CANCELLED.value)
_UNKNOWN = (404, 405)  # a server without this address


@dataclass(slots=True)
class Cancelled:
    """The runs that are cancelled, or will be by their worker; and those that Prefect refused."""

    cancelled: list[UUID] = field(default_factory=list)
    refused: list[UUID] = field(default_factory=list)


def cancel(client: SyncPrefectClient, deployment: UUID, before: datetime) -> Cancelled:
    """Cancel the runs of a deployment that run, or should have begun by `before`.

    Raises what Prefect's client raises.
    """
    wanted = FlowRunFilter(
        state=in_states(state.value for state in _OPEN),
        expected_start_time=FlowRunFilterExpectedStartTime(before_=before),
    )
    [mine] = of_deployments([deployment], wanted)
    try:
        return _together(client, mine)
    except PrefectHTTPStatusError as error:
        if error.response.status_code not in _UNKNOWN:
            raise
    return _one_by_one(client, mine)


def _together(client: SyncPrefectClient, wanted: FlowRunFilter) -> Cancelled:
    """By Prefect's bulk request, until it finds no more."""
    found = Cancelled()
    body = {
        "flow_runs": wanted.model_dump(mode="json", exclude_unset=True),
        "state": {"type": StateType.CANCELLING.value, "name": "Cancelling"},
        "limit": AT_ONCE,
    }
    for _ in range(_MOST_REQUESTS):
        results = client.request("POST", BULK, json=body).json()["results"]
        before = len(found.cancelled)
        for one in results:
            taken = (one["state"] or {}).get("type") in _CLOSED
            run = UUID(one["flow_run_id"])
            if taken:
                found.cancelled.append(run)
            elif run not in found.refused:
                found.refused.append(run)
        if len(results) < AT_ONCE or len(found.cancelled) == before:
            break
    return found


def _one_by_one(client: SyncPrefectClient, wanted: FlowRunFilter) -> Cancelled:
    found = Cancelled()
    for page in run_pages(client, wanted):
        for run in page:
            answer: OrchestrationResult[Any] = client.set_flow_run_state(run.id, Cancelling())
            taken = answer.state is not None and answer.state.type.value in _CLOSED
            (found.cancelled if taken else found.refused).append(run.id)
    return found
