"""Promises, computed by hand: nothing, one run, nothing but zeros, and both changes of clocks."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from triggers.pipelines.ended_run import EndedRun, Ending
from triggers.pipelines.promises import (
    Deadline,
    Facts,
    duration,
    failures,
    frequency,
    lateness,
    ready_by,
    success_rate,
)
from triggers.pipelines.starts import Start

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
DONE, FAILED, CANCELLED = Ending.COMPLETED, Ending.FAILED, Ending.CANCELLED


def run(ending: Ending, hours_ago: float, seconds: float = 60) -> EndedRun:
    at = NOON - hours_ago * HOUR
    start = at - timedelta(seconds=seconds)
    name = f"run-{hours_ago:g}"
    return EndedRun(UUID(int=1), name, ending, ending.value, "", at, at, start, seconds)


def facts(*ended: EndedRun, **more: object) -> Facts:
    ordered = sorted(ended, key=lambda one: one.ended_at)
    return Facts(NOON, LONG_AGO, ordered, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ended", "running", "previous", "kept", "value"),
    [
        ([], [], None, None, None),
        ([run(DONE, 1, 0)], [], None, True, 0),
        ([run(DONE, 1, 100)], [], None, True, 100),
        ([run(DONE, 1, 101)], [], None, False, 101),
        ([run(FAILED, 1, 101)], [], None, False, 101),
        ([run(CANCELLED, 1, 101)], [], None, None, None),
        ([run(DONE, 2, 101), run(DONE, 1, 5)], [], None, True, 5),
        ([run(DONE, 2, 101), run(DONE, 1, 5)], [], NOON - 3 * HOUR, False, 101),
        ([run(DONE, 2, 101), run(DONE, 1, 5)], [], NOON - 2 * HOUR, True, 5),
        ([], [("r", NOON - timedelta(seconds=100))], None, True, 100),
        ([run(DONE, 1, 5)], [("r", NOON - timedelta(seconds=101))], None, False, 101),
    ],
)
def test_duration(ended, running, previous, kept, value):
    verdict = duration(facts(*ended, running=running, previous=previous), 100)
    assert (verdict.kept, verdict.value) == (kept, value)


@pytest.mark.parametrize(
    ("ended", "limit", "kept"),
    [
        ([], 0, True),
        ([run(FAILED, 1)], 0, False),
        ([run(FAILED, 1)], 1, True),
        ([run(FAILED, 24)], 0, True),
        ([run(FAILED, 23.9), run(Ending.CRASHED, 2), run(CANCELLED, 1), run(DONE, 1)], 1, False),
    ],
)
def test_failures_of_a_day(ended, limit, kept):
    assert failures(facts(*ended), limit).kept is kept


@pytest.mark.parametrize(
    ("ended", "rate", "kept"),
    [
        ([], None, None),
        ([run(CANCELLED, 1)], None, None),
        ([run(DONE, 1)], 100, True),
        ([run(FAILED, 1)], 0, False),
        ([run(DONE, 1)] * 9 + [run(FAILED, 2)], 90, True),
        ([run(DONE, 1)] * 8 + [run(FAILED, 2)] * 2, 80, False),
        ([run(DONE, 1), run(FAILED, 30)], 100, True),
    ],
)
def test_the_success_rate_of_a_window(ended, rate, kept):
    verdict = success_rate(facts(*ended), 90, 24 * HOUR)
    assert (verdict.value, verdict.kept) == (rate, kept)


@pytest.mark.parametrize(
    ("ended", "since", "kept"),
    [
        ([], LONG_AGO, False),
        ([], NOON - HOUR, None),
        ([run(DONE, 1)], LONG_AGO, False),
        ([run(DONE, 1), run(DONE, 2)], LONG_AGO, True),
        ([run(DONE, 1), run(DONE, 2)], NOON - HOUR, True),
        ([run(DONE, 1), run(FAILED, 2), run(DONE, 6)], LONG_AGO, False),
    ],
)
def test_the_number_of_successes_in_a_window(ended, since, kept):
    known = Facts(NOON, since, ended)
    assert frequency(known, 2, 6 * HOUR).kept is kept


@pytest.mark.parametrize(
    ("zone", "at", "now", "expected"),
    [
        ("UTC", "06:30", "2026-03-02T06:30", "2026-03-02T06:30"),
        ("UTC", "06:30", "2026-03-02T06:29", "2026-03-01T06:30"),
        ("Europe/Berlin", "06:30", "2026-03-02T05:30", "2026-03-02T05:30"),
        ("Asia/Tokyo", "06:30", "2026-03-01T22:00", "2026-03-01T21:30"),
        # In Berlin the clocks skip 02:00 to 03:00 on 2026-03-29 (at 01:00 UTC) …
        ("Europe/Berlin", "02:30", "2026-03-29T01:29", "2026-03-28T01:30"),
        ("Europe/Berlin", "02:30", "2026-03-29T01:30", "2026-03-29T01:30"),
        ("Europe/Berlin", "06:30", "2026-03-29T04:30", "2026-03-29T04:30"),
        # … and show 02:00 to 03:00 twice on 2026-10-25 (until 00:00 and 01:00 UTC).
        ("Europe/Berlin", "02:30", "2026-10-25T00:29", "2026-10-24T00:30"),
        ("Europe/Berlin", "02:30", "2026-10-25T00:30", "2026-10-25T00:30"),
        ("Europe/Berlin", "02:30", "2026-10-25T01:30", "2026-10-25T00:30"),
        ("Europe/Berlin", "06:30", "2026-10-25T05:30", "2026-10-25T05:30"),
    ],
)
def test_the_last_deadline(zone, at, now, expected):
    deadline = Deadline(time.fromisoformat(at), ZoneInfo(zone))
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert deadline.last(moment) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_deadline_of_mondays_is_up_to_a_week_old():
    mondays = Deadline(time(13), ZoneInfo("UTC"), frozenset({0}))
    assert mondays.last(NOON) == NOON + HOUR - timedelta(days=7)
    assert mondays.last(NOON + HOUR) == NOON + HOUR


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-12-24T08:00", "2026-12-24T05:30"),
        ("2026-12-25T08:00", "2026-12-24T05:30"),  # Christmas Day, and the day after it
        ("2026-12-28T05:29", "2026-12-24T05:30"),
        ("2026-12-28T05:30", "2026-12-28T05:30"),
        ("2027-01-01T08:00", "2026-12-31T05:30"),  # holidays of another year
    ],
)
def test_there_is_no_deadline_on_a_holiday_of_the_calendar(now, expected):
    weekdays = Deadline(time(6, 30), BERLIN, frozenset(range(5)), "DE")
    found = weekdays.last(datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_without_a_deadline_for_a_month_nothing_is_said():
    never = Deadline(time(6, 30), BERLIN, frozenset())
    assert never.last(NOON) is None
    assert ready_by(facts(), never, HOUR).kept is None


@pytest.mark.parametrize(
    ("minutes_late", "kept"), [(None, None), (0, True), (2, True), (2.1, False)]
)
def test_lateness(minutes_late, kept):
    starts = []
    if minutes_late is not None:
        starts = [Start(UUID(int=1), "r", NOON - timedelta(minutes=minutes_late))]
    assert lateness(facts(starts=starts), 120).kept is kept


NINE = Deadline(time(10), BERLIN)  # 09:00 UTC: three hours before NOON


@pytest.mark.parametrize(
    ("ended", "since", "previous", "kept", "late"),
    [
        ([], LONG_AGO, None, False, 10_800),  # never started, or never ended
        ([run(FAILED, 4)], LONG_AGO, None, False, 10_800),
        ([], NOON - 5 * HOUR, None, None, None),  # made after the time had begun
        ([run(DONE, 3)], LONG_AGO, None, True, 0),
        ([run(DONE, 4)], LONG_AGO, None, True, 0),
        ([run(DONE, 9)], LONG_AGO, None, False, 10_800),  # too long before
        ([run(DONE, 8.9), run(FAILED, 1)], LONG_AGO, None, True, 0),
        ([run(DONE, 2)], LONG_AGO, NOON - HOUR, True, 3_600),  # late: reported before
        ([run(DONE, 2)], LONG_AGO, NOON - 2.5 * HOUR, False, 3_600),  # late, and news
        ([run(DONE, 4), run(DONE, 2)], LONG_AGO, NOON - 2.5 * HOUR, True, 0),
    ],
)
def test_ready_by_a_time_of_day(
    ended: Sequence[EndedRun],
    since: datetime,
    previous: datetime | None,
    kept: bool | None,
    late: float | None,
):
    verdict = ready_by(Facts(NOON, since, ended, previous=previous), NINE, 6 * HOUR)
    assert (verdict.kept, verdict.value) == (kept, late)


@pytest.mark.parametrize(("day", "utc"), [("2026-03-29", 4), ("2026-10-25", 5)])
def test_ready_by_on_the_days_on_which_clocks_change(day, utc):
    due = datetime.fromisoformat(f"{day}T0{utc}:30").replace(tzinfo=UTC)
    deadline = Deadline(time(6, 30), BERLIN)
    for seconds, kept in ((0, True), (1, False)):
        end = due + timedelta(seconds=seconds)
        done = EndedRun(UUID(int=1), "r", DONE, "Completed", "", end, end, end, 0)
        known = Facts(due + HOUR, LONG_AGO, [done], previous=due)
        assert ready_by(known, deadline, 6 * HOUR).kept is kept
