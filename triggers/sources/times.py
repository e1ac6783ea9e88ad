"""A column of times, each cell judged by itself. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from triggers.sources.cells import blank, is_text, sample
from triggers.sources.columns import Columns, Unit
from triggers.sources.errors import SourceError

if TYPE_CHECKING:
    import pandas as pd

_DIGITS, _DATE = r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", r"(19|20)\d{6}(\.0*)?"
_ZONED = r"\d{4}.*[T ].*[Z+-]"
_UNITS: dict[Unit, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
# Between these years no number is an epoch time in two units. Nanoseconds begin later: what they
# would be in early 1990 is what .NET counts as ticks today.
_FIRST = {unit: (662_688_000 if unit == "ns" else 631_152_000) * n for unit, n in _UNITS.items()}
_LAST = {unit: 4_102_444_800 * scale for unit, scale in _UNITS.items()}
_END_OF_CALENDAR = 253_402_300_800  # seconds until the year 10000
_HOW = "write 2026-01-31T16:00:00Z, or give columns.time_format or columns.time_unit"


@dataclass(frozen=True, slots=True)
class Times:
    """Times in UTC, NaT for a cell that is none; and why, by row.

    `uncertain` are rows with a local time that a change of the clocks repeats or leaves out: `at`
    is then the later of the times it may be.
    """

    at: "pd.Series"
    faults: Mapping[int, str] = field(default_factory=dict)
    uncertain: Mapping[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Read:
    """What was read of a column: parts with times in UTC or without a zone, and faults."""

    utc: list["pd.Series"] = field(default_factory=list)
    local: list["pd.Series"] = field(default_factory=list)
    faults: dict[Any, str] = field(default_factory=dict)


def read_times(column: "pd.Series", options: Columns) -> Times:
    """The cells of a column as times.

    Without options these are ISO 8601, YYYYMMDD, and epoch numbers from 1990 to 2100, whose size
    says their unit; a cell in another notation than most of the column is refused. With
    `time_unit` or `time_format` a cell is that or refused.
    """
    import pandas as pd

    empty = blank(column)
    faults: dict[Any, str] = dict.fromkeys(column.index[empty], f"has no {column.name!r}")
    if pd.api.types.is_datetime64_any_dtype(column):
        read = _times_already(column, options)
    else:
        filled = column[~empty]
        text = _text(filled)
        if options.time_unit is not None:
            read = _in_unit(text, options.time_unit)
        elif options.time_format is not None:
            read = _in_format(text, options.time_format)
        else:
            read = _judged(text, options.timezone)
    uncertain: dict[Any, str] = {}
    parts = [_microseconds(part, column) for part in read.utc]
    for part in read.local:
        times, unsure = _in_zone(_microseconds(part, column), options.timezone, column)
        parts.append(times)
        uncertain |= unsure
    known = [part for part in parts if not part.empty]
    nothing = pd.Series(pd.NaT, index=column.index[:0], dtype="datetime64[us, UTC]")
    at = pd.concat(known or [nothing]).reindex(column.index)
    for row in column.index[at.isna() & ~empty]:
        faults[row] = read.faults.get(row) or (
            f"holds {sample(column[row])} for {column.name!r}, which is {_expected(options)}"
        )
    return Times(at, faults, uncertain)


def _text(filled: "pd.Series") -> "pd.Series":
    if is_text(filled):
        return filled.str.strip()
    return filled.map(_written) if len(filled) else filled.astype("str")


def _written(cell: object) -> str:
    """A cell as text; a whole number that a table holds as a float has no `.0`."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _expected(options: Columns) -> str:
    if options.time_unit is not None:
        return f"not an epoch time in {_UNIT_NAMES[options.time_unit]}, as time_unit says"
    if options.time_format is not None:
        return f"not written as time_format says: {options.time_format}"
    return f"not an ISO 8601 time nor an epoch time between 1990 and 2100: {_HOW}"


def _times_already(column: "pd.Series", options: Columns) -> _Read:
    """A column of a type for times, as Parquet files and databases have."""
    for name in ("time_unit", "time_format"):
        if getattr(options, name) is not None:
            raise SourceError(f"column {column.name!r} has a type for times: leave out {name}")
    filled = column.dropna()
    return _Read(local=[filled]) if column.dt.tz is None else _Read(utc=[filled])


def _in_unit(text: "pd.Series", unit: Unit) -> _Read:
    exact = _numbers(text[text.str.fullmatch(_DIGITS).astype(bool)])
    return _Read(utc=[_epoch(exact[exact.abs() < _END_OF_CALENDAR * _UNITS[unit]], unit)])


