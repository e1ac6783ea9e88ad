"""Times as people read them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sentinel_core.wording.times import clock_near, stamp

AT = datetime(2026, 11, 20, 16, 31, 5, tzinfo=UTC)


def test_a_stamp_is_as_long_as_its_column() -> None:
    assert stamp(AT) == "2026-11-20 16:31:05"
    assert stamp(AT, year=False) == "11-20 16:31:05"
    assert stamp(AT, seconds=False) == "2026-11-20 16:31"
    assert stamp(AT, year=False, seconds=False) == "11-20 16:31"
    assert stamp(None) == ""


def test_another_day_is_named_and_days_are_those_of_the_zone() -> None:
    assert clock_near(AT, AT + timedelta(hours=7)) == "16:31:05"
    assert clock_near(AT, AT + timedelta(days=1)) == "2026-11-20 16:31:05"
    assert clock_near(AT, AT + timedelta(hours=7), ZoneInfo("America/New_York")) == "11:31:05"
    assert clock_near(AT, AT - timedelta(hours=5), ZoneInfo("Asia/Tokyo")) == "2026-11-21 01:31:05"
