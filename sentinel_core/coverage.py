"""Was every rule checked when it should have been? Pure: schedules and times in, a verdict out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

GRACE = timedelta(seconds=90)
"""Added to the second missed due time: a run needs to start, measure and be recorded."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a rule stands. `due_at` is the first evaluation that is missing, when one is."""

    overdue: bool
    due_at: datetime | None
    sentence: str


def standing(
    cron: str | None,
    interval_seconds: float | None,
    timezone: str,
    since: datetime,
    now: datetime,
) -> Standing:
    """Is an active rule overdue: were two due times after `since` missed?

    `since` is the due time of its newest evaluation, or when its schedule last changed.
    All times aware; `timezone` is the schedule's. A schedule that can't be read is said to be so:
    never "fine".
    """
    if cron is None and interval_seconds is None:
        return Standing(False, None, "no cron or interval schedule: runs only when asked to")
    try:
        times = _due_times(cron, interval_seconds, timezone, since)
        first, second = next(times), next(times)
    except (CronSimError, ValueError, KeyError, OSError, StopIteration) as error:
        return Standing(True, None, f"its schedule can't be read: {error}")
    if now >= second + GRACE:
        return Standing(
            True, first, f"not checked since {_clock(since)}: due at {_clock(first)} and after"
        )
    if now >= first + GRACE:
        return Standing(False, first, f"late: due at {_clock(first)}")
    return Standing(False, None, f"checked on time, next at {_clock(first)}")


def _due_times(
    cron: str | None, interval_seconds: float | None, timezone: str, since: datetime
) -> Iterator[datetime]:
    if cron is None:
        assert interval_seconds is not None
        step = timedelta(seconds=interval_seconds)
        while True:
            since += step
            yield since.astimezone(UTC)
    for due in CronSim(cron, since.astimezone(ZoneInfo(timezone))):
        yield due.astimezone(UTC)


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
