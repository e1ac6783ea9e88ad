"""A child: serves one job at a time, leaves no trace of it for the next, ends when it has grown.

Knows sockets and its own process; what a job is, engine.py knows.
"""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass

import psutil

from sentinel_core.worker.pool import run_job as engine
from sentinel_core.worker.pool.protocol import Job, Message, Terms, pack, receive

_SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGALRM,
    signal.SIGCHLD,
    signal.SIGUSR1,
)


def serve(connection: socket.socket, terms: Terms) -> int:
    """Serve jobs until told to end; the exit code."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGUSR1, lambda *_: engine.cancel())
    with engine.session(terms):
        runs = 0
        while (message := receive(connection)) is not None:
            runs += 1
            if not _serve_one(connection, message, terms, last=runs >= terms.max_runs):
                break
    return 0


def _serve_one(connection: socket.socket, message: Message, terms: Terms, last: bool) -> bool:
    """Do one job and say how it ended; False when the process should not do another."""
    me, world = os.getpid(), _World.now()
    outcome = engine.execute(Job.of(message), _teller(connection, message["id"]))
    if os.getpid() != me:
        os._exit(0)  # a trigger forked and returned twice: the first return is the run's
    left_behind = world.restore()
    grown = psutil.Process().memory_info().rss > terms.max_memory_mb * 2**20
    retire = last or grown or left_behind or not outcome.clean
    done = {"kind": "done", "id": message["id"], "retire": retire, **asdict(outcome)}
    connection.sendall(pack(done))
    return not retire


def _teller(connection: socket.socket, job_id: str) -> Callable[[Message], None]:
    return lambda more: connection.sendall(pack({"id": job_id, **more}))


@dataclass(frozen=True)
class _World:
    """What a run could change in its process and the next one would feel."""

    folder: str
    env: dict[str, str]
    umask: int
    signals: dict[signal.Signals, object]
    threads: frozenset[int]

    @classmethod
    def now(cls) -> "_World":
        umask = os.umask(0)
        os.umask(umask)
        return cls(
            folder=engine.code.folder,  # by name: the folder itself may have been replaced
            env=dict(os.environ),
            umask=umask,
            signals={number: signal.getsignal(number) for number in _SIGNALS},
            threads=_lasting_threads(),
        )

    def restore(self) -> bool:
        """Put it back; True when something is left that can't be put back."""
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
