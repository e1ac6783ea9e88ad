"""What the worker knows of its work pool: whether it is alone there, and whether limits apply."""

import math
import time

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import WorkerStatus, WorkPool
from prefect.logging import get_logger

REFRESH_SECONDS = 30.0

logger = get_logger("sentinel.worker")


class WorkPoolFacts:
    """Facts that change seldom. Until they are known, others may be there.

    `shared`: another worker takes runs of the pool as well. `limited`: Prefect shows a worker no
    more runs than the pool or one of its queues has slots left.
    """

    def __init__(self) -> None:
        self._asked = -math.inf
        self.shared = True
        self.limited = False

    async def refresh(self, client: PrefectClient, pool: WorkPool | None, me: str) -> None:
        """Ask Prefect, if the last answer is old; keep that one while Prefect does not answer."""
        if pool is None or time.monotonic() - self._asked < REFRESH_SECONDS:
            return
        try:
            workers = await client.read_workers_for_work_pool(pool.name)
            queues = await client.read_work_queues(work_pool_name=pool.name)
        except Exception:
            logger.warning("Prefect could not be asked about the work pool", exc_info=True)
            return
        self._asked = time.monotonic()
        online = [worker.name for worker in workers if worker.status is WorkerStatus.ONLINE]
        self.shared = any(name != me for name in online)
        limits = [pool.concurrency_limit, *(queue.concurrency_limit for queue in queues)]
        self.limited = any(limit is not None for limit in limits)
