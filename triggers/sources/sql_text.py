"""SQL that measures a table in its database, for SQLite, PostgreSQL and DuckDB. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from triggers.sources.errors import SourceError
from triggers.sources.table import CellRule, ColumnKind, ColumnType, Quality, require_numbers

SQLITE, POSTGRESQL, DUCKDB = "sqlite", "postgresql", "duckdb"
DIALECTS = (SQLITE, POSTGRESQL, DUCKDB)

_NUMBERS = ("int", "serial", "float", "double", "real", "numeric", "decimal", "money", "oid")
_TEXTS = ("char", "text", "name", "string", "clob", "enum")
_FLOATING = {
    POSTGRESQL: ("float4", "float8", "numeric"),
    DUCKDB: ("float", "double"),
    SQLITE: (),
}


def column_type(dialect: str, name: str, written: str) -> ColumnType:
    """A column by its type's name in a dialect."""
    word = written.lower().removeprefix("_")
    if dialect == SQLITE:
        return ColumnType(name, written, ColumnKind.ANY, floating=True)
    if word.endswith("[]") or word.startswith(("struct", "map", "interval", "point")):
        return ColumnType(name, written, ColumnKind.OTHER)
    floating = word.startswith(_FLOATING[dialect])
    if any(part in word for part in _NUMBERS):
        return ColumnType(name, written, ColumnKind.NUMBER, floating)
    if any(part in word for part in _TEXTS):
        return ColumnType(name, written, ColumnKind.TEXT)
    return ColumnType(name, written, ColumnKind.OTHER)


