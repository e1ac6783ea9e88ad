"""Growing memory of a program. Reads processes and the rule's own past measurements."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

import psutil
from pydantic import BaseModel, Field, model_validator

from sentinel_core import AlertOutput, History, Importance, Trigger
from sentinel_core.base.errors import HistoryUnavailableError
from sentinel_core.model.cleaning import clean_line
from sentinel_core.model.trigger import PastEvaluation
from sentinel_core.wording.text import counted
from triggers.sources.errors import SourceError
from triggers.sources.processes import MIB, matching

_LISTED = 10  # processes named in the evidence


class ProcessSample(BaseModel):
    """One reading of all matching processes. `rss_mb` in units of 1,048,576 bytes."""

    rss_mb: float
    count: int
    at: datetime
    largest: list[dict[str, Any]] = []


@dataclass(frozen=True, slots=True)
class Growth:
    """Growth over the past. `mb_per_hour` is None with too few values; `note` says why."""

    mb_per_hour: float | None
    note: str


class MemoryLeak(Trigger):
    """The resident memory of a program is above a limit, or keeps growing."""

    display_name: ClassVar[str] = "Memory leak"
    default_importance: ClassVar[Importance] = Importance.MEDIUM
    default_category: ClassVar[str] = "System"

    process_name: str | None = Field(
        None, min_length=1, max_length=100, description="exact name of the process, or"
    )
    command_contains: str | None = Field(
        None, min_length=1, max_length=100, description="text in its command line, or"
    )
    pid: int | None = Field(None, ge=1, description="its process id; give exactly one of the three")
    limit_mb: float = Field(
        512, gt=0, allow_inf_nan=False, description="MB of resident memory, all matches together"
    )
    growth_mb_per_hour: float | None = Field(
        100, gt=0, allow_inf_nan=False, description="growth that triggers; null: not watched"
    )
    window: int = Field(
        12, ge=3, le=10_000, description="evaluations, this one included, that growth is taken over"
    )
    minimum_points: int = Field(
        6, ge=3, le=10_000, description="evaluations needed before growth is judged"
    )
    minimum_minutes: float = Field(
        0, ge=0, allow_inf_nan=False, description="time that these must span, for a slow warm-up"
    )

    @model_validator(mode="after")
    def _one_description(self) -> Self:
        given = [self.process_name, self.command_contains, self.pid]
        if sum(item is not None for item in given) != 1:
            raise ValueError("give exactly one of process_name, command_contains and pid")
        if self.minimum_points > self.window:
            raise ValueError("minimum_points must not exceed window")
        return self

    def check(self, history: History) -> AlertOutput:
        """Read the processes and compare with the limit and with the rule's own past.

        Raises SourceError when no process matches or one can't be read, and
        HistoryUnavailableError when the past is needed and can't be read.
        """
        sample = self.read()
        ticker = self.ticker(socket.gethostname())
        if self.growth_mb_per_hour is None:
            return self.evaluate(sample, ticker, Growth(None, "growth is not watched"))
        try:
            past = history.latest(self.window - 1, ticker)
        except HistoryUnavailableError as error:
            output = self.evaluate(sample, ticker, Growth(None, f"growth not judged: {error}"))
            if output.triggered:
                return output  # the limit alone suffices
            raise
        return self.evaluate(sample, ticker, self.growth(sample, past))

    def ticker(self, host: str) -> str:
        """Host and description, so that two hosts are never one series."""
        if self.pid is not None:
            return f"{host} pid {self.pid}"
        described = self.process_name or self.command_contains or ""
        return clean_line(f"{host} {described}")

    def read(self) -> ProcessSample:
        """The resident memory of all matching processes now."""
        sizes: list[tuple[float, int, str]] = []
        for process in matching(
            name=self.process_name, command_contains=self.command_contains, pid=self.pid
        ):
            try:
                size = process.memory_info().rss / MIB
                if size > 0:  # a process that has ended and still waits for its parent holds none
                    sizes.append((size, process.pid, process.name()))
            except psutil.NoSuchProcess:
                continue  # it has ended meanwhile
            except psutil.AccessDenied as error:
                raise SourceError(
                    f"the memory of process {process.pid} may not be read by this user"
                ) from error
        if not sizes:
            raise SourceError(
                "the matching processes hold no memory: they have ended, though their parent has "
                "not collected them yet, or they are the kernel's own"
            )
        return ProcessSample(
            rss_mb=sum(size for size, _, _ in sizes),
            count=len(sizes),
            at=datetime.now(UTC),
            largest=[
                {"pid": pid, "name": name, "rss_mb": round(size, 1)}
                for size, pid, name in sorted(sizes, reverse=True)[:_LISTED]
            ],
        )

    def growth(self, sample: ProcessSample, past: Sequence[PastEvaluation]) -> Growth:
        """The growth over the recorded past and this reading. Pure."""
        points = [(e.at, e.metrics["rss_mb"]) for e in past if "rss_mb" in e.metrics]
        points.append((sample.at, sample.rss_mb))
        if len(points) < self.minimum_points:
            return Growth(
                None, f"growth not judged yet: {len(points)} of {self.minimum_points} points"
            )
        hours = (max(at for at, _ in points) - min(at for at, _ in points)).total_seconds() / 3600
        if hours * 60 < self.minimum_minutes:
            span = f"{hours * 60:,.0f} of {self.minimum_minutes:,.10g} minutes"
            return Growth(None, f"growth not judged yet: {span}")
        slope = slope_per_hour(points)
        if slope is None:
            return Growth(None, "growth not judged: all points have the same time")
        return Growth(slope, f"{slope:+,.1f} MB/h over {len(points)} points in {hours:.1f} h")

    def evaluate(self, sample: ProcessSample, ticker: str, growth: Growth) -> AlertOutput:
        """Triggered above `limit_mb`, or when growing faster than `growth_mb_per_hour`. Pure."""
        over = sample.rss_mb > self.limit_mb
        rate, allowed = growth.mb_per_hour, self.growth_mb_per_hour
        growing = rate is not None and allowed is not None and rate > allowed
        metrics = {"rss_mb": sample.rss_mb, "processes": float(sample.count)}
        metrics |= {"value": sample.rss_mb, "threshold": self.limit_mb}
        unit = "MB"
        if rate is not None:
            metrics["growth_mb_per_hour"] = rate
            if growing and not over and allowed is not None:
                metrics |= {"value": rate, "threshold": allowed}
                unit = "MB/h"
        limits = f"limit {self.limit_mb:,.10g} MB"
        if allowed is not None:
            limits += f", {allowed:,.10g} MB/h"
        return AlertOutput(
            triggered=over or growing,
            ticker=ticker,
            message=f"{sample.rss_mb:,.1f} MB held by "
            f"{counted(sample.count, 'process', 'processes')} ({limits}); {growth.note}",
            metrics=metrics,
            metadata={"unit": unit, "growth": growth.note, **sample.model_dump(mode="json")},
        )


def slope_per_hour(points: Sequence[tuple[datetime, float]]) -> float | None:
    """Least-squares slope per hour of values over time; None when all times are the same."""
    start = min(at for at, _ in points)
    hours = [(at - start).total_seconds() / 3600 for at, _ in points]
    values = [value for _, value in points]
    mean_hour = sum(hours) / len(hours)
    mean_value = sum(values) / len(values)
    spread = sum((hour - mean_hour) ** 2 for hour in hours)
    if spread == 0:
        return None
    pairs = zip(hours, values, strict=True)
    return sum((hour - mean_hour) * (value - mean_value) for hour, value in pairs) / spread
