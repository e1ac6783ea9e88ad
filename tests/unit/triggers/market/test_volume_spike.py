"""Volume spike: thresholds as a table, then real bars."""

from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from triggers.market.volume_spike import VolumeSpike
from triggers.sources.errors import SourceError
from triggers.sources.quotes import QuoteSeries

BARS = files("bokeh_sampledata") / "_data" / "stocks.csv.gz"
BAR_COLUMNS = {"ticker": "Ticker", "time": "Date", "close": "Close", "volume": "Volume"}
M = 1_000_000


def rule(**check: Any) -> VolumeSpike:
    return VolumeSpike.model_validate({"source": "quotes.csv", "window": 2, **check})


def volumes(*values: float) -> QuoteSeries:
    return QuoteSeries("NVDA", values)


@pytest.mark.parametrize(
    ("says", "check", "values", "triggered"),
    [
        ("exactly twice the mean", {}, (1 * M, 3 * M, 4 * M), True),
        ("just less than twice", {}, (1 * M, 3 * M, 4 * M - 1), False),
        ("many times, but small", {}, (10, 10, 900_000), False),
        ("many times, exactly the minimum", {}, (10, 10, 1 * M), False),
        ("many times, just above the minimum", {}, (10, 10, 1 * M + 1), True),
        ("rows before the window don't count", {"minimum": 0}, (900, 1, 1, 2), True),
        ("the last row is not in its own mean", {"minimum": 0}, (1, 1, 3), True),
        ("nothing traded before", {"minimum": 0}, (0, 0, 1), True),
        ("nothing traded at all", {"minimum": 0}, (0, 0, 0), False),
        ("another factor", {"factor": 1.5, "minimum": 0}, (10, 10, 15), True),
    ],
)
def test_a_volume_triggers(
    says: str, check: dict[str, Any], values: tuple[float, ...], triggered: bool
) -> None:
    assert rule(**check).evaluate(volumes(*values)).triggered is triggered, says


def test_the_output_holds_the_numbers_behind_it() -> None:
    output = rule(unit="shares").evaluate(volumes(1 * M, 3 * M, 5 * M))
    assert output.metrics == {
        "volume": 5 * M,
        "mean_volume": 2 * M,
        "ratio": 2.5,
        "value": 5 * M,
        "threshold": 4 * M,
    }
    assert output.metadata["unit"] == "shares"
    assert "last volume 5,000,000 shares, 2.50 times the mean 2,000,000" in output.message
    assert rule().evaluate(volumes(1, 1, 5)).metrics["threshold"] == 1 * M


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((), "no rows of this ticker"),
        ((1, 2), "3 rows are needed, there are 2"),
        ((1, 2, float("nan")), "the last volume is nan"),
        ((1, float("nan"), 2), "the volume 1 row before the last is nan"),
        ((float("inf"), 1, 2), "the volume 2 rows before the last is inf"),
        ((1, 2, -3), "the last volume is -3, less than nothing"),
    ],
)
def test_what_cannot_be_compared_is_an_error(values: tuple[float, ...], said: str) -> None:
    with pytest.raises(SourceError) as caught:
        rule().evaluate(volumes(*values))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "check", [{"factor": 0}, {"factor": float("inf")}, {"window": 0}, {"minimum": -1}]
)
def test_a_rule_that_makes_no_sense_is_refused(check: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(check))):
        rule(**check)


def test_one_bad_ticker_is_a_problem_of_its_own_and_stops_no_other() -> None:
    now = datetime(2013, 3, 1, tzinfo=UTC)
    series = [
        QuoteSeries("SHORT", (1,)),
        QuoteSeries("NVDA", (1 * M, 1 * M, 9 * M)),
        QuoteSeries("ODD", (1, 2, -3)),
    ]
    outputs = rule().evaluate_all(series, now)
    assert [one.problem or one.triggered for one in outputs] == ["no_data", True, "error"]
    assert outputs[0].message == "SHORT: 2 rows are needed, there are 1"
    assert outputs[2].message == "ODD: the last volume is -3, less than nothing"


def test_the_defaults_are_those_people_know() -> None:
    check = VolumeSpike(source="quotes.csv")
    assert (check.tickers, check.factor, check.minimum) == (["NVDA"], 2, 1_000_000)


@given(
    st.lists(st.integers(0, 10**12), min_size=3, max_size=3), st.floats(0.1, 50), st.integers(0, 9)
)
def test_more_volume_never_turns_an_alert_off(values: list[int], factor: float, more: int) -> None:
    check = rule(factor=factor, minimum=100)
    before = check.evaluate(volumes(*values))
    after = check.evaluate(volumes(*values[:-1], values[-1] + more))
    assert after.triggered >= before.triggered


def test_the_spike_of_29_september_2000_is_found_in_real_bars(tmp_path: Path) -> None:
    with BARS.open("rb") as packed:
        bars = pd.read_csv(packed, compression="gzip")
    path = tmp_path / "quotes.parquet"
    asked = {"ticker": ["AAPL", "IBM"], "window": 20, "factor": 5}
    check = rule(source=str(path), columns=BAR_COLUMNS, **asked)
    for day, fired in (("2000-09-28", []), ("2000-09-29", ["AAPL"])):
        bars[bars.Date <= day].to_parquet(path)
        outputs = check.check()
        assert [output.ticker for output in outputs if output.triggered] == fired
    apple = outputs[0].metrics
    assert apple["volume"] == 132_529_300
    assert apple["mean_volume"] == pytest.approx(6_709_720)
    assert apple["ratio"] == pytest.approx(19.7518, abs=1e-4)


def test_text_among_the_volumes_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text("ticker,time,volume\nNVDA,2013-03-01,n.a.\n")
    with pytest.raises(SourceError, match=r"column 'volume', holds 'n\.a\.'"):
        rule(source=str(path)).check()
