"""A query that must return no row. Measures; decides nothing about events."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from sentinel_core import AlertOutput, Importance, Trigger
from sentinel_core.wording.text import counted
from triggers.sources.checked import tried_twice
from triggers.sources.database import database_warnings, open_database
from triggers.sources.duck import open_file
from triggers.sources.errors import NoDataError, SourceError
from triggers.sources.fetch import source_warning
from triggers.sources.unusable import Warnings, writing_query

_LONGEST = 200

Row = dict[str, Any]
Scalar = str | int | float | bool | None


class SqlAssert(Trigger):
    """A query returns rows, and should return none: what must never be, written as SQL."""

    display_name: ClassVar[str] = "SQL assertion"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Data"
    timeout_seconds: ClassVar[float] = 600

    source: str = Field(
        min_length=1,
        description="a database URL, or block:TYPE/NAME or env:NAME that holds one; or, with the "
        "extra `[data]`, a local Parquet or CSV file, which the query calls `data`",
    )
    query: str = Field(min_length=1, description="a SELECT of the rows that must not be")
    parameters: dict[str, Scalar | list[Scalar]] = Field(
        {}, description="values for `:name` in the query of a database; a list goes with IN :name"
    )
    name: str = Field("", max_length=150, description="what is asserted, for messages: the ticker")
    most_rows: int = Field(
        1_000, ge=1, le=100_000, description="rows that are counted; of more it is said"
    )
    example_rows: int = Field(5, ge=0, le=50, description="rows that are kept as evidence")
    statement_timeout_seconds: float = Field(
        60, gt=0, le=240, description="how long the query may take, in seconds"
    )

    def check_warnings(self) -> Warnings:
        """What the settings here refuse; a query that changes data."""
        if self._is_file:
            said = source_warning(self.source)
            found: Warnings = [("source", said)] if said else []
        else:
            found = [("source", said) for _, said in database_warnings("source", self.source)]
        return found + writing_query("query", self.query)

    @property
    def _is_file(self) -> bool:
        return self.source.lower().endswith((".parquet", ".pq", ".csv")) and ":" not in self.source

    def check(self) -> AlertOutput:
        """Triggered by a row; a query that can't be run is a problem with a next step."""
        try:
            return self.evaluate(tried_twice(self.read))
        except SourceError as error:
            return AlertOutput(
                triggered=False,
                problem="no_data" if isinstance(error, NoDataError) else "error",
                ticker=self.name,
                message=f"{self.name or 'The assertion'}: not checked: {error}",
                suggestion=error.next_step,
                metadata={"code": error.code.value if error.code else None},
            )

    def read(self) -> list[Row]:
        """The rows, at most one more than are counted. Raises SourceError."""
        if self._is_file:
            with open_file(self.source, self.query, memory_mb=256) as table:
                return table.ask(f"SELECT * FROM {table.relation}", self.most_rows + 1)  # noqa: S608
        with open_database(self.source, self.statement_timeout_seconds) as database:
            return database.first_rows(self.query, self.parameters, most=self.most_rows + 1)

    def evaluate(self, rows: Sequence[Row]) -> AlertOutput:
        """The verdict on the rows. Pure."""
        name = self.name or "The assertion"
        many = len(rows) > self.most_rows
        number = self.most_rows if many else len(rows)
        message = f"{name}: holds, no row"
        if rows:
            first = ", ".join(f"{key}: {value}" for key, value in rows[0].items())
            cut = f"{first[: _LONGEST - 1]}…" if len(first) > _LONGEST else first
            amount = f"more than {number:,} rows" if many else counted(number, "row")
            message = f"{name}: {amount}, expected none. The first: {cut}"
        return AlertOutput(
            triggered=bool(rows),
            ticker=self.name,
            message=message,
            metrics={"value": number, "rows": number},
            metadata={
                "unit": "rows",
                "more": many,
                "examples": [dict(row) for row in rows[: self.example_rows]],
            },
        )
