"""A data frame in memory, measured through narwhals: pandas, polars, pyarrow and others."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from triggers.sources.columns import Columns
from triggers.sources.errors import SourceError
from triggers.sources.newest import newest_time
from triggers.sources.pandera_schema import broken_cells
from triggers.sources.table import (
    CellRule,
    ColumnKind,
    ColumnProfile,
    ColumnType,
    Numbers,
    Profile,
    Quality,
    column_named,
    only_row,
    require_numbers,
)

if TYPE_CHECKING:
    import narwhals as nw


def frame_table(frame: object) -> "FrameTable":
    """A frame of any library that narwhals knows. Raises SourceError for anything else."""
    import narwhals as nw

    with _explained():
        try:
            known: Any = nw.from_native(frame)
        except TypeError as error:
            raise SourceError(
                f"{type(frame).__name__} is no data frame: pandas, polars and pyarrow tables are "
                "checked, and whatever else narwhals knows"
            ) from error
        return FrameTable(known.collect() if isinstance(known, nw.LazyFrame) else known)


class FrameTable:
    """A table of cells in memory."""

    def __init__(self, frame: "nw.DataFrame[Any]") -> None:
        self._frame = frame

    @cached_property
    def columns(self) -> Sequence[ColumnType]:
        """The columns in order."""
        with _explained():
            return [_column_type(name, dtype) for name, dtype in self._frame.schema.items()]

    def count(self) -> int:
        """The number of rows."""
        return len(self._frame)

    def profile(self, quality: Quality) -> Profile:
        """The counts of one look at each column, and of the rows that are alike."""
        names = quality.checked([column.name for column in self.columns])
        with _explained():
            bad = {name: self._invalid(name, quality) for name in names}
            faults: Sequence[str] = ()
            if quality.schema is not None:
                found = broken_cells(quality.schema, self._frame.to_pandas(), names)
                faults = found.faults
                for name, positions in found.cells.items():
                    bad[name][positions] = True
            profiles = [
                ColumnProfile(
                    name,
                    nulls=int(self._missing(name).sum()),
                    invalid=int(bad[name].sum()),
                    infinite=self._infinite(name),
                )
                for name in names
            ]
            keys = self._frame.select(list(quality.unique_by)) if quality.unique_by else self._frame
            duplicates = len(keys) - len(keys.unique()) if len(keys) else 0
            return Profile(
                len(self._frame), duplicates, profiles, faults, self._examples(bad, quality)
            )

    def newest(self, times: Columns) -> datetime | None:
        """The latest time of a column, in UTC; None if it has no values."""
        name = times.time or ""
        column_named(self, name)
        with _explained():
            return newest_time(self._frame[name].to_pandas().rename(name), times)

    def numbers(self, column: str, above: float) -> Numbers:
        """A summary of a column of numbers."""
        found = column_named(self, column)
        with _explained():
            rows = len(self._frame)
            there = self._frame[column].filter(~self._missing(column))
            if len(there) == 0:  # of whatever type: libraries guess that of empty columns
                return Numbers(rows, 0)
            require_numbers(found)
            if not there.dtype.is_numeric():
                there = _as_numbers(there, column)
            infinite = (there == float("inf")) | (there == float("-inf"))
            finite = there.filter(~infinite)
            if len(finite) == 0:
                return Numbers(rows, len(there), infinite=len(there))
            return Numbers(
                rows,
                len(there),
                above=int((finite > above).sum()),
                infinite=len(there) - len(finite),
                mean=float(finite.mean()),
                least=float(finite.min()),
                most=float(finite.max()),
            )

    def values(self, column: str) -> list[Any]:
        """The values of a column that are not null."""
        column_named(self, column)
        with _explained():
            return list(self._frame[column].filter(~self._missing(column)).to_list())

    def only_row(self) -> dict[str, Any]:
        """The row, if there is just one. Raises NoDataError and SourceError."""
        with _explained():
            return only_row(list(self._frame.head(2).rows(named=True)))

    def _missing(self, name: str) -> "nw.Series[Any]":
        """True for each empty cell: null, or NaN as pandas counts it."""
        cells = self._frame[name]
        missing = cells.is_null()
        if cells.dtype.is_float():
            missing = missing | cells.is_nan().fill_null(value=False)
        return missing

    def _infinite(self, name: str) -> int:
        cells = self._frame[name]
        if not cells.dtype.is_float():
            return 0
        return int(((cells == float("inf")) | (cells == float("-inf"))).fill_null(False).sum())

    def _invalid(self, name: str, quality: Quality) -> Any:
        """True, as a NumPy array, for each cell that is a marker or breaks a rule."""
        import numpy as np

        kind = column_named(self, name).kind
        cells = self._frame[name]
        bad = np.zeros(len(cells), dtype=bool)
        for marker in quality.markers:
            if _comparable(kind, marker):
                bad |= _flags(cells == marker)
        there = ~_flags(self._missing(name))
        for rule in quality.rules:
            if rule.column == name:
                bad |= there & self._breaks(rule)
        return bad

    def _breaks(self, rule: CellRule) -> Any:
        import numpy as np

        found = column_named(self, rule.column)
        cells = self._frame[rule.column]
        bad = np.zeros(len(cells), dtype=bool)
        if rule.min is not None or rule.max is not None:
            require_numbers(found)
            if not cells.dtype.is_numeric():
                cells = _as_numbers(cells, rule.column)
            if rule.min is not None:
                bad |= _flags(cells < rule.min)
            if rule.max is not None:
                bad |= _flags(cells > rule.max)
        if rule.allowed:
            fitting = [value for value in rule.allowed if _comparable(found.kind, value)]
            bad |= ~_flags(cells.is_in(fitting)) if fitting else True
        if rule.pattern:
            if found.kind is not ColumnKind.TEXT:
                raise SourceError(
                    f"column {rule.column!r} is of the type {found.type}, and a pattern needs text"
                )
            bad |= ~_flags(cells.cast(_text_type()).str.contains(f"^(?:{rule.pattern})$"))
        return bad

    def _examples(self, bad: dict[str, Any], quality: Quality) -> list[dict[str, Any]]:
        import numpy as np

        if not quality.examples or not bad:
            return []
        places = np.flatnonzero(np.any(list(bad.values()), axis=0))[: quality.examples]
        return list(self._frame[places.tolist(), :].rows(named=True)) if len(places) else []


def _column_type(name: str, dtype: "nw.dtypes.DType") -> ColumnType:
    import narwhals as nw

    if dtype.is_numeric():
        return ColumnType(name, str(dtype), ColumnKind.NUMBER, dtype.is_float())
    if dtype in (nw.String, nw.Categorical, nw.Enum):
        return ColumnType(name, str(dtype), ColumnKind.TEXT)
    kind = ColumnKind.ANY if dtype == nw.Object else ColumnKind.OTHER
    return ColumnType(name, str(dtype), kind)


def _comparable(kind: ColumnKind, value: object) -> bool:
    """True if cells of a kind can equal a value: text equals text, a number a number."""
    if kind is ColumnKind.ANY:
        return True
    return kind is (ColumnKind.TEXT if isinstance(value, str) else ColumnKind.NUMBER)


def _text_type() -> Any:
    import narwhals as nw

    return nw.String


def _flags(cells: "nw.Series[Any]") -> Any:
    """A column of true and false as a NumPy array of its own; null is false."""
    return cells.fill_null(value=False).to_numpy().astype(bool)


def _as_numbers(cells: "nw.Series[Any]", name: str) -> "nw.Series[Any]":
    """A column of Python objects as numbers. Raises SourceError where one is none."""
    import narwhals as nw

    try:
        return cells.cast(nw.Float64)
    except Exception as error:  # each library has errors of its own
        raise SourceError(f"column {name!r} holds something that is not a number") from error


@contextmanager
def _explained() -> Iterator[None]:
    """What a library of frames raises as SourceError: each has errors of its own."""
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise SourceError(f"the frame can't be checked: {type(error).__name__}: {said}") from error
