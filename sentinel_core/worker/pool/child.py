"""A child process: serves one job at a time, cleans up after each, ends when it has grown.

Knows sockets and its own process; run_job.py knows what a job is.
"""

import contextlib
import os
import signal
import socket
import threading
from dataclasses import asdict, dataclass

import psutil

from sentinel_core.worker.pool import run_job
from sentinel_core.worker.pool.protocol import Job, Message, ReusePolicy, pack, receive

_SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGALRM,
    signal.SIGCHLD,
    signal.SIGUSR1,
)


def serve(connection: socket.socket, reuse: ReusePolicy) -> int:
    """Serve jobs until the connection closes; returns the exit code."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGUSR1, lambda *_: run_job.cancel())
    with run_job.session(reuse):
        runs, stream = 0, connection.makefile("rb")
        while (message := receive(stream)) is not None:
            runs += 1
            if not _serve_one(connection, message, reuse, last=runs >= reuse.max_runs):
                break
    return 0


def _serve_one(connection: socket.socket, message: Message, reuse: ReusePolicy, last: bool) -> bool:
    """Do one job and report how it ended; False when the process should not do another."""
    me, before = os.getpid(), ProcessState.now()

    def report(more: Message) -> None:
        connection.sendall(pack({"id": message["id"], **more}))

    outcome = run_job.execute(Job.of(message), report)
    if os.getpid() != me:
        os._exit(0)  # a trigger forked and returned twice: the first return is the run's
    left_behind = before.restore()
    grown = psutil.Process().memory_info().rss > reuse.max_memory_mb * 2**20
    retire = last or grown or left_behind or not outcome.clean
    done = {"kind": "done", "id": message["id"], "retire": retire, **asdict(outcome)}
    connection.sendall(pack(done))
    return not retire


@dataclass(frozen=True)
class ProcessState:
    """Process-wide state that a run could change and the next one would inherit."""

    folder: str
    env: dict[str, str]
    umask: int
    signals: dict[signal.Signals, object]
    threads: frozenset[int]

    @classmethod
    def now(cls) -> "ProcessState":
        umask = os.umask(0)
        os.umask(umask)
        return cls(
            folder=run_job.code.folder,  # by name: the folder itself may have been replaced
            env=dict(os.environ),
            umask=umask,
            signals={number: signal.getsignal(number) for number in _SIGNALS},
            threads=_lasting_threads(),
        )

    def restore(self) -> bool:
        """Restore it; True when something is left that can't be restored."""
        with contextlib.suppress(OSError):
            os.chdir(self.folder)
        if dict(os.environ) != self.env:
            os.environ.clear()
            os.environ.update(self.env)
        os.umask(self.umask)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self.signals.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)  # type: ignore[arg-type]
        return bool(_lasting_threads() - self.threads)


def _lasting_threads() -> frozenset[int]:
    """Threads that would keep the process from ending."""
    return frozenset(
        thread.ident
        for thread in threading.enumerate()
        if thread.ident is not None and not thread.daemon and thread.is_alive()
    )
