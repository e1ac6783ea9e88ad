"""Work pools of people's own flows: shut, or without a worker."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from prefect.client.orchestration import SyncPrefectClient
from pydantic import Field

from sentinel_core import AlertOutput, Importance, Trigger
from sentinel_core.prefect_io.client import prefect_api
from sentinel_core.wording.text import counted, flat
from sentinel_core.wording.times import moment
from triggers.pipelines.late_cause import Cause, Pool, Queue
from triggers.pipelines.reading import read_deployments
from triggers.pipelines.selection import Selection
from triggers.pipelines.work_pools import WorkPools
from triggers.sources.readings import fitting_ticker


class WorkPoolHealth(Trigger):
    """The work pools of your own flows are open and have a worker: one series for each pool."""

    display_name: ClassVar[str] = "Work pool health"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Pipelines"
    timeout_seconds: ClassVar[float] = 120

    watch: Selection = Field(
        Selection(), description="deployments whose work pools are meant; empty: of all"
    )
    workers: int = Field(1, ge=0, description="fewer workers online in a pool are an alert")

    def check(self) -> list[AlertOutput]:
        """One output for each work pool.

        Raises PrefectUnreachableError when Prefect's API does not answer.
        """
        with prefect_api() as client:
            selected = self.watch.select(read_deployments(client).pipelines)
            if selected.problem and not selected.pipelines:
                return [selected.problem]
            used: dict[str, set[str]] = {}
            for one in selected.pipelines:
                if one.work_pool is not None:
                    used.setdefault(one.work_pool, set()).add(one.work_queue or "default")
            outputs = self._outputs(client, used)
        if not outputs:
            return [
                AlertOutput(
                    triggered=False,
                    problem="no_data",
                    message="Not checked: none of the deployments has a work pool",
                    metadata={"code": "no_work_pool"},
                )
            ]
        looked = AlertOutput(
            triggered=False,
            message=f"Looked at {counted(len(outputs), 'work pool')}",
            metrics={"value": 0},
        )
        return [selected.problem or looked, *outputs.values()]

    def _outputs(
        self, client: SyncPrefectClient, used: Mapping[str, set[str]]
    ) -> dict[str, AlertOutput]:
        pools = WorkPools(client, {})
        outputs: dict[str, AlertOutput] = {}
        for name, queues in sorted(used.items()):
            facts = [pools.of(name, queue, None) for queue in sorted(queues)]
            known = [item.queue for item in facts if item.queue is not None]
            outputs[fitting_ticker(name)] = self.evaluate(name, facts[0].pool, known)
        return outputs

    def evaluate(self, name: str, pool: Pool | None, queues: Sequence[Queue] = ()) -> AlertOutput:
        """Triggered when nothing in this pool, or in one of these queues, can start."""
        found = self.findings(name, pool, queues)
        online = pool.workers_online if pool else 0
        message = f"{flat(name, 80)}: {counted(online, 'worker')} online"
        return AlertOutput(
            triggered=bool(found),
            ticker=fitting_ticker(name),
            message=f"{flat(name, 80)}: {'; '.join(why for _, why in found)}" if found else message,
            metrics={
                "value": online,
                "threshold": self.workers,
                "under_way": pool.under_way if pool else 0,
            },
            metadata={
                "unit": "workers",
                "codes": [code.value for code, _ in found],
                "work_queues": [flat(queue.name) for queue in queues],
            },
        )

    def findings(
        self, name: str, pool: Pool | None, queues: Sequence[Queue]
    ) -> list[tuple[Cause, str]]:
        """What keeps runs from starting: codes and sentences."""
        if pool is None:
            return [(Cause.POOL_MISSING, f"the work pool {flat(name, 80)} does not exist")]
        found = []
        if pool.paused:
            found.append((Cause.POOL_PAUSED, "it is paused"))
        if pool.limit is not None and pool.limit.slots == 0:
            found.append((Cause.POOL_FULL, "its concurrency limit is 0"))
        if pool.needs_worker and pool.workers_online < self.workers:
            last = pool.last_heartbeat
            since = f", the last heartbeat was at {moment(last)}" if last else ""
            why = f"{pool.workers_online} of {counted(self.workers, 'worker')} online{since}"
            found.append((Cause.NO_WORKER, why))
        for queue in queues:
            if queue.paused:
                found.append((Cause.QUEUE_PAUSED, f"its queue {flat(queue.name, 80)} is paused"))
            elif queue.limit is not None and queue.limit.slots == 0:
                why = f"the concurrency limit of its queue {flat(queue.name, 80)} is 0"
                found.append((Cause.QUEUE_FULL, why))
        return found
