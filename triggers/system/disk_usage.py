"""Disk usage. Reads the file system; decides nothing about events."""

import socket
from typing import ClassVar

import psutil
from pydantic import BaseModel, Field

from sentinel_core import AlertOutput, Importance, Trigger


class DiskSample(BaseModel):
    """One reading. Sizes in bytes, `percent` of what is usable by this user."""

    path: str
    percent: float
    used_bytes: int
    total_bytes: int


class DiskUsage(Trigger):
    """A disk is fuller than a threshold."""

    display_name: ClassVar[str] = "Disk usage"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "System"

    path: str = Field("/", min_length=1, description="any path on the file system to watch")
    threshold: float = Field(90, ge=0, le=100, description="percent used")

    def check(self) -> AlertOutput:
        """Read the file system and compare. Raises OSError when `path` does not exist."""
        return self.evaluate(self.read(), socket.gethostname())

    def read(self) -> DiskSample:
        """One reading of the file system that holds `path`."""
        usage = psutil.disk_usage(self.path)
        return DiskSample(
            path=self.path,
            percent=usage.percent,
            used_bytes=usage.used,
            total_bytes=usage.total,
        )

    def evaluate(self, sample: DiskSample, host: str) -> AlertOutput:
        """Triggered when more than `threshold` percent are used."""
        return AlertOutput(
            triggered=sample.percent > self.threshold,
            ticker=host,
            message=f"Disk {sample.path} is {sample.percent:.1f} % full "
            f"(threshold {self.threshold:g} %)",
            metrics={
                "value": sample.percent,
                "threshold": self.threshold,
                "free_gib": (sample.total_bytes - sample.used_bytes) / 2**30,
            },
            metadata={"unit": "%", **sample.model_dump()},
        )
