"""Tables of every kind as series of quotes, and everything a table can get wrong."""

import gzip
import json
import math
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from triggers.sources import tables
from triggers.sources.columns import Columns
from triggers.sources.errors import SourceError
from triggers.sources.quotes import QuoteSeries, SqlSource, by_ticker, read_quotes
from triggers.sources.tables import read_table

BARS = pd.DataFrame(
    {
        "ticker": ["AAPL", "IBM", "AAPL", "IBM"],
        "time": ["2013-02-28", "2013-02-28", "2013-03-01", "2013-03-01"],
        "close": [441.4, 200.83, 430.47, 202.91],
        "volume": [11518400, 4686200, 19730300, 3308300],
    }
)
MARCH_1 = datetime(2013, 3, 1, tzinfo=UTC)
EXPECTED = [
    QuoteSeries("IBM", (200.83, 202.91), MARCH_1),
    QuoteSeries("AAPL", (441.4, 430.47), MARCH_1),
]


def read(source: str | SqlSource, *tickers: str, rows: int = 2, **columns: str | None):
    names = Columns.model_validate(columns)
    return read_quotes(source, names, names.close, tickers, rows=rows, timeout_seconds=5)


WRITERS: dict[str, Callable[[Path], object]] = {
    "csv": lambda p: BARS.to_csv(p, index=False),
    "csv.gz": lambda p: BARS.to_csv(p, index=False, compression="gzip"),
    "csv with a byte order mark": lambda p: BARS.to_csv(p, index=False, encoding="utf-8-sig"),
    "csv with semicolons": lambda p: BARS.to_csv(p, index=False, sep=";"),
    "tsv": lambda p: BARS.to_csv(p, index=False, sep="\t"),
    "csv with Windows line ends": lambda p: BARS.to_csv(p, index=False, lineterminator="\r\n"),
    "parquet": BARS.to_parquet,
    "parquet with times": lambda p: BARS.assign(time=pd.to_datetime(BARS.time)).to_parquet(p),
    "parquet with categories": lambda p: BARS.astype({"ticker": "category"}).to_parquet(p),
    "json records": lambda p: BARS.to_json(p, orient="records"),
    "json columns": BARS.to_json,
    "json lines": lambda p: BARS.to_json(p, orient="records", lines=True),
    "json lines.gz": lambda p: BARS.to_json(p, orient="records", lines=True, compression="gzip"),
    "epoch seconds": lambda p: BARS.assign(
        time=[1362009600, 1362009600, 1362096000, 1362096000]
    ).to_csv(p, index=False),
    "epoch milliseconds in JSON": lambda p: BARS.assign(
        time=[1362009600000] * 2 + [1362096000000] * 2
    ).to_json(p, orient="records"),
    "times with zones": lambda p: BARS.assign(
        time=["2013-02-28T00:00Z", "2013-02-28T00:00Z"] + ["2013-03-01T02:00:00+02:00"] * 2
    ).to_csv(p, index=False),
    "newest first": lambda p: BARS[::-1].to_csv(p, index=False),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_the_same_quotes_are_read_from_every_kind_of_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "quotes"  # no suffix: the content tells what it is
    WRITERS[kind](path)
    assert read(str(path), "IBM", "AAPL") == EXPECTED


def test_the_same_quotes_are_read_from_a_database(database_url: str) -> None:
    engine = create_engine(database_url)
    BARS.assign(time=[date(2013, 2, 28)] * 2 + [date(2013, 3, 1)] * 2).to_sql(
        "quote", engine, index=False
    )
    engine.dispose()
    source = SqlSource(database=database_url, query="SELECT * FROM quote")
    assert read(source, "IBM", "AAPL") == EXPECTED
    with pytest.raises(SourceError, match="returned no rows"):
        read(SqlSource(database=database_url, query="SELECT * FROM quote WHERE 1 = 0"), "IBM")
    with pytest.raises(SourceError, match="no column 'close'"):
        read(SqlSource(database=database_url, query="SELECT ticker, time FROM quote"), "IBM")


def test_exact_decimals_and_database_times_are_numbers_and_times() -> None:
    frame = pd.DataFrame(
        {"ticker": ["A"], "time": [datetime(2013, 3, 1, tzinfo=UTC)], "close": [Decimal("1.5")]}
    )
    assert by_ticker(frame, Columns(), "close", ["A"], 1) == [QuoteSeries("A", (1.5,), MARCH_1)]


def test_a_star_means_every_ticker_by_name(tmp_path: Path) -> None:
    BARS.to_csv(tmp_path / "q", index=False)
    assert [series.ticker for series in read(str(tmp_path / "q"), "*")] == ["AAPL", "IBM"]


def test_a_ticker_that_is_not_there_comes_back_without_values(tmp_path: Path) -> None:
    BARS.to_csv(tmp_path / "q", index=False)
    assert read(str(tmp_path / "q"), "NVDA") == [QuoteSeries("NVDA", ())]


@pytest.mark.parametrize("name", ["NA", "NULL", "TRUE", "0700", "1e5", "nan"])
def test_tickers_that_look_like_something_else_stay_tickers(name: str, tmp_path: Path) -> None:
    for path, write in ((tmp_path / "c", "to_csv"), (tmp_path / "p", "to_parquet")):
        frame = BARS.assign(ticker=name)
        frame.to_csv(path, index=False) if write == "to_csv" else frame.to_parquet(path)
        assert [series.ticker for series in read(str(path), "*")] == [name]
        assert read(str(path), name)[0].values == (430.47, 202.91)


def test_blanks_around_a_ticker_make_no_second_series(tmp_path: Path) -> None:
    BARS.assign(ticker=["IBM ", " IBM", "IBM", "IBM"]).to_csv(tmp_path / "q", index=False)
    assert [series.ticker for series in read(str(tmp_path / "q"), "*")] == ["IBM"]


def test_of_rows_with_the_same_time_the_later_one_is_newer(tmp_path: Path) -> None:
    BARS.assign(ticker="A", time="2013-03-01").to_csv(tmp_path / "q", index=False)
    assert read(str(tmp_path / "q"), "A", rows=4)[0].values == (441.4, 200.83, 430.47, 202.91)


def test_columns_may_have_other_names_or_be_absent(tmp_path: Path) -> None:
    path = tmp_path / "q"
    path.write_text("Last,Kurs\n1,10\n2,11\n")
    assert read(str(path), "DAX", ticker=None, time=None, close="Kurs") == [
        QuoteSeries("DAX", (10, 11))
    ]


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b" \n \n", "is empty"),
    "only a header": (b"ticker,time,close\n", "holds no rows"),
    "empty JSON": (b"[]", "holds no rows"),
    "other columns": (b"symbol;price\nAAPL;1\n", "no column 'ticker', 'time', 'close' among its 2"),
    "web page": (b"<!DOCTYPE html><html><body>Log in</body></html>", "no column 'ticker'"),
    "JSON error": (b'{"error": "no such key"}', "is not a CSV, Parquet or JSON table"),
    "nested JSON": (b'{"data": [{"ticker": "A"}]}', "no column"),
    "broken JSON": (b'[{"ticker": "A"', "is not a CSV, Parquet or JSON table"),
    "JSON of numbers": (b"[1, 2]", "no column"),
    "deep JSON": (b"[" * 100_000, "is not a CSV, Parquet or JSON table"),
    "noise": (random.Random(7).randbytes(5000), "is not a CSV, Parquet or JSON table"),
    "cut gzip": (gzip.compress(b"ticker,time,close\n" * 99)[:-9], "not a complete gzip file"),
    "broken Parquet": (b"PAR1" + b"\x00" * 50 + b"PAR1", "is not a CSV, Parquet or JSON table"),
    "a quote that is never closed": (b'ticker,time,close\nA,2013-03-01,"1\n', "is not a CSV"),
    "the same column twice": (b"ticker,time,close,close\nA,2013-03-01,1,2\n", "more than one"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_broken_table_is_an_error_that_says_why(kind: str, tmp_path: Path) -> None:
    content, said = HOSTILE[kind]
    path = tmp_path / "quotes.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        read(str(path), "A")
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value)) < 1_000


