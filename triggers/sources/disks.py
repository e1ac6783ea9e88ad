"""The space and the inodes of a file system. Reads the operating system; judges nothing."""

import os

import psutil
from pydantic import BaseModel

from triggers.sources.errors import SourceError


class DiskSample(BaseModel):
    """One reading. Sizes in bytes; `percent` and `inodes_percent` of what this user may use.

    `inodes_percent` is None where the file system creates inodes as it needs them.
    """

    path: str
    percent: float
    used_bytes: int
    total_bytes: int
    inodes_percent: float | None = None


def read_disk(path: str) -> DiskSample:
    """One reading of the file system that holds `path`.

    Raises SourceError where it has no size, OSError where `path` can't be read.
    """
    usage, system = psutil.disk_usage(path), os.statvfs(path)
    if usage.total <= 0 or usage.used + usage.free <= 0:
        raise SourceError(
            f"{path} is on a file system without a size, which can't be full or empty: "
            "name a path on a disk"
        )
    return DiskSample(
        path=path,
        percent=usage.percent,
        used_bytes=usage.used,
        total_bytes=usage.total,
        inodes_percent=_inodes_percent(system.f_files, system.f_ffree, system.f_favail),
    )


def _inodes_percent(total: int, free: int, available: int) -> float | None:
    """Inodes used, in percent of those this user may use; reserved ones count as used."""
    used = total - free
    if total <= 0 or used < 0 or used + available <= 0:
        return None
    return round(used / (used + available) * 100, 1)
