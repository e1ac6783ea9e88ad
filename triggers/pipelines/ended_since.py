"""The runs that ended since the last recorded evaluation: each belongs to exactly one."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from pydantic import Field

from sentinel_core import AlertOutput, History
from sentinel_core.model.trigger import PastEvaluation
from sentinel_core.prefect_io.client import server_time
from sentinel_core.wording.text import counted
from sentinel_core.wording.times import moment
from triggers.pipelines.ended_run import EndedRun, Ending, ended_run
from triggers.pipelines.reading import (
    Deployments,
    Slice,
    count_runs,
    each_run,
    ended_between,
    read_deployments,
    readable_overlap,
    readable_slice,
)
from triggers.pipelines.selection import Pipeline, Selection
from triggers.pipelines.series import newest_of_each
from triggers.pipelines.starting_run import StartingRun, read_starting_runs

MOST_RUNS = 20_000  # of one evaluation; what is left is read by the next
SKEW = timedelta(minutes=15)  # the clocks of several Prefect servers may differ by this much
MOST_PAST = 500  # evaluations of the past that are read
CHECKED = "(checked)"  # the series that says how far, while the one without a ticker has a problem
UNTIL = "checked_until"
REPORTED = "reported"
MOST_REPORTED = 5_000  # marks of one evaluation

FirstLook = Annotated[
    float, Field(gt=0, le=10_080, description="how far back the very first evaluation looks")
]
Settle = Annotated[
    float, Field(ge=0, le=600, description="a run is looked at when its end is this long ago")
]


@dataclass(frozen=True)
class EndedSince:
    """What one evaluation looks at: pipelines, and their runs by series."""

    pipelines: tuple[Pipeline, ...]
    runs: dict[str, list[EndedRun]]
    since: datetime
    until: datetime
    left: int = 0
    problem: AlertOutput | None = None
    past: Sequence[PastEvaluation] = ()
    starters: Mapping[UUID, tuple[StartingRun, ...]] = field(default_factory=dict)

    def own_series(self, reported: Iterable[EndedRun] = ()) -> list[AlertOutput]:
        """The series of the check itself: what was looked at, and a problem if that is not all.

        The next evaluation goes on from the moment that is in the metrics. Without a deployment to
        look at there is none: once the filter is right, the time until then is looked at. The runs
        that this evaluation reports are in the evidence, for later ones to report them once.
        """
        if self.problem and not self.pipelines:
            return [self.problem]
        problem = self.problem or (_too_many(self.left, self.until) if self.left else None)
        total = sum(len(some) for some in self.runs.values())
        looked = AlertOutput(
            triggered=False,
            ticker=CHECKED if problem else "",
            message=f"Looked at {counted(len(self.pipelines), 'deployment')}, "
            f"{counted(total, 'run')} that ended from {moment(self.since)} to {moment(self.until)}",
            metrics={"value": 0, "ended_runs": total, UNTIL: self.until.timestamp()},
            metadata={"unit": "runs", REPORTED: [run.mark for run in reported][:MOST_REPORTED]},
        )
        return [problem, looked] if problem else [looked]

    def outputs(
        self,
        of_series: Iterable[AlertOutput | None],
        *,
        reported: Iterable[EndedRun],
        newest: str,
        text: str,
    ) -> list[AlertOutput]:
        """All outputs of the check: its own series, each series that has runs, and follow-ups.

        `reported` are the runs that its events name.
        """
        found = [one for one in of_series if one and (one.triggered or not self._late(one.ticker))]
        current = {output.ticker for output in found}
        ends = follow_ups(self.past, current, self.until, newest=newest, text=text)
        return [*self.own_series(reported), *found, *(ends if self.pipelines else [])]

    def _late(self, ticker: str) -> bool:
        """True if runs of a series are there, and each says only how things were before."""
        runs = [run for run in self.runs.get(ticker, ()) if run.ending is not Ending.CANCELLED]
        return bool(runs) and all(run.late for run in runs)


def _too_many(left: int, until: datetime) -> AlertOutput:
    return AlertOutput(
        triggered=False,
        problem="no_data",
        message=f"Not checked: about {left:,} runs that ended after {moment(until)}. One "
        f"evaluation reads at most {MOST_RUNS:,} runs; the next one goes on from there",
        metadata={"code": "more_runs_than_read", "not_checked": left},
    )


def read_ended(
    client: SyncPrefectClient,
    watch: Selection,
    history: History,
    first_look_minutes: float,
    settle_seconds: float,
    *,
    with_starters: bool = False,
) -> EndedSince:
    """The runs of the chosen deployments that ended since the last evaluation on record.

    With starters: also the runs that started those of them that failed.
    """
    now = server_time(client) - timedelta(seconds=settle_seconds)
    past = history.latest(MOST_PAST)
    since = checked_until(past) or now - timedelta(minutes=first_look_minutes)
    found = read_deployments(client)
    selected = watch.select(found.pipelines)
    if not selected.pipelines:
        return EndedSince((), {}, since, now, problem=selected.problem, past=past)
    ids = [one.id for one in selected.pipelines]

    def count(begin: datetime, end: datetime) -> int:
        return count_runs(client, ids, ended_between(begin, end))

    until, begin = max(now, since), since - SKEW
    if count(begin, until) > MOST_RUNS:
        half = MOST_RUNS // 2
        begin = since - readable_overlap(lambda back: count(since - back, since), SKEW, half)
    window = readable_slice(lambda end: count(begin, end), since, until, MOST_RUNS)
    read, failed = _read(client, found, selected.pipelines, begin, window)
    runs = new_runs(read, since, lambda: reported_since(history, begin))
    starters: Mapping[UUID, tuple[StartingRun, ...]] = {}
    if with_starters:
        new = {run.id for some in runs.values() for run in some}
        asked = [run for run in failed if run.id in new]
        starters = read_starting_runs(client, asked, selected.pipelines, window.until)
    return EndedSince(
        selected.pipelines, runs, since, window.until, window.left, selected.problem, past, starters
    )


def _read(
    client: SyncPrefectClient,
    found: Deployments,
    pipelines: Sequence[Pipeline],
    begin: datetime,
    window: Slice,
) -> tuple[dict[str, list[EndedRun]], list[FlowRun]]:
    """The runs that ended from `begin` on, by series, and those of them that failed as they are."""
    by_id = {one.id: one for one in pipelines}
    wanted = ended_between(begin, window.until if window.left else None)
    runs: dict[str, list[EndedRun]] = defaultdict(list)
    failed: list[FlowRun] = []
    for run in each_run(client, list(by_id), wanted):
        assert run.deployment_id is not None
        ended = ended_run(run, found.schemas[run.deployment_id])
        if ended and ended.position <= window.until:
            runs[by_id[run.deployment_id].ticker].append(ended)
            if ended.failed:
                failed.append(run)
    return runs, failed


def new_runs(
    read: Mapping[str, Sequence[EndedRun]],
    since: datetime,
    reported: Callable[[], Collection[str]],
) -> dict[str, list[EndedRun]]:
    """The runs of this evaluation, by series, out of all those read.

    A run of an earlier evaluation comes again when somebody gives it a tag or its state once more,
    and looks like one that a server whose clock is slow wrote late. So it is left out where it was
    `reported` (asked for only then), and `late` where a run that ended after it was looked at.
    """
    marks: Collection[str] | None = None
    runs: dict[str, list[EndedRun]] = {}
    for ticker, some in read.items():
        earlier = [run for run in some if run.position <= since]
        ends = [run.ended_at for run in earlier if run.ending is not Ending.CANCELLED]
        before = max(ends, default=None)
        for run in some:
            if run.position <= since:
                continue
            if (run.first_end or run.ended_at) <= since:
                marks = reported() if marks is None else marks
                if run.mark in marks:
                    continue
            late = before is not None and run.ended_at < before
            runs.setdefault(ticker, []).append(replace(run, late=late))
    return runs


def reported_since(history: History, begin: datetime) -> set[str]:
    """The marks of the runs that the evaluations after `begin` reported."""
    past = [one for name in ("", CHECKED) for one in history.latest(MOST_PAST, name)]
    return {
        mark
        for one in past
        if one.metrics.get(UNTIL, 0) > begin.timestamp()
        for mark in one.metadata.get(REPORTED, ())
    }


def checked_until(past: Iterable[PastEvaluation]) -> datetime | None:
    """The moment up to which runs are on record as looked at; None before the first evaluation."""
    done = max((one.metrics[UNTIL] for one in past if UNTIL in one.metrics), default=None)
    return None if done is None else datetime.fromtimestamp(done, UTC)


def follow_ups(
    past: Iterable[PastEvaluation],
    current: set[str],
    until: datetime,
    *,
    newest: str,
    text: str,
) -> list[AlertOutput]:
    """The ends of events whose evaluation had a bad run and, after it, a good one.

    Such an evaluation opens an event although the newest run was good (its metric `newest` is 0);
    this one resolves it, unless runs have ended since.
    """
    return [
        AlertOutput(
            triggered=False,
            ticker=ticker,
            message=f"{ticker}: {text}",
            metrics={**dict.fromkeys(one.metrics, 0.0), UNTIL: until.timestamp()},
            metadata={"unit": "runs"},
        )
        for ticker, one in newest_of_each(past)
        if ticker not in current
        and one.metrics.get("value", 0) > 0
        and one.metrics.get(newest) == 0
    ]
