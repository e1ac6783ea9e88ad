"""When a host on which runs execute is too busy or too full. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

LIMITS: Mapping[str, float] = {"cpu": 80.0, "memory": 80.0, "disk": 90.0}
"""Percent in use."""
ERROR_RATE_LIMIT = 0.1
"""Share of the runs that end without a result."""
SILENT_AFTER = timedelta(minutes=10)
KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Sample:
    """How much of a host was in use, in percent.

    `cpu` is the average since the sample before; None where that is unknown.
    """

    at: datetime
    cpu: float | None
    memory: float
    disk: float

    def over(self) -> tuple[str, ...]:
        """What is above its limit."""
        return tuple(
            name
            for name, limit in LIMITS.items()
            if (used := getattr(self, name)) is not None and used > limit
        )


@dataclass(frozen=True, slots=True)
class Host:
    """A host and its samples of the last day, the oldest first; one at least."""

    name: str
    samples: tuple[Sample, ...]

    @property
    def latest(self) -> Sample:
        """The newest sample."""
        return self.samples[-1]

    def silent(self, now: datetime) -> bool:
        """True if nothing was heard of it lately: it may be gone, or has no runs."""
        return now - self.latest.at > SILENT_AFTER
