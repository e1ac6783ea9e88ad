"""Runs a program within limits of time and output. Nothing it starts outlives it."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

_CHUNK = 65_536
_LOOK_SECONDS = 0.05  # between checks whether the program has ended while its pipes are open
_GRACE_SECONDS = 1.0  # after SIGTERM, and for output left in the pipes
# Its input ends with the process that writes it, even if that process is killed.
_GUARD = 'read -r group || exit; read -r _; kill -s KILL -- "-$group"'


@dataclass(slots=True)
class Outcome:
    """A program's output and how it ended. `exit_code` is negative for a signal.

    `stderr` is the last part only. `timed_out` and `too_much` say why it was stopped.
    """

    exit_code: int = 0
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    timed_out: bool = False
    too_much: bool = False


def run(
    command: Sequence[str],
    *,
    stdin: bytes,
    environment: Mapping[str, str],
    folder: Path,
    timeout_seconds: float,
    stdout_limit: int,
    stderr_kept: int,
) -> Outcome:
    """Run `command` in a session of its own. Raises OSError when it can't be started."""
    deadline = time.monotonic() + timeout_seconds
    outcome = Outcome()
    with _started(command, environment, folder) as process:
        with selectors.DefaultSelector() as selector:
            pipes = _Pipes(process, selector, stdin, outcome, stdout_limit, stderr_kept)
            while pipes.open and not (outcome.timed_out or outcome.too_much):
                if process.poll() is not None:
                    deadline = min(deadline, time.monotonic() + _GRACE_SECONDS)
                    _signal_group(
                        process, signal.SIGKILL
                    )  # a child left behind would hold the pipes for ever
                    pipes.drain_until(deadline)
                    break
                outcome.timed_out = time.monotonic() > deadline
                pipes.exchange(_LOOK_SECONDS)
        # It may close its pipes and go on: the limit covers that as well.
        while process.poll() is None and not (outcome.timed_out or outcome.too_much):
            outcome.timed_out = time.monotonic() > deadline
            time.sleep(_LOOK_SECONDS)
        outcome.exit_code = _end(process)
    return outcome


class _Pipes:
    """The three pipes of a program, served together so that none blocks another."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        selector: selectors.BaseSelector,
        stdin: bytes,
        outcome: Outcome,
        stdout_limit: int,
        stderr_kept: int,
    ) -> None:
        assert process.stdin and process.stdout and process.stderr
        self.selector = selector
        self.unsent = memoryview(stdin)
        self.outcome = outcome
        self.stdout_limit = stdout_limit
        self.stderr_kept = stderr_kept
        self.stdin, self.stdout, self.stderr = process.stdin, process.stdout, process.stderr
        for pipe in (self.stdin, self.stdout, self.stderr):
            os.set_blocking(pipe.fileno(), False)
        selector.register(self.stdin, selectors.EVENT_WRITE)
        selector.register(self.stdout, selectors.EVENT_READ)
        selector.register(self.stderr, selectors.EVENT_READ)

    @property
    def open(self) -> bool:
        """True while the program can still write output."""
        return not (self.stdout.closed and self.stderr.closed)

    def drain_until(self, deadline: float) -> None:
        """Read what is left in the pipes of a program that has ended."""
        while self.open and not self.outcome.too_much and time.monotonic() < deadline:
            self.exchange(_LOOK_SECONDS)

    def exchange(self, seconds: float) -> None:
        """Transfer what is ready; wait at most `seconds` if nothing is."""
        for key, _ in self.selector.select(seconds):
            if key.fileobj is self.stdin:
                self._write()
            elif key.fileobj is self.stdout:
                self._read(self.stdout, self.outcome.stdout)
            else:
                self._read(self.stderr, self.outcome.stderr)
                del self.outcome.stderr[: -self.stderr_kept]
        if len(self.outcome.stdout) > self.stdout_limit:
            self.outcome.too_much = True

    def _write(self) -> None:
        try:
            self.unsent = self.unsent[os.write(self.stdin.fileno(), self.unsent[:_CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # a program need not read its input
            self.unsent = self.unsent[:0]
        if not self.unsent:
            self._close(self.stdin)

    def _read(self, pipe: IO[bytes], into: bytearray) -> None:
        chunk = os.read(pipe.fileno(), _CHUNK)  # ready or at its end, as the selector reported
        into += chunk
        if not chunk:
            self._close(pipe)

    def _close(self, pipe: IO[bytes]) -> None:
        self.selector.unregister(pipe)
        with contextlib.suppress(BrokenPipeError):
            pipe.close()


@contextlib.contextmanager
def _started(
    command: Sequence[str], environment: Mapping[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with _guard() as guarded:
        process = subprocess.Popen(  # noqa: S603 - running what the rule names is the purpose
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        guarded.write(f"{process.pid}\n".encode())
        try:
            yield process
        finally:  # also when this run is itself cancelled or times out
            _signal_group(process, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


@contextlib.contextmanager
def _guard() -> Iterator[IO[bytes]]:
    """A process that kills the group named in its input if this process is killed meanwhile.

    The group is in a session of its own, so that whatever kills this process does not reach it.
    """
    guard = subprocess.Popen(  # noqa: S603 - a constant
        ["/bin/sh", "-c", _GUARD],
        env={},
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,
    )
    assert guard.stdin is not None
    try:
        yield guard.stdin
    finally:
        guard.kill()  # before its input ends
        guard.stdin.close()
        guard.wait()


def _end(process: subprocess.Popen[bytes]) -> int:
    """Terminate what still runs, then kill it; returns the exit code."""
    if process.poll() is None:
        _signal_group(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
    _signal_group(process, signal.SIGKILL)
    return process.wait()


def _signal_group(process: subprocess.Popen[bytes], sign: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, sign)
