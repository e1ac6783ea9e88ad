"""Starting real programs for tests and stopping exactly those."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def free_port() -> int:
    """A loopback port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(
    condition: Callable[[], object], *, seconds: float, what: str, every: float = 0.2
) -> object:
    """The first truthy answer of `condition`; fails the test when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(every)


def answers(url: str) -> bool:
    """Does `url` answer with success?"""
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False


@contextlib.contextmanager
def running(
    *command: str, env: Mapping[str, str], log: Path, cwd: Path = ROOT, grace_seconds: float = 15
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a process group of its own, its output in `log`; the group is gone after."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=dict(env), cwd=cwd, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield process
        finally:
            stop(process, grace_seconds)


def stop(process: subprocess.Popen[bytes], grace_seconds: float = 15) -> None:
    """Ask the process group to end; insist after a while."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(grace_seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # children that outlived their parent
