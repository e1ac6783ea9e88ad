"""Price surge: thresholds as a table, then real bars from real sources."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import create_engine

from sentinel_core.model.alert import as_outputs
from sentinel_core.model.trigger import NoHistory
from tests.support.processes import ROOT
from triggers.market.price_surge import PriceSurge
from triggers.sources.errors import SourceError
from triggers.sources.quotes import QuoteSeries

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)
BARS = files("bokeh_sampledata") / "_data" / "stocks.csv.gz"
BAR_COLUMNS = {"ticker": "Ticker", "time": "Date", "close": "Close", "volume": "Volume"}


def rule(**check: Any) -> PriceSurge:
    return PriceSurge.model_validate({"source": "quotes.csv", **check})


def closes(*values: float) -> QuoteSeries:
    return QuoteSeries("AAPL", values, NOW)


@pytest.mark.parametrize(
    ("says", "check", "values", "triggered"),
    [
        ("above the threshold", {"threshold": 150}, (150.01,), True),
        ("exactly at the threshold", {"threshold": 150}, (150,), False),
        ("below the threshold", {"threshold": 150}, (149.99,), False),
        ("below, where below is alarming", {"threshold": 9, "direction": "below"}, (8.99,), True),
        ("exactly at the lower threshold", {"threshold": 9, "direction": "below"}, (9,), False),
        ("below zero", {"threshold": 0, "direction": "below"}, (-37.63,), True),
        ("a price of zero, at the threshold", {"threshold": 0, "direction": "below"}, (0,), False),
        ("a spread below -2", {"threshold": -2, "direction": "below"}, (-2.5,), True),
        ("a fall through zero", {"move_percent": 300}, (18.27, -37.63), True),
        ("a price below zero", {"threshold": 1, "direction": "below"}, (-37.63,), True),
        ("up by more than the limit", {"move_percent": 5}, (100, 105.01), True),
        ("up by exactly the limit", {"move_percent": 5}, (100, 105), False),
        ("down by more than the limit", {"move_percent": 5}, (100, 94.99), True),
        ("a move over two rows", {"move_percent": 5, "look_back": 2}, (100, 103, 106), True),
        ("the same rows one by one", {"move_percent": 5, "look_back": 1}, (100, 103, 106), False),
        ("both compared, only the move", {"threshold": 150, "move_percent": 5}, (90, 100), True),
        ("both compared, neither", {"threshold": 150, "move_percent": 50}, (90, 100), False),
    ],
)
def test_a_price_triggers(
    says: str, check: dict[str, Any], values: tuple[float, ...], triggered: bool
) -> None:
    output = rule(**check).evaluate(closes(*values))
    assert output.triggered is triggered, says
    assert output.metrics["close"] == values[-1]


def test_value_and_threshold_are_those_that_triggered() -> None:
    both = rule(threshold=150, move_percent=5, unit="USD")
    by_move = both.evaluate(closes(100, 80))
    assert by_move.metrics["value"] == pytest.approx(20)
    assert by_move.metrics["move_percent"] == pytest.approx(-20)
    assert (by_move.metrics["threshold"], by_move.metadata["unit"]) == (5, "%")
    assert "moved -20.00 % over 1 row (limit" in by_move.message
    by_level = both.evaluate(closes(100, 160))
    assert (by_level.metrics["value"], by_level.metrics["threshold"]) == (160, 150)
    assert by_level.metadata["unit"] == "USD"
    assert "above 150 USD, moved +60.00 %" in by_level.message


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((), "no rows of this ticker"),
        ((100,), "2 rows are needed, there are 1"),
        ((100, float("nan")), "last close is nan"),
        ((100, float("inf")), "last close is inf"),
        ((float("nan"), 100), "close 1 row before the last is nan"),
        ((0, 100), "a move in percent from a price of 0"),
        ((-5, 100), "a move in percent from a price of -5"),
    ],
)
def test_what_cannot_be_compared_is_an_error(values: tuple[float, ...], said: str) -> None:
    with pytest.raises(SourceError) as caught:
        rule(move_percent=5).evaluate(closes(*values))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ((-37.63, 10.01), "a move in percent from a price of -37.63 means nothing"),
        ((0, 10.01), "a move in percent from a price of 0 means nothing"),
        ((float("nan"), 10.01), "the close 1 row before the last is nan, not a finite number"),
        ((10.01,), "2 rows are needed, there are 1"),
    ],
)
def test_a_move_that_cannot_be_measured_hides_no_breached_level(
    values: tuple[float, ...], why: str
) -> None:
    output = rule(threshold=10, move_percent=5).evaluate(closes(*values))
    assert output.triggered
    assert output.message == (
        f"AAPL: last close 10.01, above 10, move not checked: {why} (as of 2013-03-01 12:00:00)"
    )
    assert output.metadata["not_checked"] == {"move_percent": why}
    assert output.metrics == {"close": 10.01, "value": 10.01, "threshold": 10}
    with pytest.raises(SourceError, match=why):  # no breach is known: not checked, never ok
        rule(threshold=11, move_percent=5).evaluate(closes(*values))


@pytest.mark.parametrize("check", [{}, {"max_age_seconds": 600}])
def test_a_row_of_the_future_is_refused_whatever_the_rule_says(check: dict[str, Any]) -> None:
    series = [closes(160), QuoteSeries("IBM", (160,), datetime(2062, 1, 1, tzinfo=UTC))]
    outputs = rule(threshold=150, ticker="*", **check).evaluate_all(series, NOW)
    assert [one.problem for one in outputs] == [None, "error"]
    assert outputs[0].triggered
    assert "lies in the future" in outputs[1].message


def test_a_ticker_that_is_no_longer_quoted_is_no_data_under_a_star() -> None:
    day = timedelta(days=1)
    series = [
        closes(160),
        QuoteSeries("HALT", (160,), NOW - 14 * day),
        QuoteSeries("GONE", (160,), datetime(2009, 3, 1, 12, tzinfo=UTC)),
        QuoteSeries("AHEAD", (160,), NOW + 30 * day),
    ]
    outputs = rule(threshold=150, ticker="*").evaluate_all(series, NOW)
    assert [one.problem or one.triggered for one in outputs] == [True, True, "no_data", "error"]
    assert "1,461 days behind the newest row of the source, more than 14" in outputs[2].message
    named = rule(threshold=150, ticker=["AAPL", "GONE"]).evaluate_all(series[::2], NOW)
    assert [one.triggered for one in named] == [True, True]


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({}, "give a threshold, a move_percent, or both"),
        ({"threshold": float("-inf")}, "finite number"),
        ({"threshold": float("nan")}, "threshold"),
        ({"threshold": 1, "direction": "sideways"}, "direction"),
        ({"threshold": 1, "look_back": 0}, "look_back"),
        ({"threshold": 1, "ticker": []}, "ticker"),
        ({"threshold": 1, "ticker": " "}, "ticker"),
        ({"threshold": 1, "ticker": ["AAPL", "*"]}, "not both"),
        ({"threshold": 1, "ticker": ["A", "B"], "columns": {"ticker": None}}, "give its name"),
        ({"threshold": 1, "columns": {"time": None}, "max_age_seconds": 5}, "needs a time column"),
        ({"threshold": 1, "columns": {"price": "p"}}, "columns.price"),
        ({"threshold": 1, "http_timeout_seconds": 60}, "http_timeout_seconds"),
        ({"threshold": 1, "source": ""}, "source"),
        ({"threshold": 1, "source": {"database": "sqlite://"}}, "source.SqlSource.query"),
        ({"treshold": 1}, "treshold"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(check: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        rule(**check)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("age", "stale"), [(0, False), (600, False), (601, True), (-299, False), (-301, True)]
)
def test_old_quotes_are_not_checked_quotes(age: float, stale: bool) -> None:
    check = rule(threshold=150, max_age_seconds=600)
    series = [QuoteSeries("AAPL", (160,), NOW - timedelta(seconds=age))]
    if not stale:
        assert check.evaluate_all(series, NOW)[0].triggered
        return
    with pytest.raises(SourceError, match="stale quotes" if age > 0 else "lies in the future"):
        check.evaluate_all(series, NOW)


def test_one_bad_ticker_is_a_problem_of_its_own_and_stops_no_other() -> None:
    series = [
        closes(160),
        QuoteSeries("IBM", (float("nan"),)),
        QuoteSeries("FB", (27,)),
        QuoteSeries("GOOG", ()),
        QuoteSeries("MSFT", (float("inf"),)),
    ]
    outputs = as_outputs(rule(threshold=150).evaluate_all(series, NOW))
    assert {one.ticker: one.problem or one.triggered for one in outputs} == {
        "AAPL": True,
        "IBM": "no_data",
        "FB": False,
        "GOOG": "no_data",
        "MSFT": "error",
    }
    assert outputs[1].message == "IBM: the last close is nan, not a finite number"
    assert outputs[3].message == "GOOG: the source has no rows of this ticker"
    assert not any(one.metrics for one in outputs if one.problem)


def test_a_stale_ticker_among_fresh_ones_is_no_data() -> None:
    old, ahead = NOW - timedelta(hours=2), NOW + timedelta(hours=2)
    series = [QuoteSeries("IBM", (200,), old), closes(160), QuoteSeries("FB", (27,), ahead)]
    outputs = rule(threshold=150, max_age_seconds=600).evaluate_all(series, NOW)
    assert [one.problem for one in outputs] == ["no_data", None, "error"]
    assert "IBM: stale quotes" in outputs[0].message
    assert outputs[0].metadata["last_row_at"] == old.isoformat()
    assert outputs[1].triggered


def test_when_every_ticker_is_bad_the_check_fails() -> None:
    series = [QuoteSeries("AAPL", ()), QuoteSeries("IBM", (float("nan"),))]
    with pytest.raises(SourceError) as caught:
        rule(threshold=150).evaluate_all(series, NOW)
    assert str(caught.value) == (
        "none of the 2 tickers could be checked: AAPL: the source has no rows of this ticker; "
        "IBM: the last close is nan, not a finite number"
    )


def test_thousands_of_bad_tickers_make_a_short_message() -> None:
    series = [QuoteSeries(f"T{number}", ()) for number in range(5000)]
    with pytest.raises(SourceError, match="; and 4990 more") as caught:
        rule(threshold=150).evaluate_all(series, NOW)
    assert len(str(caught.value)) < 2_000


@given(
    st.floats(0.01, 1e6), st.floats(0.01, 1e6), st.floats(0.01, 1e4), st.sampled_from([10, 1e-3])
)
def test_a_move_does_not_depend_on_the_currency(
    base: float, last: float, limit: float, rate: float
) -> None:
    move = abs(last - base) / base * 100
    if move == pytest.approx(limit, rel=1e-9):
        return
    one = rule(move_percent=limit).evaluate(closes(base, last))
    other = rule(move_percent=limit).evaluate(closes(base * rate, last * rate))
    assert one.triggered is other.triggered is (move > limit)


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    """Real daily bars, 2000 to 2013."""
    with BARS.open("rb") as packed:
        return pd.read_csv(packed, compression="gzip")


def test_the_day_after_googles_results_of_april_2008_is_found(
    bars: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "quotes.csv.gz"
    known = {
        "source": str(path),
        "columns": BAR_COLUMNS,
        "ticker": ["GOOG", "IBM", "AAPL"],
        "move_percent": 15,
    }
    for day, fired in (("2008-04-17", []), ("2008-04-18", ["GOOG"])):
        bars[bars.Date <= day].to_csv(path, index=False)
        outputs = rule(**known).check()
        assert [output.ticker for output in outputs] == ["GOOG", "IBM", "AAPL"]
        assert [output.ticker for output in outputs if output.triggered] == fired
    google = outputs[0]
    assert google.metrics["close"] == 539.41
    assert google.metrics["move_percent"] == pytest.approx(19.9915, abs=1e-4)
    assert google.metadata["last_row_at"] == "2008-04-18T00:00:00+00:00"
    assert "moved +19.99 % over 1 row (limit 15 %) (as of 2008-04-18)" in google.message


def test_the_packed_data_set_is_read_as_it_is_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTINEL_SOURCE_ROOTS", str(Path(str(BARS)).parent))
    check = rule(source=str(BARS), columns=BAR_COLUMNS, ticker="*", threshold=400)
    outputs = as_outputs(check.measure(NoHistory()))
    assert {output.ticker: output.triggered for output in outputs} == {
        "AAPL": True,  # 430.47 on 1 March 2013
        "FB": False,
        "GOOG": True,  # 806.19
        "IBM": False,
        "MSFT": False,
    }


def test_quotes_come_from_a_database_named_by_an_environment_variable(
    bars: pd.DataFrame, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_engine(database_url)
    bars[bars.Date >= "2013-02-01"].to_sql("bar", engine, index=False)
    engine.dispose()
    monkeypatch.setenv("SENTINEL_RULE_QUOTES_URL", database_url)
    query = 'SELECT "Ticker" AS ticker, "Date" AS time, "Close" AS close FROM bar'
    source = {"database": "env:SENTINEL_RULE_QUOTES_URL", "query": query}
    (output,) = rule(source=source, threshold=430).check()
    assert (output.ticker, output.triggered, output.metrics["value"]) == ("AAPL", True, 430.47)


def test_a_ticker_that_the_source_does_not_know_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text("ticker,time,close\nAAPL,2013-03-01,430.47\n")
    with pytest.raises(SourceError, match="NVDA: the source has no rows of this ticker"):
        rule(source=str(path), ticker="NVDA", threshold=1).check()


def test_a_ticker_that_is_missing_among_those_asked_for_is_no_data(tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text("ticker,time,close\nAAPL,2013-03-01,430.47\n")
    outputs = rule(source=str(path), ticker=["AAPL", "NVDA"], threshold=1).check()
    assert [(one.ticker, one.problem) for one in outputs] == [("AAPL", None), ("NVDA", "no_data")]


def test_the_same_ticker_asked_for_twice_is_one_series(tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text("ticker,time,close\nAAPL,2013-03-01,430.47\n")
    outputs = rule(source=str(path), ticker=["AAPL", "AAPL"], threshold=1).check()
    assert [output.ticker for output in as_outputs(outputs)] == ["AAPL"]


def test_the_example_quotes_are_what_the_script_writes(tmp_path: Path) -> None:
    script = ROOT / "examples" / "make_quotes.py"
    again = tmp_path / "quotes.csv"
    subprocess.run([sys.executable, str(script), str(again)], check=True, timeout=60)
    shipped = pd.read_csv(ROOT / "examples" / "quotes.csv")
    pd.testing.assert_frame_equal(pd.read_csv(again), shipped)
    assert shipped.groupby("ticker").size().to_dict() == dict.fromkeys(
        ["AAPL", "FB", "GOOG", "IBM", "MSFT"], 60
    )


def test_importing_the_trigger_does_not_import_pandas() -> None:
    program = "import sys, triggers.market.price_surge; print('pandas' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=60
    )
    assert done.stdout.strip() == b"False"
