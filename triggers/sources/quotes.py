"""Quotes: the newest rows of each ticker, from a file, a URL or a SQL query."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from sentinel_core.model.cleaning import clean_line
from triggers.sources.database import read_rows
from triggers.sources.errors import NoDataError, SourceError
from triggers.sources.fetch import fetch, shown
from triggers.sources.tables import pick, read_table

if TYPE_CHECKING:
    import pandas as pd

ALL = "*"

Unit = Literal["s", "ms", "us", "ns"]

_EPOCH_LIMITS: tuple[tuple[Unit, float], ...] = (("s", 1e11), ("ms", 1e14), ("us", 1e17))
_EPOCH = re.compile(r"\d{10}(\d{3}){0,3}(\.\d+)?")


class SqlSource(BaseModel):
    """Quotes that a SQL query returns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    database: str = Field(
        min_length=1,
        description="database URL, or env:NAME to read it from an environment variable",
    )
    query: str = Field(min_length=1, description="a SELECT that returns the columns named below")


class Columns(BaseModel):
    """The names of the source's columns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ticker: str | None = Field(
        "ticker", min_length=1, description="instrument; null when the source holds only one"
    )
    time: str | None = Field(
        "time",
        min_length=1,
        description="ISO 8601 or epoch time of the row, UTC when it names no zone; "
        "null when the rows are in order and have no time",
    )
    close: str = Field("close", min_length=1, description="price")
    volume: str = Field("volume", min_length=1, description="traded volume")


@dataclass(frozen=True, slots=True)
class QuoteSeries:
    """The newest values of one ticker, oldest first; none when the source has no such ticker."""

    ticker: str
    values: tuple[float, ...]
    last_at: datetime | None = None

    def value(self, back: int, what: str) -> float:
        """The value `back` rows before the last.

        Raises NoDataError where there is none, SourceError where it is not finite.
        """
        if not self.values:
            raise NoDataError("the source has no rows of this ticker")
        if back >= len(self.values):
            raise NoDataError(f"{back + 1} rows are needed, there are {len(self.values)}")
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
        return read_table(fetch(source, timeout_seconds), text, [value])
    import pandas as pd

    rows = read_rows(source.database, source.query, timeout_seconds=timeout_seconds)
    if not rows:
        raise SourceError("the query returned no rows")
    return pick(pd.DataFrame(rows), [*text, value])


def by_ticker(
    frame: "pd.DataFrame", columns: Columns, value: str, tickers: Sequence[str], rows: int
) -> list[QuoteSeries]:
    """Split a table into series, in the order asked for (by name for `["*"]`). Pure.

    Rows are ordered by time; of rows with the same time the later one in the source is newer.
    """
    import pandas as pd

    if frame.empty:
        raise SourceError("holds no rows")
    if columns.ticker is None:
        names = pd.Series(tickers[0], index=frame.index)
    else:
        names = _names(_flat(frame[columns.ticker]))
    everything = list(tickers) == [ALL]
    chosen = names.notna() if everything else names.isin(list(tickers))
    table = pd.DataFrame(
        {
            "ticker": names[chosen],
            "time": _times(_flat(frame[columns.time])[chosen]) if columns.time else pd.NaT,
            "value": _numbers(_flat(frame[value])[chosen]),
        }
    )
    if columns.time:
        table = table.sort_values("time", kind="stable")
    newest = table.groupby("ticker").tail(rows).groupby("ticker")
    values, last = newest["value"].agg(tuple), newest["time"].last()
    found = {
        str(name): QuoteSeries(str(name), numbers, _moment(at) if columns.time else None)
        for name, numbers, at in zip(values.index, values, last, strict=True)
    }
    wanted = list(found) if everything else list(dict.fromkeys(tickers))
    return [found.get(name, QuoteSeries(name, ())) for name in wanted]


def _moment(at: "pd.Timestamp") -> datetime:
    try:
        return at.to_pydatetime(warn=False)  # nanoseconds are dropped
    except ValueError as error:  # pandas knows years that the calendar does not
        raise SourceError(f"a time is out of range: {error}") from error


def _flat(column: "pd.Series") -> "pd.Series":
    """The column, if no cell of it is a list or an object (JSON and Parquet may nest)."""
    import pandas as pd

    if column.dtype == object:
        nested = next((cell for cell in column if pd.api.types.is_list_like(cell)), None)
        if nested is not None:
            raise SourceError(f"column {column.name!r} holds {str(nested)[:40]!r}, which is nested")
    return column


def _names(column: "pd.Series") -> "pd.Series":
    """Tickers as Sentinel stores them: text without surrounding or double spaces."""
    unique = {raw: clean_line(str(raw)) for raw in column.dropna().unique()}
    names = column.astype(object).map(unique)
    nameless = names.isna() | (names == "")
    if nameless.any():
        raise SourceError(f"{int(nameless.sum())} rows have no {column.name!r}")
    return names


def _numbers(column: "pd.Series") -> "pd.Series":
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    text = column[numbers.isna() & column.notna()]
    if not text.empty and str(text.iloc[0]).lower() != "nan":
        raise SourceError(f"column {column.name!r} holds {_sample(text)}, which is not a number")
    return numbers


def _times(column: "pd.Series") -> "pd.Series":
    import pandas as pd

    if column.empty:
        return column
    try:
        if not pd.api.types.is_numeric_dtype(column) and _EPOCH.fullmatch(str(column.iloc[0])):
            column = pd.to_numeric(column)  # a CSV's times arrive as text
        if pd.api.types.is_numeric_dtype(column):
            times: pd.Series = pd.to_datetime(column, unit=_epoch_unit(column), utc=True)
        else:
            if column.dtype == object:  # numbers too large for a number's column are among them
                column = column.map(str, na_action="ignore")
            times = pd.to_datetime(column, format="ISO8601", utc=True)
    except (ValueError, TypeError, OverflowError) as error:
        text = column.astype(str)
        unread = column[pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce").isna()]
        raise SourceError(
            f"column {column.name!r} holds {_sample(unread if len(unread) else column)}, "
            "which is not an ISO 8601 or epoch time"
        ) from error
    if times.isna().any():
        raise SourceError(f"{int(times.isna().sum())} rows have no {column.name!r}")
    return times


def _epoch_unit(column: "pd.Series") -> Unit:
    """The unit that puts the largest number between 1973 and 5138: the ranges do not overlap."""
    largest = column.abs().max()
    return next((unit for unit, limit in _EPOCH_LIMITS if largest < limit), "ns")


def _sample(column: "pd.Series") -> str:
    return repr(str(column.iloc[0])[:40])