def literal(value: str | float | bool) -> str:
    """A value as SQL writes it. Raises SourceError for one that SQL can't write."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        if "\x00" in value:
            raise SourceError("a text with a zero byte can't be compared in SQL")
        return "'" + value.replace("'", "''") + "'"
    if not math.isfinite(value):
        raise SourceError(f"{value} can't be compared with")
    return repr(value)


@dataclass(frozen=True, slots=True)
class Cell:
    """The conditions on one column, written for one dialect. `name` is quoted."""

    dialect: str
    column: ColumnType
    name: str

    @property
    def null(self) -> str:
        """True for an empty cell: NULL, or NaN as pandas counts it."""
        if not self.column.floating or self.dialect == SQLITE:  # which stores NaN as NULL
            return f"{self.name} IS NULL"
        return f"({self.name} IS NULL OR {self.name} = 'NaN')"

    @property
    def infinite(self) -> str | None:
        """True for a cell that is infinite; None for a type that has no such values."""
        if not self.column.floating:
            return None
        if self.dialect == SQLITE:
            return f"{self.name} IN (9e999, -9e999)"
        return f"{self.name} IN ('Infinity', '-Infinity')"

    def invalid(self, markers: Sequence[str | float], rules: Sequence[CellRule]) -> str | None:
        """True for a cell that is a marker or breaks a rule; None where no cell can."""
        parts = [self._equal(markers), *(self._breaks(rule) for rule in rules)]
        found = [part for part in parts if part]
        if not found:
            return None
        return f"(NOT {self.null} AND ({' OR '.join(found)}))"

    def _equal(self, values: Sequence[str | float]) -> str | None:
        """True for a cell that equals one of these: text equals text, a number a number."""
        texts = [literal(value) for value in values if isinstance(value, str)]
        numbers = [literal(value) for value in values if not isinstance(value, str)]
        kind = self.column.kind
        if kind is ColumnKind.TEXT:
            return f"{self.name} IN ({', '.join(texts)})" if texts else None
        if kind is ColumnKind.NUMBER:
            return f"{self.name} IN ({', '.join(numbers)})" if numbers else None
        if kind is not ColumnKind.ANY:
            return None
        parts = []
        if texts:
            parts.append(f"(typeof({self.name}) = 'text' AND {self.name} IN ({', '.join(texts)}))")
        if numbers:
            parts.append(
                f"(typeof({self.name}) <> 'text' AND {self.name} IN ({', '.join(numbers)}))"
            )
        return f"({' OR '.join(parts)})" if parts else None

    def _breaks(self, rule: CellRule) -> str:
        parts = []
        if rule.min is not None or rule.max is not None:
            require_numbers(self.column)
            if self.dialect == SQLITE:  # text that is no number breaks a rule about numbers
                parts.append(f"typeof({self.name}) NOT IN ('integer', 'real')")
        if rule.min is not None:
            parts.append(f"{self.name} < {literal(rule.min)}")
        if rule.max is not None:
            parts.append(f"{self.name} > {literal(rule.max)}")
        if rule.allowed:
            parts.append(f"NOT coalesce({self._equal(rule.allowed) or 'FALSE'}, FALSE)")
        if rule.pattern:
            parts.append(f"NOT {self._matches(rule.pattern)}")
        return " OR ".join(parts)

    def _matches(self, pattern: str) -> str:
        if self.dialect == SQLITE:
            raise SourceError(
                f"the rule of {self.column.name!r} has a pattern, which SQLite can't search for: "
                "use allowed, or a query that counts"
            )
        if self.column.kind is not ColumnKind.TEXT:
            raise SourceError(
                f"column {self.column.name!r} is of the type {self.column.type}, and a pattern "
                "needs text"
            )
        if self.dialect == DUCKDB:
            return f"regexp_full_match({self.name}, {literal(pattern)})"
        return f"({self.name} ~ {literal(f'^(?:{pattern})$')})"


def profile_query(relation: str, cells: Sequence[Cell], quality: Quality) -> str:
    """One statement that counts rows, distinct rows, and the cells of each column.

    PostgreSQL and DuckDB read each row once and tell rows apart by a hash of 64 bits: sorting a
    number takes a fraction of what sorting the rows takes. SQLite has no such function.
    """
    present = [cell.column.name for cell in cells]
    checked = quality.checked(present)
    conditions: dict[str, str] = {}
    for place, cell in enumerate(cells):
        if cell.column.name in checked:
            rules = [rule for rule in quality.rules if rule.column == cell.column.name]
            found = {
                f"null{place}": cell.null,
                f"bad{place}": cell.invalid(quality.markers, rules),
                f"inf{place}": cell.infinite,
            }
            conditions |= {name: text for name, text in found.items() if text is not None}
    keys = [cell for cell in cells if cell.column.name in (quality.unique_by or present)]
    if cells[0].dialect == SQLITE:
        columns = ", ".join(cell.name for cell in keys)
        distinct = f"SELECT count(*) FROM (SELECT DISTINCT {columns} FROM {relation})"
        counts = _counts((name, text) for name, text in conditions.items())
        return (
            f"SELECT count(*) AS row_count, ({distinct}) AS distinct_rows, {counts} FROM {relation}"
        )
    flags = ", ".join(f"{text} AS {name}" for name, text in conditions.items())
    # OFFSET keeps PostgreSQL from sorting the rows themselves along with the hashes.
    narrow = f"SELECT {_hash(keys)} AS h, {flags} FROM {relation} OFFSET 0"
    counts = _counts((name, name) for name in conditions)
    return (
        f"SELECT count(*) AS row_count, count(DISTINCT h) AS distinct_rows, {counts} "
        f"FROM ({narrow}) AS hashed"
    )


def _counts(conditions: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"count(CASE WHEN {text} THEN 1 END) AS {name}" for name, text in conditions)


def _hash(keys: Sequence[Cell]) -> str:
    """A hash of a row's values; PostgreSQL has none of JSON, but of its text."""
    if keys[0].dialect == DUCKDB:
        return f"hash({', '.join(cell.name for cell in keys)})"
    values = [f"{cell.name}::text" if cell.column.type == "json" else cell.name for cell in keys]
    return f"hash_record_extended(ROW({', '.join(values)}), 0)"


def examples_query(relation: str, cells: Sequence[Cell], quality: Quality) -> str | None:
    """The first rows with an invalid cell; None where no cell can be invalid."""
    checked = quality.checked([cell.column.name for cell in cells])
    conditions = []
    for cell in cells:
        rules = [rule for rule in quality.rules if rule.column == cell.column.name]
        if cell.column.name in checked and (bad := cell.invalid(quality.markers, rules)):
            conditions.append(bad)
    if not conditions:
        return None
    return f"SELECT * FROM {relation} WHERE {' OR '.join(conditions)} LIMIT {quality.examples}"
