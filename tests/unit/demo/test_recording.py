"""The quotes of the demo are those of the public data set, and come one day after another."""

from importlib.resources import files

import pandas as pd

from sentinel_core.demo.recording import FIRST_DAY, recording


def test_every_recorded_quote_is_one_of_the_data_set() -> None:
    with (files("bokeh_sampledata") / "_data" / "stocks.csv.gz").open("rb") as packed:
        bars = pd.read_csv(packed, compression="gzip")
    with (files("sentinel_core.demo") / "quotes.csv").open("rb") as ours:
        shipped = pd.read_csv(ours)
    known = bars.set_index(["Ticker", "Date"])[["Close", "Volume"]]
    for row in shipped.itertuples():
        close, volume = known.loc[(row.ticker, row.time)]
        assert (row.close, row.volume) == (close, volume), (row.ticker, row.time)


def test_the_feed_has_the_days_until_now_and_no_later_one() -> None:
    quotes = recording()
    first, second, *_ = quotes.live
    assert first.date == FIRST_DAY
    shown = quotes.until(first.date)
    assert shown.startswith("ticker,time,close,volume\n")
    assert all(line in shown for line in first.lines)
    assert not any(line in shown for line in second.lines)
    assert len(shown.splitlines()) - 1 == len(first.closes) * len(
        [day for day in quotes.days if day.date <= first.date]
    )


def test_days_come_in_order_with_every_ticker() -> None:
    days = recording().days
    assert [day.date for day in days] == sorted({day.date for day in days})
    assert {tuple(day.closes) for day in days} == {("AAPL", "FB", "MSFT")}
    assert recording().live[0].words() == "6 November 2012: AAPL 582.85, FB 21.17, MSFT 29.86"
