"""Many failed runs of people's own flows within a short time, whatever flows they are of."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated, ClassVar
from uuid import UUID

from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterEndTime
from pydantic import Field

from sentinel_core import AlertOutput, Importance, Trigger
from sentinel_core.decide.cause import Starter, joined
from sentinel_core.model.run import StateType
from sentinel_core.model.times import span
from sentinel_core.prefect_io.client import in_states, prefect_api, server_time
from sentinel_core.wording.text import counted
from triggers.pipelines.ended_run import FAILURES, EndedRun, Ending, ended_run, in_order
from triggers.pipelines.reading import each_run, read_deployments
from triggers.pipelines.selection import Selection
from triggers.pipelines.starting_run import StartingRun, read_starting_runs

MOST_RUNS = 5_000  # of one evaluation: enough to know that it is a storm
_MOST_SAID, _MOST_KEPT = 5, 50


class FailureStorm(Trigger):
    """More runs of your own flows failed within an hour than one cause by itself explains."""

    display_name: ClassVar[str] = "Failure storm"
    default_importance: ClassVar[Importance] = Importance.CRITICAL
    default_category: ClassVar[str] = "Pipelines"
    timeout_seconds: ClassVar[float] = 180

    watch: Selection = Field(Selection(), description="which deployments; empty: all of them")
    max_failures: int = Field(
        3, ge=0, le=MOST_RUNS - 1, description="more failed runs than this are a storm"
    )
    window_minutes: Annotated[float, Field(gt=0, le=1_440)] = Field(
        60, description="how far back failed runs count, by their end"
    )
    ignore: list[Ending] = Field([], description="endings that are not counted as failures")
    count_started: bool = Field(
        True, description="also count runs that failed under a failed run which started them"
    )

    def check(self) -> AlertOutput:
        """The failed runs of the window, counted.

        Raises PrefectUnreachableError when Prefect's API does not answer.
        """
        with prefect_api() as client:
            until = server_time(client)
            found = read_deployments(client)
            selected = self.watch.select(found.pipelines)
            if not selected.pipelines or selected.unmatched:
                assert selected.problem is not None
                return selected.problem
            tickers = {one.id: one.ticker for one in selected.pipelines}
            schemas = {key: found.schemas[key] for key in tickers}
            runs = list(islice(each_run(client, list(tickers), self._wanted(until)), MOST_RUNS))
            failed = [
                (tickers[run.deployment_id], ended)
                for run in runs
                if run.deployment_id is not None
                and (ended := ended_run(run, schemas[run.deployment_id])) is not None
                and self._fails(ended.ending)
            ]
            below: set[UUID] = set()
            if not self.count_started:
                starters = read_starting_runs(client, runs, selected.pipelines, until)
                below = {key for key, row in starters.items() if self._explained(row)}
        counts = [(ticker, run) for ticker, run in failed if run.id not in below]
        return self.evaluate(counts, len(selected.pipelines))

    def evaluate(self, failed: Iterable[tuple[str, EndedRun]], deployments: int) -> AlertOutput:
        """Triggered when there are more failed runs than `max_failures`."""
        pairs = list(failed)
        names = {run.id: ticker for ticker, run in pairs}
        runs = in_order(run for _, run in pairs)
        by_name = Counter(names.values())
        window = span(self.window_minutes * 60)
        storm = len(runs) > self.max_failures
        most = ", ".join(f"{name} ({count})" for name, count in by_name.most_common(_MOST_SAID))
        more = len(by_name) - _MOST_SAID
        most += f" and {more:,} more" if more > 0 else ""
        if storm:
            message = (
                f"System-wide investigation needed: {counted(len(runs), 'run')} of "
                f"{counted(len(by_name), 'deployment')} failed within {window}, more than "
                f"{self.max_failures:,}: {most}. The newest: {runs[-1].sentence}"
            )
        else:
            message = (
                f"{counted(len(runs), 'run')} of {counted(deployments, 'deployment')} failed "
                f"within {window}" + (f": {most}" if most else "")
            )
        return AlertOutput(
            triggered=storm,
            message=message,
            metrics={"value": len(runs), "deployments": len(by_name)},
            metadata={
                "unit": "runs",
                "runs": [
                    {"series": names[run.id], **run.evidence}
                    for run in reversed(runs[-_MOST_KEPT:])
                ],
                "not_listed": max(0, len(runs) - _MOST_KEPT),
                "by_deployment": dict(by_name.most_common(_MOST_KEPT)),
            },
        )

    def _wanted(self, until: datetime) -> FlowRunFilter:
        since = until - timedelta(minutes=self.window_minutes)
        return FlowRunFilter(
            state=in_states((StateType.FAILED, StateType.CRASHED)),
            end_time=FlowRunFilterEndTime(after_=since),
        )

    def _fails(self, ending: Ending) -> bool:
        return ending in FAILURES and ending not in self.ignore

    def _explained(self, starters: Sequence[StartingRun]) -> bool:
        """True if a run that was started by these failed because one of them did."""
        return (
            joined(
                Starter(run.ending is not None and self._fails(run.ending), run.ticker)
                for run in starters
            )
            is not None
        )