UNREADABLE: dict[str, tuple[bytes, str]] = {
    "ragged": (
        b"ticker,time,close\nA,2013-03-01,1\nA,2013-03-01,1,2,3\n",
        "line 3, column 'close', belongs to a row of 5 fields under a header of 3",
    ),
    "unquoted thousands": (
        b"ticker,time,close\nA,2013-02-28,1,234\nA,2013-03-01,1,250\n",
        "line 3, column 'close', belongs to a row of 4 fields under a header of 3: quote fields",
    ),
    "nested": (b'[{"ticker":["A"],"time":"2013-03-01","close":1}]', "row 1 has data but no 'tick"),
    "nested price": (b'[{"ticker":"A","time":"2013-03-01","close":[1]}]', "which is nested"),
    "a truth value": (b'[{"ticker":"A","time":"2013-03-01","close":true}]', "which is not a num"),
    "text for a number": (
        b"ticker,time,close\nA,2013-03-01,cheap\n",
        "line 2, column 'close', holds 'cheap', which is not a number",
    ),
    "thousands": (
        b'ticker,time,close\nA,2013-03-01,"1,234"\n',
        "line 2, column 'close', holds '1,234', which is not a number: write 1234.5",
    ),
    "no time": (b"ticker,time,close\nA,,1\n", "line 2 has no 'time'"),
    "odd time": (
        b"ticker,time,close\nA,2013-03-01,1\nA,03/01/2013,1\n",
        "line 3 holds '03/01/2013' for 'time', which is not an ISO 8601",
    ),
    "far time": (b"ticker,time,close\nA,99999-01-01,1\n", "not an ISO 8601"),
    "no ticker": (b"ticker,time,close\n ,2013-03-01,1\n", "line 2 has data but no 'ticker'"),
    "null ticker": (b'[{"ticker":null,"time":"2013-03-01","close":1}]', "data but no 'ticker'"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_row_that_cannot_be_read_is_a_fault_that_says_why(kind: str, tmp_path: Path) -> None:
    content, said = UNREADABLE[kind]
    path = tmp_path / "quotes.csv"
    path.write_bytes(content)
    (series,) = read(str(path), "*")
    with pytest.raises(SourceError) as caught:
        series.value(0, "close")
    assert said in str(caught.value)
    assert str(caught.value).startswith(("line ", "row "))
    assert len(str(caught.value)) < 1_000


def test_a_parquet_column_of_lists_is_an_error(tmp_path: Path) -> None:
    BARS.assign(close=[[1.0], [2.0], [3.0], [4.0]]).to_parquet(tmp_path / "q")
    with pytest.raises(SourceError, match="which is nested"):
        read(str(tmp_path / "q"), "IBM")[0].value(0, "close")


def test_a_small_file_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_BYTES", 1_000_000)
    with pytest.raises(SourceError, match="unpacks to more"):
        read_table(gzip.compress(b"0" * 2_000_000), ["ticker"], ["close"])


@pytest.mark.parametrize("close", ["", "NaN", "null", "inf", "-inf"])
def test_a_last_value_that_is_no_finite_number_is_not_taken_for_one(
    close: str, tmp_path: Path
) -> None:
    path = tmp_path / "q"
    path.write_text(f"ticker,time,close\nA,2013-02-28,1\nA,2013-03-01,{close}\n")
    (series,) = read(str(path), "A")
    with pytest.raises(SourceError, match=r"last close is .*not a finite number"):
        series.value(0, "last close")
    assert series.value(1, "close before") == 1


def test_too_few_rows_are_an_error_that_counts_them() -> None:
    with pytest.raises(SourceError, match="3 rows are needed, there are 2"):
        QuoteSeries("A", (1, 2)).value(2, "close")
    with pytest.raises(SourceError, match="no rows of this ticker"):
        QuoteSeries("A", ()).value(0, "close")


prices = st.floats(allow_nan=False, allow_infinity=False, width=32)
rows = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 10_000), prices), min_size=1)


