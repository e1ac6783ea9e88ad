"""The figures of flow runs that have ended: shares, durations, the slowest and the noisiest. Pure.

Cancelled runs neither succeeded nor failed: they are counted, and are in no share and no duration.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from sentinel_core.model.run import StateType

SLOW_SECONDS = 3600.0
_FAILED = (StateType.FAILED, StateType.CRASHED)


@dataclass(frozen=True, slots=True)
class FlowRunEnd:
    """A flow run that has ended. `seconds`: from its start to its end; None if it never ran.

    `name` is that of its flow and deployment (`etl/nightly`), or of its flow alone.
    """

    id: str
    run: str
    name: str
    state: StateType
    state_name: str
    ended_at: datetime
    seconds: float | None = None
    retries: int = 0
    message: str = ""

    @property
    def failed(self) -> bool:
        """True if it failed, timed out or crashed."""
        return self.state in _FAILED

    @property
    def counts(self) -> bool:
        """True unless it was cancelled."""
        return self.state is not StateType.CANCELLED

    def is_slow(self, slow_seconds: float) -> bool:
        """True if it took longer than so many seconds."""
        return self.counts and self.seconds is not None and self.seconds > slow_seconds


@dataclass(frozen=True, slots=True)
class RunFigures:
    """The figures of some flow runs, all of them or those of one flow or deployment."""

    name: str
    total: int = 0
    failed: int = 0
    cancelled: int = 0
    slow: int = 0
    average_seconds: float | None = None
    longest_seconds: float | None = None

    @property
    def durations(self) -> tuple[float | None, float | None]:
        """The average and the longest duration in seconds."""
        return self.average_seconds, self.longest_seconds

    @property
    def failed_share(self) -> float | None:
        """Failed runs as a share of those that completed or failed; None without any."""
        counted = self.total - self.cancelled
        return self.failed / counted if counted else None

    @property
    def success_rate(self) -> float | None:
        """Completed runs as a share of those that completed or failed; None without any."""
        counted = self.total - self.cancelled
        return (counted - self.failed) / counted if counted else None


@dataclass(frozen=True, slots=True)
class FlowRuns:
    """The flow runs of a report. `left_out` of them were not read: there were too many."""

    all: RunFigures
    by_name: Sequence[RunFigures]
    slow_seconds: float = SLOW_SECONDS
    left_out: int = 0

    @property
    def slowest(self) -> list[RunFigures]:
        """The flows, that of the longest run first."""
        timed = [flow for flow in self.by_name if flow.longest_seconds is not None]
        return sorted(timed, key=lambda flow: (-(flow.longest_seconds or 0), flow.name))

    @property
    def noisiest(self) -> list[RunFigures]:
        """The flows with failed runs, that with the most first."""
        failing = [flow for flow in self.by_name if flow.failed]
        return sorted(failing, key=lambda flow: (-flow.failed, flow.name))


def run_figures(
    name: str, runs: Iterable[FlowRunEnd], slow_seconds: float = SLOW_SECONDS
) -> RunFigures:
    """The figures of these runs."""
    every = list(runs)
    seconds = [run.seconds for run in every if run.counts and run.seconds is not None]
    return RunFigures(
        name,
        total=len(every),
        failed=sum(run.failed for run in every),
        cancelled=sum(not run.counts for run in every),
        slow=sum(run.is_slow(slow_seconds) for run in every),
        average_seconds=fmean(seconds) if seconds else None,
        longest_seconds=max(seconds, default=None),
    )


def flow_runs(
    runs: Iterable[FlowRunEnd], slow_seconds: float = SLOW_SECONDS, left_out: int = 0
) -> FlowRuns:
    """The figures of these runs, in all and for each flow or deployment."""
    every = list(runs)
    grouped: dict[str, list[FlowRunEnd]] = defaultdict(list)
    for run in every:
        grouped[run.name].append(run)
    by_name = [run_figures(name, mine, slow_seconds) for name, mine in sorted(grouped.items())]
    return FlowRuns(run_figures("", every, slow_seconds), by_name, slow_seconds, left_out)
