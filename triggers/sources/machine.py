"""Processors and memory of this machine, refused where the system reports nothing real."""

from typing import Any

import psutil

from triggers.sources.errors import SourceError


def cpu_percent(interval_seconds: float) -> float:
    """Percent busy of all cores together, watched for `interval_seconds`.

    Raises SourceError when the system's counters stood still: psutil calls that 0 %.
    """
    before = sum(psutil.cpu_times())
    percent = psutil.cpu_percent(interval=interval_seconds)
    if sum(psutil.cpu_times()) <= before:
        raise SourceError(
            f"the processors' counters did not advance within {interval_seconds:g} s, so their "
            "use is unknown: the system hides them here, or interval_seconds is too short"
        )
    return percent


def memory() -> Any:
    """psutil's memory reading. Raises SourceError when it is impossible."""
    found = psutil.virtual_memory()
    if found.total <= 0 or not 0 <= found.available <= found.total:
        raise SourceError(
            f"the system reports {found.available:,} of {found.total:,} bytes of memory available, "
            "which is not possible: the use of the memory is unknown"
        )
    return found
