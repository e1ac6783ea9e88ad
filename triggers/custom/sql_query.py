"""Turns rows of a SQL query into alerts. Reads a database; decides nothing about events."""

import math
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import Field, ValidationError, field_validator

from sentinel_core import AlertOutput, History, Importance, Trigger
from sentinel_core.base.errors import HistoryUnavailableError
from sentinel_core.model.alert import describe
from sentinel_core.model.trigger import PastEvaluation
from triggers.custom._text import as_json, as_text, placeholders, render
from triggers.sources.database import DatabaseUrl, database_warnings, read_rows
from triggers.sources.errors import SourceError
from triggers.sources.unusable import Warnings, writing_query

_MOST_ROWS = 10_000

Row = dict[str, Any]
Scalar = str | int | float | bool | None


class SqlQuery(Trigger):
    """A SQL query returns rows; each row is an alert."""

    display_name: ClassVar[str] = "SQL query"
    default_importance: ClassVar[Importance] = Importance.MEDIUM
    default_category: ClassVar[str] = "General"
    timeout_seconds: ClassVar[float] = 120

    url: DatabaseUrl = Field(
        min_length=1, description="a database URL, or block:TYPE/NAME or env:NAME that holds one"
    )
    query: str = Field(min_length=1, description="one SELECT; `:name` stands for a parameter")
    parameters: dict[str, Scalar | list[Scalar]] = Field(
        default={}, description="values for `:name` in the query; a list goes with IN :name"
    )
    ticker_column: str | None = Field(
        None, description="says which series a row is; needed when there can be several rows"
    )
    importance_column: str | None = Field(
        None, description="low, medium, high or critical; NULL: the rule's own importance"
    )
    message: str = Field("", description="text with {column} in it; empty: all columns")
    metric_columns: list[str] = Field(default=[], description="columns with numbers to keep")
    max_rows: int = Field(100, ge=1, le=_MOST_ROWS, description="more rows than that are an error")
    statement_timeout_seconds: float = Field(
        30, gt=0, le=100, description="how long the query may take, in seconds"
    )

    @field_validator("message")
    @classmethod
    def _plain_template(cls, template: str) -> str:
        placeholders(template)
        return template

    def check_warnings(self) -> Warnings:
        """A URL with a password or beyond what rules may read; a query that changes data."""
        return [*database_warnings("url", self.url), *writing_query("query", self.query)]

    def check(self, history: History) -> list[AlertOutput]:
        """Run the query; rows become alerts, and rows that have gone resolve theirs.

        Raises SourceError when the database or a row can't be used. A past that can't be read
        costs nothing but that gone rows resolve at a later check.
        """
        found = self.evaluate(self.read())
        try:
            # Each check lists all series of the one before, so two checks hold them all.
            past = history.latest(max(1_000, 4 * self.max_rows))
        except HistoryUnavailableError:
            return found
        return [*found, *gone(past, {output.ticker for output in found})]

    def read(self) -> list[Row]:
        """The rows of the query, read-only."""
        return read_rows(
            self.url,
            self.query,
            self.parameters,
            max_rows=self.max_rows,
            timeout_seconds=self.statement_timeout_seconds,
        )

    def evaluate(self, rows: Sequence[Row]) -> list[AlertOutput]:
        """One triggered output for each row. Raises SourceError for rows without identity.

        A single row of nothing but NULL is what an aggregate over no rows returns: no data.
        """
        if rows:
            self._require_columns(rows[0])
        if len(rows) == 1 and self.ticker_column is None and _of_nulls(rows[0]):
            return [_no_data(rows[0])]
        outputs = [self._output(number, row) for number, row in enumerate(rows, start=1)]
        tickers = Counter(output.ticker for output in outputs)
        twice = [ticker for ticker, count in tickers.items() if count > 1][:5]
        if twice and self.ticker_column is None:
            raise SourceError(
                f"the query returned {len(rows)} rows and nothing distinguishes them: "
                "set ticker_column"
            )
        if twice:
            raise SourceError(
                f"rows with the same {self.ticker_column}: {twice}; each row is a series of its "
                "own, so group the rows or choose a column that differs"
            )
        return outputs

    def _require_columns(self, row: Row) -> None:
        named = [self.ticker_column, self.importance_column]
        wanted = [name for name in named if name is not None]
        missing = sorted({*wanted, *self.metric_columns, *placeholders(self.message)} - row.keys())
        if missing:
            raise SourceError(f"the query returns no column {missing}; it returns {list(row)}")

    def _output(self, number: int, row: Row) -> AlertOutput:
        try:
            return AlertOutput(
                triggered=True,
                importance=self._importance(number, row),
                ticker=self._ticker(number, row),
                message=self._message(row),
                metrics=self._metrics(number, row),
                metadata={"row": {name: as_json(value) for name, value in row.items()}},
            )
        except ValidationError as error:
            raise SourceError(f"row {number} can't be an alert: {describe(error)}") from error

    def _ticker(self, number: int, row: Row) -> str:
        if self.ticker_column is None:
            return ""
        value = row[self.ticker_column]
        if value is None:
            raise SourceError(f"row {number}: the ticker column {self.ticker_column} is NULL")
        return as_text(value)

    def _importance(self, number: int, row: Row) -> Importance | None:
        value = row[self.importance_column] if self.importance_column else None
        if value is None:
            return None
        try:
            return Importance(str(value).strip().lower())
        except ValueError as error:
            raise SourceError(
                f"row {number}: {self.importance_column} is {as_text(value)!r}, "
                f"expected one of {[item.value for item in Importance]}"
            ) from error

    def _message(self, row: Row) -> str:
        if self.message:
            return render(self.message, row)
        return ", ".join(f"{name}: {as_text(value)}" for name, value in row.items())

    def _metrics(self, number: int, row: Row) -> dict[str, float]:
        """The numbers of a row; NULLs are left out, as in an average."""
        metrics = {}
        for name in self.metric_columns:
            value = row[name]
            if value is None:
                continue
            if not isinstance(value, int | float | Decimal) or not math.isfinite(value):
                raise SourceError(
                    f"row {number}: the metric column {name} holds {as_text(value)!r}, not a number"
                )
            metrics[name] = float(value)
        return metrics


def _of_nulls(row: Row) -> bool:
    return all(value is None for value in row.values())


def _no_data(row: Row) -> AlertOutput:
    return AlertOutput(
        triggered=False,
        problem="no_data",
        message=f"The query returned one row with nothing but NULL in {', '.join(row)}: an "
        "aggregate such as max() had no rows to work on. If that is ok, add HAVING count(*) > 0.",
        metadata={"row": dict(row)},
    )


def gone(past: Sequence[PastEvaluation], present: set[str]) -> list[AlertOutput]:
    """An untriggered output for each series that was triggered and no longer has a row.

    `past` is newest first. Pure.
    """
    latest: dict[str, PastEvaluation] = {}
    for evaluation in past:
        latest.setdefault(evaluation.ticker, evaluation)
    return [
        AlertOutput(triggered=False, ticker=ticker, message="No longer returned.")
        for ticker, evaluation in latest.items()
        if evaluation.triggered and ticker not in present
    ]
