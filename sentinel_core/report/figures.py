"""The figures of a report: counts of events, runs and notifications. Pure.

All durations are in seconds, all times aware.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from uuid import UUID
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
        """The time zone of its readers."""
        return ZoneInfo(self.timezone)

    @property
    def hours(self) -> int:
        """Its length in whole hours."""
        return round((self.until - self.since) / timedelta(hours=1))

    @property
    def step(self) -> timedelta:
        """The time that one bar of the chart covers: whole hours."""
        return timedelta(hours=-(-self.hours // MOST_BARS) or 1)


class EventStatus(StrEnum):
    """The status of an event when the report is made."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class RunOutcome(StrEnum):
    """The end of a rule's run."""

    CHECKED = "checked"
    FAILED = "failed"  # failed, crashed, or could judge none of its series
    NOT_CHECKED = "not checked"  # cancelled or skipped


@dataclass(frozen=True, slots=True)
class RuleRun:
    """One run of a rule. `seconds`: from its start to its end; None when it never started.

    `reason` says, for people, why it failed or did not check; empty for one that checked.
    `planned_at`: when it was to start, where that is not when it was due.
    """

    at: datetime
    outcome: RunOutcome
    seconds: float | None = None
    started_at: datetime | None = None
    reason: str = ""
    id: UUID | None = None
    planned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RuleRuns:
    """A rule's runs of the window. `before` is its last run before that, `changed_at` the last
    change of its schedule, or since when its evaluations are kept. `schedules` is empty for a rule
    that is not active."""

    rule_id: int
    name: str
    runs: Sequence[RuleRun] = ()
    schedules: Sequence[Schedule] = ()
    changed_at: datetime | None = None
    before: datetime | None = None

    @property
    def seconds(self) -> list[float]:
        """The durations of its runs, without those that were cancelled or skipped."""
        return [
            run.seconds
            for run in self.runs
            if run.seconds is not None and run.outcome is not RunOutcome.NOT_CHECKED
        ]


@dataclass(frozen=True, slots=True)
class EventCount:
    """The number of events of the window with all of this in common, and their times in total.

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
    """The number of notifications to one channel with the same status and rule.

    `unknown` is the number of attempts whose outcome is unknown.
    """

    channel: str
    status: str
    count: int
    rule_id: int | None = None
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a report. `waiting` has the oldest of `waiting_count` events."""

    window: Window
    events: Sequence[EventCount] = ()
    rules: Sequence[RuleRuns] = ()
    notifications: Sequence[NotificationCount] = ()
    waiting: Sequence[Unacknowledged] = ()
    waiting_count: int = 0
    bars: Sequence[tuple[datetime, dict[str, int]]] = ()

    @property
    def event_count(self) -> int:
        """Events that opened within the window."""
        return sum(events.count for events in self.events)

    @property
    def mean_to_acknowledge(self) -> float | None:
        """Mean seconds from an event's opening to its acknowledgement (MTTA); None without any.

        Of the events that opened within the window and are acknowledged by now; ending one by
        hand acknowledges it. An acknowledgement that was taken back does not count.
        """
        return self._mean("acknowledge")

    @property
    def mean_to_resolve(self) -> float | None:
        """Mean seconds from an event's opening to its end (MTTR); None without any.

        Of the events that opened within the window and have ended, without those that had ended
        before they were recorded: the time of their end is unknown.
        """
        return self._mean("resolve")

    def count_by(self, name: str) -> Counter[str]:
        """Events by a column of `EventCount`."""
        counts: Counter[str] = Counter()
        for events in self.events:
            counts[str(getattr(events, name) or "")] += events.count
        return counts

    def outcomes(self) -> Counter[RunOutcome]:
        """The runs of all rules by outcome."""
        return Counter(run.outcome for rule in self.rules for run in rule.runs)

    def statuses(self) -> Counter[str]:
        """Notifications by status, and the number of `unknown` attempts."""
        counts: Counter[str] = Counter()
        for some in self.notifications:
            counts[some.status] += some.count
            counts["unknown"] += some.unknown
        return counts

    def _mean(self, what: str) -> float | None:
        count = sum(getattr(events, f"{what}d") for events in self.events)
        seconds = sum(getattr(events, f"{what}_seconds") for events in self.events)
        return seconds / count if count else None


def success_rate(outcomes: Counter[RunOutcome]) -> float | None:
    """Runs that checked, as a share of those that tried; None when none tried.

    A run that was cancelled or skipped neither succeeded nor failed: coverage counts it.
    """
    tried = outcomes[RunOutcome.CHECKED] + outcomes[RunOutcome.FAILED]
    return outcomes[RunOutcome.CHECKED] / tried if tried else None


def edges(window: Window) -> list[tuple[datetime, datetime]]:
    """The start and the end of each bar, oldest first; the last bar may be shorter."""
    starts = [window.since]
    while starts[-1] + window.step < window.until:
        starts.append(starts[-1] + window.step)
    return list(pairwise([*starts, window.until]))
