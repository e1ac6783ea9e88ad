"""The SLAs that deployments declare in `prefect.yaml`, watched on a server without Cloud."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import StateType
from pydantic import Field, model_validator

from sentinel_core import AlertOutput, History, Importance, Trigger
from sentinel_core.base.settings import get_settings
from sentinel_core.model.run import TERMINAL
from sentinel_core.model.sla import SlaKind, WatchedSla
from sentinel_core.prefect_io.client import in_states, prefect_api, server_time
from sentinel_core.wording.text import counted, flat
from triggers.pipelines.declared import Judged, Runs, judge
from triggers.pipelines.ended_run import EndedRun, Ending, ended_run, in_order
from triggers.pipelines.ended_since import MOST_PAST, MOST_RUNS, SKEW, UNTIL, checked_until
from triggers.pipelines.newest import newest_runs
from triggers.pipelines.reading import (
    WatchError,
    count_runs,
    each_run,
    ended_between,
    read_deployments,
)
from triggers.pipelines.selection import Pipeline
from triggers.pipelines.starts import Start, read_starts
from triggers.sources.readings import fitting_ticker

_NEWEST = 20  # runs: enough for one that was not cancelled, and for the last gaps
_LONGEST_BACK = timedelta(days=1)  # after a longer break only the newest ended run is looked at


class PrefectSla(Trigger):
    """The SLAs that your own deployments declare in prefect.yaml are kept: one series for each."""

    display_name: ClassVar[str] = "SLA"
    default_importance: ClassVar[Importance] = Importance.MEDIUM
    default_category: ClassVar[str] = "Pipelines"
    timeout_seconds: ClassVar[float] = 180

    slas: list[WatchedSla] = Field(
        min_length=1,
        max_length=1_000,
        description="the SLAs with Prefect's own keys, each with its deployment as flow/name",
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        named = [series_of(sla) for sla in self.slas]
        if twice := [ticker for ticker in named if named.count(ticker) > 1]:
            raise ValueError(f"slas: there are two of {twice[0]!r}; give each SLA its own name")
        return self

    def check(self, history: History) -> list[AlertOutput]:
        """One output for each SLA that is enabled.

        Raises PrefectUnreachableError when Prefect's API does not answer, and WatchError when more
        runs ended since the last evaluation than one evaluation reads.
        """
        previous = checked_until(history.latest(MOST_PAST))
        watched = [sla for sla in self.slas if sla.enabled]
        with prefect_api() as client:
            now = server_time(client)
            found = read_deployments(client)
            there = {one.name: one for one in found.pipelines}
            runs = _read(client, watched, there, Runs(now, now, previous))
        outputs = [
            self.evaluate(
                sla,
                replace(runs[one.id], since=found.created.get(one.id, now))
                if (one := there.get(sla.deployment))
                else None,
            )
            for sla in watched
        ]
        looked = AlertOutput(
            triggered=False,
            message=f"Looked at {counted(len(watched), 'SLA')}",
            metrics={"value": 0, UNTIL: now.timestamp()},
        )
        return [looked, *outputs]

    def evaluate(self, sla: WatchedSla, runs: Runs | None) -> AlertOutput:
        """Triggered by an SLA that is not kept; no data where Prefect has no such deployment."""
        ticker, importance = series_of(sla), sla.severity.importance
        if runs is None:
            return AlertOutput(
                triggered=False,
                problem="no_data",
                ticker=ticker,
                importance=importance,
                message=f"Not checked: Prefect has no deployment {flat(sla.deployment)}; deploy "
                "it, or remove its SLAs",
                metadata={"code": "not_deployed"},
            )
        judged = judge(sla, runs)
        verb = "keeps" if judged.kept else "violates"
        return AlertOutput(
            triggered=not judged.kept,
            ticker=ticker,
            importance=importance,
            message=f"{flat(sla.deployment)} {verb} its SLA {flat(sla.name)}: {judged.why}",
            metrics={"value": round(judged.seconds, 1), "threshold": sla.limit},
            metadata={
                "unit": "s",
                "deployment": flat(sla.deployment),
                "sla": flat(sla.name),
                "kind": sla.kind.name.lower(),
                "severity": sla.severity.value,
                **_evidence(judged),
            },
        )


def series_of(sla: WatchedSla) -> str:
    """The ticker of an SLA's series: `flow/deployment: name`."""
    return fitting_ticker(sla.title)


