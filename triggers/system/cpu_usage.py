"""CPU usage. Reads the operating system; decides nothing about events."""

import socket
from time import monotonic
from typing import Any, ClassVar

import psutil
from pydantic import BaseModel, Field

from sentinel_core import AlertOutput, Importance, Trigger
from triggers.sources.machine import cpu_percent
from triggers.sources.processes import busiest, cpu_times


class CpuSample(BaseModel):
    """One reading. `percent` is of all cores together, `load_1m` the mean run queue of a minute."""

    percent: float
    cores: int
    load_1m: float
    busiest: list[dict[str, Any]] = []


class CpuUsage(Trigger):
    """The processors are busier than a threshold."""

    display_name: ClassVar[str] = "CPU usage"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "System"

    threshold: float = Field(90, ge=0, le=100, description="percent busy, all cores together")
    critical_threshold: float = Field(
        95, ge=0, le=100, description="percent above which the alert is critical; 100: never"
    )
    interval_seconds: float = Field(
        1, ge=0.1, le=30, description="how long the processors are watched"
    )

    def check(self) -> AlertOutput:
        """Watch for `interval_seconds` and compare."""
        return self.evaluate(self.read(), socket.gethostname())

    def read(self) -> CpuSample:
        """One reading over `interval_seconds`, with the processes that used most of it.

        Raises SourceError when the system does not count the processors' time.
        """
        start = monotonic()
        before = cpu_times()
        percent = cpu_percent(self.interval_seconds)
        after = cpu_times()
        return CpuSample(
            percent=percent,
            cores=psutil.cpu_count() or 1,
            load_1m=psutil.getloadavg()[0],
            busiest=busiest(before, after, monotonic() - start),
        )

    def evaluate(self, sample: CpuSample, host: str) -> AlertOutput:
        """Triggered above `threshold` percent; critical above `critical_threshold`."""
        triggered = sample.percent > self.threshold
        critical = triggered and sample.percent > self.critical_threshold
        return AlertOutput(
            triggered=triggered,
            importance=Importance.CRITICAL if critical else None,
            ticker=host,
            message=f"CPU is {sample.percent:.1f} % busy (threshold {self.threshold:g} %)",
            metrics={
                "value": sample.percent,
                "threshold": self.threshold,
                "load_1m": sample.load_1m,
            },
            metadata={
                "unit": "%",
                "interval_seconds": self.interval_seconds,
                **sample.model_dump(),
            },
        )
