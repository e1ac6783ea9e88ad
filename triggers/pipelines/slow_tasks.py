"""Tasks that took longer than a limit, or than the same task takes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Any, ClassVar
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    TaskRunFilter,
    TaskRunFilterEndTime,
    TaskRunFilterName,
)
from prefect.client.schemas.objects import StateType, TaskRun
from prefect.client.schemas.sorting import TaskRunSort
from pydantic import Field

from sentinel_core import AlertOutput, History
from sentinel_core.base.settings import get_settings
from sentinel_core.prefect_io.client import PAGE, prefect_api
from sentinel_core.wording.text import counted, flat
from triggers.pipelines.ended_run import EndedRun, Ending, in_order
from triggers.pipelines.ended_since import UNTIL, EndedSince, Settle, read_ended
from triggers.pipelines.selection import Patterns, matches
from triggers.pipelines.slow import FEWEST, MOST_KEPT, Slow, SlowTrigger, p95, sentences
from triggers.pipelines.task_runs import task_name, task_runs, task_states, too_many_tasks

_CACHED = "Cached"  # Prefect's name for the end of a task whose result was there already
_MOST_PAGES = 10  # of earlier task runs, where their names do not lead to those of one task


@dataclass(frozen=True, slots=True)
class TimedTask:
    """A completed task run. `key` is Prefect's name of the task, `task` that of its function."""

    id: UUID
    flow_run: UUID
    key: str
    task: str
    name: str
    seconds: float
    ended_at: datetime

    @property
    def evidence(self) -> dict[str, Any]:
        """The task run, for people who look into it."""
        return {
            "id": str(self.id),
            "task": flat(self.task),
            "name": flat(self.name),
            "seconds": self.seconds,
            "ended": self.ended_at.isoformat(),
            "flow_run": str(self.flow_run),
            "url": get_settings().flow_run_url(self.flow_run),
        }


class SlowTasks(SlowTrigger):
    """Tasks of your own flows complete, but slowly: one series for each deployment."""

    display_name: ClassVar[str] = "Slow tasks"

    settle_seconds: Settle = 30
    tasks: Patterns = Field([], description="tasks to look at, by name or glob; empty: all of them")
    exclude_tasks: Patterns = Field([], description="tasks that may be slow, by name or glob")

    def check(self, history: History) -> list[AlertOutput]:
        """One output for each deployment whose tasks completed since the last evaluation.

        Raises PrefectUnreachableError when Prefect's API does not answer, and WatchError when more
        runs ended in one second than an evaluation reads.
        """
        with prefect_api() as client:
            ended = read_ended(
                client, self.watch, history, self.first_look_minutes, self.settle_seconds
            )
            runs = {
                ticker: some
                for ticker, every in sorted(ended.runs.items())
                if (some := [run for run in every if run.ending is not Ending.CANCELLED])
            }
            slow, unread = self._slow(client, ended, runs)
        if unread and ended.problem is None:
            ended = replace(ended, problem=too_many_tasks("tasks completed"))
        outputs = [
            output
            for ticker, some in runs.items()
            if (output := self.evaluate(ticker, some, slow, ended.until))
        ]
        text = "no task was slow in the newest run that completed"
        reported = [run for some in runs.values() for run in some if run.id in slow]
        return ended.outputs(outputs, reported=reported, newest="newest_slow", text=text)

    def _slow(
        self, client: SyncPrefectClient, ended: EndedSince, runs: Mapping[str, Sequence[EndedRun]]
    ) -> tuple[dict[UUID, list[Slow]], bool]:
        """The slow tasks of these runs, by run; True if there are more tasks than were read.

        A task takes no longer than its run: the tasks of short runs are not read.
        """
        limit = self.max_seconds if self.max_seconds is not None else inf
        shortest = min(limit, self.slow_from_seconds if self.times_p95 is not None else inf)
        long = [run.id for some in runs.values() for run in some if run.seconds > shortest]
        read, unread = task_runs(client, long, StateType.COMPLETED)
        tickers = {run.id: ticker for ticker, some in runs.items() for run in some}
        ids: dict[str, list[UUID]] = defaultdict(list)
        for one in ended.pipelines:
            ids[one.ticker].append(one.id)
        usual: dict[tuple[str, str], float | None] = {}
        by_run: dict[UUID, list[Slow]] = defaultdict(list)
        for task in filter(None, map(timed_task, read)):
            if not self._looks_at(task):
                continue
            series = (tickers[task.flow_run], task.key)
            if self.needs_p95(task) and series not in usual:
                earlier = _earlier(client, ids[series[0]], task, ended.since, self.earlier_runs)
                usual[series] = p95(earlier)
            if slow := self.slow(task, usual.get(series)):
                by_run[task.flow_run].append(slow)
        return by_run, unread

    def _looks_at(self, task: TimedTask) -> bool:
        named = (task.task,)
        return matches(self.tasks or ["*"], named) and not matches(self.exclude_tasks, named)

    def evaluate(
        self,
        ticker: str,
        runs: Sequence[EndedRun],
        slow: Mapping[UUID, Sequence[Slow]],
        until: datetime,
    ) -> AlertOutput | None:
        """Triggered when a task was slow in one of these ended runs.

        None when none was and none of the runs completed: the others may not have got that far.
        """
        judged = [run for run in in_order(runs) if run.ending is Ending.COMPLETED or run.id in slow]
        if not judged:
            return None
        items = [item for run in reversed(judged) for item in _longest(slow.get(run.id, ()))]
        message = f"{counted(len(judged), 'run')} completed, no task was slow"
        if items:
            message = sentences(items, "task run", "more")
        return AlertOutput(
            triggered=bool(items),
            ticker=ticker,
            message=f"{ticker}: {message}",
            metrics={
                "value": len(items),
                "ended_runs": len(judged),
                "longest_seconds": max((item.run.seconds for item in items), default=0.0),
                "newest_slow": float(judged[-1].id in slow and not judged[-1].late),
                UNTIL: until.timestamp(),
            },
            metadata={
                "unit": "task runs",
                "tasks": [item.evidence for item in items[:MOST_KEPT]],
                "not_listed": max(0, len(items) - MOST_KEPT),
            },
        )


