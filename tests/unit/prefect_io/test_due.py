"""Due times: Prefect's own dates, in order, whenever one begins to look."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile

import pytest
from prefect.server.schemas.schedules import CronSchedule, RRuleSchedule

from sentinel_core.base.errors import ScheduleError
from sentinel_core.model.run import Schedule
from sentinel_core.prefect_io.due import NeverDueError, due_times, next_due
from tests.support.prefect_dates import made_by_prefect

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(cron="0 0 30 2 *"),
        Schedule(cron="when the moon is full"),
        Schedule(interval_seconds=1e12),
        Schedule(rrule="FREQ=NEVER"),
        Schedule(rrule="FREQ=DAILY;INTERVAL=0"),
        Schedule(),
        Schedule(cron="* * * * *", timezone="Mars/Olympus"),
    ],
)
def test_a_schedule_that_cannot_be_read_says_so(schedule: Schedule) -> None:
    with pytest.raises(ScheduleError, match=r"\w"):
        next_due([schedule], NOON)


def test_a_day_that_does_not_exist_is_told_from_a_line_that_cannot_be_read() -> None:
    with pytest.raises(NeverDueError):
        next_due([Schedule(cron="0 0 31 2,4 *")], NOON)
    with pytest.raises(ScheduleError) as unreadable:
        next_due([Schedule(cron="61 * * * *")], NOON)
    assert not isinstance(unreadable.value, NeverDueError)
    assert str(unreadable.value) == 'Value error, Invalid cron string: "61 * * * *"'


def test_the_next_due_time_is_the_first_of_all_schedules() -> None:
    both = [Schedule(cron="0 17 * * *"), Schedule(cron="30 12 * * *")]
    assert next_due(both, NOON) == NOON + HOUR / 2
    assert next_due([Schedule(rrule="FREQ=DAILY;COUNT=1")], NOON) is None


def test_a_moment_at_which_two_schedules_are_due_counts_once() -> None:
    both = [Schedule(cron="*/30 * * * *"), Schedule(cron="0 13 * * *")]
    expected = [NOON + HOUR / 2, NOON + HOUR, NOON + 1.5 * HOUR]
    assert list(islice(due_times(both, NOON), 3)) == expected


def test_both_day_fields_must_match_where_the_schedule_says_so() -> None:
    first_mondays = Schedule(cron="0 9 1-7 * 1", day_or=False)
    found = list(islice(due_times([first_mondays], NOON), 3))
    assert [f"{due:%a %d %b}" for due in found] == ["Mon 07 Dec", "Mon 04 Jan", "Mon 01 Feb"]


def test_an_interval_counts_from_its_anchor_and_else_from_the_moment_given() -> None:
    anchored = Schedule(interval_seconds=3600, anchor="2026-01-01T00:20:00+00:00")
    assert next_due([anchored], NOON) == NOON + timedelta(minutes=20)
    assert next_due([Schedule(interval_seconds=3600)], NOON + HOUR / 4) == NOON + 1.25 * HOUR


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        # 09:00 in New York is 14:00 UTC in November and 13:00 UTC in October.
        (Schedule(cron="0 9 * * *", timezone="America/New_York"), [NOON + 2 * HOUR]),
        (Schedule(interval_seconds=5400, timezone="Asia/Tokyo"), [NOON + 1.5 * HOUR]),
        (
            Schedule(
                rrule="FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0", timezone="America/New_York"
            ),
            [NOON + 2 * HOUR],
        ),
    ],
)
def test_due_times_are_in_utc_and_by_the_schedules_own_zone(
    schedule: Schedule, expected: list[datetime]
) -> None:
    found = list(islice(due_times([schedule], NOON), 1))
    assert found == expected
    assert found[0].tzinfo is UTC


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize(
    "rrule",
    [
        "FREQ=DAILY",
        "FREQ=HOURLY;INTERVAL=5",
        "DTSTART:20261101T000300\nRRULE:FREQ=MINUTELY;INTERVAL=7",
        "FREQ=WEEKLY;INTERVAL=3",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "FREQ=DAILY;COUNT=2",
        "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9,17;BYMINUTE=30",
        "DTSTART:20200101T090000Z\nRRULE:FREQ=DAILY",
        "DTSTART:20200102T091500\nRRULE:FREQ=WEEKLY;INTERVAL=2",
        "DTSTART:20261119T130000\nRRULE:FREQ=DAILY;COUNT=3",
        "DTSTART:20261119T130000\nRRULE:FREQ=DAILY;INTERVAL=2;UNTIL=20261122T000000",
        "DTSTART:20261121T100000\nRRULE:FREQ=HOURLY",
        "DTSTART;TZID=Europe/Berlin:20260101T023000\nRRULE:FREQ=DAILY",
        "DTSTART;TZID=Europe/Berlin:20260101T023000\nRRULE:FREQ=DAILY;COUNT=400",
        "DTSTART:20260101T100000\nRRULE:FREQ=DAILY\nEXDATE:20261121T100000",
        "DTSTART:20260101T100000\nRRULE:FREQ=DAILY\nEXRULE:FREQ=DAILY;INTERVAL=2",
    ],
)
def test_a_recurrence_is_due_when_prefect_makes_its_runs(rrule: str, zone: str) -> None:
    prefects = RRuleSchedule(rrule=rrule, timezone=zone)
    moment = NOON + timedelta(seconds=1)  # not a due time: a schedule may have changed then
    made = [due.astimezone(UTC) for due in asyncio.run(prefects.get_dates(3, start=moment))]
    assert list(islice(due_times([Schedule(rrule=rrule, timezone=zone)], moment), 3)) == made


def test_no_due_time_of_the_hour_that_the_clocks_repeat_lies_in_the_past() -> None:
    schedule = Schedule(rrule="FREQ=MINUTELY;INTERVAL=5", timezone="America/New_York")
    again = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)  # 01:30 for the second time
    assert next(due_times([schedule], again)) == datetime(2026, 11, 1, 7, tzinfo=UTC)


def test_no_due_time_comes_twice_in_the_hour_that_the_clocks_leave_out() -> None:
    schedule = Schedule(rrule="FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,30", timezone="Europe/Berlin")
    found = list(islice(due_times([schedule], datetime(2026, 3, 28, 23, tzinfo=UTC)), 6))
    assert found == sorted(set(found))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("more", ["", "\nEXDATE:20261121T120000"])
def test_a_recurrence_of_decades_is_not_counted_from_its_first_second(more: str) -> None:
    every = Schedule(rrule=f"DTSTART:19700101T000000\nRRULE:FREQ=SECONDLY{more}")
    assert next(due_times([every], NOON)) == NOON + timedelta(seconds=1)


def test_a_daily_rule_keeps_its_hour_when_the_clocks_change() -> None:
    before = datetime(2026, 10, 31, 13, tzinfo=UTC)  # 09:00 in New York, the day before
    for schedule in (
        Schedule(cron="0 9 * * *", timezone="America/New_York"),
        Schedule(rrule="FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0", timezone="America/New_York"),
    ):
        assert next_due([schedule], before) == datetime(2026, 11, 1, 14, tzinfo=UTC)


def test_a_recurrence_that_has_ended_is_due_no_more() -> None:
    twice = Schedule(rrule="DTSTART:20261120T120000\nRRULE:FREQ=DAILY;COUNT=2")
    assert len(list(due_times([twice], NOON))) == 1
    over = Schedule(rrule="FREQ=DAILY;UNTIL=20261101T000000")
    assert list(due_times([over], NOON)) == []


# -- a year of Prefect's scheduler --------------------------------------------------------------

ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"]
MINUTES = ["0", "*/20", "7,37"]
HOURS = ["*", "*/3", "2", "0-2", "22-2"]
DAYS = ["* *", "1-7 1", "*/2 1", "15 *", "* 1-5", "L *"]
SHAPES = [
    f"{m} {h} {d} * {w}" for m, h, (d, w) in itertools.product(MINUTES, HOURS, map(str.split, DAYS))
]
YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def agrees(number: int, zone: str, day_or: bool) -> None:
    """A shape's due times of a year are Prefect's; of a frequent one, those of four weeks."""
    cron = SHAPES[number]
    schedule = Schedule(cron=cron, timezone=zone, day_or=day_or)
    prefects = CronSchedule(cron=cron, timezone=zone, day_or=day_or)
    weeks = [YEAR + timedelta(weeks=week) for week in (9, 12, 13, 39, 42, 43)]  # clocks change
    spans = [(start, start + timedelta(weeks=1)) for start in weeks]
    if cron.split()[1] != "*":
        spans = [(YEAR, YEAR + timedelta(days=365))]
    for since, until in spans:
        due = takewhile(lambda at, until=until: at < until, due_times([schedule], since))
        assert list(due) == made_by_prefect(prefects, since, until), (cron, zone, day_or, since)


@pytest.mark.parametrize("day_or", [True, False])
@pytest.mark.parametrize("zone", ZONES)
def test_a_year_of_cron_is_due_when_prefect_makes_its_runs(zone: str, day_or: bool) -> None:
    for number in range(2 * ZONES.index(zone) + day_or, len(SHAPES), 23):
        agrees(number, zone, day_or)


@pytest.mark.slow
@pytest.mark.parametrize("day_or", [True, False])
@pytest.mark.parametrize("zone", ZONES)
def test_a_year_of_every_shape_of_cron_is_due_when_prefect_makes_its_runs(
    zone: str, day_or: bool
) -> None:
    for number in range((ZONES.index(zone) + day_or) % 4, len(SHAPES), 4):
        agrees(number, zone, day_or)
