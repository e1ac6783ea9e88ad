"""When runs were due and when they started: what lateness is judged by."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterStartTime,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

from sentinel_core.model.times import span
from sentinel_core.prefect_io.client import in_states
from sentinel_core.wording.text import flat
from sentinel_core.wording.times import moment
from triggers.pipelines.newest import newest_runs
from triggers.pipelines.reading import WatchError, each_run

MOST_RUNS = 20_000
SKEW = timedelta(minutes=1)
_FEW = 5  # Prefect gives a run that never ran a start as well: such runs are passed over
_AWAITS_SLOT = "AwaitingConcurrencySlot"  # is put off again and again, and due since its first time
_NOT_STARTED = (StateType.SCHEDULED.value, StateType.PENDING.value)


@dataclass(frozen=True, slots=True)
class Start:
    """A run that is or was due. `started` is None while it has not started."""

    id: UUID
    name: str
    due: datetime
    started: datetime | None = None

    def seconds_late(self, now: datetime) -> float:
        """How long after its time it started, or how long it has been due by now."""
        return max(0.0, ((self.started or now) - self.due).total_seconds())

    def sentence(self, now: datetime) -> str:
        """`brave-otter was due at 2026-11-20 16:31:05 UTC and started 41 s late`"""
        seconds = self.seconds_late(now)
        if self.started is None:
            did = f"has not started, {span(seconds)} after its time"
        else:
            did = f"started {span(seconds)} late" if seconds else "started in time"
        return f"{flat(self.name, 60)} was due at {moment(self.due)} and {did}"


def latest_start(starts: Sequence[Start], now: datetime) -> Start | None:
    """The one that is or was late for the longest; None of none."""
    return max(starts, key=lambda start: start.seconds_late(now), default=None)


def read_starts(
    client: SyncPrefectClient,
    deployments: Sequence[UUID],
    now: datetime,
    previous: datetime | None,
) -> dict[UUID, list[Start]]:
    """The runs that are due, those that started since `previous`, and the newest that started.

    By deployment. Raises WatchError for more runs than one evaluation reads.
    """
    found: dict[UUID, dict[UUID, Start]] = defaultdict(dict)
    due = FlowRunFilter(
        state=in_states(_NOT_STARTED),
        expected_start_time=FlowRunFilterExpectedStartTime(before_=now),
    )
    recent = FlowRunFilter(start_time=FlowRunFilterStartTime(after_=(previous or now) - SKEW))
    for wanted in (due, recent):
        for count, run in enumerate(each_run(client, deployments, wanted)):
            if count >= MOST_RUNS:
                raise WatchError(
                    f"more than {MOST_RUNS:,} runs are due or have started since the last "
                    "evaluation, more than one evaluation reads: narrow the filter"
                )
            if run.deployment_id is not None and (start := start_of(run, now)) is not None:
                found[run.deployment_id][run.id] = start
    started = FlowRunFilter(start_time=FlowRunFilterStartTime(is_null_=False))
    for deployment in deployments:
        if not any(start.started for start in found[deployment].values()):
            newest = newest_runs(client, deployment, started, _FEW, FlowRunSort.START_TIME_DESC)
            starts = [start for run in newest if (start := start_of(run, now)) is not None]
            found[deployment] |= {start.id: start for start in starts[:1]}
    return {one: to_judge(list(starts.values()), previous) for one, starts in found.items()}


def to_judge(starts: Sequence[Start], previous: datetime | None) -> list[Start]:
    """Those that have not started, that started since the last evaluation, and the newest one."""
    waiting = [start for start in starts if start.started is None]
    started = sorted((s for s in starts if s.started), key=lambda s: s.started or s.due)
    news = [start for start in started[:-1] if previous and (start.started or start.due) > previous]
    return [*waiting, *news, *started[-1:]]


def start_of(run: FlowRun, now: datetime) -> Start | None:
    """The start of a run; None for one that is not due yet, or ended without having started.

    A run that was put off is due at its new time, until it has started.
    """
    state = run.state
    if state is None:
        return None
    due = run.expected_start_time or state.timestamp
    if run.run_count:
        return Start(run.id, run.name, due, run.start_time) if run.start_time else None
    if state.type is StateType.SCHEDULED and state.name != _AWAITS_SLOT:
        due = max(due, state.state_details.scheduled_time or due)
    waits = state.type.value in _NOT_STARTED and due <= now
    return Start(run.id, run.name, due) if waits else None
