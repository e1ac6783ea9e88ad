"""When a worker means to start a run that it spreads: some time after it was due, and not late."""

import os
from datetime import datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Scheduled

from sentinel_core.model.times import utc

HANDED_DOWN = "SENTINEL_PLANNED_START"
"""The environment variable in which a worker tells a run when it was to start."""

_PUT_OFF = ("Scheduled", "Late")  # other scheduled states are those of retries and full limits
_WORTH_ASKING_SECONDS = 15.0


def to_hand_down(run_id: UUID, planned: datetime) -> dict[str, str]:
    """The environment that tells a run when it was to start."""
    return {HANDED_DOWN: f"{run_id} {planned.isoformat()}"}


def handed_down(run_id: UUID) -> datetime | None:
    """When this run was to start; None if its worker said nothing, and for every other run."""
    told, _, at = os.environ.get(HANDED_DOWN, "").partition(" ")
    return datetime.fromisoformat(at) if told == str(run_id) else None


def put_off(due: datetime, planned: datetime) -> State[Any]:
    """The state of a run that waits in Prefect until it is to start."""
    message = f"Due at {utc(due)}, and spread: it starts at {utc(planned)}."
    return Scheduled(scheduled_time=planned, message=message)


def is_put_off(flow_run: FlowRun) -> bool:
    """True for a run that has not started, and that Prefect was told to start later than due."""
    later, due = flow_run.next_scheduled_start_time, flow_run.expected_start_time
    named = flow_run.state_name in _PUT_OFF and not flow_run.run_count
    return named and later is not None and due is not None and later > due


def read_planned(client: SyncPrefectClient, flow_run: FlowRun) -> datetime | None:
    """The time to which a run that has started was put off, by the states that it had.

    None if it was not put off. Prefect is asked only where it makes a difference.
    """
    due, started = flow_run.expected_start_time, flow_run.start_time
    if not flow_run.auto_scheduled or due is None or started is None:
        return None
    if (started - due).total_seconds() < _WORTH_ASKING_SECONDS:
        return None
    states = client.read_flow_run_states(flow_run.id)
    times = [
        state.state_details.scheduled_time
        for state in states
        if state.is_scheduled() and state.name in _PUT_OFF
    ]
    planned = max((time for time in times if time is not None), default=None)
    return planned if planned is not None and planned > due else None
