"""Whether a rule is overdue, from the times at which it was due. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from sentinel_core.base.errors import ScheduleError
from sentinel_core.model.times import utc

GRACE = timedelta(seconds=90)
"""Added to the moment a rule is overdue: a run needs to start, measure and be recorded."""

_LONGEST = timedelta(days=1)
"""How long a missed run of a slow schedule is waited for, unless the rule says otherwise."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The schedule status of a rule. `due_at` is the due time of the first missing evaluation."""

    overdue: bool
    due_at: datetime | None
    sentence: str
    unreadable: bool = False


UNSCHEDULED = Standing(False, None, "no schedule: runs only when asked to")


def overdue_at(
    due: datetime, following: datetime | None, grace_seconds: float | None = None
) -> datetime:
    """The moment from which a rule is overdue that was not evaluated for a due time.

    `following` is the due time after it; None if there is none.
    """
    if grace_seconds is not None:
        return due + timedelta(seconds=grace_seconds)
    longest = due + _LONGEST
    return (longest if following is None else min(following, longest)) + GRACE


def standing(
    due: Iterable[datetime], since: datetime, now: datetime, grace_seconds: float | None = None
) -> Standing:
    """The schedule status of an active rule whose due times after `since` are `due`, in order.

    `since` is the due time of its newest evaluation, or the last change of its schedule. It is
    overdue when two due times have passed without a run, or a day since the first one; with
    `grace_seconds`, so long after the first one. All times are aware. A schedule that can't be read
    (ScheduleError while iterating) makes the rule overdue.
    """
    try:
        times = list(islice(due, 2))
    except ScheduleError as error:
        return Standing(True, None, f"its schedule can't be read: {error}", unreadable=True)
    if not times:
        return Standing(False, None, "checked on time, and not due again")
    first = times[0]
    if now >= overdue_at(first, times[1] if len(times) > 1 else None, grace_seconds):
        sentence = f"not checked since {utc(since)}: due at {utc(first)}"
        several = len(times) > 1 and now >= times[1]
        return Standing(True, first, f"{sentence} and after" if several else sentence)
    if now >= first + GRACE:
        return Standing(False, first, f"late: due at {utc(first)}")
    return Standing(False, None, f"checked on time, next at {utc(first)}")
