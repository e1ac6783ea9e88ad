"""A rule or a deployment with what was due and what became of it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from sentinel_core.base.errors import ScheduleError
from sentinel_core.decide.due import DueRun, DueTime, End, Limits, Outcome, outcomes
from sentinel_core.model.run import Schedule
from sentinel_core.prefect_io.due import due_times, next_due

_GAPS = (Outcome.MISSED, Outcome.WAITING)
SCHEDULING = timedelta(minutes=1)  # Prefect's scheduler looks once a minute
_JUST_BEFORE = timedelta(microseconds=1)


class Known(StrEnum):
    """Why what was due is known from some moment on only."""

    WHOLE = ""  # it is known of the whole time
    DEPLOYED = "deployed"  # nothing was due before
    RECORDED = "recorded"  # Sentinel did not know the rule before
    CHANGED = "changed"  # its schedule may have been another one
    DELETED = "deleted"  # retention has deleted evaluations


class State(StrEnum):
    """Whether something is due at all."""

    ACTIVE = "active"
    PAUSED = "paused"
    UNSCHEDULED = "no schedule"
    UNREADABLE = "unreadable schedule"
    REMOVED = "not deployed"


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is looked at, and the moment at which that is done."""

    since: datetime
    until: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of a rule by `sentinel rules pause`; `until` None: it has not been resumed so."""

    since: datetime
    until: datetime | None
    by: str


@dataclass(frozen=True, slots=True)
class Account:
    """A rule or a deployment: what was due from `since` on, and what became of it.

    Before that, only due times are known whose runs never started. `before` counts the evaluations
    of that time, and those of what has no schedule. `problem` says why a schedule can't be read.
    """

    name: str
    is_rule: bool
    state: State
    since: datetime
    known: Known = Known.WHOLE
    due_times: Sequence[DueTime] = ()
    before: int = 0
    next_due: datetime | None = None
    problem: str = ""
    pauses: Sequence[Pause] = ()

    def count(self, outcome: Outcome) -> int:
        """The due times with an outcome."""
        return sum(due_time.outcome is outcome for due_time in self.due_times)

    def times(self, outcome: Outcome) -> Sequence[datetime]:
        """The due times with an outcome, in order."""
        return [due_time.at for due_time in self.due_times if due_time.outcome is outcome]

    @property
    def due(self) -> int:
        """The due times, without those while it was paused."""
        return len(self.due_times) - self.count(Outcome.PAUSED)

    @property
    def late(self) -> Sequence[DueTime]:
        """The due times whose evaluation began late."""
        return [due_time for due_time in self.due_times if due_time.late_seconds is not None]

    @property
    def is_short(self) -> bool:
        """True if something was due and not checked, without a reason, or that is unknown."""
        unknown = self.count(Outcome.MISSED) + self.count(Outcome.UNKNOWN)
        return bool(unknown) or self.state is State.UNREADABLE


@dataclass(frozen=True, slots=True)
class Subject:
    """A rule or deployment, as Prefect has it."""

    id: UUID
    name: str
    schedules: tuple[Schedule, ...]
    state: State
    since: datetime
    known: Known
    is_rule: bool
    limits: Limits


def account(subject: Subject, runs: Sequence[DueRun], span: Span) -> Account:
    """The account of a rule or deployment by its runs."""
    since = min(subject.since, span.until)
    made = Account(
        subject.name,
        subject.is_rule,
        subject.state,
        since,
        subject.known,
        before=done(runs, span.since, since if subject.schedules else span.until),
    )
    if not subject.schedules:
        return made
    try:
        due, following = _due(subject.schedules, since, span.until)
        ahead = next_due(subject.schedules, span.now)
    except ScheduleError as error:
        return replace(made, state=State.UNREADABLE, problem=str(error))
    every = outcomes(due, following, runs, span.now, subject.limits)
    counted = [due_time for due_time in every if not _is_too_new(subject, due_time)]
    if subject.state is State.PAUSED:
        counted, ahead = [_as_paused(due_time) for due_time in counted], None
    early = _never_started(subject, runs, since, span)
    return replace(made, due_times=[*early, *counted], next_due=ahead)


@lru_cache(maxsize=64)  # most rules are due at the same times
def _due(
    schedules: tuple[Schedule, ...], since: datetime, until: datetime
) -> tuple[Sequence[datetime], datetime | None]:
    """The due times, and the one after them. Raises ScheduleError."""
    due: list[datetime] = []
    for at in due_times(schedules, since - _JUST_BEFORE):
        if at >= until:
            return due, at
        due.append(at)
    return due, None


def _never_started(
    subject: Subject, runs: Sequence[DueRun], since: datetime, span: Span
) -> list[DueTime]:
    """The due times before `since` for which Prefect made runs that have never started.

    What else was due then is not known; these were.
    """
    left = [run for run in runs if run.end is End.NOT_STARTED and run.at < since]
    due = sorted({run.at for run in left if run.at >= span.since})
    return outcomes(due, since, left, span.now, subject.limits)


def _is_too_new(subject: Subject, due_time: DueTime) -> bool:
    """True for a due time that the scheduler had no time to make a run for."""
    is_new = subject.known in (Known.DEPLOYED, Known.CHANGED)
    without_run = due_time.outcome in _GAPS and not due_time.run_id
    return is_new and without_run and due_time.at < subject.since + SCHEDULING


def _as_paused(due_time: DueTime) -> DueTime:
    return (
        replace(due_time, outcome=Outcome.PAUSED, reason="")
        if due_time.outcome in _GAPS
        else due_time
    )


def done(runs: Iterable[DueRun], since: datetime, until: datetime) -> int:
    """The runs that were due then and are done."""
    return sum(run.end is End.DONE and since <= run.at < until for run in runs)