def _in_format(text: "pd.Series", form: str) -> _Read:
    import pandas as pd

    # pandas reads the words "now" and "today" as times whatever the format.
    shown = text[text.str.contains(r"\d").astype(bool)]
    zoned = "%z" in form
    try:
        times = pd.to_datetime(shown, format=form, utc=zoned, errors="coerce")
    except ValueError as error:
        raise SourceError(f"time_format {form!r} can't be used: {error}") from error
    return _Read(utc=[times]) if zoned else _Read(local=[times])


def _judged(text: "pd.Series", timezone: str) -> _Read:
    """Cells in the notation of most of the column; those in another are faults."""
    import pandas as pd

    dates = text.str.fullmatch(_DATE).astype(bool)
    digits = text.str.fullmatch(_DIGITS).astype(bool) & ~dates
    # pandas reads the words "now" and "today" as times as well.
    iso = text.str.match(r"\d{4}").astype(bool) & ~(dates | digits)
    written = text[iso]
    known = {
        "an ISO 8601 time": pd.to_datetime(written, format="ISO8601", utc=True, errors="coerce"),
        "a date as YYYYMMDD": pd.to_datetime(text[dates].str[:8], format="%Y%m%d", errors="coerce"),
    }
    known |= _epochs(text[digits])
    counts = {notation: int(part.notna().sum()) for notation, part in known.items()}
    read = _Read()
    for notation, part in known.items():
        if counts[notation] * 2 <= sum(counts.values()):
            for row in part.index[part.notna()]:
                read.faults[row] = (
                    f"holds {sample(text[row])} for {text.name!r}, {notation} unlike other rows: "
                    "write all of them in one notation, for example 2026-01-31T16:00:00Z"
                )
        elif part.dt.tz is None:
            read.local.append(part)
        elif notation == "an ISO 8601 time" and timezone != "UTC":
            zoned = written.str.match(_ZONED).astype(bool)
            read.utc.append(part[zoned])
            read.local.append(part[~zoned].dt.tz_localize(None))
        else:
            read.utc.append(part)
    return read


def _epochs(digits: "pd.Series") -> dict[str, "pd.Series"]:
    """Epoch numbers as times, by the unit that their size says."""
    exact = _numbers(digits)
    return {
        f"an epoch time in {_UNIT_NAMES[unit]}": _epoch(
            exact[(exact >= _FIRST[unit]) & (exact < _LAST[unit])], unit
        )
        for unit in _UNITS
    }


def _numbers(digits: "pd.Series") -> "pd.Series":
    """Whole numbers where all are, as nanoseconds are more than floats can tell apart."""
    import pandas as pd

    exact: pd.Series = pd.to_numeric(digits, errors="coerce")
    return exact if exact.dtype.kind == "i" else exact.astype(float)


def _epoch(exact: "pd.Series", unit: Unit) -> "pd.Series":
    import pandas as pd

    return pd.to_datetime(exact, unit=unit, utc=True, errors="coerce")


def _microseconds(part: "pd.Series", column: "pd.Series") -> "pd.Series":
    try:
        dated: pd.Series = part.dt.as_unit("us")  # what Python's times hold
    except (ValueError, OverflowError) as error:
        raise SourceError(f"column {column.name!r}: a time is out of range: {error}") from error
    return dated.dt.tz_convert("UTC") if dated.dt.tz is not None else dated


def _in_zone(
    local: "pd.Series", timezone: str, column: "pd.Series"
) -> tuple["pd.Series", dict[Any, str]]:
    """Local times in UTC, and the rows whose time the clocks of the zone had twice or never."""
    import pandas as pd

    if timezone == "UTC":
        return local.dt.tz_localize("UTC"), {}
    zone = ZoneInfo(timezone)
    times = local.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").dt.tz_convert("UTC")
    unsure = local[times.isna() & local.notna()]
    later = [_later(at.to_pydatetime(), zone) for at in unsure]
    times[unsure.index] = pd.Series(later, index=unsure.index, dtype=times.dtype)
    uncertain = {
        row: (
            f"holds {sample(column[row])} for {column.name!r}, a time that the clocks of "
            f"{timezone} have twice or never on that day: write it with its offset, as in "
            "2026-01-31T16:00:00-05:00"
        )
        for row in unsure.index
    }
    return times, uncertain


def _later(local: datetime, zone: ZoneInfo) -> datetime:
    """The later of the two times that a local time may be when the clocks change."""
    return max(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
