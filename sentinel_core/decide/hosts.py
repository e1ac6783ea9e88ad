"""When a host on which runs execute is too busy or too full. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from sentinel_core.model.trigger import History

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

    def silent(self, now: datetime, after: timedelta = SILENT_AFTER) -> bool:
        """True if nothing was heard of it lately: it may be gone, or has no runs."""
        return now - self.latest.at > after

    def known(self, name: str, since: datetime) -> float | None:
        """The newest value of `cpu`, `memory` or `disk` from then on; None if it is not known."""
        values = (getattr(one, name) for one in reversed(self.samples) if one.at >= since)
        return next((value for value in values if value is not None), None)


def urgent_first(hosts: Iterable[Host], now: datetime) -> list[Host]:
    """The hosts above a limit, then those not heard of, then the others; each part by name."""

    def place(host: Host) -> tuple[int, str]:
        if host.silent(now):
            return 1, host.name
        return (0 if host.latest.over() else 2), host.name

    return sorted(hosts, key=place)


@dataclass(frozen=True, slots=True)
class Endings:
    """How the runs of all rules ended: those that checked something, and those without a result.

    `minutes` is how far back they reach: less than was asked for where there are very many.
    """

    runs: int
    failed: int
    minutes: float


@runtime_checkable
class HostHistory(History, Protocol):
    """A history that also knows the hosts on which runs execute, and how runs ended."""

    def hosts(self, window: timedelta) -> Sequence[Host]:
        """The hosts of the last day with their samples of this time, or else with the newest one.

        Raises HistoryUnavailableError when the store can't be read.
        """
        ...

    def endings(self, window: timedelta) -> Endings:
        """How the runs of this time ended. Raises HistoryUnavailableError."""
        ...
