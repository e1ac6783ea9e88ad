"""Times and durations as decisions write them into the record: in UTC, and short."""

from datetime import UTC, datetime

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_FEW_SECONDS = 10  # below, a tenth of a second is worth saying


def utc(at: datetime) -> str:
    """`2026-11-20 18:00 UTC`, with seconds where there are any."""
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at.second else f"{at:%Y-%m-%d %H:%M} UTC"


def utc_near(at: datetime, near: datetime) -> str:
    """`14:05 UTC`; as `utc` when that is not the day of `near`."""
    whole = utc(at)
    return whole.partition(" ")[2] if at.date() == near.date() else whole


def duration(seconds: float) -> str:
    """`300` as `5 min`, exactly: in the largest unit that comes out even."""
    even = ((size, unit) for size, unit in _UNITS if seconds >= size and seconds % size == 0)
    size, unit = next(even, _UNITS[-1])
    return f"{seconds / size:g} {unit}"


def span(seconds: float) -> str:
    """`7.5 s`, `20 min`, `2 h 5 min`, `3 d 4 h`, roughly: the two largest parts."""
    if seconds < _FEW_SECONDS:
        return f"{round(seconds, 1):g} s"
    whole, parts = round(seconds), []
    first = next(n for n, (size, _) in enumerate(_UNITS) if whole >= size)
    for size, unit in _UNITS[first : first + 2]:
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts)
