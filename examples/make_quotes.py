"""Writes quotes.csv: the last trading days of a few tickers, from a data set of real daily bars.

The data set is a development dependency (bokeh-sampledata), so that the example rules have real
inputs without a network. Run it from the checkout: `python examples/make_quotes.py`.
"""

import sys
from importlib.resources import files
from pathlib import Path

import pandas as pd

TICKERS = ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
DAYS = 60


def last_days(days: int = DAYS) -> pd.DataFrame:
    """The last `days` daily bars of each ticker, oldest first; prices in USD, volumes in shares."""
    with (files("bokeh_sampledata") / "_data" / "stocks.csv.gz").open("rb") as packed:
        bars = pd.read_csv(packed, compression="gzip")
    bars = bars[bars["Ticker"].isin(TICKERS)].sort_values(["Date", "Ticker"])
    newest = bars.groupby("Ticker").tail(days)
    return newest[["Ticker", "Date", "Close", "Volume"]].set_axis(
        ["ticker", "time", "close", "volume"], axis="columns"
    )


def main() -> None:
    """Write the file beside this script, or to the path given."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("quotes.csv")
    last_days().to_csv(target, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
