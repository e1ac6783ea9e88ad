"""The baseline of overhead.py: a flow and a task of the same shape as a rule, without Sentinel."""

import socket

import psutil
from prefect import flow, task


@task
def measure(path: str, threshold: float) -> dict[str, object]:
    """The same measurement as the disk_usage rule."""
    usage = psutil.disk_usage(path)
    return {"triggered": usage.percent > threshold, "ticker": socket.gethostname()}


@flow(name="bare")
def bare(path: str = "/", threshold: float = 90) -> dict[str, object]:
    """One task, one result."""
    return measure(path, threshold)
