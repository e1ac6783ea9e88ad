"""Processes of this machine: those that match a description, and the largest."""

import os
from collections.abc import Mapping
from typing import Any

import psutil

from triggers.sources.errors import SourceError

MIB = 2**20

CpuTimes = Mapping[tuple[int, float], tuple[str, float]]
"""(pid, start time) → (name, CPU seconds used since the process started)."""


def matching(
    *, name: str | None = None, command_contains: str | None = None, pid: int | None = None
) -> list[psutil.Process]:
    """The processes with this pid, this exact name, or this text in their command line.

    The process that asks is left out unless its pid is asked for: a check whose parameters stand
    in its own command line would always find itself. Raises SourceError when there is none.
    """
    hidden = 0
    found: list[psutil.Process] = []
    if pid is not None:
        try:
            return [psutil.Process(pid)]
        except psutil.NoSuchProcess as error:
            raise SourceError(f"there is no process with pid {pid}") from error
    for process in psutil.process_iter(["name", "cmdline"]):
        seen = process.info
        if process.pid == os.getpid():
            continue
        if command_contains is not None and seen["cmdline"] is None:
            hidden += 1
        elif (name is not None and seen["name"] == name) or (
            command_contains is not None and command_contains in " ".join(seen["cmdline"])
        ):
            found.append(process)
    if not found:
        what = (
            f"named {name!r}" if name is not None else f"with {command_contains!r} in its command"
        )
        note = f" ({hidden} processes hide their command line from this user)" if hidden else ""
        raise SourceError(f"there is no process {what}{note}")
    return found


def largest(limit: int = 5) -> list[dict[str, Any]]:
    """The processes with the most resident memory, as evidence. Names only: arguments may be
    secrets."""
    sizes = [
        (process.info["memory_info"].rss, process.pid, process.info["name"] or "")
        for process in psutil.process_iter(["name", "memory_info"])
        if process.info["memory_info"] is not None
    ]
    return [
        {"pid": pid, "name": name, "rss_mb": round(rss / MIB, 1)}
        for rss, pid, name in sorted(sizes, reverse=True)[:limit]
    ]


def cpu_times() -> CpuTimes:
    """The CPU time each process has used so far."""
    return {
        (process.pid, process.info["create_time"]): (
            process.info["name"] or "",
            process.info["cpu_times"].user + process.info["cpu_times"].system,
        )
        for process in psutil.process_iter(["name", "cpu_times", "create_time"])
        if process.info["cpu_times"] is not None
    }


def busiest(
    before: CpuTimes, after: CpuTimes, seconds: float, limit: int = 5
) -> list[dict[str, Any]]:
    """The processes that used the CPU between two readings, as evidence; 100 is one core. Pure."""
    used = [
        ((time - before[key][1]) / seconds * 100, key[0], name)
        for key, (name, time) in after.items()
        if key in before
    ]
    return [
        {"pid": pid, "name": name, "cpu_percent": round(percent, 1)}
        for percent, pid, name in sorted(used, reverse=True)[:limit]
        if percent > 0
    ]
