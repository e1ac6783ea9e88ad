"""Times and durations as people type them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_core.base.errors import UsageError
from sentinel_core.cli.parse import duration, time_ago, time_ahead, time_at

NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1_800),
        ("30M", 1_800),
        ("2h", 7_200),
        ("1h30m", 5_400),
        ("0.5h", 1_800),
        (" 7D ", 604_800),
        ("2w", 1_209_600),
        ("52w", 31_449_600),
        ("1d1d", 172_800),
    ],
)
def test_a_duration_is_a_number_and_a_unit_once_or_several_times(text: str, seconds: int) -> None:
    assert duration(text, "--for") == timedelta(seconds=seconds)


PART = st.tuples(st.decimals(0, 999, places=3), st.sampled_from("smhdwSMHDW"))


@given(st.lists(PART, min_size=1, max_size=4))
def test_any_sum_of_parts_is_understood(parts: list[tuple[object, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    length = timedelta(seconds=sum(float(str(n)) * SECONDS[unit.lower()] for n, unit in parts))
    if timedelta(0) < length <= timedelta(days=3660):
        assert duration(text, "--for") == length
    else:
        with pytest.raises(UsageError):
            duration(text, "--for")


@pytest.mark.parametrize(
    "text", ["", "5", "h", "soon", "-2h", "0s", "1h x", "9" * 99 + "w", "1,5h"]
)
def test_what_is_not_a_duration_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=r"--for '.*' is not a duration: write 90s, 30m, 2h"):
        duration(text, "--for")


def test_a_time_is_in_utc_unless_it_says_otherwise() -> None:
    assert time_at("2026-11-20T18:00", "--until") == NOW
    assert time_at(" 2026-11-20 19:00+01:00 ", "--until") == NOW
    assert time_at("2026-11-20", "--until") == NOW.replace(hour=0)


def test_a_duration_counts_from_now_either_way() -> None:
    assert time_ahead("2h", "--until", NOW) == NOW + timedelta(hours=2)
    assert time_ago("1d", "--since", NOW) == NOW - timedelta(days=1)
    assert time_ahead("2026-11-20T18:01", "--until", NOW) == NOW + timedelta(minutes=1)


@pytest.mark.parametrize("text", ["2026-11-20T18:00", "2020-01-01"])
def test_a_time_that_should_be_ahead_and_is_not_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is in the past: it is 2026-11-20 18:00 UTC now"):
        time_ahead(text, "--until", NOW)


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "9999-12-31T23:59", "0001-01-01"])
def test_what_is_not_a_time_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=r"--since '.*' is not a time: write 24h, 2026-11-20"):
        time_ago(text, "--since", NOW)
