"""What became of each due time of a rule, or of a deployment. Pure."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from sentinel_core.decide.schedule import overdue_at

LATE_SECONDS = 120.0
"""The delay from which a run starts late, as a rule's `stale_seconds` by default."""


class End(StrEnum):
    """How far a run has come. In the order in which runs of one due time are preferred."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"  # cancelled, or not needed
    NOT_RECORDED = "not recorded"  # it has ended, and the event store has nothing of it
    UNDER_WAY = "under way"
    NOT_STARTED = "not started"


_ENDS = list(End)
_ANSWERS = (End.DONE, End.FAILED)


class Outcome(StrEnum):
    """What became of a due time."""

    EVALUATED = "evaluated"
    FAILED = "failed"
    SKIPPED = "skipped"
    WAITING = "waiting"  # not overdue yet, or its run has not ended
    MISSED = "missed"
    UNKNOWN = "unknown"
    PAUSED = "paused"  # it would have been due


@dataclass(frozen=True, slots=True)
class DueRun:
    """A run, and the time it was due at. `reason` is a code or a state, for people.

    `planned_at`: when it was to start, where that is not when it was due.
    """

    at: datetime
    end: End
    started_at: datetime | None = None
    reason: str = ""
    id: str = ""
    planned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DueTime:
    """A due time and what became of it. `late_seconds` is set where its run started late."""

    at: datetime
    outcome: Outcome
    reason: str = ""
    late_seconds: float | None = None
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a due time is overdue (see `overdue_at`) and its run late; None: never late."""

    grace_seconds: float | None = None
    late_seconds: float | None = LATE_SECONDS


def outcomes(
    due: Sequence[datetime],
    following: datetime | None,
    runs: Sequence[DueRun],
    now: datetime,
    limits: Limits,
) -> list[DueTime]:
    """What became of each due time. `due` is in order; `following` is the due time after the last.

    A due time belongs to the runs between it and the next one: to the run that was due then, or
    else to another, such as one by hand or a retry. So no run makes up for a gap elsewhere.
    """
    ordered = sorted(runs, key=lambda run: run.at)
    times = [run.at for run in ordered]
    last = following or max([now, *times, *due]) + timedelta(seconds=1)
    answered = []
    for at, after in pairwise([*due, last]):
        mine = ordered[bisect_left(times, at) : bisect_left(times, after)]
        run = min(mine, key=lambda run: _preference(run, at), default=None)
        overdue = now >= overdue_at(
            at, after if after is not last else following, limits.grace_seconds
        )
        answered.append(_outcome(at, run, overdue, limits))
    return answered


def _preference(run: DueRun, at: datetime) -> tuple[bool, bool, int]:
    """Smallest for the run that speaks for a due time."""
    return run.end not in _ANSWERS, run.at != at, _ENDS.index(run.end)


def _outcome(at: datetime, run: DueRun | None, overdue: bool, limits: Limits) -> DueTime:
    if run is None:
        if overdue:
            return DueTime(at, Outcome.MISSED, "no run")
        return DueTime(at, Outcome.WAITING, "not overdue yet")
    if run.end is End.DONE:
        return DueTime(at, Outcome.EVALUATED, run.reason, _lateness(at, run, limits), run.id)
    if run.end is End.NOT_STARTED:
        outcome = Outcome.MISSED if overdue else Outcome.WAITING
        return DueTime(at, outcome, "its run has not started", run_id=run.id)
    outcome = {
        End.FAILED: Outcome.FAILED,
        End.SKIPPED: Outcome.SKIPPED,
        End.NOT_RECORDED: Outcome.UNKNOWN,
        End.UNDER_WAY: Outcome.WAITING,
    }[run.end]
    return DueTime(at, outcome, run.reason, run_id=run.id)


def _lateness(at: datetime, run: DueRun, limits: Limits) -> float | None:
    if run.started_at is None or limits.late_seconds is None:
        return None
    late = (run.started_at - (run.planned_at or at)).total_seconds()
    return late if late > limits.late_seconds else None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Due times in a row with the same outcome and reason."""

    first: datetime
    last: datetime
    count: int
    reason: str


def stretches(due_times: Sequence[DueTime], outcome: Outcome) -> Iterator[Stretch]:
    """The due times of an outcome, those in a row together."""
    row: list[DueTime] = []
    for due_time in due_times:
        if row and (due_time.outcome is not outcome or due_time.reason != row[0].reason):
            yield Stretch(row[0].at, row[-1].at, len(row), row[0].reason)
            row = []
        if due_time.outcome is outcome:
            row.append(due_time)
    if row:
        yield Stretch(row[0].at, row[-1].at, len(row), row[0].reason)
