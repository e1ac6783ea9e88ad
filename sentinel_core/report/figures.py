"""What a report counts: events, runs, notifications. Pure: rows in, figures out.

All durations are in seconds, all times aware.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

from sentinel_core.model.run import Schedule

MOST_BARS = 48


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


class EventStatus(StrEnum):
    """The status of an event when the report is made."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class RunOutcome(StrEnum):
    """How a run of a rule ended."""

    CHECKED = "checked"
    FAILED = "failed"  # failed, crashed, or could judge none of its series
    NOT_CHECKED = "not checked"  # cancelled or skipped


@dataclass(frozen=True, slots=True)
class RuleRun:
    """One run of a rule. `seconds`: from its start to its end; None when it never started."""

    at: datetime
    outcome: RunOutcome
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RuleRuns:
    """A rule's runs of the window. `before` is when it last ran before that, and `changed_at`
    since when its schedule is what it is now. `schedules` is empty when it is not active."""

    rule_id: int
    name: str
    runs: Sequence[RuleRun] = ()
    schedules: Sequence[Schedule] = ()
    changed_at: datetime | None = None
    before: datetime | None = None

    @property
    def seconds(self) -> list[float]:
        """How long its runs took, without those that were cancelled or skipped."""
        return [
            run.seconds
            for run in self.runs
            if run.seconds is not None and run.outcome is not RunOutcome.NOT_CHECKED
        ]


@dataclass(frozen=True, slots=True)
class EventCount:
    """How many events of the window share all of this, and their times in total.

    `acknowledged` of them have a time of acknowledgement, `resolved` an end that is known.
    """

    rule_id: int
    rule: str
    importance: str
    state: EventStatus
    prefect_state: str | None
    count: int
    acknowledged: int = 0
    acknowledge_seconds: float = 0.0
    resolved: int = 0
    resolve_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    """An unresolved event that nobody has acknowledged."""

    id: int
    rule: str
    ticker: str
    importance: str
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class NotificationCount:
    """How many notifications to one channel share a status and a rule.

    `unknown` counts the attempts of which it is unknown whether they arrived.
    """

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
    notifications: Sequence[NotificationCount] = ()
    waiting: Sequence[Unacknowledged] = ()
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

        Over the events that opened within the window and have ended. Not those that had ended
        before they were recorded: the time of their end is unknown. None for none.
        """
        return _mean((one.resolve_seconds, one.resolved) for one in self.events)

    def count_by(self, name: str) -> Counter[str]:
        """Events by a column of `EventCount`."""
        found: Counter[str] = Counter()
        for one in self.events:
            found[str(getattr(one, name) or "")] += one.count
        return found

    def outcomes(self) -> Counter[RunOutcome]:
        """All runs of all rules by how they ended."""
        return Counter(run.outcome for rule in self.rules for run in rule.runs)

    def statuses(self) -> Counter[str]:
        """Notifications by status, and the number of `unknown` attempts."""
        found: Counter[str] = Counter()
        for one in self.notifications:
            found[one.status] += one.count
            found["unknown"] += one.unknown
        return found


def _mean(sums: Iterable[tuple[float, int]]) -> float | None:
    seconds, count = 0.0, 0
    for one, many in sums:
        seconds += one
        count += many
    return seconds / count if count else None


def success_rate(outcomes: Counter[RunOutcome]) -> float | None:
    """Runs that checked, as a share of those that tried; None when none tried.

    A run that was cancelled or skipped neither succeeded nor failed: coverage counts it.
    """
    tried = outcomes[RunOutcome.CHECKED] + outcomes[RunOutcome.FAILED]
    return outcomes[RunOutcome.CHECKED] / tried if tried else None


@dataclass(frozen=True, slots=True)
class RunDuration:
    """How long the runs of a rule took, in seconds."""

    rule: str
    runs: int
    p50: float
    longest: float


def durations(rules: Iterable[RuleRuns]) -> list[RunDuration]:
    """From start to end, of runs that were not cancelled or skipped; the slowest median first."""
    found = [
        RunDuration(rule.name, len(seconds), median(seconds), max(seconds))
        for rule in rules
        if (seconds := rule.seconds)
    ]
    return sorted(found, key=lambda one: (-one.p50, one.rule))


def edges(window: Window) -> list[tuple[datetime, datetime]]:
    """From when to when each bar counts, oldest first; the last one may be shorter."""
    starts = [window.since]
    while starts[-1] + window.step < window.until:
        starts.append(starts[-1] + window.step)
    return list(pairwise([*starts, window.until]))
