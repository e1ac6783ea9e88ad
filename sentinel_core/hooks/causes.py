"""A failed run and those it started, or was started by. Prefect's API may be away: see each."""

from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_API_URL, temporary_settings
from sqlalchemy import Engine

from sentinel_core.base.settings import get_settings
from sentinel_core.flow.watched_causes import FAILED, event_of_starter
from sentinel_core.model.cleaning import clean_line
from sentinel_core.prefect_io.client import in_states
from sentinel_core.prefect_io.registration import BRIEF

_MOST_LISTED = 20
_LONGEST_MESSAGE = 500


def failing_starter(engine: Engine, flow_run: FlowRun, state: State[Any]) -> str | None:
    """The watched flow whose failure this failed run is part of; None for a failure of its own.

    Without Prefect's API it is one of its own: two events are better than none.
    """
    if state.is_completed() or flow_run.parent_task_run_id is None or not PREFECT_API_URL.value():
        return None
    try:
        with temporary_settings(BRIEF), get_client(sync_client=True) as client:
            return event_of_starter(client, engine, flow_run)
    except (httpx.HTTPError, PrefectException):
        return None


def failed_below(flow_run_id: UUID | None) -> dict[str, Any]:
    """Evidence of the failed runs that this one started: 20 of them, and how many more there are.

    Empty if there are none, or without Prefect's API.
    """
    if flow_run_id is None or not PREFECT_API_URL.value():
        return {}
    wanted = FlowRunFilter(
        state=in_states(FAILED),
        parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run_id]),
    )
    try:
        with temporary_settings(BRIEF), get_client(sync_client=True) as client:
            runs = client.read_flow_runs(flow_run_filter=wanted, limit=_MOST_LISTED)
            count = client.count_flow_runs(flow_run_filter=wanted) if runs else 0
    except (httpx.HTTPError, PrefectException):
        return {}
    if not runs:
        return {}
    more = max(count - len(runs), 0)
    return {"started": [_listed(run) for run in runs], "started_not_listed": more}


def _listed(run: FlowRun) -> dict[str, Any]:
    state = run.state
    return {
        "id": str(run.id),
        "name": clean_line(run.name),
        "url": get_settings().flow_run_url(run.id),
        "state": (state.name or "") if state else "",
        "message": clean_line((state.message or "") if state else "")[:_LONGEST_MESSAGE],
    }
