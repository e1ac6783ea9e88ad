"""What was promised of a deployment: how long, how often, by when, with how few failures."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import StateType
from pydantic import Field, model_validator

from sentinel_core import AlertOutput, History, Importance, Trigger
from sentinel_core.prefect_io.client import in_states, prefect_api, server_time
from sentinel_core.wording.text import counted
from triggers.pipelines.ended_run import EndedRun, ended_run
from triggers.pipelines.ended_since import MOST_PAST, MOST_RUNS, UNTIL, checked_until
from triggers.pipelines.promises import (
    DAY,
    Facts,
    Verdict,
    duration,
    failures,
    frequency,
    lateness,
    ready_by,
    success_rate,
)
from triggers.pipelines.reading import (
    WatchError,
    count_runs,
    each_run,
    ended_between,
    read_deployments,
)
from triggers.pipelines.ready_by import ReadyBy
from triggers.pipelines.selection import Pipeline, Selection
from triggers.pipelines.starts import Start, read_starts


class FlowSla(Trigger):
    """Your own flows keep what was promised of them: one series for each deployment."""

    display_name: ClassVar[str] = "Flow SLA"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Pipelines"
    timeout_seconds: ClassVar[float] = 180

    watch: Selection = Field(Selection(), description="which deployments; empty: all of them")
    max_duration_seconds: float | None = Field(
        None, gt=0, description="a run takes at most this long, also while it is running"
    )
    max_lateness_seconds: float | None = Field(
        None, gt=0, description="a run starts at most this long after it was due"
    )
    max_failures_per_day: int | None = Field(
        None, ge=0, description="at most this many runs fail in 24 hours"
    )
    min_success_rate: float | None = Field(
        None, ge=0, le=100, description="at least this percentage of the window's runs complete"
    )
    min_successes: int | None = Field(
        None, ge=1, description="at least this many runs complete in the window"
    )
    ready_by: ReadyBy | None = Field(None, description="a run has completed by a time of day")
    window_hours: float = Field(
        24, gt=0, le=744, description="the window of min_success_rate and min_successes"
    )

    @model_validator(mode="after")
    def _promises(self) -> Self:
        if not self._set():
            raise ValueError(
                "nothing is promised: set max_duration_seconds, max_lateness_seconds, "
                "max_failures_per_day, min_success_rate, min_successes or ready_by"
            )
        return self

    def _set(self) -> bool:
        of_runs = (self.max_duration_seconds, self.max_lateness_seconds, self.ready_by)
        of_many = (self.max_failures_per_day, self.min_success_rate, self.min_successes)
        return any(item is not None for item in (*of_runs, *of_many))

    def check(self, history: History) -> list[AlertOutput]:
        """One output for each deployment.

        Raises PrefectUnreachableError when Prefect's API does not answer, and WatchError when the
        window has more runs than one evaluation reads.
        """
        previous = checked_until(history.latest(MOST_PAST))
        with prefect_api() as client:
            now = server_time(client)
            found = read_deployments(client)
            selected = self.watch.select(found.pipelines)
            if not selected.pipelines:
                return [selected.problem] if selected.problem else []
            ended = self._ended(client, selected.pipelines, now)
            running = self._running(client, selected.pipelines)
            starts = self._starts(client, selected.pipelines, now, previous)
        by_ticker: dict[str, list[Pipeline]] = defaultdict(list)
        for one in selected.pipelines:
            by_ticker[one.ticker].append(one)
        outputs = [
            self.evaluate(
                ticker,
                Facts(
                    now,
                    min(found.created.get(one.id, now) for one in some),
                    sorted(
                        (run for one in some for run in ended[one.id]),
                        key=lambda run: (run.ended_at, run.id.int),
                    ),
                    [run for one in some for run in running[one.id]],
                    previous,
                    [start for one in some for start in starts.get(one.id, ())],
                ),
            )
            for ticker, some in sorted(by_ticker.items())
        ]
        looked = AlertOutput(
            triggered=False,
            message=f"Looked at {counted(len(by_ticker), 'deployment')}",
            metrics={"value": 0, UNTIL: now.timestamp()},
        )
        return [selected.problem or looked, *outputs]

    def _ended(
        self, client: SyncPrefectClient, pipelines: Sequence[Pipeline], now: datetime
    ) -> dict[UUID, list[EndedRun]]:
        """The ended runs of all windows, by deployment."""
        ids = [one.id for one in pipelines]
        wanted = ended_between(self._begin(now), None)
        count = count_runs(client, ids, wanted)
        if count > MOST_RUNS:
            raise WatchError(
                f"{count:,} runs ended in the window, more than the {MOST_RUNS:,} that one "
                "evaluation reads: narrow the filter, or shorten window_hours"
            )
        runs: dict[UUID, list[EndedRun]] = defaultdict(list)
        for run in each_run(client, ids, wanted):
            ended = ended_run(run)
            if ended is not None and run.deployment_id is not None:
                runs[run.deployment_id].append(ended)
        return runs

    def _begin(self, now: datetime) -> datetime:
        """The moment from which on runs are needed."""
        begin = [now - DAY]
        if self.min_success_rate is not None or self.min_successes is not None:
            begin.append(now - timedelta(hours=self.window_hours))
        if self.ready_by is not None:
            due = self.ready_by.deadline.last(now)
            begin.append((due or now) - timedelta(hours=self.ready_by.within_hours))
        return min(begin)

    def _running(
        self, client: SyncPrefectClient, pipelines: Sequence[Pipeline]
    ) -> dict[UUID, list[tuple[str, datetime]]]:
        """The names and starts of running runs, by deployment."""
        runs: dict[UUID, list[tuple[str, datetime]]] = defaultdict(list)
        if self.max_duration_seconds is None:
            return runs
        wanted = FlowRunFilter(state=in_states([StateType.RUNNING.value]))
        for run in each_run(client, [one.id for one in pipelines], wanted):
            if run.deployment_id is not None and run.start_time is not None:
                runs[run.deployment_id].append((run.name, run.start_time))
        return runs

    def _starts(
        self,
        client: SyncPrefectClient,
        pipelines: Sequence[Pipeline],
        now: datetime,
        previous: datetime | None,
    ) -> dict[UUID, list[Start]]:
        """When runs were due and when they started, by deployment."""
        if self.max_lateness_seconds is None:
            return {}
        return read_starts(client, [one.id for one in pipelines], now, previous)

    def verdicts(self, facts: Facts) -> list[Verdict]:
        """What became of each promise."""
        window = timedelta(hours=self.window_hours)
        found: list[Verdict] = []
        if self.max_duration_seconds is not None:
            found.append(duration(facts, self.max_duration_seconds))
        if self.max_lateness_seconds is not None:
            found.append(lateness(facts, self.max_lateness_seconds))
        if self.max_failures_per_day is not None:
            found.append(failures(facts, self.max_failures_per_day))
        if self.min_success_rate is not None:
            found.append(success_rate(facts, self.min_success_rate, window))
        if self.min_successes is not None:
            found.append(frequency(facts, self.min_successes, window))
        if (ready := self.ready_by) is not None:
            found.append(ready_by(facts, ready.deadline, timedelta(hours=ready.within_hours)))
        return found

    def evaluate(self, ticker: str, facts: Facts) -> AlertOutput:
        """Triggered by a broken promise; no data where nothing can be said about any of them."""
        verdicts = self.verdicts(facts)
        broken = [verdict for verdict in verdicts if verdict.kept is False]
        unknown = all(verdict.kept is None for verdict in verdicts)
        said = "; ".join(verdict.why for verdict in broken or verdicts)
        metrics = {
            verdict.promise.value: verdict.value
            for verdict in verdicts
            if verdict.value is not None
        }
        return AlertOutput(
            triggered=bool(broken),
            problem="no_data" if unknown else None,
            ticker=ticker,
            message=f"{ticker}: {said}",
            metrics={**metrics, "value": len(broken), UNTIL: facts.now.timestamp()},
            metadata={
                "unit": "promises",
                "broken": [verdict.promise.value for verdict in broken],
                "promises": [_evidence(verdict) for verdict in verdicts],
            },
        )


def _evidence(verdict: Verdict) -> dict[str, Any]:
    return {
        "promise": verdict.promise.value,
        "kept": verdict.kept,
        "why": verdict.why,
        "value": verdict.value,
        "limit": verdict.limit,
    }
