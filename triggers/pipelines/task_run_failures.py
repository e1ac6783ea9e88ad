"""Failed tasks in runs that ended, also where the flow went on without them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType, TaskRun
from pydantic import Field

from sentinel_core import AlertOutput, History, Importance, Trigger
from sentinel_core.base.settings import get_settings
from sentinel_core.model.times import span
from sentinel_core.prefect_io.client import prefect_api
from sentinel_core.wording.text import counted, flat
from triggers.pipelines.ended_run import EndedRun, Ending, ending_of, in_order
from triggers.pipelines.ended_since import UNTIL, FirstLook, Settle, read_ended
from triggers.pipelines.selection import Patterns, Selection, matches
from triggers.pipelines.task_runs import task_name, task_runs, too_many_tasks

_MOST_SAID, _MOST_KEPT = 5, 20


@dataclass(frozen=True, slots=True)
class FailedTask:
    """A task run that failed. `task` is the name of its function."""

    id: UUID
    flow_run: UUID
    task: str
    name: str
    ending: Ending
    message: str
    seconds: float = 0
    retries: int = 0

    @property
    def sentence(self) -> str:
        """`extract-0 failed after 2 retries and 41 s: the tape is torn`"""
        after = [counted(self.retries, "retry", "retries")] if self.retries else []
        words = " and ".join([*after, span(self.seconds)])
        said = f": {flat(self.message)}" if self.message.strip() else ""
        return f"{flat(self.name, 60)} {self.ending.value} after {words}{said}"

    @property
    def evidence(self) -> dict[str, Any]:
        """The task run, for people who look into it."""
        return {
            "id": str(self.id),
            "task": flat(self.task),
            "name": flat(self.name),
            "ending": self.ending.value,
            "message": flat(self.message, 500),
            "seconds": self.seconds,
            "retries": self.retries,
            "flow_run": str(self.flow_run),
            "url": get_settings().flow_run_url(self.flow_run),
        }


class TaskRunFailures(Trigger):
    """Tasks of your own flows failed for good: one series for each deployment."""

    display_name: ClassVar[str] = "Task run failures"
    default_importance: ClassVar[Importance] = Importance.MEDIUM
    default_category: ClassVar[str] = "Pipelines"
    timeout_seconds: ClassVar[float] = 180

    watch: Selection = Field(Selection(), description="which deployments; empty: all of them")
    exclude_tasks: Patterns = Field([], description="tasks that may fail, by name or glob")
    completed_runs_only: bool = Field(
        False, description="look only at runs that completed in spite of the failed task"
    )
    first_look_minutes: FirstLook = 60
    settle_seconds: Settle = 30

    def check(self, history: History) -> list[AlertOutput]:
        """One output for each deployment whose runs ended since the last evaluation.

        Raises PrefectUnreachableError when Prefect's API does not answer, and WatchError when more
        runs ended in one second than an evaluation reads.
        """
        with prefect_api() as client:
            ended = read_ended(
                client, self.watch, history, self.first_look_minutes, self.settle_seconds
            )
            runs = {
                ticker: looked
                for ticker, some in sorted(ended.runs.items())
                if (looked := [run for run in some if self._looks_at(run)])
            }
            failed, unread = self._failed(
                client, [run.id for some in runs.values() for run in some]
            )
        if unread and ended.problem is None:
            ended = replace(ended, problem=too_many_tasks("tasks failed"))
        outputs = [self.evaluate(name, some, failed, ended.until) for name, some in runs.items()]
        text = "no task failed in the newest run that ended"
        reported = [run for some in runs.values() for run in some if run.id in failed]
        return ended.outputs(outputs, reported=reported, newest="newest_failed", text=text)

    def _looks_at(self, run: EndedRun) -> bool:
        if self.completed_runs_only:
            return run.ending is Ending.COMPLETED
        return run.ending is not Ending.CANCELLED

    def _failed(
        self, client: SyncPrefectClient, flow_runs: Sequence[UUID]
    ) -> tuple[dict[UUID, list[FailedTask]], bool]:
        """The failed tasks of these runs, by run; True if there are more than were read."""
        found: dict[UUID, list[FailedTask]] = defaultdict(list)
        read, unread = task_runs(client, flow_runs, StateType.FAILED, StateType.CRASHED)
        for task in map(failed_task, read):
            if task is not None and not matches(self.exclude_tasks, (task.task,)):
                found[task.flow_run].append(task)
        return found, unread

    def evaluate(
        self,
        ticker: str,
        runs: Sequence[EndedRun],
        failed: Mapping[UUID, Sequence[FailedTask]],
        until: datetime,
    ) -> AlertOutput:
        """Triggered when a task failed in one of these ended runs, at least one."""
        ordered = in_order(runs)
        tasks = [task for run in reversed(ordered) for task in failed.get(run.id, ())]
        message = f"{ticker}: {counted(len(ordered), 'run')} ended, no task failed"
        if tasks:
            names = sorted({task.task for task in tasks})
            named = ", ".join(flat(name, 60) for name in names[:_MOST_SAID])
            said = "; ".join(task.sentence for task in tasks[:_MOST_SAID])
            message = f"{ticker}: {counted(len(tasks), 'task run')} failed ({named}). {said}"
            more = len(tasks) - _MOST_SAID
            message += f"; and {more:,} more" if more > 0 else ""
        return AlertOutput(
            triggered=bool(tasks),
            ticker=ticker,
            message=message,
            metrics={
                "value": len(tasks),
                "ended_runs": len(ordered),
                "newest_failed": float(ordered[-1].id in failed and not ordered[-1].late),
                UNTIL: until.timestamp(),
            },
            metadata={
                "unit": "task runs",
                "tasks": [task.evidence for task in tasks[:_MOST_KEPT]],
                "not_listed": max(0, len(tasks) - _MOST_KEPT),
            },
        )


def failed_task(run: TaskRun) -> FailedTask | None:
    """A task run of Prefect's API; None when it has not failed."""
    state = run.state
    if state is None or run.flow_run_id is None or not (state.is_failed() or state.is_crashed()):
        return None
    ending = ending_of(state.type, state.name or "", ran=True)
    ended = run.end_time or state.timestamp
    return FailedTask(
        id=run.id,
        flow_run=run.flow_run_id,
        task=task_name(run.task_key),
        name=run.name,
        ending=ending,
        message=(state.message or "")[:2_000],
        seconds=max(0.0, (ended - run.start_time).total_seconds()) if run.start_time else 0.0,
        retries=max(0, (run.run_count or 0) - 1),
    )
