"""Due times of schedules: the dates of Prefect's own schedule classes, as its scheduler asks them.

Computed, never asked of a server. Prefect's classes are the only judge of what a schedule means:
`day_or`, both day fields of a cron line, the hours in which clocks change.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from heapq import merge
from math import lcm
from zoneinfo import ZoneInfo

from prefect._vendor.croniter.croniter import CroniterBadDateError
from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from pydantic import ValidationError

from sentinel_core.base.errors import ScheduleError
from sentinel_core.decide.schedule import UNSCHEDULED, Standing, standing
from sentinel_core.model.run import Schedule


class NeverDueError(ScheduleError):
    """A cron expression names a time that doesn't exist, like 30 February. Correct it."""


_UNREADABLE = (ValueError, TypeError, KeyError, OSError, ArithmeticError)
_AT_ONCE = 1000  # Prefect's classes give no more for one start, and sometimes fewer
_SECOND, _HOUR, _DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
_NEAR = timedelta(hours=3)  # around a change of clocks, dates may repeat or come out of order
_ANCHOR = datetime.fromisoformat("2020-01-01")  # where Prefect begins to count, without a DTSTART
_DIGITS = "%Y%m%dT%H%M%S"
_DTSTART = re.compile(r"DTSTART[^:\n]*:(\d{8}T\d{6})", re.IGNORECASE)
_INTERVAL = re.compile(r"INTERVAL=(\d+)")
_PERIODS = {
    "WEEKLY": timedelta(weeks=1),
    "DAILY": timedelta(days=1),
    "HOURLY": timedelta(hours=1),
    "MINUTELY": timedelta(minutes=1),
    "SECONDLY": timedelta(seconds=1),
}


def due_times(schedules: Iterable[Schedule], since: datetime) -> Iterator[datetime]:
    """The moments after `since` at which Prefect makes a run of any schedule: in order, in UTC.

    Raises ScheduleError, while iterating, for a schedule that Prefect can't iterate.
    """
    last = since
    try:
        for due in merge(*(_dates(schedule, since) for schedule in schedules)):
            if due > last:
                yield due
                last = due
    except _UNREADABLE as error:
        if isinstance(error, CroniterBadDateError):
            raise NeverDueError("it never occurs") from error
        text = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ScheduleError(text or type(error).__name__) from error


def schedule_status(
    schedules: Sequence[Schedule], since: datetime, now: datetime, grace_seconds: float | None
) -> Standing:
    """The schedule status of an active rule: see `standing`."""
    if not schedules:
        return UNSCHEDULED
    return standing(due_times(schedules, since), since, now, grace_seconds)


def next_due(schedules: Sequence[Schedule], after: datetime) -> datetime | None:
    """The first due time after a moment; None if there is none. Raises ScheduleError."""
    return next(due_times(schedules, after), None)


def _dates(schedule: Schedule, since: datetime) -> Iterator[datetime]:
    """The dates of one schedule from about `since` on: in order, but some may come twice.

    An interval of unknown anchor counts from `since`. One of a day or more is asked for a date at a
    time: after a change of clocks Prefect's dates depend on how long before them it was asked.
    """
    one_by_one = (schedule.interval_seconds or 0) >= _DAY.total_seconds()
    if schedule.interval_seconds is not None and schedule.anchor is None:
        schedule = replace(schedule, anchor=since.isoformat())
    zone = ZoneInfo(schedule.timezone)
    begin = since
    while True:
        if _clocks_change(begin, zone):
            first, end = _night(begin, zone)
            yield from _dates_of_night(schedule, first, end)
            begin = end
        newest = None
        for due in _of_prefect(schedule, begin):
            newest = due
            if _clocks_change(due, zone):
                break
            yield due
            if one_by_one:
                break
        if newest is None:  # the schedule has ended
            return
        begin = newest if _clocks_change(newest, zone) else newest + _SECOND


