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
import psutil

from tests.support.patience import patient

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def free_port() -> int:
    """A loopback port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(
    condition: Callable[[], object],
    *,
    what: str,
    seconds: float = 60,
    every: float = 0.2,
    progress: Callable[[], object] = lambda: None,
) -> object:
    """The first truthy answer of `condition`; fails the test when there is none in time.

    The time begins anew whenever `progress` answers something new.
    """
    last, deadline = progress(), time.monotonic() + patient(seconds)
    while True:
        if answer := condition():
            return answer
        if (now := progress()) != last:
            last, deadline = now, time.monotonic() + patient(seconds)
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patient(seconds):g} s in vain for {what}")
        time.sleep(every)


def cpu_seconds(pid: int) -> int:
    """How long a process and its children have computed, in full seconds: they still do something.

    One that only idles needs many minutes for another second.
    """
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                total += times.user + times.system
    return int(total)


def answers(url: str) -> bool:
    """Does `url` answer with success?"""
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False


def start(
    *command: str, env: Mapping[str, str], log: Path, cwd: Path = ROOT
) -> subprocess.Popen[bytes]:
    """A program in a process group of its own, its output in `log`; to be ended with `stop`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command, env=dict(env), cwd=cwd, stdout=output, stderr=output, start_new_session=True
        )


@contextlib.contextmanager
def running(
    *command: str, env: Mapping[str, str], log: Path, cwd: Path = ROOT, grace_seconds: float = 15
) -> Iterator[subprocess.Popen[bytes]]:
    """A program while it is needed; its process group is gone after."""
    process = start(*command, env=env, log=log, cwd=cwd)
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
                process.wait(patient(grace_seconds))
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # children that outlived their parent
