"""Completed runs that took longer than a limit, or than such runs take."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterEndTime,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort

from sentinel_core import AlertOutput, History
from sentinel_core.prefect_io.client import in_states, prefect_api
from sentinel_core.wording.text import counted
from triggers.pipelines.ended_run import EndedRun, Ending, ended_run, in_order
from triggers.pipelines.ended_since import UNTIL, Settle, read_ended
from triggers.pipelines.slow import MOST_KEPT, SlowTrigger, p95, sentences


class SlowFlows(SlowTrigger):
    """Runs of your own flows complete, but slowly: one series for each deployment."""

    display_name: ClassVar[str] = "Slow flows"

    settle_seconds: Settle = 10

    def check(self, history: History) -> list[AlertOutput]:
        """One output for each deployment whose runs completed since the last evaluation.

        Raises PrefectUnreachableError when Prefect's API does not answer, and WatchError when more
        runs ended in one second than an evaluation reads.
        """
        with prefect_api() as client:
            ended = read_ended(
                client, self.watch, history, self.first_look_minutes, self.settle_seconds
            )
            ids: dict[str, list[UUID]] = {}
            for one in ended.pipelines:
                ids.setdefault(one.ticker, []).append(one.id)
            done = {
                ticker: completed
                for ticker, runs in sorted(ended.runs.items())
                if (completed := [run for run in runs if run.ending is Ending.COMPLETED])
            }
            usual = {
                ticker: self._p95(client, ids[ticker], ended.since)
                for ticker, runs in done.items()
                if any(self.needs_p95(run) for run in runs)
            }
        outputs = [
            self.evaluate(ticker, runs, usual.get(ticker), ended.until)
            for ticker, runs in done.items()
        ]
        text = "the newest run that completed was not slow"
        reported = [
            run
            for ticker, runs in done.items()
            for run in runs
            if self.slow(run, usual.get(ticker))
        ]
        return ended.outputs(outputs, reported=reported, newest="newest_slow", text=text)

    def _p95(
        self, client: SyncPrefectClient, deployments: Sequence[UUID], before: datetime
    ) -> float | None:
        """The 95th percentile of the runs that completed before; None of too few."""
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                deployment_id=FlowRunFilterDeploymentId(any_=list(deployments)),
                state=in_states([StateType.COMPLETED.value]),
                end_time=FlowRunFilterEndTime(before_=before),
            ),
            sort=FlowRunSort.END_TIME_DESC,
            limit=self.earlier_runs,
        )
        return p95([one.seconds for run in runs if (one := ended_run(run))])

    def evaluate(
        self, ticker: str, runs: Sequence[EndedRun], p95: float | None, until: datetime
    ) -> AlertOutput:
        """Triggered when one of these completed runs, at least one, was slow."""
        ordered = in_order(runs)
        found = [slow for run in reversed(ordered) if (slow := self.slow(run, p95))]
        message = f"{counted(len(ordered), 'run')} completed, none slow"
        if found:
            message = sentences(found, "run", "before")
        newest = ordered[-1]
        newest_slow = bool(found) and found[0].run is newest and not newest.late
        return AlertOutput(
            triggered=bool(found),
            ticker=ticker,
            message=f"{ticker}: {message}",
            metrics={
                "value": len(found),
                "completed_runs": len(ordered),
                "longest_seconds": max(run.seconds for run in ordered),
                "newest_slow": float(newest_slow),
                UNTIL: until.timestamp(),
            },
            metadata={
                "unit": "runs",
                "p95_seconds": p95,
                "runs": [item.evidence for item in found[:MOST_KEPT]],
                "not_listed": max(0, len(found) - MOST_KEPT),
            },
        )
