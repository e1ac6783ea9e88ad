"""Work pools, queues and who takes their slots, read from Prefect's API when they are needed."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    WorkPoolFilter,
    WorkPoolFilterName,
    WorkQueueFilter,
    WorkQueueFilterName,
)
from prefect.client.schemas.objects import StateType, WorkerStatus, WorkPool, WorkQueue
from prefect.exceptions import ObjectNotFound

from sentinel_core.base.settings import get_settings
from sentinel_core.prefect_io.client import PAGE, in_states
from sentinel_core.wording.text import flat
from triggers.pipelines.late_cause import Cause, Late, Limit, Pool, Queue

_MOST_BLOCKING = 20
_TAKES_SLOT = (StateType.PENDING.value, StateType.RUNNING.value, StateType.CANCELLING.value)


class WorkPools:
    """The work pools of one evaluation; each is read once. `late`: late runs by pool and queue."""

    def __init__(
        self, client: SyncPrefectClient, late: Mapping[tuple[str | None, str | None], int]
    ) -> None:
        self.client = client
        self.late = late
        self.pools: dict[str, tuple[Pool | None, dict[str, Queue]]] = {}

    def of(self, pool: str | None, queue: str | None, limit: Limit | None) -> Late:
        """What is known about the way of a run to a worker."""
        if pool is None:
            return Late(None, None, deployment_limit=limit)
        if pool not in self.pools:
            self.pools[pool] = self._read(pool)
        known, queues = self.pools[pool]
        return Late(pool, known, queues.get(queue or "default"), limit)

    def _read(self, name: str) -> tuple[Pool | None, dict[str, Queue]]:
        try:
            pool = self.client.read_work_pool(name)
        except ObjectNotFound:
            return None, {}
        workers = self.client.read_workers_for_work_pool(name, limit=PAGE)
        online = [worker for worker in workers if worker.status is WorkerStatus.ONLINE]
        beats = [w.last_heartbeat_time for w in workers if w.last_heartbeat_time is not None]
        queues = self.client.read_work_queues(work_pool_name=name, limit=PAGE)
        under_way = self._under_way(name)
        known = Pool(
            name=name,
            paused=pool.is_paused,
            limit=_limit(pool, under_way),
            needs_worker=not (pool.is_push_pool or pool.is_managed_pool),
            workers_online=len(online),
            last_heartbeat=max(beats, default=None),
            under_way=under_way,
        )
        return known, {queue.name: self._queue(name, queue) for queue in queues}

    def _queue(self, pool: str, queue: WorkQueue) -> Queue:
        taken = 0
        if queue.concurrency_limit is not None and queue.active_slots is None:
            taken = self._under_way(pool, queue.name)
        return Queue(
            name=queue.name,
            paused=queue.is_paused,
            limit=_limit(queue, taken),
            polled=queue.last_polled,
            late=self.late.get((pool, queue.name), 0),
            priority=queue.priority,
        )

    def _under_way(self, pool: str, queue: str | None = None) -> int:
        return self.client.count_flow_runs(
            flow_run_filter=FlowRunFilter(state=in_states(_TAKES_SLOT)),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
            work_queue_filter=_of_queue(queue),
        )

    def blocking(
        self, cause: Cause, pool: str | None, queue: str | None, deployment: UUID
    ) -> list[dict[str, Any]]:
        """The runs that take the slots of the limit that is the cause; none for other causes."""
        mine = FlowRunFilter(state=in_states(_TAKES_SLOT))
        chosen: dict[str, Any] = {}
        if cause is Cause.DEPLOYMENT_FULL:
            mine.deployment_id = FlowRunFilterDeploymentId(any_=[deployment])
        elif cause in (Cause.POOL_FULL, Cause.QUEUE_FULL) and pool is not None:
            chosen["work_pool_filter"] = WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))
            if cause is Cause.QUEUE_FULL:
                chosen["work_queue_filter"] = _of_queue(queue or "default")
        else:
            return []
        runs = self.client.read_flow_runs(flow_run_filter=mine, limit=_MOST_BLOCKING, **chosen)
        return [
            {
                "id": str(run.id),
                "name": flat(run.name),
                "url": get_settings().flow_run_url(run.id),
                "state": flat(run.state_name or ""),
            }
            for run in runs
        ]


def _of_queue(name: str | None) -> WorkQueueFilter | None:
    return None if name is None else WorkQueueFilter(name=WorkQueueFilterName(any_=[name]))


def _limit(item: WorkPool | WorkQueue, counted: int) -> Limit | None:
    if item.concurrency_limit is None:
        return None
    taken = item.active_slots if item.active_slots is not None else counted
    return Limit(item.concurrency_limit, taken)
