"""What a report counts: events, evaluations, coverage, messages. Pure: rows in, figures out.

All durations are in seconds, all times aware.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import chain, pairwise, takewhile
from statistics import median
from zoneinfo import ZoneInfo

from cronsim import CronSimError

from sentinel_core.decide.due import GRACE, due_times
from sentinel_core.model.run import Schedule

MOST_BARS = 48
_JUST_BEFORE = timedelta(seconds=1)  # due times are of whole seconds


@dataclass(frozen=True, slots=True)
class Window:
    """The time a report is about: from `since` up to but not including `until`."""

    since: datetime
    until: datetime
    timezone: str = "UTC"

    @property
    def zone(self) -> ZoneInfo:
        """Where its readers are."""
        return ZoneInfo(self.timezone)

    @property
    def hours(self) -> int:
        """How long it is, in whole hours."""
        return round((self.until - self.since) / timedelta(hours=1))

    @property
    def step(self) -> timedelta:
        """How much one bar of the chart stands for: whole hours."""
        return timedelta(hours=-(-self.hours // MOST_BARS) or 1)


class State(StrEnum):
    """What has become of an event by now."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Outcome(StrEnum):
    """How a run of a rule ended, as far as the rule is concerned."""

    CHECKED = "checked"
    FAILED = "failed"  # failed, crashed, or could judge none of its series
    UNSEEN = "unseen"  # cancelled or skipped: nobody looked


@dataclass(frozen=True, slots=True)
class RunFigures:
    """One run of a rule. `seconds`: from its start to its end; None when it never started."""

    at: datetime
    outcome: Outcome
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RuleRuns:
    """A rule's runs of the window. `before` is when it last ran before that, and `changed_at`
    since when its schedule is what it is now. `schedules` is empty when it is not active."""

    rule_id: int
    name: str
    runs: Sequence[RunFigures] = ()
    schedules: Sequence[Schedule] = ()
    changed_at: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventCount:
    """How many events of the window are alike in all this, and how long they took in all.

    `acknowledged` of them have a time of acknowledgement, `resolved` an end that is known.
    """

    rule_id: int
    rule: str
    importance: str
    state: State
    prefect_state: str | None
    count: int
    acknowledged: int = 0
    acknowledge_seconds: float = 0.0
    resolved: int = 0
    resolve_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """An unresolved event that nobody has taken on."""

    id: int
    rule: str
    ticker: str
    importance: str
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """How many messages of the window to one channel are alike. `unknown`: attempts of which
    nobody knows whether they arrived."""

    channel: str
    status: str
    count: int
    rule_id: int | None = None
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything a report is made of. `waiting` has the oldest of `waiting_count`."""

    window: Window
    events: Sequence[EventCount] = ()
    rules: Sequence[RuleRuns] = ()
    told: Sequence[Told] = ()
    waiting: Sequence[Waiting] = ()
    waiting_count: int = 0
    bars: Sequence[tuple[datetime, dict[str, int]]] = field(default=())

    @property
    def event_count(self) -> int:
        """Events that opened within the window."""
        return sum(one.count for one in self.events)

    @property
    def mean_to_acknowledge(self) -> float | None:
        """Mean seconds from an event's opening to its acknowledgement (MTTA).

        Over the events that opened within the window and are acknowledged by now; ending one by
        hand acknowledges it. An acknowledgement that was taken back counts as none. None for none.
        """
        return _mean((one.acknowledge_seconds, one.acknowledged) for one in self.events)

    @property
    def mean_to_resolve(self) -> float | None:
        """Mean seconds from an event's opening to its end (MTTR), by itself or by hand.

        Over the events that opened within the window and are over by now. Not those that were over
        before they were known: when those ended, nobody knows. None for none.
        """
        return _mean((one.resolve_seconds, one.resolved) for one in self.events)

    def count_by(self, name: str) -> Counter[str]:
        """Events by a column of `EventCount`."""
        found: Counter[str] = Counter()
        for one in self.events:
            found[str(getattr(one, name) or "")] += one.count
        return found

    def outcomes(self) -> Counter[Outcome]:
        """All runs of all rules by how they ended."""
        return Counter(run.outcome for rule in self.rules for run in rule.runs)

    def statuses(self) -> Counter[str]:
        """Messages by what became of them, and how many attempts are `unknown`."""
        found: Counter[str] = Counter()
        for one in self.told:
            found[one.status] += one.count
            found["unknown"] += one.unknown
        return found


def _mean(sums: Iterable[tuple[float, int]]) -> float | None:
    seconds, count = 0.0, 0
    for one, many in sums:
        seconds += one
        count += many
    return seconds / count if count else None


def success_rate(outcomes: Counter[Outcome]) -> float | None:
    """Runs that checked, as a share of those that tried; None when none tried.

    A run that was cancelled or skipped neither succeeded nor failed: coverage counts it.
    """
    tried = outcomes[Outcome.CHECKED] + outcomes[Outcome.FAILED]
    return outcomes[Outcome.CHECKED] / tried if tried else None


@dataclass(frozen=True, slots=True)
class Duration:
    """How long the runs of a rule took, in seconds."""

    rule: str
    runs: int
    p50: float
    longest: float


def durations(rules: Iterable[RuleRuns]) -> list[Duration]:
    """From start to end, of runs that were not cancelled or skipped; the slowest median first."""
    found = []
    for rule in rules:
        seconds = _durations(rule)
        if seconds:
            found.append(Duration(rule.name, len(seconds), median(seconds), max(seconds)))
    return sorted(found, key=lambda one: (-one.p50, one.rule))


def _durations(rule: RuleRuns) -> list[float]:
    return [
        run.seconds
        for run in rule.runs
        if run.seconds is not None and run.outcome is not Outcome.UNSEEN
    ]


# -- coverage ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often a rule was due, and how often it was checked then. `why`: it can't be said."""

    rule: str
    due: int
    done: int
    why: str = ""

    @property
    def share(self) -> float | None:
        """Done of due; None for a rule that was never due."""
        return self.done / self.due if self.due else None


