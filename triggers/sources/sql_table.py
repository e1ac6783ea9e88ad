"""A table or query that is measured where it is: a database, or DuckDB over a file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from triggers.sources.columns import Columns
from triggers.sources.errors import SourceError
from triggers.sources.newest import newest_time
from triggers.sources.sql_text import DIALECTS, Cell, examples_query, literal, profile_query
from triggers.sources.table import (
    ColumnProfile,
    ColumnType,
    Numbers,
    Profile,
    Quality,
    column_named,
    require_numbers,
)

Row = dict[str, Any]
MOST_VALUES = 1_000_000
"""Values of one column that are fetched, for statistics that no database computes."""


@dataclass(frozen=True)
class SqlTable:
    """A relation of a dialect; `ask` runs one SELECT and returns at most so many rows."""

    dialect: str
    relation: str
    columns: Sequence[ColumnType]
    ask: Callable[[str, int], list[Row]]
    quoted: Callable[[str], str]

    def __post_init__(self) -> None:
        if self.dialect not in DIALECTS:
            raise SourceError(
                f"{self.dialect} is not measured in the database: use SQLite or PostgreSQL, or "
                "a query that returns what is to be checked (metric_threshold, sql_query)"
            )

    def count(self) -> int:
        """The number of rows."""
        return int(self._row(f"SELECT count(*) AS n FROM {self.relation}")["n"])

    def profile(self, quality: Quality) -> Profile:
        """The counts of one statement; a second one fetches examples of invalid rows."""
        if quality.schema is not None:
            raise SourceError(
                "a pandera schema needs the rows themselves: use a file, a task's result or "
                "check_frame, or write the rules as `rules`"
            )
        cells = [Cell(self.dialect, column, self.quoted(column.name)) for column in self.columns]
        names = quality.checked([column.name for column in self.columns])
        row = self._row(profile_query(self.relation, cells, quality))
        profiles = [
            ColumnProfile(
                column.name,
                nulls=int(row[f"null{place}"]),
                invalid=int(row.get(f"bad{place}", 0)),
                infinite=int(row.get(f"inf{place}", 0)),
            )
            for place, column in enumerate(self.columns)
            if column.name in names
        ]
        examples: list[Row] = []
        if quality.examples and any(column.invalid for column in profiles):
            query = examples_query(self.relation, cells, quality)
            examples = self.ask(query, quality.examples) if query else []
        rows = int(row["row_count"])
        return Profile(rows, rows - int(row["distinct_rows"]), profiles, examples=examples)

    def newest(self, times: Columns) -> datetime | None:
        """The latest time of a column, in UTC; None if it has no values."""
        import pandas as pd

        column = column_named(self, times.time or "").name
        query = f"SELECT max({self.quoted(column)}) AS newest FROM {self.relation}"
        value = self._row(query)["newest"]
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - of the zone given
        return newest_time(pd.Series([value], name=column), times)

    def numbers(self, column: str, above: float) -> Numbers:
        """A summary of a column of numbers."""
        found = column_named(self, column)
        require_numbers(found)
        cell = Cell(self.dialect, found, self.quoted(column))
        there = f"NOT {cell.null}"
        finite = f"{there} AND NOT {cell.infinite}" if cell.infinite else there
        value = f"CASE WHEN {finite} THEN {cell.name} END"
        text = f"sum(CASE WHEN typeof({cell.name}) IN ('text', 'blob') THEN 1 ELSE 0 END)"
        row = self._row(
            f"SELECT count(*) AS row_count, count(CASE WHEN {there} THEN 1 END) AS there, "
            f"count(CASE WHEN {finite} THEN 1 END) AS finite, "
            f"count(CASE WHEN {finite} AND {cell.name} > {literal(above)} THEN 1 END) AS above, "
            f"avg({value}) AS mean, min({value}) AS least, max({value}) AS most, "
            f"{text if self.dialect == 'sqlite' else '0'} AS texts FROM {self.relation}"
        )
        if row["texts"]:
            raise SourceError(f"column {column!r} holds {row['texts']:,} texts, not numbers")
        return Numbers(
            rows=int(row["row_count"]),
            values=int(row["there"]),
            above=int(row["above"]),
            infinite=int(row["there"]) - int(row["finite"]),
            mean=_float(row["mean"]),
            least=_float(row["least"]),
            most=_float(row["most"]),
        )

    def values(self, column: str) -> list[Any]:
        """The values of a column that are not null. Raises SourceError for too many."""
        found = column_named(self, column)
        cell = Cell(self.dialect, found, self.quoted(column))
        query = f"SELECT {cell.name} AS value FROM {self.relation} WHERE NOT {cell.null}"
        rows = self.ask(query, MOST_VALUES + 1)
        if len(rows) > MOST_VALUES:
            raise SourceError(
                f"column {column!r} has more than {MOST_VALUES:,} values: give a query that takes "
                "a sample of them"
            )
        return [row["value"] for row in rows]

    def _row(self, query: str) -> Row:
        return self.ask(query, 1)[0]


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
