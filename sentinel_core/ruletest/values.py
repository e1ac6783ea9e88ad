"""Rows of values in compact text (`80 91x3 70+2x5 _ !`) and moments of a test. Pure."""

import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from sentinel_core.model.alert import Importance
from sentinel_core.wording.text import shorten

START = datetime(2026, 1, 5, tzinfo=UTC)  # of a test that names no other time: a Monday
MOST_RUNS = 10_000
_MOST_OFFSET = timedelta(days=36_600)

T = TypeVar("T")


class Mark(StrEnum):
    """A sign in a row in place of a value."""

    ABSENT = "_"  # the ticker is not among the outputs of this run
    MISSING = "-"  # the ticker is among them, without this metric
    ERROR = "!"  # it could not be evaluated
    NO_DATA = "?"  # no value was found for it


class RunOutcome(StrEnum):
    """The outcome of a run."""

    OK = "ok"
    FAILED = "failed"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"  # too late to measure anything, or another run was under way
    NONE = "_"  # no run at that time


_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
_RAMP = re.compile(rf"([+-]?{_NUMBER})([+-]{_NUMBER})?")
_REPEATED = re.compile(r"(.*?)(?:x(\d+))?", re.DOTALL)
_LONGEST = 12  # digits of a number of repeats; longer ones are too many anyway


def _text(row: object) -> str:
    """A row as text; one number is a row of one, a list is a row of its items."""
    if isinstance(row, list) and not any(isinstance(one, list) for one in row):
        return " ".join(_text(one) for one in row)
    if isinstance(row, bool) or not isinstance(row, str | int | float):
        raise ValueError('expected values as text, like "80 91x3 70"')  # noqa: TRY004 (pydantic's)
    return row if isinstance(row, str) else repr(row)


def repeated(row: object) -> Iterator[tuple[str, int]]:
    """Each word of a row and how often it is repeated. Raises ValueError above MOST_RUNS."""
    words = re.sub(r"\s+(?=x\d+(?:\s|$))", "", _text(row)).split()
    if not words:
        raise ValueError("expected at least one value, found none")
    total = 0
    for word in words:
        match = _REPEATED.fullmatch(word)
        assert match is not None
        value, digits = match[1], match[2] or "1"
        times = int(digits) if len(digits) <= _LONGEST else MOST_RUNS + 1
        total += times
        if not value or times == 0:
            raise ValueError(f"expected a value and how often, like 91x3, got {_cut(word)}")
        if total > MOST_RUNS:
            raise ValueError(f"{_cut(word)}: a test has at most {MOST_RUNS:,} runs")
        yield value, times


def numbers(row: object) -> list[float | Mark]:
    """A row of a metric: numbers, ramps (`80+2x5` is 80 82 84 86 88) and marks."""
    found: list[float | Mark] = []
    for word, times in repeated(row):
        if word in list(Mark):
            found += [Mark(word)] * times
            continue
        match = _RAMP.fullmatch(word)
        if match is None:
            form = "expected numbers, ramps like 80+2x5, or one of _ - ! ?"
            raise ValueError(f"{form}, got {_cut(word)}")
        if match[2] and times == 1:
            raise ValueError(f"{_cut(word)}: a ramp says how many values it has, like 80+2x5")
        first, step = float(match[1]), float(match[2] or 0)
        values = [first + step * n for n in range(times)]
        if not math.isfinite(values[-1]) or not math.isfinite(first):
            raise ValueError(f"expected finite numbers, got {_cut(word)}")
        found += values
    return found


def flags(row: object) -> list[bool | Mark]:
    """A row of `triggered`: 0, 1 and marks."""
    marks = {mark.value: mark for mark in Mark if mark is not Mark.MISSING}
    words: dict[str, bool | Mark] = {"0": False, "1": True, **marks}
    return _words(row, words, "0 or 1, or one of _ ! ?")


def importances(row: object) -> list[Importance | None]:
    """A row of `importance`: words, and `_` for the rule's own."""
    words: dict[str, Importance | None] = {one.value: one for one in Importance}
    return _words(row, {**words, "_": None}, "low, medium, high, critical or _")


def outcomes(row: object) -> list[RunOutcome]:
    """A row of `runs`: the outcome of each."""
    words = {one.value: one for one in RunOutcome}
    return _words(row, words, "ok, failed, crashed, cancelled, skipped or _")


def _words(row: object, known: dict[str, T], form: str) -> list[T]:
    found: list[T] = []
    for word, times in repeated(row):
        if word not in known:
            raise ValueError(f"expected {form}, got {_cut(word)}")
        found += [known[word]] * times
    return found


def texts(value: object) -> list[str]:
    """Messages: one text for all runs, or a list with one for each."""
    written = value if isinstance(value, list) else [value]
    given = [one for one in written if isinstance(one, str)]
    if not given or len(given) < len(written):
        raise ValueError("expected a text, or a list with one for each run")
    if len(given) > MOST_RUNS:
        raise ValueError(f"{len(given):,} texts: a test has at most {MOST_RUNS:,} runs")
    return given


def item(row: Sequence[T], number: int) -> T:
    """The value of a run; a row of one value stands for every run."""
    return row[0] if len(row) == 1 else row[number]


_OFFSET = re.compile(
    r"(?=.)" + "".join(rf"(?:(\d{{1,9}}(?:\.\d{{1,6}})?){unit})?\s*" for unit in "dhms")
)


def moment(value: object) -> timedelta | datetime:
    """Seconds, or a text like `10m` or `1h30m`, after the start; or a time with its zone."""
    form = "expected seconds, an offset like 10m or 1h30m, or a time with its zone"
    if isinstance(value, datetime):
        return _zoned(value)
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("-"):
            raise ValueError(f"{_cut(text)} is before the start of the test")
        match = _OFFSET.fullmatch(text)
        if match is None or not any(match.groups()):
            try:
                return _zoned(datetime.fromisoformat(text))
            except ValueError as error:
                raise ValueError(f"{form}, got {_cut(text)}") from error
        days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
        value = days * 86_400 + hours * 3_600 + minutes * 60 + seconds
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(form)  # noqa: TRY004 (pydantic turns no other into a message)
    if value < 0:
        raise ValueError(f"{_cut(str(value))} is before the start of the test")
    if not value <= _MOST_OFFSET.total_seconds():
        raise ValueError(f"{form}; {_cut(str(value))} is more than a hundred years")
    return timedelta(seconds=value)


def _zoned(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError(f"{time.isoformat()} needs its zone, like {time.isoformat()}Z")
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{time.isoformat()} does not exist in UTC") from error


def after(start: datetime, time: timedelta | datetime) -> datetime:
    """The absolute time, in a test that starts at `start`."""
    return time if isinstance(time, datetime) else start + time


def offset_words(delta: timedelta) -> str:
    """`1h30m`, as it is written in a test; `0` at the start."""
    seconds = delta.total_seconds()
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    text = ""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        count, seconds = divmod(seconds, size)
        text += f"{count:.0f}{unit}" if count else ""
    text += f"{seconds:g}s" if seconds else ""
    return sign + text if text else "0"


def _cut(word: str) -> str:
    return repr(shorten(word, 60))
