"""The age of the newest row, by the clock and in hours of an exchange."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import polars
import pytest
from pydantic import ValidationError
from sqlalchemy import create_engine, text

from sentinel_core import NoHistory
from triggers.data.data_freshness import DataFreshness
from triggers.sources.data_source import FileData, SqlData
from triggers.sources.errors import SourceError
from triggers.sources.sessions import open_seconds

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def check(**settings) -> DataFreshness:
    return DataFreshness(**{"time_column": "at", **settings})


@pytest.mark.parametrize(
    ("age", "triggered"), [(DAY, False), (DAY + timedelta(seconds=1), True), (-DAY / 1000, False)]
)
def test_older_than_a_day_is_stale(age, triggered) -> None:
    output = check().evaluate(NOW - age, NOW)
    assert output.triggered is triggered
    assert output.metrics["age_seconds"] == max(age.total_seconds(), 0)


def test_a_newest_row_in_the_future_is_an_error() -> None:
    with pytest.raises(SourceError, match="lies in the future"):
        check().evaluate(NOW + DAY, NOW)


# New York, 2026: Thanksgiving on Thursday 26 November, half a day (until 13:00) on the Friday.
CLOSE_OF_WEDNESDAY = datetime(2026, 11, 25, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 11, 26, 20, tzinfo=UTC), 0),  # the holiday
        (datetime(2026, 11, 27, 15, 30, tzinfo=UTC), 1),
        (datetime(2026, 11, 27, 23, tzinfo=UTC), 3.5),  # closed at 13:00
        (datetime(2026, 11, 30, 14, 30, tzinfo=UTC), 3.5),  # the weekend
        (datetime(2026, 11, 30, 15, 30, tzinfo=UTC), 4.5),
    ],
)
def test_the_hours_in_which_new_york_was_open(now, hours) -> None:
    assert open_seconds("XNYS", CLOSE_OF_WEDNESDAY, now) == hours * 3600
    output = check(calendar="XNYS", max_age_seconds=3600).evaluate(CLOSE_OF_WEDNESDAY, now)
    assert output.triggered is (hours > 1)
    assert output.metrics["wall_age_seconds"] > output.metrics["age_seconds"]


def test_the_lunch_break_of_tokyo_is_left_out() -> None:
    opens = datetime(2026, 11, 30, 0, tzinfo=UTC)  # 09:00; the break is 11:30 to 12:30
    assert open_seconds("XTKS", opens, opens + timedelta(hours=4)) == 3 * 3600


def test_a_calendar_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(SourceError, match="no exchange calendar 'XMOON'"):
        open_seconds("XMOON", NOW - DAY, NOW)


NEWEST = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
TIMES = [NEWEST - DAY, NEWEST, None]


@pytest.mark.parametrize(
    "frame",
    [
        lambda: pd.DataFrame({"at": TIMES}),
        lambda: pd.DataFrame({"at": [time and time.isoformat() for time in TIMES]}),
        lambda: polars.DataFrame({"at": TIMES}),
        lambda: pd.DataFrame({"at": [int(time.timestamp()) if time else None for time in TIMES]}),
    ],
    ids=["pandas", "text", "polars", "epoch"],
)
def test_the_newest_of_a_frame(frame) -> None:
    output = check(max_age_seconds=3600).check_frame(frame(), NoHistory())[0]
    assert output.triggered, output.message
    assert output.metadata["newest"] == NEWEST.isoformat()


def test_the_newest_of_a_file_and_of_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"at": TIMES}).to_parquet("rows.parquet")
    engine = create_engine(f"sqlite:///{tmp_path}/rows.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (at TEXT)"))
        for time in TIMES:
            written = time.isoformat() if time else None
            connection.execute(text("INSERT INTO t VALUES (:at)"), {"at": written})
    engine.dispose()
    for source in (
        FileData(kind="file", path="rows.parquet"),
        FileData(kind="file", path="rows.parquet", engine="duckdb"),
        SqlData(kind="sql", url=f"sqlite:///{tmp_path}/rows.db", table="t"),
    ):
        output = check(source=source).check(NoHistory())[0]
        assert output.metadata["newest"] == NEWEST.isoformat()


def test_the_newest_of_postgresql(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (at timestamptz, day date)"))
        for time in TIMES:
            connection.execute(text("INSERT INTO t VALUES (:at, '2026-01-31')"), {"at": time})
    engine.dispose()
    monkeypatch.setenv("SENTINEL_RULE_DB", postgres_url)
    source = SqlData(kind="sql", url="env:SENTINEL_RULE_DB", table="t")
    output = check(source=source).check(NoHistory())[0]
    assert output.metadata["newest"] == NEWEST.isoformat()
    day = check(source=source, time_column="day", timezone="Europe/Berlin").check(NoHistory())[0]
    assert day.metadata["newest"] == "2026-01-30T23:00:00+00:00"


@pytest.mark.parametrize(
    ("frame", "problem", "said"),
    [
        (lambda: pd.DataFrame({"at": []}), "no_data", "has no times"),
        (lambda: pd.DataFrame({"at": [None, None]}), "no_data", "has no times"),
        (lambda: pd.DataFrame({"when": [NEWEST]}), "error", "'at'"),
        (lambda: pd.DataFrame({"at": ["yesterday"]}), "error", "not an ISO 8601 time"),
        (lambda: pd.DataFrame({"at": [float("inf")]}), "error", "not an ISO 8601 time"),
    ],
)
def test_what_has_no_newest_time_is_no_silent_ok(frame, problem, said) -> None:
    output = check().check_frame(frame(), NoHistory())[0]
    assert (output.problem, said in output.message) == (problem, True), output.message


def test_options_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValidationError, match="not both"):
        check(time_format="%Y-%m-%d", time_unit="s")
