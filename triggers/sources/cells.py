"""Cells of a table as numbers and times, each judged by itself. Pure."""

import re
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

from triggers.sources.errors import SourceError

if TYPE_CHECKING:
    import pandas as pd

Unit = Literal["s", "ms", "us", "ns"]

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_GROUPED = re.compile(r"[+-]?\d{1,3}(\.\d{3})+", re.ASCII)
_COMMA = re.compile(r"\d,\d", re.ASCII)
_DIGITS, _DATE = r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", r"(19|20)\d{6}(\.0*)?"
_FIRST, _LAST = 631_152_000, 4_102_444_800  # 1990 and 2100: in no two units the same numbers
_UNITS: dict[Unit, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A cell whose content can't be told from its neighbours'; `why` completes `row 3 …`."""

    why: str


def blank(column: "pd.Series") -> "pd.Series":
    """True for each cell without content."""
    empty: pd.Series = column.isna()
    if column.dtype.kind in "fiubM":
        return empty
    return empty | column.map(lambda cell: isinstance(cell, str) and not cell.strip()).astype(bool)


def number(cell: object, *, decimal_commas: bool = False) -> float | Unreadable:
    """A cell as a number; NaN when it is empty.

    With `decimal_commas` in the column, `1.234` may mean either number, and is refused.
    """
    if isinstance(cell, Unreadable):
        return cell
    if isinstance(cell, str):
        return _number_of_text(cell.strip(), decimal_commas)
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return float("nan")
    kind = type(cell).__name__
    if isinstance(cell, Real | Decimal) and not kind.startswith("bool"):
        try:
            return float(cell)
        except (OverflowError, ValueError):
            return Unreadable("is beyond every number that can be compared")
    nested = "nested" if isinstance(cell, list | dict | tuple) or kind == "ndarray" else None
    return Unreadable(f"holds {sample(cell)}, which is {nested or 'not a number'}")


def _number_of_text(text: str, decimal_commas: bool) -> float | Unreadable:
    if decimal_commas and _GROUPED.fullmatch(text):
        return Unreadable(
            f"holds {sample(text)}, while other rows have a comma for the decimal sign: write all "
            "numbers as 1234.5"
        )
    if _NUMBER.fullmatch(text) or _INFINITE.fullmatch(text):
        return float(text)
    if not text or text.lower().lstrip("+-") == "nan":
        return float("nan")
    how = ": write 1234.5, with a point and nothing between thousands" if "," in text else ""
    return Unreadable(f"holds {sample(text)}, which is not a number{how}")


def has_decimal_commas(column: "pd.Series") -> bool:
    """True if a cell of the column is text such as `1,5` or `1.234,50`."""
    return any(isinstance(cell, str) and _COMMA.search(cell) is not None for cell in column)


def times(column: "pd.Series") -> tuple["pd.Series", dict[int, str]]:
    """The cells as times in UTC, and why those that are NaT could not be read, by row.

    Read are ISO 8601, YYYYMMDD, and epoch numbers between 1990 and 2100, which no two units share.
    Epoch numbers of another unit than most of the column are refused.
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        return _dated(pd.to_datetime(column, utc=True), column), _missing(column)
    text = column.astype(object).map(str, na_action="ignore").astype(object)
    empty = blank(column)
    text = text.where(~empty, "").map(str.strip)
    faults = _missing(column)
    dates = text.str.fullmatch(_DATE)
    digits = text.str.fullmatch(_DIGITS) & ~dates
    # pandas reads the words "now" and "today" as times as well.
    iso = text.str.match(r"\d{4}") & ~(dates | digits)
    known = [
        pd.to_datetime(text[iso], format="ISO8601", utc=True, errors="coerce"),
        pd.to_datetime(text[dates].str[:8], format="%Y%m%d", utc=True, errors="coerce"),
    ]
    epochs, others = _epochs(text[digits])
    nothing = pd.Series(pd.NaT, index=column.index[:0], dtype="datetime64[us, UTC]")
    parts = [_dated(part, column) for part in [*known, *epochs] if not part.empty]
    read = pd.concat(parts or [nothing]).reindex(column.index)
    for row in column.index[read.isna() & ~empty]:
        faults[row] = others.get(row) or (
            f"holds {sample(column[row])} for {column.name!r}, which is not an ISO 8601 time "
            "nor an epoch time between 1990 and 2100: write 2026-01-31T16:00:00Z"
        )
    return read, faults


def _missing(column: "pd.Series") -> dict[int, str]:
    return dict.fromkeys(column.index[blank(column)], f"has no {column.name!r}")


def _dated(part: "pd.Series", column: "pd.Series") -> "pd.Series":
    try:
        dated: pd.Series = part.dt.as_unit("us")  # what Python's times hold
    except (ValueError, OverflowError) as error:
        raise SourceError(f"column {column.name!r}: a time is out of range: {error}") from error
    return dated


def _epochs(text: "pd.Series") -> tuple[list["pd.Series"], dict[Any, str]]:
    """Epoch numbers as times; and the rows whose unit is not that of most of the column."""
    import pandas as pd

    exact = pd.to_numeric(text, errors="coerce")
    size = exact.astype(float)
    units = {
        unit: (size >= _FIRST * scale) & (size < _LAST * scale) for unit, scale in _UNITS.items()
    }
    counts = {unit: int(mask.sum()) for unit, mask in units.items()}
    read: list[pd.Series] = []
    others: dict[Any, str] = {}
    for unit, mask in units.items():
        if counts[unit] * 2 > sum(counts.values()):
            read.append(pd.to_datetime(exact[mask], unit=unit, utc=True, errors="coerce"))
            continue
        for row, cell in text[mask].items():
            others[row] = (
                f"holds {sample(cell)} for {text.name!r}, an epoch time in {_UNIT_NAMES[unit]} "
                "unlike other rows: write all of them in one unit, or as 2026-01-31T16:00:00Z"
            )
    return read, others


def sample(cell: object) -> str:
    """A cell for a message, cut short."""
    return repr(str(cell)[:40])