def coverage(rule: RuleRuns, window: Window) -> Coverage | None:
    """Was the rule checked each time it was due? None for one that is never due.

    A due time is done when a run looked between it and the next one: further runs by hand never
    make up for a gap elsewhere. A failed run looked; a cancelled or skipped one did not. Not
    counted are times at which the schedule was another, and the last ones, whose runs may still be
    going on (the longest run of the rule, and a grace).
    """
    if not rule.schedules:
        return None
    since = max(window.since, rule.changed_at or window.since)
    longest = timedelta(seconds=max(_durations(rule), default=0.0))
    until = window.until - GRACE - longest
    looked = sorted(run.at for run in rule.runs if run.outcome is not Outcome.UNSEEN)
    anchor = rule.before or (looked[0] if looked else since)
    try:
        times = {
            due
            for one in rule.schedules
            for due in _due(one, window, anchor)
            if since <= due < until
        }
    except (CronSimError, ValueError, KeyError, OSError, ArithmeticError) as error:
        return Coverage(rule.name, 0, 0, f"its schedule can't be read: {error}")
    done = sum(
        bisect_left(looked, start) < bisect_left(looked, end)
        for start, end in pairwise([*sorted(times), window.until])
    )
    return Coverage(rule.name, len(times), done)


def _due(schedule: Schedule, window: Window, anchor: datetime) -> Sequence[datetime]:
    """Due times of the window. What has no clock of its own goes on from a run that is known."""
    if schedule.cron is not None:
        return _by_clock(schedule, window)
    start = _near(anchor, window.since, schedule.interval_seconds)
    times = chain([start], due_times(schedule, start))
    return list(takewhile(lambda due: due < window.until, times))


@lru_cache(maxsize=64)  # most rules are due at the same times
def _by_clock(schedule: Schedule, window: Window) -> Sequence[datetime]:
    times = due_times(schedule, window.since - _JUST_BEFORE)
    return list(takewhile(lambda due: due < window.until, times))


def _near(anchor: datetime, since: datetime, interval_seconds: float | None) -> datetime:
    """The due time at or before `since`, counted in intervals from a run."""
    if interval_seconds is None:
        return anchor
    interval = timedelta(seconds=interval_seconds)
    return anchor + interval * ((since - anchor) // interval)


def covered(rules: Iterable[RuleRuns], window: Window) -> list[Coverage]:
    """The coverage of every rule that was due, the worst first."""
    found = [one for rule in rules if (one := coverage(rule, window)) and (one.due or one.why)]
    return sorted(found, key=lambda one: (one.share or 0.0, one.rule))


# -- the chart -----------------------------------------------------------------------------


def edges(window: Window) -> list[tuple[datetime, datetime]]:
    """From when to when each bar counts, oldest first; the last one may be shorter."""
    starts = [window.since]
    while starts[-1] + window.step < window.until:
        starts.append(starts[-1] + window.step)
    return list(pairwise([*starts, window.until]))
