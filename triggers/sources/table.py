"""What checks measure of a table: its columns, its rows, its cells. Pure data."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from triggers.sources.columns import Columns
from triggers.sources.errors import NoDataError, SourceError
from triggers.sources.tables import require

Scalar = str | int | float | bool


class ColumnKind(StrEnum):
    """What the cells of a column are. ANY: as in SQLite, each cell has a type of its own."""

    NUMBER = "number"
    TEXT = "text"
    OTHER = "other"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column of a table and its type, as its source names it; "" where that names none.

    `floating` columns may hold NaN, which counts as null, and infinite values.
    """

    name: str
    type: str
    kind: ColumnKind
    floating: bool = False


class CellRule(BaseModel):
    """What the cells of a column must be. Empty cells are the business of completeness."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str = Field(min_length=1, description="name of the column")
    min: FiniteFloat | None = Field(None, description="smallest valid number")
    max: FiniteFloat | None = Field(None, description="largest valid number")
    allowed: list[Scalar] | None = Field(
        None,
        min_length=1,
        max_length=1_000,
        description="the valid values, all text or all numbers",
    )
    pattern: str | None = Field(
        None,
        min_length=1,
        max_length=500,
        description="regular expression that a valid text matches as a whole; not on SQLite",
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.min is None and self.max is None and not self.allowed and not self.pattern:
            raise ValueError(f"the rule of {self.column} needs min, max, allowed or pattern")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"the rule of {self.column}: min is above max")
        return self


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """The counted cells of one column. `infinite` ones count as values."""

    name: str
    nulls: int = 0
    invalid: int = 0
    infinite: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """The counts that quality is computed from.

    `faults` say what is wrong with the table as a whole, `examples` are rows with invalid cells.
    """

    rows: int
    duplicates: int
    columns: Sequence[ColumnProfile]
    faults: Sequence[str] = ()
    examples: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Quality:
    """What to count: in which columns, which values and rules make a cell invalid.

    `unique_by` are the columns whose values make two rows duplicates; none: all columns.
    """

    columns: Sequence[str] | None = None
    markers: Sequence[str | float] = ()
    rules: Sequence[CellRule] = ()
    unique_by: Sequence[str] = ()
    schema: str | None = None
    examples: int = 0

    def checked(self, present: Sequence[str]) -> list[str]:
        """The columns whose cells are counted. Raises SourceError for a missing or double one."""
        named = [*(rule.column for rule in self.rules), *self.unique_by, *(self.columns or ())]
        require(list(dict.fromkeys(named)), present)
        if twice := sorted({name for name in present if list(present).count(name) > 1}):
            raise SourceError(f"has more than one column {twice[0]!r}")
        if not present:
            raise SourceError("has no columns")
        return list(dict.fromkeys(self.columns or present))


@dataclass(frozen=True, slots=True)
class Numbers:
    """A summary of a column of numbers: `above` counts those over a limit."""

    rows: int
    values: int
    above: int = 0
    infinite: int = 0
    mean: float | None = None
    least: float | None = None
    most: float | None = None


class Table(Protocol):
    """A table that can be measured where it is. Its methods raise SourceError."""

    @property
    def columns(self) -> Sequence[ColumnType]:
        """The columns in order."""
        ...

    def count(self) -> int:
        """The number of rows."""
        ...

    def profile(self, quality: Quality) -> Profile:
        """The counts of one pass over the rows."""
        ...

    def newest(self, times: Columns) -> datetime | None:
        """The latest time in the column `times.time`, in UTC; None if it has no values."""
        ...

    def numbers(self, column: str, above: float) -> Numbers:
        """A summary of a column of numbers; other types are an error."""
        ...

    def values(self, column: str) -> list[Any]:
        """The values of a column that are not null."""
        ...


def only_row(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The row, if there is just one. Raises NoDataError and SourceError."""
    if not rows:
        raise NoDataError("there are no rows")
    if len(rows) > 1:
        raise SourceError("there are several rows, and one is needed: narrow the query down")
    return rows[0]


def column_named(table: Table, name: str) -> ColumnType:
    """The column of this name. Raises SourceError when it is missing or there are several."""
    require([name], [column.name for column in table.columns])
    return next(column for column in table.columns if column.name == name)


def require_numbers(column: ColumnType) -> None:
    """Raises SourceError for a column of another type."""
    if column.kind in (ColumnKind.TEXT, ColumnKind.OTHER):
        kind = column.type or column.kind.value
        raise SourceError(f"column {column.name!r} is of the type {kind}, numbers are needed")
