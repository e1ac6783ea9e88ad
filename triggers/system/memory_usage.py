"""Memory usage. Reads the operating system; decides nothing about events."""

import socket
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from sentinel_core import AlertOutput, Importance, Trigger
from triggers.sources.machine import memory
from triggers.sources.processes import MIB, largest


class MemorySample(BaseModel):
    """One reading. `percent` is what is unavailable to programs without swapping."""

    percent: float
    available_bytes: int
    total_bytes: int
    largest: list[dict[str, Any]] = []


class MemoryUsage(Trigger):
    """The memory is fuller than a threshold."""

    display_name: ClassVar[str] = "Memory usage"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "System"

    threshold: float = Field(90, ge=0, le=100, description="percent in use")
    critical_threshold: float = Field(
        95, ge=0, le=100, description="percent above which the alert is critical; 100: never"
    )

    def check(self) -> AlertOutput:
        """Read the memory and compare."""
        return self.evaluate(self.read(), socket.gethostname())

    def read(self) -> MemorySample:
        """One reading, with the largest processes. Raises SourceError when it is impossible."""
        found = memory()
        return MemorySample(
            percent=found.percent,
            available_bytes=found.available,
            total_bytes=found.total,
            largest=largest(),
        )

    def evaluate(self, sample: MemorySample, host: str) -> AlertOutput:
        """Triggered above `threshold` percent; critical above `critical_threshold`."""
        triggered = sample.percent > self.threshold
        critical = triggered and sample.percent > self.critical_threshold
        return AlertOutput(
            triggered=triggered,
            importance=Importance.CRITICAL if critical else None,
            ticker=host,
            message=f"Memory is {sample.percent:.1f} % in use "
            f"(threshold {self.threshold:g} %), {sample.available_bytes / MIB:,.0f} MB available",
            metrics={
                "value": sample.percent,
                "threshold": self.threshold,
                "available_mb": sample.available_bytes / MIB,
            },
            metadata={"unit": "%", **sample.model_dump()},
        )
