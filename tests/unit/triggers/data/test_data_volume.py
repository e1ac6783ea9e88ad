"""The number of rows: a fixed range, and what earlier counts say."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from sentinel_core import NoHistory
from sentinel_core.model.trigger import PastEvaluation
from tests.support import data_tables
from tests.support.data_tables import FRAMES, pandas_frame
from triggers.data.data_volume import Baseline, DataVolume
from triggers.sources.data_source import SqlData

MONDAY = datetime(2026, 11, 30, 12, tzinfo=UTC)


def past(*counts: int, days: int = 1) -> list[PastEvaluation]:
    """Earlier counts, newest first, so many days apart."""
    return [
        PastEvaluation(MONDAY - timedelta(days=days * n), "", False, {"rows": count})
        for n, count in enumerate(counts, start=1)
    ]


@pytest.mark.parametrize(
    ("rows", "triggered", "lower", "upper"),
    [
        (299, True, "−1", "−201"),
        (300, False, "+0", "−200"),
        (500, False, "+200", "+0"),
        (501, True, "+201", "+1"),
        (0, True, "−300", "−500"),
    ],
)
def test_the_range_of_300_to_500_and_both_deltas(rows, triggered, lower, upper) -> None:
    output = DataVolume().evaluate(rows, [], MONDAY)
    assert output.triggered is triggered
    assert "expected 300 to 500" in output.message
    assert f"{lower} against the minimum, {upper} against the maximum" in output.message
    assert output.metrics["delta_min"] == rows - 300
    assert output.metrics["delta_max"] == rows - 500


def test_without_a_maximum() -> None:
    output = DataVolume(max=None).evaluate(1_000_000, [], MONDAY)
    assert (output.triggered, "delta_max" in output.metrics) == (False, False)
    assert "expected at least 300: +999,700 against the minimum" in output.message


@pytest.mark.parametrize(
    ("rows", "triggered"), [(49, True), (50, False), (150, False), (151, True), (0, True)]
)
def test_the_median_of_the_latest_counts(rows, triggered) -> None:
    check = DataVolume(baseline=Baseline(counts=3))
    output = check.evaluate(rows, past(90, 100, 1_000, 5), MONDAY)  # median of 90, 100, 1,000
    assert output.triggered is triggered
    assert output.metrics["baseline"] == 100
    assert "expected 50 to 150 (median 100 of the latest counts ± 50%)" in output.message


def test_the_same_weekday_of_the_zone() -> None:
    check = DataVolume(baseline=Baseline(of="weekday", counts=3, tolerance=0.1))
    daily = past(*range(1, 29))  # a week ago: 7, then 14, 21, 28
    output = check.evaluate(14, daily, MONDAY)
    assert output.metrics["baseline"] == 14
    assert not output.triggered
    # At noon in UTC it is Tuesday in Kiritimati already: 6, 13, 20.
    elsewhere = DataVolume(
        baseline=Baseline(of="weekday", counts=3, tolerance=0.1, timezone="Pacific/Kiritimati")
    )
    assert elsewhere.evaluate(13, daily, MONDAY).metrics["baseline"] == 14


def test_too_few_earlier_counts_are_said() -> None:
    output = DataVolume(baseline=Baseline()).evaluate(0, past(10, 10), MONDAY)
    assert not output.triggered
    assert "not judged yet: 2 of 3 earlier counts" in output.message
    assert output.metadata["code"] == "learning"


def test_a_baseline_of_zero_expects_zero() -> None:
    check = DataVolume(baseline=Baseline())
    assert not check.evaluate(0, past(0, 0, 0), MONDAY).triggered
    assert check.evaluate(1, past(0, 0, 0), MONDAY).triggered


def test_ranges_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValidationError, match="min: is above max"):
        DataVolume(min=10, max=5)
    with pytest.raises(ValidationError, match="nothing would ever be judged"):
        DataVolume(baseline=Baseline(counts=2, at_least=3))
    with pytest.raises(ValidationError, match="no time zone"):
        Baseline(timezone="Atlantis")


def test_the_count_of_frames_files_and_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for make in FRAMES.values():
        assert DataVolume().check_frame(make(), NoHistory())[0].metrics["rows"] == 5
    for source in (
        data_tables.file_source(data_tables.parquet(tmp_path)),
        data_tables.file_source(data_tables.parquet(tmp_path), engine="duckdb"),
        data_tables.sqlite_source(tmp_path),
        SqlData(kind="sql", url=f"sqlite:///{tmp_path}/orders.db", query="SELECT id FROM orders"),
    ):
        assert DataVolume(source=source).check(NoHistory())[0].metrics["rows"] == 5


def test_an_empty_frame_is_counted_not_skipped() -> None:
    output = DataVolume(dataset="orders").check_frame(pandas_frame([]), NoHistory())[0]
    assert (output.triggered, output.ticker, output.metrics["rows"]) == (True, "orders", 0)


def test_a_table_that_is_missing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = data_tables.sqlite_url(tmp_path)
    source = SqlData(kind="sql", url=url, table="order")
    output = DataVolume(source=source).check(NoHistory())[0]
    assert output.problem == "error"
    assert "no such table: order" in output.message
