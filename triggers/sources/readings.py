"""One number of a source, or the reason why there is none. Pure."""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from sentinel_core.model.cleaning import clean_line
from triggers.sources.errors import SourceError

MOST_SERIES = 10_000
"""A source that holds more series is a database to be queried more narrowly."""

_LONGEST_TICKER = 200
_DIGEST = 12  # hexadecimal digits that distinguish shortened tickers
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INFINITE = ("inf", "infinity")


@dataclass(frozen=True, slots=True)
class Reading:
    """A number read, or a `problem` in its place.

    `ticker` is "" where the source holds one value that it has no name for. `note` says why there
    is no number, or what to know about the one there is. `metrics` are further numbers to record.
    """

    value: float | None = None
    ticker: str = ""
    problem: Literal["error", "no_data"] | None = None
    note: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)


def no_data(note: str, ticker: str = "") -> Reading:
    """A reading without a value."""
    return Reading(ticker=ticker, problem="no_data", note=note)


def unreadable(note: str, ticker: str = "") -> Reading:
    """A reading of something that is not a comparable number."""
    return Reading(ticker=ticker, problem="error", note=note)


def reading(found: object, ticker: str = "") -> Reading:
    """A value of a JSON document or a database as a reading: a number, nothing, or invalid.

    Text that is a plain decimal number counts as one. NaN is how many programs write "nothing";
    an infinite value is one that no threshold can be compared with and no chart can show.
    """
    if found is None:
        return no_data("is null", ticker)
    if isinstance(found, str):
        return _text(found.strip(), ticker)
    if isinstance(found, bool) or not isinstance(found, int | float | Decimal):
        return unreadable(f"is {_shown(found)}, not a number", ticker)
    try:
        return _finite(float(found), ticker)
    except (OverflowError, ValueError):  # an integer beyond every float; a signalling NaN
        return unreadable("is no number that could be compared", ticker)


def _text(text: str, ticker: str) -> Reading:
    if _NUMBER.fullmatch(text):
        return _finite(float(text), ticker)
    bare = text.lstrip("+-").lower()
    if bare == "nan":
        return no_data("is NaN", ticker)
    if bare in _INFINITE:
        return unreadable("is infinite", ticker)
    return unreadable(f"is {_shown(text)}, not a number", ticker)


def _finite(value: float, ticker: str) -> Reading:
    if math.isnan(value):
        return no_data("is NaN", ticker)
    if math.isinf(value):
        return unreadable("is infinite", ticker)
    return Reading(value, ticker)


def _shown(found: object) -> str:
    if isinstance(found, str):
        return repr(found[:40])
    if isinstance(found, bool):
        return str(found).lower()
    return {"dict": "an object", "list": "a list"}.get(type(found).__name__, type(found).__name__)


def distinct(readings: Sequence[Reading]) -> list[Reading]:
    """One reading for each ticker, in the order met, each ticker as it will be recorded.

    Series with the same ticker can't be distinguished: that one ticker is in error, the others are
    not. Raises SourceError for more than MOST_SERIES series.
    """
    if len(readings) > MOST_SERIES:
        raise SourceError(
            f"there are {len(readings):,} series, more than {MOST_SERIES:,}: narrow the query down"
        )
    same: dict[str, list[Reading]] = {}
    for one in readings:
        ticker = fitting_ticker(one.ticker)
        same.setdefault(ticker, []).append(replace(one, ticker=ticker))
    return [
        group[0]
        if len(group) == 1
        else unreadable(f"is ambiguous: {len(group)} series have this one ticker", ticker)
        for ticker, group in same.items()
    ]


def fitting_ticker(text: str) -> str:
    """A ticker as Sentinel stores it; one that is too long ends in a digest of the whole."""
    text = clean_line(text)
    if len(text) <= _LONGEST_TICKER:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_DIGEST]
    return f"{text[: _LONGEST_TICKER - _DIGEST - 1]}…{digest}"
