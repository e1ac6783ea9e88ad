"""Runs that are Running, Pending or Cancelling for too long."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import ClassVar
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import StateType
from prefect.events.filters import (
    EventFilter,
    EventNameFilter,
    EventOccurredFilter,
    EventResourceFilter,
)
from pydantic import Field

from sentinel_core import AlertOutput, History, Importance, Trigger
from sentinel_core.prefect_io.client import PAGE, prefect_api, server_time
from sentinel_core.wording.text import counted
from triggers.pipelines.percentiles import usual
from triggers.pipelines.reading import read_deployments
from triggers.pipelines.selection import Pipeline, Selection
from triggers.pipelines.series import MOST_SERIES, looked_at, recovered
from triggers.pipelines.stuck import ActiveRun, Finding, Limits, stuck
from triggers.pipelines.under_way import (
    Source,
    ad_hoc_runs,
    foreign_flows,
    last_completed,
    of_deployments,
)
from triggers.sources.readings import fitting_ticker

MOST_RUNS = 2_000
FEWEST = 3  # completed runs, to call a duration usual
_MOST_SAID, _MOST_KEPT = 5, 20
_HEARTBEAT = "prefect.flow-run.heartbeat"


class StuckRuns(Trigger):
    """Runs of your own flows do not get on: one series for each deployment, or flow without."""

    display_name: ClassVar[str] = "Stuck runs"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Pipelines"
    timeout_seconds: ClassVar[float] = 180

    watch: Selection = Field(Selection(), description="which deployments; empty: all of them")
    running_seconds: float | None = Field(
        None, gt=0, description="a run may be Running this long; null: no such limit"
    )
    times_usual: float | None = Field(
        3, gt=1, description="or this many times the median of the last completed runs; null: no"
    )
    usual_runs: int = Field(
        20, ge=FEWEST, le=PAGE, description="how many completed runs the median is taken of"
    )
    unusual_from_seconds: float = Field(
        300, ge=0, description="a run that is Running for less is never unusually long"
    )
    heartbeat_seconds: float | None = Field(
        None, gt=0, description="a run that sends heartbeats must have sent one since; null: no"
    )
    pending_seconds: float = Field(600, gt=0, description="a run may be Pending this long")
    cancelling_seconds: float = Field(600, gt=0, description="a run may be Cancelling this long")
    without_deployment: bool = Field(
        True, description="look at runs without a deployment, too: each flow is a series"
    )

    def check(self, history: History) -> list[AlertOutput]:
        """One output for each deployment with stuck runs, and for those that had some before.

        Raises PrefectUnreachableError when Prefect's API does not answer.
        """
        past = history.latest(MOST_SERIES)
        with prefect_api() as client:
            now = server_time(client)
            pipelines = read_deployments(client).pipelines
            flows = foreign_flows(client, pipelines) if self.without_deployment else {}
            selected = self.watch.select(pipelines, flows.values())
            active, unread = self._active(client, selected.pipelines, flows)
            found = self._still(client, self._stuck(client, active, now))
        by_ticker: dict[str, list[Finding]] = defaultdict(list)
        for source, finding in found:
            by_ticker[source.ticker].append(finding)
        outputs = [self.evaluate(ticker, some) for ticker, some in sorted(by_ticker.items())]
        text = f"Looked at {counted(len(active), 'run')} under way; {len(found)} stuck"
        series = [one.ticker for one in selected.pipelines]
        series += [fitting_ticker(name) for name in flows.values()]
        known = set() if unread else set(series)
        return [
            *looked_at(selected.problem, text, len(active), unread, MOST_RUNS),
            *outputs,
            *recovered(past, known, set(by_ticker), "no run is stuck"),
        ]

    @property
    def limits(self) -> Limits:
        """The limits that the parameters set."""
        return Limits(
            pending=self.pending_seconds,
            cancelling=self.cancelling_seconds,
            running=self.running_seconds,
            times_usual=self.times_usual,
            unusual_from=self.unusual_from_seconds,
            heartbeat=self.heartbeat_seconds,
        )

    def _active(
        self, client: SyncPrefectClient, pipelines: Sequence[Pipeline], flows: Mapping[UUID, str]
    ) -> tuple[list[tuple[Source, ActiveRun]], bool]:
        """The runs under way; True if there are more than one evaluation reads."""
        found: list[tuple[Source, ActiveRun]] = []
        ad_hoc = ad_hoc_runs(client, flows, self.watch) if flows else ()
        for source, run in chain(of_deployments(client, pipelines), ad_hoc):
            if len(found) >= MOST_RUNS:
                return found, True
            active = ActiveRun.of(run)
            if active is not None:
                found.append((source, active))
        return found, False

    def _stuck(
        self, client: SyncPrefectClient, active: Iterable[tuple[Source, ActiveRun]], now: datetime
    ) -> list[tuple[Source, Finding]]:
        """The runs that exceed a limit. What is usual is read only where it can matter."""
        limits = self.limits
        known: dict[Source, float | None] = {}
        found: list[tuple[Source, Finding]] = []
        for source, run in active:
            typical = beat = None
            if run.state_type is StateType.RUNNING:
                seconds = (now - run.since).total_seconds()
                if limits.times_usual is not None and seconds > limits.unusual_from:
                    if source not in known:
                        known[source] = self._usual(client, source)
                    typical = known[source]
                if limits.heartbeat is not None and seconds > limits.heartbeat:
                    beat = last_heartbeat(client, run)
            if finding := stuck(run, now, limits, typical, beat):
                found.append((source, finding))
        return found

    def _usual(self, client: SyncPrefectClient, source: Source) -> float | None:
        """The median duration of the last completed runs; None of too few."""
        runs = last_completed(client, source, self.usual_runs)
        each = [run.total_run_time.total_seconds() / max(1, run.run_count) for run in runs]
        return usual(each, FEWEST)

    def _still(
        self, client: SyncPrefectClient, found: Sequence[tuple[Source, Finding]]
    ) -> list[tuple[Source, Finding]]:
        """Those that are in the same state when they are read again, just before the report."""
        states: dict[UUID, UUID | None] = {}
        for start in range(0, len(found), PAGE):
            ids = [finding.run.id for _, finding in found[start : start + PAGE]]
            runs = client.read_flow_runs(
                flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=ids)), limit=PAGE
            )
            states |= {run.id: run.state_id for run in runs}
        return [item for item in found if states.get(item[1].run.id) == item[1].run.state_id]

    def evaluate(self, ticker: str, found: Sequence[Finding]) -> AlertOutput:
        """Triggered: these runs, at least one, are stuck."""
        ordered = sorted(found, key=lambda item: (item.run.since, item.run.id.int))
        said = "; ".join(item.sentence for item in ordered[:_MOST_SAID])
        more = len(ordered) - _MOST_SAID
        return AlertOutput(
            triggered=True,
            ticker=ticker,
            message=f"{ticker}: {counted(len(ordered), 'run is', 'runs are')} stuck. {said}"
            + (f"; and {counted(more, 'run')} more" if more > 0 else ""),
            metrics={
                "value": len(ordered),
                "longest_seconds": max(item.seconds for item in ordered),
            },
            metadata={
                "unit": "runs",
                "codes": sorted({item.code.value for item in ordered}),
                "runs": [item.evidence for item in ordered[:_MOST_KEPT]],
                "not_listed": max(0, len(ordered) - _MOST_KEPT),
            },
        )


def last_heartbeat(client: SyncPrefectClient, run: ActiveRun) -> datetime | None:
    """When a run last sent a heartbeat; None when it has sent none since it is Running."""
    wanted = EventFilter(
        event=EventNameFilter(name=[_HEARTBEAT]),
        resource=EventResourceFilter(id=[f"prefect.flow-run.{run.id}"]),
        occurred=EventOccurredFilter(since=run.since),
    )
    page = client.read_events(wanted, limit=1)
    return max((event.occurred for event in page.events), default=None)
