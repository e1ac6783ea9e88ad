"""Was every rule checked when it should have been?"""

from datetime import UTC, datetime, timedelta

import pytest

from sentinel_core.decide.schedule import due_times, standing
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
    assert (found.overdue, found.unreadable) == (True, True)


def test_a_rule_without_a_schedule_is_never_overdue() -> None:
    assert not standing([], NOON, NOON + 1000 * HOUR).overdue


def test_a_daily_rule_keeps_its_hour_when_the_clocks_change() -> None:
    before = datetime(2026, 10, 31, 13, tzinfo=UTC)  # 09:00 in New York, the day before
    for schedule in (
        Schedule(cron="0 9 * * *", timezone="America/New_York"),
        Schedule(rrule="FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0", timezone="America/New_York"),
    ):
        found = standing([schedule], before, before)
        assert found.sentence == "checked on time, next at 2026-11-01 14:00 UTC"


def test_a_rule_of_recurrence_that_has_ended_is_due_no_more() -> None:
    twice = Schedule(rrule="FREQ=DAILY;COUNT=2")
    assert len(list(due_times(twice, NOON))) == 1
    over = Schedule(rrule="FREQ=DAILY;UNTIL=20261101T000000")
    assert list(due_times(over, NOON)) == []
    assert (
        standing([over], NOON, NOON + 1000 * HOUR).sentence == "checked on time, and not due again"
    )
