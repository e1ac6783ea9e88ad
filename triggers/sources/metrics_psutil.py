"""Numbers of the machine a check runs on. Reads the operating system; judges nothing."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import psutil
from pydantic import Field

from triggers.sources.described import Described
from triggers.sources.disks import read_disk
from triggers.sources.errors import SourceError
from triggers.sources.machine import cpu_percent, memory
from triggers.sources.readings import Reading, no_data

Name = Literal[
    "cpu_percent",
    "memory_percent",
    "memory_available_bytes",
    "swap_percent",
    "disk_percent",
    "disk_free_bytes",
    "load_1",
    "load_5",
    "load_15",
    "processes",
    "uptime_seconds",
    "network_received_bytes",
    "network_sent_bytes",
    "disk_read_bytes",
    "disk_written_bytes",
]


class PsutilMetrics(Described):
    """A number of the machine the check runs on."""

    kind: Literal["psutil"] = Field(description="psutil: this machine")
    metric: Name = Field(description="which number")
    interval_seconds: float = Field(
        1, ge=0.1, le=30, description="cpu_percent: how long the processors are watched"
    )
    path: str = Field("/", min_length=1, description="disk_percent, disk_free_bytes: which disk")

    @property
    def subject(self) -> str:
        """The measurement in words."""
        return f"{self.metric} of {self.path}" if self._of_a_disk else self.metric

    @property
    def unit(self) -> str:
        """Its unit."""
        return _METRICS[self.metric].unit

    @property
    def own_ticker(self) -> str:
        """The host, and the disk where there may be several."""
        host = socket.gethostname()
        return f"{host} {self.path}" if self._of_a_disk else host

    @property
    def _of_a_disk(self) -> bool:
        return self.metric in ("disk_percent", "disk_free_bytes")

    def refusals(self) -> list[str]:
        """Nothing: rules may read the figures of their machine."""
        return []

    def read(self) -> list[Reading]:
        """The current number. Raises SourceError if the system does not provide it."""
        try:
            value = _METRICS[self.metric].read(self)
        except (OSError, psutil.Error) as error:
            raise SourceError(f"{self.subject} can't be read: {error}") from error
        except ValueError as error:  # a path with a NUL in it
            raise SourceError(f"{self.subject} can't be read: {error}") from error
        if value is None:
            return [no_data("does not exist or is not counted on this system")]
        return [Reading(value)]


@dataclass(frozen=True, slots=True)
class _Metric:
    unit: str
    read: Callable[[PsutilMetrics], float | None]


def _swap() -> float | None:
    """None without swap space: psutil calls that 0 % used."""
    swap = psutil.swap_memory()
    return swap.percent if swap.total > 0 else None


def _free(path: str) -> float:
    read_disk(path)  # a file system without a size has no free space to speak of
    return float(psutil.disk_usage(path).free)


def _uptime() -> float:
    seconds = time.time() - psutil.boot_time()
    if seconds < 0:
        raise SourceError("the machine's start lies in the future: its clock is wrong")
    return seconds


def _network(counter: str) -> float | None:
    counted = psutil.net_io_counters()
    return None if counted is None else float(getattr(counted, counter))


def _disks(counter: str) -> float | None:
    counted = psutil.disk_io_counters()
    return None if counted is None else float(getattr(counted, counter))


_METRICS: dict[str, _Metric] = {
    "cpu_percent": _Metric("%", lambda s: cpu_percent(s.interval_seconds)),
    "memory_percent": _Metric("%", lambda _: memory().percent),
    "memory_available_bytes": _Metric("B", lambda _: float(memory().available)),
    "swap_percent": _Metric("%", lambda _: _swap()),
    "disk_percent": _Metric("%", lambda s: read_disk(s.path).percent),
    "disk_free_bytes": _Metric("B", lambda s: _free(s.path)),
    "load_1": _Metric("", lambda _: psutil.getloadavg()[0]),
    "load_5": _Metric("", lambda _: psutil.getloadavg()[1]),
    "load_15": _Metric("", lambda _: psutil.getloadavg()[2]),
    "processes": _Metric("", lambda _: float(len(psutil.pids()))),
    "uptime_seconds": _Metric("s", lambda _: _uptime()),
    "network_received_bytes": _Metric("B", lambda _: _network("bytes_recv")),
    "network_sent_bytes": _Metric("B", lambda _: _network("bytes_sent")),
    "disk_read_bytes": _Metric("B", lambda _: _disks("read_bytes")),
    "disk_written_bytes": _Metric("B", lambda _: _disks("write_bytes")),
}
