"""Completeness, validity and consistency of a table. Measures; decides nothing about events."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from sentinel_core import AlertOutput, History, Importance
from sentinel_core.wording.text import counted
from triggers.sources.checked import SourceCheck
from triggers.sources.errors import NoDataError
from triggers.sources.table import CellRule, ColumnProfile, Profile, Quality, Table

_SLACK = 1e-9  # a share that equals its limit is not below it, whatever the rounding
_MOST_NAMED = 5

Share = Annotated[float, Field(ge=0, le=1)]


class DataQuality(SourceCheck):
    """The share of a table's cells that are filled and valid, and of rows that are not duplicates.

    Completeness is 1 − empty cells / cells, validity 1 − invalid cells / cells, consistency
    1 − duplicate rows / rows. In a database all three are counted by one query.
    """

    display_name: ClassVar[str] = "Data quality"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Data"

    completeness: Share | None = Field(
        0.9, description="smallest share of cells that are filled; null: only shown"
    )
    validity: Share | None = Field(
        None, description="smallest share of cells that are valid; null: only shown"
    )
    consistency: Share | None = Field(
        None, description="smallest share of rows that are no duplicates; null: only shown"
    )
    invalid_markers: list[str | float] = Field(
        ["invalid"], max_length=100, description="values that stand for an invalid cell"
    )
    rules: list[CellRule] = Field(
        [], max_length=500, description="what cells must be: min, max, allowed, pattern"
    )
    pandera_schema: str | None = Field(
        None,
        pattern=r"^[\w.]+:\w+$",
        description="a pandera schema as package.module:name (extra `[data]`); not for databases",
    )
    unique_by: list[str] = Field(
        [], description="columns whose values make two rows duplicates; empty: all columns"
    )
    columns: list[str] = Field([], description="the columns to check; empty: all")
    per_column: bool = Field(False, description="also a series for each column")
    example_rows: int = Field(
        5, ge=0, le=50, description="rows with invalid cells that are kept as evidence"
    )

    def measure_table(self, table: Table, history: History) -> list[AlertOutput]:
        """One output for the table and, on request, one for each column."""
        del history
        profile = table.profile(
            Quality(
                columns=self.columns or None,
                markers=self.invalid_markers,
                rules=self.rules,
                unique_by=self.unique_by,
                schema=self.pandera_schema,
                examples=self.example_rows,
            )
        )
        return self.evaluate(profile)

    def evaluate(self, profile: Profile) -> list[AlertOutput]:
        """The verdicts on counted cells and rows. Pure. Raises NoDataError for a table of none."""
        if profile.rows == 0:
            raise NoDataError("there are no rows, so there is nothing to take a share of")
        outputs = [self._whole(profile)]
        if self.per_column:
            outputs += [self._column(column, profile.rows) for column in profile.columns]
        return outputs

    def _whole(self, profile: Profile) -> AlertOutput:
        cells = profile.rows * len(profile.columns)
        nulls = sum(column.nulls for column in profile.columns)
        invalid = sum(column.invalid for column in profile.columns)
        infinite = sum(column.infinite for column in profile.columns)
        shares = {
            "completeness": 1 - nulls / cells,
            "validity": 1 - invalid / cells,
            "consistency": 1 - profile.duplicates / profile.rows,
        }
        message = (
            f"{self.named}{self._shares(shares)}. {counted(profile.rows, 'row')}: "
            f"{nulls:,} of {cells:,} cells empty, {invalid:,} invalid, "
            f"{counted(profile.duplicates, 'duplicate row')}"
        )
        message += f", {infinite:,} infinite (counted as values)" if infinite else ""
        if worst := _worst(profile.columns):
            message += f". Most empty or invalid cells: {worst}"
        if profile.faults:
            message += f". Schema: {'; '.join(profile.faults)}"
        return AlertOutput(
            triggered=self._below(shares) or bool(profile.faults),
            ticker=self.dataset,
            message=message,
            metrics={
                **shares,
                "value": shares["completeness"],
                "rows": profile.rows,
                "cells": cells,
                "null_cells": nulls,
                "invalid_cells": invalid,
                "infinite_cells": infinite,
                "duplicate_rows": profile.duplicates,
            },
            metadata={
                "schema_faults": list(profile.faults),
                "examples": [dict(row) for row in profile.examples],
                "columns": {
                    column.name: {"null": column.nulls, "invalid": column.invalid}
                    for column in profile.columns[:100]
                    if column.nulls or column.invalid
                },
            },
        )

    def _column(self, column: ColumnProfile, rows: int) -> AlertOutput:
        shares = {"completeness": 1 - column.nulls / rows, "validity": 1 - column.invalid / rows}
        name = f"{self.dataset}.{column.name}" if self.dataset else column.name
        infinite = f", {column.infinite:,} infinite" if column.infinite else ""
        return AlertOutput(
            triggered=self._below(shares),
            ticker=name[:200],
            message=f"{name}: {self._shares(shares)}. {counted(rows, 'row')}: "
            f"{column.nulls:,} empty, {column.invalid:,} invalid{infinite}",
            metrics={**shares, "value": shares["completeness"], "rows": rows},
        )

    def _below(self, shares: dict[str, float]) -> bool:
        limits = {name: getattr(self, name) for name in shares}
        return any(
            limit is not None and shares[name] < limit - _SLACK for name, limit in limits.items()
        )

    def _shares(self, shares: dict[str, float]) -> str:
        parts = []
        for name, share in shares.items():
            limit: float | None = getattr(self, name)
            said = "" if limit is None else f" (limit {limit:g})"
            parts.append(f"{name} {_share(share, limit)}{said}")
        return ", ".join(parts)


def _share(share: float, limit: float | None) -> str:
    """A share with four digits, more where they would make it look like its limit."""
    text = f"{share:.4f}"
    near = limit is not None and share < limit - _SLACK and float(text) >= limit
    return f"{share:.10g}" if near or (share < 1 and float(text) == 1) else text


def _worst(columns: Sequence[ColumnProfile]) -> str:
    ranked = sorted(columns, key=lambda column: -(column.nulls + column.invalid))
    return ", ".join(
        f"{column.name} {column.nulls + column.invalid:,}"
        for column in ranked[:_MOST_NAMED]
        if column.nulls + column.invalid
    )
