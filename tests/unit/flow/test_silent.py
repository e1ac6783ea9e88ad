"""Silent rules, over a year and over the nights in which clocks change, by Prefect's dates."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prefect.server.schemas.schedules import CronSchedule
from sqlalchemy import Engine, update

from sentinel_core.flow.silent import silence_observations
from sentinel_core.model.run import Rule, Schedule
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import RULE
from sentinel_core.store.state.rules import sync
from tests.support.runs import a_rule

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def scheduled(
    engine: Engine, since: datetime, cron: str, zone: str, *, day_or: bool = True
) -> Rule:
    """A rule by this line, on record from `since` on."""
    schedule = Schedule(cron=cron, timezone=zone, day_or=day_or)
    rule = replace(a_rule(), schedules=(schedule,))
    sync(engine, [rule], since)
    return rule


def dates(rule: Rule, since: datetime, until: datetime) -> list[datetime]:
    """The moments for which Prefect's scheduler, asked before all of them, makes runs."""
    [mine] = rule.schedules
    assert mine.cron is not None
    schedule = CronSchedule(cron=mine.cron, timezone=mine.timezone, day_or=mine.day_or)
    found = asyncio.run(schedule.get_dates(n=900, start=since + MINUTE, end=until))
    return [datetime.fromtimestamp(due.timestamp(), UTC) for due in found]


def silent(engine: Engine, rule: Rule, now: datetime) -> bool:
    """True if the rule is silent at this moment."""
    found = silence_observations(engine, {rule.deployment_id: rule}, now)
    return any(each.breached for _, observations in found for each in observations)


def ticks(since: datetime, until: datetime, step: timedelta) -> Iterator[datetime]:
    """The moments of reconcile."""
    while since < until:
        yield since
        since += step


def silences(
    engine: Engine, rule: Rule, runs: list[datetime], moments: Iterator[datetime]
) -> list[datetime]:
    """The moments at which the rule is silent while these runs are recorded a minute after due."""
    waiting, found = sorted(runs), []
    for now in moments:
        done = [run for run in waiting if run + MINUTE <= now]
        if done:
            del waiting[: len(done)]
            with writing(engine) as connection:
                connection.execute(update(RULE).values(last_evaluated_at=done[-1]))
        if silent(engine, rule, now):
            found.append(now)
    return found


def test_a_year_of_first_mondays_has_no_false_silence_and_a_missed_one_is_seen_within_a_day(
    store: Engine,
) -> None:
    rule = scheduled(store, YEAR, "0 9 1-7 * 1", "America/New_York", day_or=False)
    runs = dates(rule, YEAR, YEAR + 365 * DAY)
    assert len(runs) == 12
    assert silences(store, rule, runs, ticks(YEAR, YEAR + 365 * DAY, 6 * HOUR)) == []

    again = YEAR + 365 * DAY
    sync(store, [replace(rule, schedules=())], again)
    rule = scheduled(store, again, "0 9 1-7 * 1", "America/New_York", day_or=False)
    missed, *others = dates(rule, again, again + 60 * DAY)
    found = silences(store, rule, others, ticks(again, again + 60 * DAY, 6 * HOUR))
    assert missed + DAY <= found[0] <= missed + DAY + 6 * HOUR
    assert found[-1] < others[0] + 6 * HOUR


@pytest.mark.slow("*/5 * * * *", "30 * * * *")
@pytest.mark.parametrize("cron", ["* * * * *", "*/5 * * * *", "30 * * * *", "0 */2 * * *"])
@pytest.mark.parametrize(
    ("zone", "night"),
    [
        ("America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 3, 28, 23, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC)),
    ],
)
def test_the_night_of_a_clock_change_has_no_false_silence_and_no_missed_one(
    store: Engine, zone: str, night: datetime, cron: str
) -> None:
    rule = scheduled(store, night, cron, zone)
    end = night + 6 * HOUR
    runs = dates(rule, night, end)
    assert silences(store, rule, runs, ticks(night, end, 2 * MINUTE)) == []

    sync(store, [replace(rule, schedules=())], night)
    rule = scheduled(store, night, cron, zone)
    with writing(store) as connection:
        connection.execute(update(RULE).values(last_evaluated_at=night, changed_at=night))
    stopped = [run for run in runs if run < night + 4 * HOUR]
    found = silences(store, rule, stopped, ticks(night, end + 4 * HOUR, 2 * MINUTE))
    missed = [due for due in dates(rule, night, end + 4 * HOUR) if due > stopped[-1]]
    second_missed = missed[1]
    assert second_missed <= found[0] <= second_missed + 4 * MINUTE
