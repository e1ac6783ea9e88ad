"""Times and durations as the record has them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sentinel_core.model.times import duration, span, utc, utc_near

SIX = datetime(2026, 11, 20, 18, tzinfo=UTC)


def test_a_time_is_written_in_utc_with_seconds_where_there_are_any() -> None:
    assert utc(SIX.astimezone(timezone(timedelta(hours=9)))) == "2026-11-20 18:00 UTC"
    assert utc(SIX + timedelta(seconds=5.5)) == "2026-11-20 18:00:05 UTC"


def test_a_time_on_the_same_day_needs_no_date() -> None:
    assert utc_near(SIX, SIX - timedelta(hours=3)) == "18:00 UTC"
    assert utc_near(SIX + timedelta(seconds=5), SIX) == "18:00:05 UTC"
    assert utc_near(SIX, SIX - timedelta(days=1)) == "2026-11-20 18:00 UTC"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.5, "0.5 s"),
        (1.5, "1.5 s"),
        (45, "45 s"),
        (59, "59 s"),
        (60, "1 min"),
        (90, "90 s"),
        (300, "5 min"),
        (3_600, "1 h"),
        (5_400, "90 min"),
        (7_200, "2 h"),
        (86_400, "1 d"),
        (90_000, "25 h"),
        (129_600, "36 h"),
        (172_800, "2 d"),
    ],
)
def test_a_duration_is_exact(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0 s"),
        (7.52, "7.5 s"),
        (10, "10 s"),
        (59.6, "1 min"),
        (90, "1 min 30 s"),
        (1_200, "20 min"),
        (86_459, "1 d"),
        (273_600, "3 d 4 h"),
    ],
)
def test_a_span_has_its_two_largest_parts(seconds: float, text: str) -> None:
    assert span(seconds) == text