@given(rows, st.integers(1, 5))
def test_series_are_the_newest_rows_of_each_ticker_whatever_the_order(
    table: list[tuple[str, int, float]], newest: int
) -> None:
    frame = pd.DataFrame(
        [
            {"ticker": t, "time": (MARCH_1 + timedelta(minutes=m)).isoformat(), "close": c}
            for t, m, c in table
        ]
    )
    for series in by_ticker(frame, Columns(), "close", ["*"], newest):
        own = sorted((row for row in table if row[0] == series.ticker), key=lambda row: row[1])
        assert list(series.values) == [close for _, _, close in own][-newest:]
        assert series.last_at == MARCH_1 + timedelta(minutes=own[-1][1])


@given(st.binary(max_size=300))
def test_no_bytes_whatsoever_raise_anything_but_a_source_error(content: bytes) -> None:
    try:
        frame = read_table(content, ["ticker", "time"], ["close"])
        by_ticker(frame, Columns(), "close", ["*"], 2)
    except SourceError:
        return
    assert b"ticker" in content  # only a real header gets this far


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@given(
    st.lists(
        st.fixed_dictionaries({"ticker": json_values, "time": json_values, "close": json_values}),
        min_size=1,
        max_size=4,
    )
)
def test_no_json_cell_whatsoever_raises_anything_but_a_source_error(cells: list[object]) -> None:
    content = json.dumps(cells).encode()
    try:
        series = by_ticker(
            read_table(content, ["ticker", "time"], ["close"]), Columns(), "close", ["*"], 2
        )
    except SourceError:
        return
    series = [one for one in series if not one.fault]
    assert all(one.ticker and len(one.values) in (1, 2) for one in series)
    assert all(isinstance(value, float) for one in series for value in one.values)
    assert not any(one.last_at is None or math.isnan(one.last_at.timestamp()) for one in series)
