"""Was every rule checked when it should have been? Pure: schedules and times in, a verdict out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from dateutil.rrule import rrule, rrulestr

from sentinel_core.model.run import Schedule
from sentinel_core.model.times import utc

GRACE = timedelta(seconds=90)
"""Added to the second missed due time: a run needs to start, measure and be recorded."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a rule stands. `due_at` is the first evaluation that is missing, when one is."""

    overdue: bool
    due_at: datetime | None
    sentence: str
    unreadable: bool = False


def standing(schedules: Sequence[Schedule], since: datetime, now: datetime) -> Standing:
    """Is an active rule overdue: were two due times after `since` missed?

    `since` is the due time of its newest evaluation, or when its schedule last changed. With
    several schedules the due times of all count. All times aware. A schedule that can't be read is
    said to be so: never "fine".
    """
    if not schedules:
        return Standing(False, None, "no schedule: runs only when asked to")
    try:
        times = list(islice(merge(*(islice(due_times(s, since), 2) for s in schedules)), 2))
    except (CronSimError, ValueError, KeyError, OSError, ArithmeticError) as error:
        return Standing(True, None, f"its schedule can't be read: {error}", unreadable=True)
    if len(times) > 1 and now >= times[1] + GRACE:
        first = times[0]
        return Standing(
            True, first, f"not checked since {utc(since)}: due at {utc(first)} and after"
        )
    if times and now >= times[0] + GRACE:
        return Standing(False, times[0], f"late: due at {utc(times[0])}")
    return Standing(False, None, f"checked on time, {_next(times)}")


def next_due(schedules: Sequence[Schedule], after: datetime) -> datetime | None:
    """The first due time after a moment, of all schedules together; None when there is none.

    Raises what a schedule that can't be read raises (see `standing`).
    """
    return next(iter(merge(*(islice(due_times(s, after), 1) for s in schedules))), None)


def _next(times: Sequence[datetime]) -> str:
    return f"next at {utc(times[0])}" if times else "and not due again"


def due_times(schedule: Schedule, since: datetime) -> Iterator[datetime]:
    """When a schedule is due after a moment, which intervals and rules of recurrence go on from.

    Raises what a schedule that can't be read raises (see `standing`).
    """
    zone = ZoneInfo(schedule.timezone)
    if schedule.cron is not None:
        for due in CronSim(schedule.cron, since.astimezone(zone)):
            yield due.astimezone(UTC)
    elif schedule.interval_seconds is not None:
        while True:
            since += timedelta(seconds=schedule.interval_seconds)
            yield since.astimezone(UTC)
    else:
        local = since.astimezone(zone).replace(tzinfo=None)
        rule: Any = rrulestr(schedule.rrule or "", dtstart=local, ignoretz=True)
        # From `since` on, itself a due time: counting minutes from 2020 on takes many seconds.
        said: dict[str, Any] = vars(rule) if isinstance(rule, rrule) else {"_count": 0}
        if said["_count"] is None and said["_dtstart"] < local:
            rule = rule.replace(dtstart=local)
        for due in rule.xafter(local):
            yield due.replace(tzinfo=zone).astimezone(UTC)
