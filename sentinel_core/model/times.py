"""Times and durations as they are written in what is recorded: in UTC, and short."""

from datetime import UTC, datetime


def utc(at: datetime) -> str:
    """`2026-11-20 18:00 UTC`, with seconds where there are any."""
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at.second else f"{at:%Y-%m-%d %H:%M} UTC"
