"""The share of its due times at which a rule was checked. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise, takewhile

from sentinel_core.base.errors import ScheduleError
from sentinel_core.decide.schedule import GRACE
from sentinel_core.model.run import Schedule
from sentinel_core.prefect_io.due import due_times
from sentinel_core.report.figures import RuleRuns, RunOutcome, Window

_JUST_BEFORE = timedelta(seconds=1)  # due times are of whole seconds


@dataclass(frozen=True, slots=True)
class Coverage:
    """The due times of a rule, and those at which it was checked. `why`: the reason for neither."""

    rule: str
    due: int
    done: int
    why: str = ""

    @property
    def share(self) -> float | None:
        """Done of due; None for a rule that was never due."""
        return self.done / self.due if self.due else None

    @property
    def is_short(self) -> bool:
        """True if the rule was checked less often than due, or that is unknown."""
        return bool(self.why) or self.done < self.due


def coverage(rule: RuleRuns, window: Window) -> Coverage | None:
    """The coverage of a rule's due times; None for a rule without a schedule.

    A due time counts as done if a run checked between it and the next one: further runs by hand
    never make up for a gap elsewhere. A failed run counts, a cancelled or skipped one does not.
    Left out are times before the present schedule, and the last ones, whose runs may still be
    running (the longest run of the rule, and a grace).
    """
    if not rule.schedules:
        return None
    since = max(window.since, rule.changed_at or window.since)
    longest = timedelta(seconds=max(rule.seconds, default=0.0))
    until = window.until - GRACE - longest
    checked = sorted(run.at for run in rule.runs if run.outcome is not RunOutcome.NOT_CHECKED)
    anchor = rule.before or (checked[0] if checked else since)
    try:
        due = {at for each in rule.schedules for at in _due(_anchored(each, anchor), window)}
    except ScheduleError as error:
        return Coverage(rule.name, 0, 0, f"its schedule can't be read: {error}")
    times = sorted(at for at in due if since <= at < until)
    done = sum(
        bisect_left(checked, start) < bisect_left(checked, end)
        for start, end in pairwise([*times, window.until])
    )
    return Coverage(rule.name, len(times), done)


def _anchored(schedule: Schedule, run: datetime) -> Schedule:
    """The schedule; an interval of unknown anchor counts from a run."""
    if schedule.interval_seconds is None or schedule.anchor is not None:
        return schedule
    return replace(schedule, anchor=run.isoformat())


@lru_cache(maxsize=64)  # most rules are due at the same times
def _due(schedule: Schedule, window: Window) -> Sequence[datetime]:
    """Due times of the window."""
    times = due_times([schedule], window.since - _JUST_BEFORE)
    return list(takewhile(lambda due: due < window.until, times))


def covered(rules: Iterable[RuleRuns], window: Window) -> list[Coverage]:
    """The coverage of every rule that was due, the worst first."""
    known = [coverage(rule, window) for rule in rules]
    was_due = [rule for rule in known if rule and (rule.due or rule.why)]
    return sorted(was_due, key=lambda rule: (rule.share or 0.0, rule.rule))
