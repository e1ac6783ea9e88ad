"""Programs that `sentinel up` starts: their logs, their problems, and their end.

Knows processes; knows nothing of Prefect, rules or the store.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

from sentinel_core.base import logs

HOST = "127.0.0.1"
_PROBLEM = re.compile(r"\b(ERROR|CRITICAL)\b|^[\w.]*(Error|Exception)\b:")
_LONGEST_LINE = 1_000_000  # characters; what a rule prints without an end is cut there


def _problem(line: str) -> str | None:
    """What is wrong by a line of a log; None for all other lines."""
    if found := logs.parsed(line):
        return str(found["message"]) if found["level"] in ("ERROR", "CRITICAL") else None
    return line if _PROBLEM.search(line) else None


class ManagedProcess:
    """One program in a process group of its own; everything it prints goes to `log`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        on_problem: Callable[[str, str], None],
        patience: float = 20.0,
    ) -> None:
        self.name = name
        self.patience = patience
        self.log = log
        self.last_lines: deque[str] = deque(maxlen=15)
        self._on_problem = on_problem
        # Its own session: Ctrl-C in the terminal reaches us alone, and we stop in the right order.
        self._process = subprocess.Popen(  # noqa: S603 (fixed programs, arguments of our own)
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            errors="replace",
        )
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), daemon=True
        )
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        with stream, self.log.open("a", encoding="utf-8", errors="replace") as log:
            while line := stream.readline(_LONGEST_LINE):
                text = line.rstrip()
                if not logs.wanted():
                    log.write(line)
                elif text:
                    log.write(f"{logs.as_object(self.name, text)}\n")
                log.flush()
                if text:
                    self.last_lines.append(text[:1000])
                if problem := _problem(text):
                    self._on_problem(self.name, problem)

    @property
    def pid(self) -> int:
        """The program's process id, which is its group's too."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def stop(self, seconds: float) -> None:
        """Terminate it, kill it after `seconds`; then kill what it left behind in its group."""
        for sign, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
            if self._process.poll() is not None:
                break
            self._signal(sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        self._signal(signal.SIGKILL)
        self._reader.join(2)

    def _signal(self, sign: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, sign)


@contextmanager
def stopped_by_signals(stopping: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT stop everything in order, also during the start."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        if not stopping.is_set():
            stopping.set()
            raise KeyboardInterrupt

    previous = {sign: signal.signal(sign, ask) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for sign, handler in previous.items():
            signal.signal(sign, handler)


def listens(port: int) -> bool:
    """True if some program listens on this port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def program(module: str) -> list[str]:
    """The command of a program of this environment, whatever PATH and the current folder hold."""
    return [sys.executable, "-P", "-m", module]
