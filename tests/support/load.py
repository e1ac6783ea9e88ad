"""Many runs due at chosen moments, as cron would make them, and how late each of them started."""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Scheduled, to_state_create
from sqlalchemy import Engine, select

from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import EVALUATION
from tests.support.deployed import rows
from tests.support.prefect import PrefectServer
from tests.support.processes import wait_for

PAGE = 200


def create_runs(server: PrefectServer, due: Sequence[tuple[DeploymentResponse, datetime]]) -> None:
    """One run of each deployment, scheduled for its moment.

    (By the plain route for flow runs: the one that starts from a deployment takes the server twice
    as long, and the scheduler, which makes runs in bulk, takes neither.)
    """
    with httpx.Client(base_url=server.api_url, timeout=90) as client:
        for deployment, moment in due:
            state = to_state_create(Scheduled(scheduled_time=moment))
            body = {
                "flow_id": str(deployment.flow_id),
                "deployment_id": str(deployment.id),
                "parameters": deployment.parameters,
                "work_pool_name": deployment.work_pool_name,
                "work_queue_name": deployment.work_queue_name,
                "state": state.model_dump(mode="json"),
                "idempotency_key": str(uuid4()),  # so that asking again makes no second run
            }
            made = partial(_created, client, body)
            wait_for(made, seconds=90, what="a run to be made", every=0.02)


def _created(client: httpx.Client, body: dict[str, Any]) -> bool:
    """False when the server's SQLite was busy: ask again."""
    try:
        answer = client.post("/flow_runs/", json=body)
    except httpx.TransportError:
        return False
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return False
    answer.raise_for_status()
    return True


def schedule_each_minute(
    server: PrefectServer, first: Sequence[tuple[DeploymentResponse, datetime]]
) -> list[str]:
    """Give each deployment a schedule of a run a minute from its moment on; their addresses.

    The first five runs are made here, all others by Prefect's scheduler in its next loops.
    """
    made = []
    with httpx.Client(base_url=server.api_url, timeout=90) as client:
        for deployment, moment in first:
            schedule = {"interval": 60, "anchor_date": moment.isoformat(), "timezone": "UTC"}
            address = f"/deployments/{deployment.id}/schedules"
            answer = client.post(address, json=[{"active": True, "schedule": schedule}])
            answer.raise_for_status()
            made.append(f"{address}/{answer.json()[0]['id']}")
            ahead = {"start_time": moment.isoformat(), "min_runs": 5, "max_runs": 5}
            client.post(f"/deployments/{deployment.id}/schedule", json=ahead).raise_for_status()
    return made


def unschedule(server: PrefectServer, schedules: Sequence[str]) -> None:
    """Delete schedules, and with them the runs that were made of them and have not begun."""
    with httpx.Client(base_url=server.api_url, timeout=90) as client:
        for address in schedules:
            client.delete(address).raise_for_status()


def runs_due(client: SyncPrefectClient, pool: str, start: datetime, end: datetime) -> list[FlowRun]:
    """All runs of a pool that were due from `start` up to, not including, `end`."""
    found: list[FlowRun] = []
    while True:
        page = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                expected_start_time=FlowRunFilterExpectedStartTime(after_=start, before_=end)
            ),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
            sort=FlowRunSort.ID_DESC,
            limit=PAGE,
            offset=len(found),
        )
        found += page
        if len(page) < PAGE:
            return [run for run in found if run.expected_start_time != end]


def planned_starts(engine: Engine) -> dict[UUID, datetime]:
    """When runs were to start that were spread (docs/worker.md), by their id."""
    query = select(EVALUATION.c.prefect_flow_run_id, EVALUATION.c.planned_at)
    with reading(engine) as connection:
        return {run: at for run, at in connection.execute(query) if at is not None}


def lateness(run: FlowRun, planned: Mapping[UUID, datetime]) -> float:
    """Seconds from when the run was due or planned to when it started. It must have started."""
    due = planned.get(run.id, run.expected_start_time)
    assert run.start_time is not None
    assert due is not None
    return (run.start_time - due).total_seconds()


@dataclass(frozen=True)
class Lateness:
    """How late runs started, in seconds."""

    p50: float
    p95: float
    most: float

    @classmethod
    def of(
        cls, runs: Sequence[FlowRun], planned: Mapping[UUID, datetime] = MappingProxyType({})
    ) -> "Lateness":
        """Of runs that have all started; for ever, when there is none.

        `planned`: see planned_starts; without, a spread counts as lateness.
        """
        seconds = sorted(lateness(run, planned) for run in runs) or [math.inf]
        return cls(percentile(seconds, 50), percentile(seconds, 95), seconds[-1])


def percentile(ordered: Sequence[float], percent: int) -> float:
    """A percentile of sorted values (there is at least one)."""
    if len(ordered) < 2:
        return ordered[0]
    return statistics.quantiles(ordered, n=100, method="inclusive")[percent - 1]


def records_of(engine: Engine, runs: Sequence[FlowRun]) -> dict[UUID, int]:
    """How many evaluations the store has of each run."""
    known = rows(engine, "SELECT prefect_flow_run_id AS id FROM evaluation")
    counted = Counter(UUID(str(row["id"])) for row in known)
    return {run.id: counted[run.id] for run in runs}
