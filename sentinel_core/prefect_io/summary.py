"""Prefect at a glance: its flow runs by state, and its workers."""

from dataclasses import dataclass
from datetime import datetime

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterEndTime
from prefect.client.schemas.objects import StateType, WorkerStatus

from sentinel_core.prefect_io.client import PAGE, in_states


@dataclass(frozen=True, slots=True)
class Summary:
    """Flow runs that run now, those that failed (or crashed) and completed since a moment, and the
    number of workers that are online."""

    running: int
    failed: int
    completed: int
    workers: int


def summary(client: SyncPrefectClient, since: datetime) -> Summary:
    """The summary of everything in Prefect, whether a rule or not."""
    ended = FlowRunFilterEndTime(after_=since)
    failed = in_states([StateType.FAILED.value, StateType.CRASHED.value])
    pools = client.read_work_pools(limit=PAGE)
    workers = [worker for pool in pools for worker in client.read_workers_for_work_pool(pool.name)]
    return Summary(
        running=_count(client, FlowRunFilter(state=in_states([StateType.RUNNING.value]))),
        failed=_count(client, FlowRunFilter(state=failed, end_time=ended)),
        completed=_count(
            client, FlowRunFilter(state=in_states([StateType.COMPLETED.value]), end_time=ended)
        ),
        workers=sum(worker.status is WorkerStatus.ONLINE for worker in workers),
    )


def _count(client: SyncPrefectClient, wanted: FlowRunFilter) -> int:
    return client.count_flow_runs(flow_run_filter=wanted)
