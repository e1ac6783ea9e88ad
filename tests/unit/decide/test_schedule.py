"""Due times of schedules, and the rules that missed them."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from prefect.server.schemas.schedules import RRuleSchedule

from sentinel_core.decide.schedule import GRACE, Standing, due_times, next_due, standing
from sentinel_core.model.run import Schedule

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    "schedules",
    [
        [Schedule(cron="*/5 * * * *")],
        [Schedule(interval_seconds=300)],
        [Schedule(rrule="FREQ=MINUTELY;INTERVAL=5")],
        [Schedule(rrule="DTSTART:20200101T000000\nRRULE:FREQ=MINUTELY;INTERVAL=5")],
        [Schedule(cron="0 9 * * 1"), Schedule(cron="*/5 * * * *")],
    ],
)
def test_two_missed_due_times_of_any_kind_of_schedule_are_seen(schedules: list[Schedule]) -> None:
    assert not standing(schedules, NOON, NOON + timedelta(minutes=9)).overdue
    assert standing(schedules, NOON, NOON + timedelta(minutes=12)).overdue


def test_the_due_times_of_several_schedules_count_together() -> None:
    both = [Schedule(cron="0 9 * * *"), Schedule(cron="0 17 * * *")]
    assert standing(both, NOON, NOON + 22 * HOUR).overdue
    assert not standing(both, NOON, NOON + 20 * HOUR).overdue


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(cron="@hourly"),
        Schedule(cron="0 0 30 2 *"),
        Schedule(interval_seconds=1e12),
        Schedule(rrule="FREQ=NEVER"),
        Schedule(),
        Schedule(cron="* * * * *", timezone="Mars/Olympus"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_never_fine(schedule: Schedule) -> None:
    found = standing([schedule], NOON, NOON)
    assert (found.overdue, found.due_at, found.unreadable) == (True, None, True)
    assert found.sentence.startswith("its schedule can't be read: ")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (HOUR, Standing(False, None, "checked on time, next at 2026-11-20 13:00 UTC")),
        (
            HOUR + GRACE - timedelta(seconds=1),
            Standing(False, None, "checked on time, next at 2026-11-20 13:00 UTC"),
        ),
        (
            HOUR + GRACE,
            Standing(False, NOON + HOUR, "late: due at 2026-11-20 13:00 UTC"),
        ),
        (
            2 * HOUR + GRACE - timedelta(seconds=1),
            Standing(False, NOON + HOUR, "late: due at 2026-11-20 13:00 UTC"),
        ),
        (
            2 * HOUR + GRACE,
            Standing(
                True,
                NOON + HOUR,
                "not checked since 2026-11-20 12:00 UTC: due at 2026-11-20 13:00 UTC and after",
            ),
        ),
    ],
)
def test_a_rule_is_late_after_one_missed_due_time_and_overdue_after_two(
    after: timedelta, expected: Standing
) -> None:
    assert standing([Schedule(cron="0 * * * *")], NOON, NOON + after) == expected


def test_one_due_time_that_is_left_makes_a_rule_late_and_never_overdue() -> None:
    once = Schedule(rrule="DTSTART:20261120T120000\nRRULE:FREQ=HOURLY;COUNT=2")
    assert standing([once], NOON, NOON + 1000 * HOUR) == Standing(
        False, NOON + HOUR, "late: due at 2026-11-20 13:00 UTC"
    )


def test_a_rule_without_a_schedule_is_never_overdue() -> None:
    expected = Standing(False, None, "no schedule: runs only when asked to")
    assert standing([], NOON, NOON + 1000 * HOUR) == expected


def test_the_next_due_time_is_the_first_of_all_schedules() -> None:
    both = [Schedule(cron="0 17 * * *"), Schedule(cron="30 12 * * *")]
    assert next_due(both, NOON) == NOON + HOUR / 2
    assert next_due([Schedule(rrule="FREQ=DAILY;COUNT=1")], NOON) is None


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
    found = list(islice(due_times(schedule, NOON), 1))
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
    assert list(islice(due_times(Schedule(rrule=rrule, timezone=zone), moment), 3)) == made


def test_no_due_time_of_the_hour_that_the_clocks_repeat_lies_in_the_past() -> None:
    schedule = Schedule(rrule="FREQ=MINUTELY;INTERVAL=5", timezone="America/New_York")
    again = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)  # 01:30 for the second time
    assert next(due_times(schedule, again)) == datetime(2026, 11, 1, 7, tzinfo=UTC)


def test_no_due_time_comes_twice_in_the_hour_that_the_clocks_leave_out() -> None:
    schedule = Schedule(rrule="FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,30", timezone="Europe/Berlin")
    found = list(islice(due_times(schedule, datetime(2026, 3, 28, 23, tzinfo=UTC)), 6))
    assert found == sorted(set(found))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("more", ["", "\nEXDATE:20261121T120000"])
def test_a_recurrence_of_decades_is_not_counted_from_its_first_second(more: str) -> None:
    every = Schedule(rrule=f"DTSTART:19700101T000000\nRRULE:FREQ=SECONDLY{more}")
    assert next(due_times(every, NOON)) == NOON + timedelta(seconds=1)


def test_a_daily_rule_keeps_its_hour_when_the_clocks_change() -> None:
    before = datetime(2026, 10, 31, 13, tzinfo=UTC)  # 09:00 in New York, the day before
    for schedule in (
        Schedule(cron="0 9 * * *", timezone="America/New_York"),
        Schedule(rrule="FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0", timezone="America/New_York"),
    ):
        found = standing([schedule], before, before)
        assert found.sentence == "checked on time, next at 2026-11-01 14:00 UTC"


def test_a_rule_of_recurrence_that_has_ended_is_due_no_more() -> None:
    twice = Schedule(rrule="DTSTART:20261120T120000\nRRULE:FREQ=DAILY;COUNT=2")
    assert len(list(due_times(twice, NOON))) == 1
    over = Schedule(rrule="FREQ=DAILY;UNTIL=20261101T000000")
    assert list(due_times(over, NOON)) == []
    expected = Standing(False, None, "checked on time, and not due again")
    assert standing([over], NOON, NOON + 1000 * HOUR) == expected
