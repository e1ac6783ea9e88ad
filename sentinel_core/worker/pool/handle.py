"""The worker's end of one fork server: its process, the runs of its children, their messages."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import psutil

from sentinel_core.worker.pool.protocol import Frames, Job, Message, ProcessSpec, pack

_READ = 65_536
OnAssigned = Callable[[int], None]


@dataclass(frozen=True)
class Ended:
    """The end of a job. `concluded`: the run itself has set its state in Prefect."""

    concluded: bool
    exit_code: int | None = None
    error: str | None = None
    pid: int | None = None


@dataclass
class _Run:
    job: Job
    assigned: asyncio.Future[None]
    done: asyncio.Future[Ended]
    pid: int | None = None
    killed_because: str | None = None
    alarm: asyncio.TimerHandle | None = None


class StaleCodeError(Exception):
    """The code on disk is no longer what this fork server has loaded; nothing was run."""


class ForkServerHandle:
    """One fork server, as the worker sees it: its process, and the runs of its children."""

    def __init__(self, spec: ProcessSpec, overrun_seconds: float, log: logging.Logger) -> None:
        self.spec = spec
        self.retired = False
        self.last_used = time.monotonic()
        self._overrun = overrun_seconds
        self._log = log
        self._runs: dict[str, _Run] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._outbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._is_lost = False

    @property
    def busy(self) -> bool:
        """True while any of its children has a run."""
        return bool(self._runs)

    async def start(self) -> None:
        """Start the process. Raises OSError when it can't be."""
        here, there = socket.socketpair()
        here.setblocking(False)
        try:
            with there:
                self._process = self._popen(there.fileno())
        except (OSError, ValueError) as error:  # ValueError: no such environment can be made
            here.close()
            raise OSError(f"{self.spec.folder}: {error}") from error
        self._here = here
        reuse, preload = asdict(self.spec.reuse), list(self.spec.preload)
        self._send({"folder": self.spec.folder, "preload": preload, "reuse": reuse})
        loop = asyncio.get_running_loop()
        self._tasks = (loop.create_task(self._read()), loop.create_task(self._write()))

    def _popen(self, descriptor: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, "-m", "sentinel_core.worker.pool.fork_server", str(descriptor)],
            cwd=self.spec.folder,
            env=dict(self.spec.env),
            stdin=subprocess.DEVNULL,
            pass_fds=[descriptor],
            start_new_session=True,  # Ctrl-C in a terminal is the worker's to handle
        )

    async def run(self, job: Job, on_assigned: OnAssigned) -> Ended:
        """Run a job in a child. Raises StaleCodeError when nothing was run."""
        if self.retired:
            raise StaleCodeError
        loop = asyncio.get_running_loop()
        run = self._runs[job.id] = _Run(job, loop.create_future(), loop.create_future())
        self._send(job.message())
        try:
            await asyncio.wait((run.assigned, run.done), return_when=asyncio.FIRST_COMPLETED)
            if run.pid is not None:
                on_assigned(run.pid)
            return await run.done
        finally:
            self.last_used = time.monotonic()

    def cancel(self, job_id: str) -> bool:
        """Ask the child to cancel its run; False when the run is not here."""
        return self._signal(job_id, signal.SIGUSR1)

    def kill(self, job_id: str, because: str) -> bool:
        """Kill the child that has the run, and what it has started; False when it is not here."""
        if run := self._runs.get(job_id):
            run.killed_because = run.killed_because or because
        return self._signal(job_id, signal.SIGKILL)

    def _signal(self, job_id: str, number: signal.Signals) -> bool:
        run = self._runs.get(job_id)
        if run is None:
            return False
        if not self._is_lost:
            self._send({"kind": "signal", "id": job_id, "signal": int(number)})
        elif run.pid is not None:  # the fork server that would do it is gone
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if number == signal.SIGKILL else os.kill)(run.pid, number)
        return True

    def close(self) -> None:
        """End it: idle children now, busy ones after their runs."""
        self.retired = True
        self._outbox.put_nowait(None)

    async def ended(self, seconds: float) -> bool:
        """Wait for the process to end; False when it has not by then."""
        deadline = time.monotonic() + seconds
        while self._process is not None and self._process.poll() is None:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.05)
        return True

    def _send(self, message: Message) -> None:
        self._outbox.put_nowait(pack(message))

    async def _write(self) -> None:
        """Send queued messages at the pace at which they are read; then shut the socket down."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # _read notices the end
            while data := await self._outbox.get():
                await loop.sock_sendall(self._here, data)
            self._here.shutdown(socket.SHUT_WR)

    async def _read(self) -> None:
        loop, frames = asyncio.get_running_loop(), Frames()
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(self._here, _READ):
                for message in frames.feed(data):
                    try:
                        self._handle(message)
                    except Exception:  # one message must not stop the others
                        self._log.exception("Invalid message from the fork server: %s", message)
        await self._lost()

    def _handle(self, message: Message) -> None:
        kind = message["kind"]
        if kind == "ready":
            for failure in message["failed"]:
                self._log.warning("Not preloaded: %s", failure)
            if message["threads"] > 1:
                self._log.warning(
                    "What is preloaded starts threads (%s): forking is not safe; preload less",
                    message["threads"],
                )
            return
        run = self._runs.get(message["id"])
        if run is None:
            return
        if kind == "assigned":
            run.pid = message["pid"]
            run.assigned.set_result(None)
        elif kind == "running":
            # Prefect ends a run at its timeout, unless it hangs where Python can't interrupt it.
            if (timeout := message["timeout_seconds"]) is not None:
                over = self._overrun
                why = f"it was still running {over:g} s after its timeout of {timeout:g} s"
                loop = asyncio.get_running_loop()
                run.alarm = loop.call_later(timeout + over, self.kill, run.job.id, why)
        elif kind == "done" and message["stale"]:
            self._end(run, StaleCodeError())
        elif kind == "done":
            self._end(run, Ended(message["concluded"], error=message["error"], pid=run.pid))
        elif kind == "died":
            code = message["exit_code"]
            error = run.killed_because or _how(code)
            self._end(run, Ended(concluded=False, exit_code=code, error=error, pid=run.pid))

    def _end(self, run: _Run, how: Ended | StaleCodeError) -> None:
        self._runs.pop(run.job.id, None)
        if run.alarm is not None:
            run.alarm.cancel()
        if run.done.done():
            return
        if isinstance(how, Ended):
            run.done.set_result(how)
        else:
            self.retired = True
            run.done.set_exception(how)

    async def _lost(self) -> None:
        """The fork server has ended. Its children finish their runs, but cannot report it."""
        self.retired = self._is_lost = True
        for task in self._tasks[1:]:
            task.cancel()
        self._here.close()
        code = await asyncio.to_thread(self._process.wait) if self._process else None
        for run in list(self._runs.values()):
            while run.pid is not None and _alive(run.pid):  # noqa: ASYNC110 (it is nobody's child any more)
                await asyncio.sleep(0.2)
            why = f"its fork server ended ({_how(code)})"
            error = run.killed_because or why
            self._end(run, Ended(concluded=False, exit_code=code, error=error, pid=run.pid))


def _alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _how(exit_code: int | None) -> str:
    if exit_code is None:
        return "the process is gone"
    if exit_code < 0:
        return f"the process was killed by signal {-exit_code} ({signal.strsignal(-exit_code)})"
    return f"the process ended by itself with exit code {exit_code}"
