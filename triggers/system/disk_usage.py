"""Disk usage. Reads the file system; decides nothing about events."""

import socket
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from sentinel_core import AlertOutput, Importance, Trigger
from triggers.sources.disks import DiskSample, read_disk
from triggers.sources.unusable import Warnings, missing_path


class DiskUsage(Trigger):
    """A disk is fuller than a threshold: its space, or its inodes."""

    display_name: ClassVar[str] = "Disk usage"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "System"

    path: str = Field("/", min_length=1, description="any path on the file system to watch")
    threshold: float = Field(90, ge=0, le=100, description="percent used, of space or of inodes")

    def check(self) -> AlertOutput:
        """Read the file system and compare.

        Raises OSError when `path` does not exist, SourceError when its file system has no size.
        """
        return self.evaluate(self.read(), socket.gethostname())

    def check_warnings(self) -> Warnings:
        """A path that is missing here."""
        return missing_path("path", "path", Path(self.path))

    def read(self) -> DiskSample:
        """One reading of the file system that holds `path`."""
        return read_disk(self.path)

    def evaluate(self, sample: DiskSample, host: str) -> AlertOutput:
        """Triggered when more than `threshold` percent of the space or the inodes are used."""
        space, inodes = sample.percent, sample.inodes_percent
        metrics = {"free_gib": (sample.total_bytes - sample.used_bytes) / 2**30}
        if inodes is not None:
            metrics |= {"space_percent": space, "inodes_percent": inodes}
        message = f"Disk {sample.path} is {space:.1f} % full (threshold {self.threshold:g} %)"
        fuller = space
        if inodes is not None and inodes > space:
            # Without a free inode no file can be created, whatever space is left.
            fuller = inodes
            message = (
                f"Disk {sample.path} has used {inodes:.1f} % of its inodes "
                f"(threshold {self.threshold:g} %); its space is {space:.1f} % full"
            )
        return AlertOutput(
            triggered=fuller > self.threshold,
            ticker=host,
            message=message,
            metrics={"value": fuller, "threshold": self.threshold, **metrics},
            metadata={"unit": "%", **sample.model_dump()},
        )