def _longest(items: Sequence[Slow]) -> list[Slow]:
    return sorted(items, key=lambda item: -item.run.seconds)


def timed_task(run: TaskRun) -> TimedTask | None:
    """A task run of Prefect's API; None when it did not complete, or its result was cached."""
    state = run.state
    if state is None or run.flow_run_id is None or not state.is_completed():
        return None
    if state.name == _CACHED or run.start_time is None:
        return None
    ended = run.end_time or state.timestamp
    return TimedTask(
        id=run.id,
        flow_run=run.flow_run_id,
        key=run.task_key,
        task=task_name(run.task_key),
        name=run.name,
        seconds=max(0.0, (ended - run.start_time).total_seconds()),
        ended_at=ended,
    )


def _earlier(
    client: SyncPrefectClient,
    deployments: Sequence[UUID],
    task: TimedTask,
    before: datetime,
    most: int,
) -> list[float]:
    """The durations of the last runs of the same task that ended before.

    Prefect can be asked for the names of task runs and not for their task. Most names begin with
    that of the task; where too few do, the latest runs of all tasks are read.
    """
    stem = task.name.rpartition("-")[0]
    named = TaskRunFilterName(like_=stem) if stem else None
    seconds: list[float] = []
    for name in (named, None) if named else (None,):
        seconds = []
        for run in _completed(client, deployments, before, name):
            if run.key == task.key:
                seconds.append(run.seconds)
            if len(seconds) >= most:
                return seconds
        if len(seconds) >= FEWEST:
            return seconds
    return seconds


def _completed(
    client: SyncPrefectClient,
    deployments: Sequence[UUID],
    before: datetime,
    name: TaskRunFilterName | None,
) -> Iterator[TimedTask]:
    """The task runs that completed before, newest first, as many as ten pages."""
    wanted = TaskRunFilter(
        name=name,
        state=task_states(StateType.COMPLETED),
        end_time=TaskRunFilterEndTime(before_=before),
    )
    for page in range(_MOST_PAGES):
        runs = client.read_task_runs(
            task_run_filter=wanted,
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=list(deployments))),
            sort=TaskRunSort.END_TIME_DESC,
            limit=PAGE,
            offset=page * PAGE,
        )
        yield from filter(None, map(timed_task, runs))
        if len(runs) < PAGE:
            return
