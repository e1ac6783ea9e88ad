"""Quotes: the newest rows of each ticker, from a file, a URL or a SQL query."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from sentinel_core.model.cleaning import clean_line
from sentinel_core.wording.text import counted
from triggers.sources.cells import (
    NumberStyle,
    Unreadable,
    blank,
    has_decimal_commas,
    is_text,
    number,
)
from triggers.sources.columns import Columns
from triggers.sources.database import DatabaseUrl, read_rows
from triggers.sources.errors import NoDataError, SourceError
from triggers.sources.fetch import fetch, shown
from triggers.sources.tables import pick, read_table
from triggers.sources.times import read_times

if TYPE_CHECKING:
    import pandas as pd

ALL = "*"


class SqlSource(BaseModel):
    """Quotes that a SQL query returns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    database: DatabaseUrl = Field(
        min_length=1,
        description="database URL, or block:TYPE/NAME or env:NAME that holds one",
    )
    query: str = Field(min_length=1, description="a SELECT that returns the columns named below")


@dataclass(frozen=True, slots=True)
class QuoteSeries:
    """The newest values of one ticker, oldest first; none when the source has no such ticker.

    `fault` says why no value can be used; `faults` why single ones can't, by their place.
    """

    ticker: str
    values: tuple[float, ...]
    last_at: datetime | None = None
    fault: str = ""
    faults: Mapping[int, str] = field(default_factory=dict)

    def value(self, back: int, what: str) -> float:
        """The value `back` rows before the last.

        Raises NoDataError where there is none, SourceError where it is not a finite number.
        """
        if self.fault:
            raise SourceError(self.fault)
        if not self.values:
            raise NoDataError("the source has no rows of this ticker")
        if back >= len(self.values):
            raise NoDataError(f"{back + 1} rows are needed, there are {len(self.values)}")
        if why := self.faults.get(len(self.values) - 1 - back):
            raise SourceError(why)
        value = self.values[-1 - back]
        if math.isnan(value):
            raise NoDataError(f"the {what} is nan, not a finite number")
        if math.isinf(value):
            raise SourceError(f"the {what} is {value}, not a finite number")
        return value


def read_quotes(
    source: str | SqlSource,
    columns: Columns,
    value: str,
    tickers: Sequence[str],
    *,
    rows: int,
    timeout_seconds: float,
) -> list[QuoteSeries]:
    """The last `rows` values of the column `value` for each ticker; `["*"]` means every ticker.

    A ticker the source does not know comes back as a series without values. Raises SourceError.
    """
    try:
        frame = _read(source, columns, value, timeout_seconds)
        return by_ticker(frame, columns, value, tickers, rows)
    except SourceError as error:
        if isinstance(source, SqlSource) or str(error).startswith(shown(source)):
            raise
        raise SourceError(f"{shown(source)}: {error}") from error


def _read(
    source: str | SqlSource, columns: Columns, value: str, timeout_seconds: float
) -> "pd.DataFrame":
    text = [name for name in (columns.ticker, columns.time) if name is not None]
    if isinstance(source, str):
        content = fetch(source, timeout_seconds)
        return read_table(content.data, text, [value], content_type=content.content_type)
    import pandas as pd

    rows = read_rows(source.database, source.query, timeout_seconds=timeout_seconds)
    if not rows:
        raise SourceError("the query returned no rows")
    return pick(pd.DataFrame(rows), [*text, value])


def by_ticker(
    frame: "pd.DataFrame", columns: Columns, value: str, tickers: Sequence[str], rows: int
) -> list[QuoteSeries]:
    """Split a table into series, in the order asked for (by name for `["*"]`). Pure.

    Rows are ordered by time; of rows with the same time the later one in the source is newer. A
    row without a readable time makes its ticker unreadable, as it may be the newest. Other cells
    count only among the last `rows` of their ticker. Rows with data but no ticker are a series of
    their own, with a fault and the ticker "". Rows without any data are none.
    """
    table = _table(frame, columns, value, tickers[0])
    names = table["ticker"]
    everything = list(tickers) == [ALL]
    chosen = table[names.notna() if everything else names.isin(list(tickers))]
    found = _series(chosen, columns, value, rows)
    wanted = list(found) if everything else list(dict.fromkeys(tickers))
    series = [found.get(name, QuoteSeries(name, ())) for name in wanted]
    nameless = table.index[names.isna()]
    if not nameless.empty:
        more = f" (and {counted(len(nameless) - 1, 'more row')})" if len(nameless) > 1 else ""
        why = f"{table.index.name} {nameless[0]} has data but no {columns.ticker!r}{more}"
        series.append(QuoteSeries("", (), fault=why))
    return series


