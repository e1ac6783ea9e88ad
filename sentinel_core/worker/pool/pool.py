"""The worker's side of the warm processes: one template for each kind of run, started on demand.

Knows processes and messages; Prefect's states are the worker's business (worker.py).
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

import psutil

from sentinel_core.worker.pool.protocol import Frames, Job, Message, Terms, pack

_READ = 65_536
Assigned = Callable[[int], None]


@dataclass(frozen=True)
class Profile:
    """What runs must have in common to share warm processes: folder, environment, terms."""

    folder: str
    env: tuple[tuple[str, str], ...]
    preload: tuple[str, ...]
    terms: Terms


@dataclass(frozen=True)
class Ended:
    """How a job ended. `concluded`: Prefect was told by the run itself."""

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
    """The code on disk is no longer what this template has loaded; nothing was run."""


class Template:
    """A template process and the runs its children have."""

    def __init__(self, profile: Profile, overrun_seconds: float, log: logging.Logger) -> None:
        self.profile = profile
        self.retired = False
        self.last_used = time.monotonic()
        self._overrun = overrun_seconds
        self._log = log
        self._runs: dict[str, _Run] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._outbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._lost_it = False

    @property
    def busy(self) -> bool:
        """Whether any of its children has a run."""
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
            raise OSError(f"{self.profile.folder}: {error}") from error
        self._here = here
        self._send(
            {
                "folder": self.profile.folder,
                "preload": list(self.profile.preload),
                "terms": asdict(self.profile.terms),
            }
        )
        loop = asyncio.get_running_loop()
        self._tasks = (loop.create_task(self._read()), loop.create_task(self._write()))

    def _popen(self, descriptor: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, "-m", "sentinel_core.worker.pool.fork_server", str(descriptor)],
            cwd=self.profile.folder,
            env=dict(self.profile.env),
            stdin=subprocess.DEVNULL,
            pass_fds=[descriptor],
            start_new_session=True,  # Ctrl-C in a terminal is the worker's to handle
        )

    async def run(self, job: Job, on_assigned: Assigned) -> Ended:
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
        if not self._lost_it:
            self._send({"kind": "signal", "id": job_id, "signal": int(number)})
        elif run.pid is not None:  # nobody else is left to do it
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if number == signal.SIGKILL else os.kill)(run.pid, number)
        return True

    def close(self) -> None:
        """Let it end: idle children now, busy ones after their runs."""
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
        """Send what is to be sent, at the pace at which it is read; at the end hang up."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # _read notices the end
            while data := await self._outbox.get():
                await loop.sock_sendall(self._here, data)
            self._here.shutdown(socket.SHUT_WR)

    # -- what it says ----------------------------------------------------------------------

    async def _read(self) -> None:
        loop, frames = asyncio.get_running_loop(), Frames()
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(self._here, _READ):
                for message in frames.feed(data):
                    try:
                        self._hear(message)
                    except Exception:  # whatever one message does, the next run's must be heard
                        self._log.exception("Not understood: %s", message)
        await self._lost()

    def _hear(self, message: Message) -> None:
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
            self._watch_timeout(run, message["timeout_seconds"])
        elif kind == "done" and message["stale"]:
            self._end(run, StaleCodeError())
        elif kind == "done":
            self._end(run, Ended(message["concluded"], error=message["error"], pid=run.pid))
        elif kind == "died":
            self._end(run, self._death(run, message["exit_code"]))

    def _death(self, run: _Run, exit_code: int | None) -> Ended:
        error = run.killed_because or _how(exit_code)
        return Ended(concluded=False, exit_code=exit_code, error=error, pid=run.pid)

    def _watch_timeout(self, run: _Run, timeout_seconds: float | None) -> None:
        """Prefect ends a run at its timeout, unless it hangs where Python can't interrupt it."""
        if timeout_seconds is None:
            return
        why = f"it was still running {self._overrun:g} s after its timeout of {timeout_seconds:g} s"
        loop = asyncio.get_running_loop()
        run.alarm = loop.call_later(
            timeout_seconds + self._overrun, lambda: self.kill(run.job.id, why)
        )

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
        """The template is gone. Its children finish what they have, but nobody says so any more."""
        self.retired = self._lost_it = True
        for task in self._tasks[1:]:
            task.cancel()
        self._here.close()
        code = await asyncio.to_thread(self._process.wait) if self._process else None
        for run in list(self._runs.values()):
            while run.pid is not None and _alive(run.pid):  # noqa: ASYNC110 (it is nobody's child any more)
                await asyncio.sleep(0.2)
            why = f"its template process ended ({_how(code)})"
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


@dataclass
class Crew:
    """All templates of a worker. At most `most_templates` that are idle are kept."""

    log: logging.Logger
    overrun_seconds: float
    most_templates: int = 8
    _templates: dict[Profile, Template] = field(default_factory=dict)
    _old: list[Template] = field(default_factory=list)
    _starting: dict[Profile, asyncio.Lock] = field(default_factory=dict)

    async def run(self, job: Job, profile: Profile, on_assigned: Assigned) -> Ended:
        """Run a job in a warm process of this profile.

        Raises OSError when no process can be started there.
        """
        for _attempt in range(3):
            template = await self._template(profile)
            try:
                return await template.run(job, on_assigned)
            except StaleCodeError:
                self.log.info("The code in %s has changed: loading it anew", profile.folder)
        return Ended(concluded=False, error=f"the code in {profile.folder} changes all the time")

    def cancel(self, job_id: str) -> bool:
        """Ask the run to cancel itself; False when no child has it."""
        return any(template.cancel(job_id) for template in self._all())

    def kill(self, job_id: str, because: str) -> bool:
        """Kill the child that has the run; False when no child has it."""
        return any(template.kill(job_id, because) for template in self._all())

    async def close(self, seconds: float = 5.0) -> None:
        """End all templates; those that don't are left to end after their children."""
        for template in self._all():
            template.close()
        await asyncio.gather(*(template.ended(seconds) for template in self._all()))

    def _all(self) -> list[Template]:
        return [*self._templates.values(), *self._old]

    async def _template(self, profile: Profile) -> Template:
        async with self._starting.setdefault(profile, asyncio.Lock()):
            template = self._templates.get(profile)
            if template is not None and not template.retired:
                return template
            if template is not None:
                self._retire(profile)
            template = Template(profile, self.overrun_seconds, self.log)
            await template.start()
            self._make_room()
            self._templates[profile] = template
        return template

    def _retire(self, profile: Profile) -> None:
        template = self._templates.pop(profile)
        template.close()
        self._old = [old for old in self._old if old.busy]
        self._old.append(template)

    def _make_room(self) -> None:
        idle = sorted(
            (t for t in self._templates.values() if not t.busy), key=lambda t: t.last_used
        )
        for template in idle[: max(0, len(self._templates) + 1 - self.most_templates)]:
            self._retire(template.profile)
            self._starting.pop(template.profile, None)


def environment(extra: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """This process's environment with `extra` on top, as a part of a Profile."""
    return tuple(sorted({**os.environ, **extra}.items()))
