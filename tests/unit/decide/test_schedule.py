"""Rules that missed the times at which they were due."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sentinel_core.base.errors import ScheduleError
from sentinel_core.decide.schedule import GRACE, Standing, standing

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
HOURLY = [NOON + HOUR, NOON + 2 * HOUR]
WEEKLY = [NOON + 7 * DAY, NOON + 14 * DAY]

ON_TIME = Standing(False, None, "checked on time, next at 2026-11-20 13:00 UTC")
LATE = Standing(False, NOON + HOUR, "late: due at 2026-11-20 13:00 UTC")
MISSED = "not checked since 2026-11-20 12:00 UTC: due at 2026-11-20 13:00 UTC"
OVERDUE = Standing(True, NOON + HOUR, f"{MISSED} and after")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (HOUR, ON_TIME),
        (HOUR + GRACE - SECOND, ON_TIME),
        (HOUR + GRACE, LATE),
        (2 * HOUR + GRACE - SECOND, LATE),
        (2 * HOUR + GRACE, OVERDUE),
    ],
)
def test_a_rule_is_late_after_one_missed_due_time_and_overdue_after_two(
    after: timedelta, expected: Standing
) -> None:
    assert standing(HOURLY, NOON, NOON + after) == expected


@pytest.mark.parametrize(("after", "overdue"), [(DAY - SECOND, False), (DAY, True)])
def test_a_slow_rule_is_overdue_a_day_after_its_missed_due_time(
    after: timedelta, overdue: bool
) -> None:
    found = standing(WEEKLY, NOON, NOON + 7 * DAY + GRACE + after)
    assert (found.overdue, found.due_at) == (overdue, NOON + 7 * DAY)
    assert not found.sentence.endswith("and after")


@pytest.mark.parametrize(
    ("grace", "after", "expected"),
    [
        (60, timedelta(seconds=59), ON_TIME),
        (60, timedelta(seconds=60), Standing(True, NOON + HOUR, MISSED)),
        (0, timedelta(0), Standing(True, NOON + HOUR, MISSED)),
        (3 * 3600, timedelta(hours=2, minutes=59), LATE),
        (3 * 3600, timedelta(hours=3), OVERDUE),
    ],
)
def test_a_rules_own_grace_counts_from_the_first_missed_due_time(
    grace: float, after: timedelta, expected: Standing
) -> None:
    assert standing(HOURLY, NOON, NOON + HOUR + after, grace) == expected


def test_a_due_time_that_is_now_counts_as_missed_too() -> None:
    assert standing(HOURLY, NOON, HOURLY[1], grace_seconds=60) == OVERDUE
    assert standing(HOURLY, NOON, HOURLY[1] - SECOND, grace_seconds=60).sentence == MISSED


def test_the_last_due_time_of_all_is_missed_after_a_day() -> None:
    assert standing(HOURLY[:1], NOON, NOON + 24 * HOUR) == LATE
    assert standing(HOURLY[:1], NOON, NOON + 25 * HOUR + GRACE).overdue


def test_a_rule_that_is_due_no_more_is_not_overdue() -> None:
    expected = Standing(False, None, "checked on time, and not due again")
    assert standing([], NOON, NOON + 1000 * HOUR) == expected


def test_no_more_than_two_due_times_are_asked_for() -> None:
    def endless() -> Iterator[datetime]:
        yield from HOURLY
        raise AssertionError("a third one")

    assert standing(endless(), NOON, NOON + 1000 * HOUR).overdue


def test_a_schedule_that_cannot_be_read_is_never_fine() -> None:
    def unreadable() -> Iterator[datetime]:
        yield NOON + HOUR
        raise ScheduleError("it never occurs")

    found = standing(unreadable(), NOON, NOON)
    expected = Standing(True, None, "its schedule can't be read: it never occurs", unreadable=True)
    assert found == expected
