"""A clock for tests: it stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday, as good as any


class Clock:
    """`now` is an aware UTC time; `advance` moves it, forwards only."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now.astimezone(UTC)

    @property
    def now(self) -> datetime:
        """The current time."""
        return self._now

    def advance(
        self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> datetime:
        """Move the clock; returns the new time. Raises ValueError for a step backwards."""
        passed = timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
        if passed < timedelta(0):
            raise ValueError(
                "the clock does not run backwards: start another test for an earlier time"
            )
        self._now += passed
        return self._now