def _table(frame: "pd.DataFrame", columns: Columns, value: str, only_ticker: str) -> "pd.DataFrame":
    """Ticker, time and value of each row that has any data; rows are counted from 1."""
    import pandas as pd

    if frame.index.name is None:
        frame = frame.reset_index(drop=True)
        frame.index = frame.index.rename("row") + 1
    parts = [name for name in (columns.ticker, columns.time, value) if name is not None]
    empty = pd.concat([blank(frame[name]) for name in parts], axis=1).all(axis=1)
    frame = frame[~empty]
    if frame.empty:
        raise SourceError("holds no rows")
    alone = pd.Series(only_ticker, index=frame.index, dtype=object)
    names = _names(frame[columns.ticker]) if columns.ticker is not None else alone
    return pd.DataFrame(
        {
            "ticker": names,
            "time": frame[columns.time] if columns.time else None,
            "cell": frame[value].astype(object),
        }
    )


def _series(
    table: "pd.DataFrame", columns: Columns, value: str, rows: int
) -> dict[str, QuoteSeries]:
    """The newest rows of each ticker, by name."""
    if table.empty:
        return {}
    faults: Mapping[int, str] = {}
    uncertain: Mapping[int, str] = {}
    if columns.time:
        read = read_times(table["time"].rename(columns.time), columns)
        faults, uncertain = read.faults, read.uncertain
        table = table.assign(time=read.at)
    unreadable = {
        str(table.at[row, "ticker"]): f"{table.index.name} {row} {why}"
        for row, why in sorted(faults.items(), reverse=True)  # the first of a ticker is kept
    }
    commas = has_decimal_commas(table["cell"])
    style = NumberStyle(columns.decimal, columns.thousands, commas)
    if columns.time:
        table = table.sort_values("time", kind="stable")
    newest = table.assign(row=table.index).groupby("ticker").tail(rows).groupby("ticker")
    lists = newest.agg({"cell": list, "row": list, "time": "last"})
    found = {}
    for ticker, cells, lines, last in lists.itertuples(name=None):
        name = str(ticker)
        # An uncertain time counts as its later one, so rows after it are newer in any case.
        unsure = [
            f"{table.index.name} {line} {uncertain[line]}" for line in lines if line in uncertain
        ]
        if fault := unreadable.get(name) or next(iter(unsure), ""):
            found[name] = QuoteSeries(name, (), fault=fault)
            continue
        read_cells = [number(cell, style) for cell in cells]
        found[name] = QuoteSeries(
            name,
            tuple(math.nan if isinstance(one, Unreadable) else one for one in read_cells),
            _moment(last) if columns.time else None,
            faults={
                place: f"{table.index.name} {line}, column {value!r}, {one.why}"
                for place, (line, one) in enumerate(zip(lines, read_cells, strict=True))
                if isinstance(one, Unreadable)
            },
        )
    return found


def _moment(at: "pd.Timestamp") -> datetime:
    try:
        return at.to_pydatetime(warn=False)
    except ValueError as error:  # pandas knows years that the calendar does not
        raise SourceError(f"a time is out of range: {error}") from error


def _names(column: "pd.Series") -> "pd.Series":
    """Tickers as Sentinel stores them: text without surrounding or double spaces; or None."""
    if is_text(column):
        cleaned = {raw: clean_line(raw) or None for raw in column.dropna().unique()}
        return column.map(cleaned).astype(object)
    cells = column.astype(object)
    known = {
        raw: clean_line(str(raw)) or None for raw in cells[cells.map(_one) & cells.notna()].unique()
    }
    return cells.map(lambda raw: known.get(raw) if _one(raw) else None).astype(object)


def _one(raw: object) -> bool:
    """True for a cell that can be a ticker: JSON and Parquet may nest."""
    return not isinstance(raw, list | dict | tuple) and type(raw).__name__ != "ndarray"
