"""Runs that are due and have not started, read from Prefect's API."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterExpectedStartTime
from prefect.client.schemas.objects import FlowRun, StateType

from sentinel_core.base.settings import get_settings
from sentinel_core.prefect_io.client import in_states
from sentinel_core.wording.text import flat
from triggers.pipelines.reading import each_run

MOST_RUNS = 5_000  # of one evaluation
_AWAITS_SLOT = "AwaitingConcurrencySlot"  # a scheduled state that Prefect has no type for


@dataclass(frozen=True, slots=True)
class LateRun:
    """A run that should have started."""

    id: UUID
    name: str
    due: datetime
    state_name: str
    pool: str | None
    queue: str | None

    @property
    def awaits_slot(self) -> bool:
        """True if Prefect put it off because of its deployment's concurrency limit."""
        return self.state_name == _AWAITS_SLOT

    @property
    def evidence(self) -> dict[str, Any]:
        """The run, for people who look into it."""
        return {
            "id": str(self.id),
            "name": flat(self.name),
            "url": get_settings().flow_run_url(self.id),
            "due": self.due.isoformat(),
            "state": flat(self.state_name),
        }


def due_runs(
    client: SyncPrefectClient, deployments: Sequence[UUID], limit: datetime
) -> tuple[list[tuple[UUID, LateRun]], bool]:
    """The runs of these deployments that should have started by then, with their deployment.

    True if there are more than one evaluation reads.
    """
    due = FlowRunFilter(
        state=in_states([StateType.SCHEDULED.value]),
        expected_start_time=FlowRunFilterExpectedStartTime(before_=limit),
    )
    runs: list[tuple[UUID, LateRun]] = []
    for number, run in enumerate(each_run(client, deployments, due)):
        if number >= MOST_RUNS:
            return runs, True
        late = late_run(run)
        if late is not None and late.due <= limit and run.deployment_id is not None:
            runs.append((run.deployment_id, late))
    return runs, False


def late_run(run: FlowRun) -> LateRun | None:
    """A scheduled run of Prefect's API; None when it is no longer scheduled.

    A run that was put off, by a person or for a retry, is due at its new time. One that waits for
    a slot is put off again and again, and is due since its first time.
    """
    state = run.state
    if state is None or state.type is not StateType.SCHEDULED:
        return None
    expected = run.expected_start_time or state.timestamp
    put_off = state.state_details.scheduled_time or expected
    due = expected if state.name == _AWAITS_SLOT else max(expected, put_off)
    name = state.name or "Scheduled"
    return LateRun(run.id, run.name, due, name, run.work_pool_name, run.work_queue_name)
