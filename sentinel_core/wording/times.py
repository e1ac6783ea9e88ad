"""Times in words, in any time zone. Pure."""

from datetime import UTC, datetime, tzinfo


def stamp(
    at: datetime | None, zone: tzinfo = UTC, *, year: bool = True, seconds: bool = True
) -> str:
    """`2026-11-20 16:31:05`; optionally without the year or the seconds."""
    if at is None:
        return ""
    form = ("%Y-%m-%d" if year else "%m-%d") + (" %H:%M:%S" if seconds else " %H:%M")
    return at.astimezone(zone).strftime(form)


def clock(at: datetime | None, zone: tzinfo = UTC) -> str:
    """`16:31:05`"""
    return stamp(at, zone, year=False)[6:]


def clock_near(at: datetime, now: datetime, zone: tzinfo = UTC) -> str:
    """`16:31:05`, with the date unless it is today."""
    today = at.astimezone(zone).date() == now.astimezone(zone).date()
    return clock(at, zone) if today else stamp(at, zone)


def moment(at: datetime) -> str:
    """`2026-11-20 16:31:05 UTC`"""
    return f"{stamp(at)} UTC"