def _night(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The whole hours between which the clocks change; the same for every moment of that night."""
    first = moment.replace(minute=0, second=0, microsecond=0)
    end = first + _HOUR
    while _clocks_change(first, zone):
        first -= _HOUR
    while _clocks_change(end, zone):
        end += _HOUR
    return first, end


@lru_cache(maxsize=1024)  # it is asked for every minute of that night
def _dates_of_night(schedule: Schedule, first: datetime, end: datetime) -> Sequence[datetime]:
    """The dates of such a night, in order.

    Prefect's classes are asked from before it, as its scheduler asks them: from within an hour that
    the clocks repeat, they may give what is over.
    """
    dates: set[datetime] = set()
    begin = first
    while begin < end:
        newest = end
        for due in _of_prefect(schedule, begin):
            newest = due
            if due >= end:
                break
            dates.add(due)
        begin = newest + _SECOND
    return sorted(dates)


def _clocks_change(moment: datetime, zone: ZoneInfo) -> bool:
    """True if the zone's clocks change within three hours of a moment."""
    before, after = (moment + shift for shift in (-_NEAR, _NEAR))
    return before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset()


def _of_prefect(schedule: Schedule, start: datetime) -> Iterator[datetime]:
    """Prefect's dates from `start` on."""
    made = _prefects(schedule)
    if isinstance(made, RRuleSchedule):
        local = start.astimezone(ZoneInfo(schedule.timezone)).replace(tzinfo=None)
        made = made.model_copy(update={"rrule": _begun(made.rrule, local)})
    for date in made._get_dates_generator(n=_AT_ONCE, start=start):
        due = datetime.fromtimestamp(date.timestamp(), UTC)  # of Python's own class
        if due >= start:  # where clocks change, Prefect's classes may give what is over
            yield due


@lru_cache(maxsize=4096)  # Prefect's classes look through all time zones when one is made
def _prefects(schedule: Schedule) -> CronSchedule | IntervalSchedule | RRuleSchedule:
    """The schedule as Prefect's scheduler has it."""
    zone = schedule.timezone
    if schedule.cron is not None:
        return CronSchedule(cron=schedule.cron, timezone=zone, day_or=schedule.day_or)
    if schedule.interval_seconds is not None:
        anchor = {"anchor_date": datetime.fromisoformat(schedule.anchor)} if schedule.anchor else {}
        interval = timedelta(seconds=schedule.interval_seconds)
        return IntervalSchedule(interval=interval, timezone=zone, **anchor)
    if schedule.rrule is None:
        raise ValueError("it has neither cron, nor an interval, nor a recurrence rule")
    return RRuleSchedule(rrule=schedule.rrule, timezone=zone)


def _begun(text: str, local: datetime) -> str:
    """The same recurrence from whole periods later on: counting minutes from 2020 takes seconds.

    Recurrences by month or year are left as they are, as are those of a number of times.
    """
    rules = [line for line in text.upper().splitlines() if "FREQ=" in line]
    periods = [_PERIODS.get(re.sub(r".*FREQ=(\w+).*", r"\1", rule)) for rule in rules]
    if not rules or None in periods or any("COUNT=" in rule for rule in rules):
        return text
    intervals = [int(found[1]) if (found := _INTERVAL.search(rule)) else 1 for rule in rules]
    if 0 in intervals:
        raise ValueError("a recurrence with INTERVAL=0 never goes on")
    lengths = [int(period.total_seconds()) for period in periods if period]
    seconds = lcm(*(n * length for n, length in zip(intervals, lengths, strict=True)))
    written = _DTSTART.search(text)
    begin = datetime.strptime(written[1], _DIGITS) if written else _ANCHOR  # noqa: DTZ007 (local)
    if begin >= local:
        return text
    step = timedelta(seconds=seconds)
    later = f"{begin + (local - begin) // step * step:{_DIGITS}}"
    if written:
        return text[: written.start(1)] + later + text[written.end(1) :]
    return f"DTSTART:{later}\n{text if ':' in text else f'RRULE:{text}'}"
