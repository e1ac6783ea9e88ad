"""Whether a deployment keeps what was promised of it: durations, failures, times of day. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sentinel_core.model.calendar import holidays_of
from sentinel_core.model.times import span
from sentinel_core.wording.text import counted, flat
from sentinel_core.wording.times import moment
from triggers.pipelines.ended_run import EndedRun, Ending
from triggers.pipelines.starts import Start, latest_start

DAY = timedelta(days=1)
_WEEK, _MONTH = 7, 31


class Promise(StrEnum):
    """Codes for what can be promised."""

    DURATION = "max_duration_seconds"
    LATENESS = "max_lateness_seconds"
    FAILURES = "max_failures_per_day"
    SUCCESS_RATE = "min_success_rate"
    READY_BY = "ready_by"
    FREQUENCY = "min_successes"


@dataclass(frozen=True)
class Verdict:
    """A promise, and whether it is kept. `kept` None: nothing can be said about it."""

    promise: Promise
    kept: bool | None
    why: str
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True)
class Facts:
    """What is known about a deployment: ended runs, the newest last; starts of running ones.

    `previous` is the last evaluation on record, `since` when the deployment was made; `starts` say
    when runs were due and when they started.
    """

    now: datetime
    since: datetime
    ended: Sequence[EndedRun] = ()
    running: Sequence[tuple[str, datetime]] = ()
    previous: datetime | None = None
    starts: Sequence[Start] = ()

    @property
    def completed(self) -> list[EndedRun]:
        """The runs that completed."""
        return [run for run in self.ended if run.ending is Ending.COMPLETED]


@dataclass(frozen=True)
class Deadline:
    """A time of day in a time zone, on some days of the week (Monday is 0).

    `calendar` names one whose holidays have no deadline.
    """

    at: time
    zone: ZoneInfo
    days: frozenset[int] = field(default=frozenset(range(_WEEK)))
    calendar: str | None = None

    def last(self, now: datetime) -> datetime | None:
        """The last deadline that has passed, in UTC; None if there was none for a month.

        A time that the clocks skip is as long after midnight as on other days; of one that they
        show twice the first counts.
        """
        day = now.astimezone(self.zone).date()
        for back in range(_MONTH + 2):
            one = day - timedelta(days=back)
            due = datetime.combine(one, self.at, self.zone).astimezone(UTC)
            if due <= now and self._counts(one):
                return due
        return None

    def _counts(self, day: date) -> bool:
        holiday = self.calendar is not None and day in holidays_of(self.calendar, day.year)
        return day.weekday() in self.days and not holiday


def duration(facts: Facts, limit: float) -> Verdict:
    """The newest ended run, those that ended since the last evaluation, and the running ones."""
    judged = [run for run in facts.ended if run.ending is not Ending.CANCELLED and run.started_at]
    recent = [run for run in judged if facts.previous and run.ended_at > facts.previous]
    took = [(run.name, run.seconds) for run in (*recent, *judged[-1:])]
    took += [(name, (facts.now - start).total_seconds()) for name, start in facts.running]
    if not took:
        return Verdict(Promise.DURATION, None, "no run has ended or is running", None, limit)
    name, longest = max(took, key=lambda item: item[1])
    why = f"{flat(name, 60)} takes {span(longest)}, promised are {span(limit)}"
    return Verdict(Promise.DURATION, longest <= limit, why, longest, limit)


def lateness(facts: Facts, limit: float) -> Verdict:
    """The runs that are due, those that started since the last evaluation, and the newest one."""
    worst = latest_start(facts.starts, facts.now)
    if worst is None:
        return Verdict(Promise.LATENESS, None, "no run is due or has started", None, limit)
    seconds = worst.seconds_late(facts.now)
    why = f"{worst.sentence(facts.now)}, promised are {span(limit)}"
    return Verdict(Promise.LATENESS, seconds <= limit, why, seconds, limit)


def failures(facts: Facts, limit: int) -> Verdict:
    """The failed runs of the last 24 hours."""
    failed = sum(run.failed and run.ended_at > facts.now - DAY for run in facts.ended)
    why = f"{counted(failed, 'run')} failed in 24 hours, at most {limit} may"
    return Verdict(Promise.FAILURES, failed <= limit, why, failed, limit)


def success_rate(facts: Facts, percent: float, window: timedelta) -> Verdict:
    """The share of completed runs among those that completed or failed in the window."""
    begin = facts.now - window
    runs = [r for r in facts.ended if r.ended_at > begin and r.ending is not Ending.CANCELLED]
    over = span(window.total_seconds())
    if not runs:
        why = f"no run has ended in {over}, so there is no success rate"
        return Verdict(Promise.SUCCESS_RATE, None, why, None, percent)
    rate = 100 * sum(not run.failed for run in runs) / len(runs)
    why = (
        f"{rate:.4g}% of {counted(len(runs), 'run')} completed in {over}, promised are {percent:g}%"
    )
    return Verdict(Promise.SUCCESS_RATE, rate >= percent, why, rate, percent)


def frequency(facts: Facts, least: int, window: timedelta) -> Verdict:
    """The completed runs of the window."""
    begin = facts.now - window
    done = sum(run.ended_at > begin for run in facts.completed)
    why = (
        f"{counted(done, 'run')} completed in {span(window.total_seconds())}, promised are {least}"
    )
    if done < least and facts.since > begin:
        why = "the deployment is younger than the window"
        return Verdict(Promise.FREQUENCY, None, why, done, least)
    return Verdict(Promise.FREQUENCY, done >= least, why, done, least)


def ready_by(facts: Facts, deadline: Deadline, within: timedelta) -> Verdict:
    """A run that completed by the last deadline, at most `within` before it.

    A late one ends the breach, but the evaluation after the deadline reports it nevertheless.
    """
    due = deadline.last(facts.now)
    if due is None:
        return Verdict(Promise.READY_BY, None, "there was no deadline for a month")
    begin = due - within
    ends = sorted(run.ended_at for run in facts.completed if begin < run.ended_at)
    if ends and ends[0] <= due:
        why = f"completed at {moment(ends[0])}, promised by {moment(due)}"
        return Verdict(Promise.READY_BY, True, why, 0, 0)
    if facts.since > begin:
        return Verdict(Promise.READY_BY, None, "the deployment was made after its time began")
    missed = f"nothing had completed by {moment(due)}"
    if not ends:
        late = (facts.now - due).total_seconds()
        return Verdict(Promise.READY_BY, False, f"{missed}, and nothing has since", late, 0)
    late = (ends[0] - due).total_seconds()
    why = f"{missed}; it was ready {span(late)} late"
    news = facts.previous is not None and facts.previous < ends[0]
    return Verdict(Promise.READY_BY, not news, why, late, 0)
