"""Due times of schedules, and whether a rule is overdue. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from dateutil.rrule import DAILY, HOURLY, MINUTELY, SECONDLY, WEEKLY, rrule, rruleset, rrulestr

from sentinel_core.model.run import Schedule
from sentinel_core.model.times import utc

GRACE = timedelta(seconds=90)
"""Added to the second missed due time: a run needs to start, measure and be recorded."""

_ANCHOR = datetime.fromisoformat("2020-01-01")  # where Prefect begins to count, without a DTSTART
_PERIODS = {
    WEEKLY: timedelta(weeks=1),
    DAILY: timedelta(days=1),
    HOURLY: timedelta(hours=1),
    MINUTELY: timedelta(minutes=1),
    SECONDLY: timedelta(seconds=1),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """The schedule status of a rule. `due_at` is the due time of the first missing evaluation."""

    overdue: bool
    due_at: datetime | None
    sentence: str
    unreadable: bool = False


def standing(schedules: Sequence[Schedule], since: datetime, now: datetime) -> Standing:
    """The schedule status of an active rule: overdue if two due times after `since` were missed.

    `since` is the due time of its newest evaluation, or the last change of its schedule. The due
    times of all schedules count. All times are aware. A schedule that can't be read makes the rule
    overdue.
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
    following = f"next at {utc(times[0])}" if times else "and not due again"
    return Standing(False, None, f"checked on time, {following}")


def next_due(schedules: Sequence[Schedule], after: datetime) -> datetime | None:
    """The first due time of all schedules after a given time; None if there is none.

    Raises what a schedule that can't be read raises (see `standing`).
    """
    return next(iter(merge(*(islice(due_times(s, after), 1) for s in schedules))), None)


def due_times(schedule: Schedule, since: datetime) -> Iterator[datetime]:
    """The due times of a schedule after `since`, from which intervals continue.

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
        rule: Any = rrulestr(schedule.rrule or "", dtstart=_ANCHOR, ignoretz=True)
        if isinstance(rule, rruleset):
            parts = vars(rule)
            for kind in ("_rrule", "_exrule"):
                parts[kind] = [_begun(each, local) for each in parts[kind]]
            for kind in ("_rdate", "_exdate"):
                parts[kind] = [moment.replace(tzinfo=None) for moment in parts[kind]]
        else:
            rule = _begun(rule, local)
        for naive in rule.xafter(local):
            due = naive.replace(tzinfo=zone).astimezone(UTC)
            if due > since:  # not again in an hour that the clocks repeat or leave out
                since = due
                yield due


def _begun(rule: rrule, local: datetime) -> rrule:
    """The same rule from whole periods later on: counting minutes from 2020 takes many seconds.

    Its times are local ones of the schedule's zone, whatever zone they are written with.
    """
    options = vars(rule)
    until, begin = options["_until"], options["_dtstart"].replace(tzinfo=None)
    period, step = _PERIODS.get(options["_freq"]), options["_interval"]
    if period is not None and options["_count"] is None and begin < local:
        begin += (local - begin) // (period * step) * (period * step)
    return rule.replace(dtstart=begin, until=until and until.replace(tzinfo=None))
