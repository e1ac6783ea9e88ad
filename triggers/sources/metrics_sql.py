"""Numbers that a SQL query returns. Reads a database; judges nothing."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from sentinel_core.wording.text import counted
from triggers.sources.database import DatabaseUrl, database_warnings, read_rows
from triggers.sources.described import Described
from triggers.sources.errors import SourceError
from triggers.sources.readings import MOST_SERIES, Reading, distinct, no_data, reading, unreadable

Row = dict[str, Any]
Scalar = str | int | float | bool | None


class SqlMetrics(Described):
    """A number that a SELECT returns, or one for each of its rows."""

    kind: Literal["sql"] = Field(description="sql: a number, or rows of ticker and number")
    url: DatabaseUrl = Field(
        min_length=1, description="a database URL, or block:TYPE/NAME or env:NAME that holds one"
    )
    query: str = Field(min_length=1, description="one SELECT; `:name` stands for a parameter")
    parameters: dict[str, Scalar | list[Scalar]] = Field(
        default={}, description="values for `:name` in the query; a list goes with IN :name"
    )
    ticker_column: str | None = Field(
        None, min_length=1, description="says which series a row is; null: there is one row"
    )
    value_column: str | None = Field(
        None, min_length=1, description="holds the number; null: the only other column there is"
    )
    statement_timeout_seconds: float = Field(
        20, gt=0, le=30, description="how long the query may take, in seconds"
    )

    @property
    def subject(self) -> str:
        """The measurement in words."""
        return self.value_column or "the query's value"

    @property
    def several(self) -> bool:
        """True if the rows have tickers of their own."""
        return self.ticker_column is not None

    def refusals(self) -> list[str]:
        """Why the settings here keep rules from this database, or its URL is no good."""
        return [said for _, said in database_warnings("url", self.url)]

    def read(self) -> list[Reading]:
        """The current numbers, read-only. Raises SourceError."""
        rows = read_rows(
            self.url,
            self.query,
            self.parameters,
            timeout_seconds=self.statement_timeout_seconds,
            max_rows=MOST_SERIES,
        )
        return self.readings(rows)

    def readings(self, rows: Sequence[Row]) -> list[Reading]:
        """The rows as readings. Pure. Raises SourceError if they don't fit the columns named.

        Rows without a ticker are one reading in error, beside those of the others.
        """
        if not rows:
            return [no_data("has no value: the query returned no rows")]
        column = self._value_column(rows[0])
        if self.ticker_column is None:
            if len(rows) > 1:
                raise SourceError(
                    f"the query returned {len(rows):,} rows and nothing distinguishes them: "
                    "set ticker_column"
                )
            return [reading(rows[0][column])]
        tickers = [self._ticker(row) for row in rows]
        pairs = zip(rows, tickers, strict=True)
        found = distinct([reading(row[column], ticker) for row, ticker in pairs if ticker])
        nameless = [number for number, ticker in enumerate(tickers, start=1) if not ticker]
        if nameless:
            why = f"row {nameless[0]}: the ticker column {self.ticker_column} is empty"
            if not found:
                raise SourceError(why)
            found.append(unreadable(f"is not checked for {counted(len(nameless), 'row')}; {why}"))
        return found

    def _value_column(self, row: Row) -> str:
        wanted = [name for name in (self.ticker_column, self.value_column) if name is not None]
        if missing := [name for name in wanted if name not in row]:
            raise SourceError(f"the query returns no column {missing}; it returns {list(row)}")
        if self.value_column is not None:
            return self.value_column
        others = [name for name in row if name != self.ticker_column]
        if len(others) != 1:
            raise SourceError(f"set value_column: which of {others} holds the number?")
        return others[0]

    def _ticker(self, row: Row) -> str:
        found = row[self.ticker_column or ""]
        return "" if found is None or not str(found).strip() else str(found)
