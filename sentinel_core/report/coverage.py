"""Whether rules were checked each time they were due. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain, pairwise, takewhile

from cronsim import CronSimError

from sentinel_core.decide.schedule import GRACE, due_times
from sentinel_core.model.run import Schedule
from sentinel_core.report.figures import RuleRuns, RunOutcome, Window

_JUST_BEFORE = timedelta(seconds=1)  # due times are of whole seconds


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often a rule was due and how often it was checked then. `why`: the reason for neither."""

    rule: str
    due: int
    done: int
    why: str = ""

    @property
    def share(self) -> float | None:
        """Done of due; None for a rule that was never due."""
        return self.done / self.due if self.due else None


def coverage(rule: RuleRuns, window: Window) -> Coverage | None:
    """How many of its due times a rule was checked; None for a rule without a schedule.

    A due time counts as done when a run checked between it and the next one: further runs by hand
    never make up for a gap elsewhere. A failed run counts, a cancelled or skipped one does not.
    Left out are times before the present schedule, and the last ones, whose runs may still be going
    on (the longest run of the rule, and a grace).
    """
    if not rule.schedules:
        return None
    since = max(window.since, rule.changed_at or window.since)
    longest = timedelta(seconds=max(rule.seconds, default=0.0))
    until = window.until - GRACE - longest
    checked = sorted(run.at for run in rule.runs if run.outcome is not RunOutcome.NOT_CHECKED)
    anchor = rule.before or (checked[0] if checked else since)
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
        bisect_left(checked, start) < bisect_left(checked, end)
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
