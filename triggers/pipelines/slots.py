"""Who holds the slots of work pools and of tags, read from Prefect's API."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterId,
    TaskRunFilterTags,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import ConcurrencyLimit, FlowRun, StateType, TaskRun
from prefect.client.schemas.sorting import FlowRunSort, TaskRunSort

from sentinel_core.prefect_io.client import PAGE, each_page, in_states
from triggers.pipelines.starved import Holder, Waiting
from triggers.pipelines.task_runs import task_states

_UNDER_WAY = (StateType.PENDING.value, StateType.RUNNING.value)  # as Prefect counts slots
_MOST_HOLDERS = 1_000
_MOST_WAITING = 1_000  # task runs of one tag


@dataclass(frozen=True)
class FullTag:
    """A tag whose task runs hold all slots, and the task runs that wait, with their deployment."""

    tag: str
    slots: int
    holders: Sequence[Holder]
    waiting: Mapping[UUID, Sequence[Waiting]]


class Slots:
    """The runs under way. `owners`: the names of all deployments."""

    def __init__(self, client: SyncPrefectClient, owners: Mapping[UUID, str]) -> None:
        self.client = client
        self.owners = owners

    def of_pool(self, pool: str) -> list[tuple[str, Holder]]:
        """The runs under way in a work pool, each with its work queue; a thousand at most."""
        holders: list[tuple[str, Holder]] = []
        for page in each_page(lambda offset: self._page(pool, offset)):
            holders += [(run.work_queue_name or "default", self._holder(run)) for run in page]
            if len(holders) >= _MOST_HOLDERS:
                break
        return holders

    def _page(self, pool: str, offset: int) -> list[FlowRun]:
        return self.client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=in_states(_UNDER_WAY)),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
            sort=FlowRunSort.ID_DESC,
            limit=PAGE,
            offset=offset,
        )

    def _holder(self, run: FlowRun) -> Holder:
        owner = self.owners.get(run.deployment_id) if run.deployment_id else None
        return Holder(run.id, run.name, owner or "a run without a deployment")

    def full_tags(self) -> list[FullTag]:
        """The tags with a concurrency limit that is full, and for which task runs wait."""
        limits: list[ConcurrencyLimit] = []
        while page := self.client.read_concurrency_limits(limit=PAGE, offset=len(limits)):
            limits += page
        full = [item for item in limits if len(item.active_slots) >= item.concurrency_limit > 0]
        return [tag for item in full if (tag := self._full_tag(item))]

    def _full_tag(self, limit: ConcurrencyLimit) -> FullTag | None:
        waiting = self._ready(self._pending(limit.tag))
        if not waiting:
            return None
        holding = self._task_runs(limit.active_slots)
        runs = self._flow_runs(run.flow_run_id for run in (*waiting, *holding))
        held = [
            Holder(flow_run.id, f"{run.name} of {flow_run.name}", self._holder(flow_run).owner)
            for run in holding
            if run.flow_run_id and (flow_run := runs.get(run.flow_run_id))
        ]
        by_deployment: dict[UUID, list[Waiting]] = defaultdict(list)
        for run in waiting:
            flow_run = runs.get(run.flow_run_id) if run.flow_run_id else None
            if flow_run is None or flow_run.deployment_id is None or run.state is None:
                continue
            name, owner = f"{run.name} of {flow_run.name}", self._holder(flow_run).owner
            by_deployment[flow_run.deployment_id].append(
                Waiting(flow_run.id, name, owner, run.state.timestamp)
            )
        return FullTag(limit.tag, limit.concurrency_limit, held, by_deployment)

    def _pending(self, tag: str) -> list[TaskRun]:
        wanted = TaskRunFilter(
            tags=TaskRunFilterTags(all_=[tag]), state=task_states(StateType.PENDING)
        )

        def page(offset: int) -> list[TaskRun]:
            return self.client.read_task_runs(
                task_run_filter=wanted, sort=TaskRunSort.ID_DESC, limit=PAGE, offset=offset
            )

        pending: list[TaskRun] = []
        for runs in each_page(page):
            pending += runs
            if len(pending) >= _MOST_WAITING:
                break
        return pending

    def _ready(self, pending: Sequence[TaskRun]) -> list[TaskRun]:
        """Those that wait for no other task: its result is among their inputs."""
        needs = {run.id: upstream(run) for run in pending}
        states = {
            run.id: run.state
            for run in self._task_runs({id_ for ids in needs.values() for id_ in ids})
        }
        return [
            run
            for run in pending
            if all((state := states.get(id_)) and state.is_final() for id_ in needs[run.id])
        ]

    def _task_runs(self, ids: Iterable[UUID]) -> list[TaskRun]:
        runs: list[TaskRun] = []
        for chunk in _pages_of(ids):
            wanted = TaskRunFilter(id=TaskRunFilterId(any_=chunk))
            runs += self.client.read_task_runs(task_run_filter=wanted, limit=PAGE)
        return runs

    def _flow_runs(self, ids: Iterable[UUID | None]) -> dict[UUID, FlowRun]:
        by_id: dict[UUID, FlowRun] = {}
        for chunk in _pages_of(id_ for id_ in ids if id_):
            wanted = FlowRunFilter(id=FlowRunFilterId(any_=chunk))
            runs = self.client.read_flow_runs(flow_run_filter=wanted, limit=PAGE)
            by_id |= {run.id: run for run in runs}
        return by_id


def upstream(run: TaskRun) -> set[UUID]:
    """The task runs whose results a task run takes, or that it waits for."""
    inputs = [item for values in run.task_inputs.values() for item in values]
    return {item.id for item in inputs if item.input_type == "task_run"}


def _pages_of(ids: Iterable[UUID]) -> list[list[UUID]]:
    every = list(dict.fromkeys(ids))
    return [every[start : start + PAGE] for start in range(0, len(every), PAGE)]
