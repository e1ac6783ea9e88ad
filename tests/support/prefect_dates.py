"""The dates for which Prefect's own scheduler makes runs."""

import asyncio
from datetime import UTC, datetime, timedelta

from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule

Prefects = CronSchedule | IntervalSchedule | RRuleSchedule
HOUR = timedelta(hours=1)


def made_by_prefect(schedule: Prefects, since: datetime, until: datetime) -> list[datetime]:
    """All dates for which the scheduler makes runs: it looks ahead again and again, from now.

    It looks at least three runs ahead. How far matters for intervals of a day or more alone: their
    dates after a change of clocks depend on it.
    """
    if isinstance(schedule, IntervalSchedule) and schedule.interval >= 24 * HOUR:
        return _looked_up_in_turn(schedule, since, until)
    made: set[datetime] = set()
    moment = since
    while moment < until:
        ahead = asyncio.run(
            schedule.get_dates(n=100, start=moment, end=moment + timedelta(days=30))
        )
        found = [due.astimezone(UTC) for due in ahead]
        made.update(found)
        if len(found) < 100:
            moment += timedelta(days=20)
        else:  # it comes back before they are used up
            moment += max((found[-1] - moment) / 2, HOUR)
    return sorted(due for due in made if since < due < until)


def _looked_up_in_turn(
    schedule: IntervalSchedule, since: datetime, until: datetime
) -> list[datetime]:
    made: set[datetime] = set()
    moment = since
    while moment < until:
        ahead = asyncio.run(schedule.get_dates(n=3, start=moment))
        found = [datetime.fromtimestamp(due.timestamp(), UTC) for due in ahead]
        made.update(found)
        moment = found[0] + timedelta(seconds=1)
    return sorted(due for due in made if since < due < until)