def _evidence(judged: Judged) -> dict[str, Any]:
    """The run that was measured, if there was one."""
    if judged.run is None:
        return {}
    run_id, name = judged.run
    return {"run": flat(name), "run_id": str(run_id), "url": get_settings().flow_run_url(run_id)}


def _read(
    client: SyncPrefectClient,
    watched: Sequence[WatchedSla],
    there: dict[str, Pipeline],
    empty: Runs,
) -> dict[UUID, Runs]:
    """The runs by which the SLAs of each deployment are judged: for each kind what it needs."""
    of_kind: dict[SlaKind, list[UUID]] = {kind: [] for kind in SlaKind}
    for sla in watched:
        one = there.get(sla.deployment)
        if one is not None and one.id not in of_kind[sla.kind]:
            of_kind[sla.kind].append(one.id)
    now, previous = empty.now, empty.previous
    timed = of_kind[SlaKind.TIME_TO_COMPLETION]
    ended, running = _ended(client, timed, now, previous), _running(client, timed)
    starts = read_starts(client, of_kind[SlaKind.LATENESS], now, previous)
    completed = {one: _completed(client, one) for one in of_kind[SlaKind.FREQUENCY]}
    return {
        one: replace(
            empty,
            ended=ended.get(one, ()),
            running=running.get(one, ()),
            starts=starts.get(one, ()),
            completed=completed.get(one, ()),
        )
        for one in {id_ for ids in of_kind.values() for id_ in ids}
    }


def _ended(
    client: SyncPrefectClient, ids: Sequence[UUID], now: datetime, previous: datetime | None
) -> dict[UUID, list[EndedRun]]:
    """The runs that ended since the last evaluation, or else the newest ones."""
    runs: dict[UUID, list[EndedRun]] = defaultdict(list)
    if previous is not None and ids:
        recent = ended_between(max(previous - SKEW, now - _LONGEST_BACK), None)
        if (count := count_runs(client, ids, recent)) > MOST_RUNS:
            raise WatchError(
                f"{count:,} runs ended since the last evaluation, more than the {MOST_RUNS:,} that "
                "one evaluation reads: share the SLAs among several rule files"
            )
        for run in each_run(client, ids, recent):
            if run.deployment_id is not None and (ended := ended_run(run)) is not None:
                runs[run.deployment_id].append(ended)
    final = FlowRunFilter(state=in_states(TERMINAL))
    for one in ids:
        if all(run.ending is Ending.CANCELLED for run in runs[one]):
            newest = map(ended_run, newest_runs(client, one, final, _NEWEST))
            runs[one] = [ended for ended in newest if ended is not None]
    return {one: in_order(some) for one, some in runs.items()}


def _running(client: SyncPrefectClient, ids: Sequence[UUID]) -> dict[UUID, list[Start]]:
    runs: dict[UUID, list[Start]] = defaultdict(list)
    for run in each_run(client, ids, FlowRunFilter(state=in_states([StateType.RUNNING.value]))):
        if run.deployment_id is not None and run.start_time is not None:
            due = run.expected_start_time or run.start_time
            runs[run.deployment_id].append(Start(run.id, run.name, due, run.start_time))
    return runs


def _completed(client: SyncPrefectClient, deployment: UUID) -> list[EndedRun]:
    """The last runs that completed."""
    wanted = FlowRunFilter(state=in_states([StateType.COMPLETED.value]))
    found = map(ended_run, newest_runs(client, deployment, wanted, _NEWEST))
    return in_order(run for run in found if run is not None)
