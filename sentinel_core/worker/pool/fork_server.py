"""The fork server: imports what every run needs, once, and forks children that have it.

Started by the worker as `python -m sentinel_core.worker.pool.fork_server FD`. It runs no code of
any rule and has one thread, so that forking is safe. It knows no Prefect beyond importing it.
"""

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sentinel_core.worker.pool.protocol import Frames, Message, ReusePolicy, pack

_READ = 65_536


@dataclass(eq=False)
class Child:
    """A forked child as its fork server sees it."""

    pid: int
    connection: socket.socket
    frames: Frames = field(default_factory=Frames)
    job_id: str | None = None
    idle_since: float = 0.0


class ForkServer:
    """Hands jobs to children and reports to the worker how they end."""

    def __init__(
        self, worker: socket.socket, reuse: ReusePolicy, serve: Callable[..., int]
    ) -> None:
        self._worker = worker
        self._reuse = reuse
        self._serve = serve
        self._children: dict[int, Child] = {}
        self._idle: list[Child] = []
        self._frames = Frames()
        self._closing = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(worker, selectors.EVENT_READ, self._read_worker)
        # A socket that becomes readable when a child ends (SIGCHLD).
        self._wake, self._wake_write = socket.socketpair()
        self._wake.setblocking(False)
        self._wake_write.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._wake, selectors.EVENT_READ, self._reap)

    def run(self) -> Callable[[], int] | None:
        """Serve until the worker is gone and no child is left.

        In the fork server this returns None at the end. In a child it returns at once, with the
        child's main function, which then runs at the top of the stack and not within this loop.
        """
        while self._children or not self._closing:
            for key, _events in self._selector.select(timeout=self._select_timeout()):
                if child_main := key.data():
                    return child_main  # type: ignore[no-any-return]
            self._end_idle_children()
        return None

    def _read_worker(self) -> Callable[[], int] | None:
        data = b""
        with contextlib.suppress(OSError):
            data = self._worker.recv(_READ)
        if not data:
            self._selector.unregister(self._worker)
            self._closing = True
            return None
        for message in self._frames.feed(data):
            if message["kind"] == "job":
                if child_main := self._start(message):
                    return child_main
            else:
                self._signal(message["id"], message["signal"])
        return None

    def _send_to_worker(self, message: Message) -> None:
        with contextlib.suppress(OSError):  # the worker is gone: children finish what they have
            self._worker.sendall(pack(message))

    def _start(self, job: Message) -> Callable[[], int] | None:
        """Give the job to the child that was idle last, or to a new one."""
        while self._idle:
            child = self._idle.pop()
            try:
                child.connection.sendall(pack(job))
            except OSError:
                continue  # it died idle; its end is reaped in its own time
            self._assign(child, job)
            return None
        here, there = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            return self._become_child(there, other_end=here)
        there.close()
        child = Child(pid, here)
        self._children[pid] = child
        self._selector.register(here, selectors.EVENT_READ, lambda: self._read_child(child))
        self._assign(child, job)
        with contextlib.suppress(OSError):  # it died at once: its end is reaped like any other
            here.sendall(pack(job))
        return None

    def _assign(self, child: Child, job: Message) -> None:
        child.job_id = job["id"]
        self._send_to_worker({"kind": "assigned", "id": child.job_id, "pid": child.pid})

    def _become_child(
        self, connection: socket.socket, other_end: socket.socket
    ) -> Callable[[], int]:
        """Close everything of the fork server in the child; the child's main function."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for other in (self._worker, self._wake, self._wake_write, other_end):
            other.close()
        for child in self._children.values():
            child.connection.close()
        serve, reuse = self._serve, self._reuse
        return lambda: serve(connection, reuse)

    def _signal(self, job_id: str, number: int) -> None:
        for child in self._children.values():
            if child.job_id == job_id:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    # A kill takes what the run has started with it (the child leads a group of
                    # its own); anything milder is for the child alone.
                    send = os.killpg if number == signal.SIGKILL else os.kill
                    send(child.pid, number)

    def _read_child(self, child: Child, *, to_the_end: bool = False) -> None:
        """Forward what the child has sent; to the end if it has died."""
        if child.connection.fileno() < 0:
            return  # reaped a moment ago, in the same round of events
        child.connection.setblocking(not to_the_end)
        with contextlib.suppress(OSError):
            while data := child.connection.recv(_READ):
                for message in child.frames.feed(data):
                    self._forward(child, message)
                if not to_the_end:
                    return
        self._selector.unregister(child.connection)
        child.connection.close()

    def _forward(self, child: Child, message: Message) -> None:
        self._send_to_worker(message)
        if message["kind"] == "done":
            child.job_id = None
            if not message["retire"] and not self._closing:
                child.idle_since = time.monotonic()
                self._idle.append(child)
            elif not message["retire"]:
                self._dismiss(child)

    def _dismiss(self, child: Child) -> None:
        with contextlib.suppress(OSError):
            child.connection.shutdown(socket.SHUT_WR)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake.recv(_READ)
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if (child := self._children.pop(pid, None)) is None:
                    continue
                self._read_child(child, to_the_end=True)
                if child in self._idle:
                    self._idle.remove(child)
                if child.job_id is not None:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(pid, signal.SIGKILL)  # what its run had started
                    code = os.waitstatus_to_exitcode(status)
                    self._send_to_worker({"kind": "died", "id": child.job_id, "exit_code": code})

    def _select_timeout(self) -> float | None:
        if not self._idle:
            return None
        oldest = min(child.idle_since for child in self._idle)
        return max(0.0, oldest + self._reuse.idle_seconds - time.monotonic())

    def _end_idle_children(self) -> None:
        limit = time.monotonic() - self._reuse.idle_seconds
        for child in list(self._idle):
            if self._closing or child.idle_since <= limit:
                self._idle.remove(child)
                self._dismiss(child)


def preload(modules: list[str]) -> list[str]:
    """Import the modules; returns those that could not be imported, each with the reason."""
    failed = []
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            failed.append(f"{module}: {type(error).__name__}: {error}")
    return failed


def main(arguments: list[str]) -> int:
    """The fork server, and in its forks the children."""
    started = time.time_ns()
    worker = socket.socket(fileno=int(arguments[0]))
    from sentinel_core.worker.pool import run_job
    from sentinel_core.worker.pool.child import serve
    from sentinel_core.worker.pool.protocol import receive

    hello = receive(worker.makefile("rb", buffering=0))  # and not a byte of what follows
    if hello is None:
        return 0
    run_job.code.move_to(hello["folder"])  # by its name: it may be a link to another one tomorrow
    failed = preload(hello["preload"])
    run_job.code.watch(since=started)
    gc.collect()
    gc.freeze()  # what was imported is never garbage: children share these pages for good
    ready: dict[str, Any] = {"kind": "ready", "failed": failed, "threads": threading.active_count()}
    worker.sendall(pack(ready))
    child_main = ForkServer(worker, ReusePolicy(**hello["reuse"]), serve).run()
    return child_main() if child_main else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
