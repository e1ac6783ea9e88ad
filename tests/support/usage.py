"""CPU time and memory of whole process trees, with nothing lost that ended in between.

The kernel adds what a process has used to its parent's "children" times when the parent waits for
it. Own plus children's times, summed over the living, are therefore complete, except for processes
whose parent did not wait for them: orphans, and children of a parent that ignores their end. All
processes are read twice a second, and of such a one the last reading is kept.
"""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psutil

SAMPLE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU seconds of one process, and of those it has waited for, at one moment."""

    own: float
    waited_for: float
    parent: psutil.Process | None = None

    @property
    def total(self) -> float:
        return self.own + self.waited_for


Readings = Mapping[psutil.Process, Reading]


def uncredited(before: Readings, now: Readings) -> float:
    """Seconds of processes that ended between two readings and whose parents did not get them."""
    ended: dict[psutil.Process | None, list[psutil.Process]] = defaultdict(list)
    for process in before.keys() - now.keys():
        ended[before[process].parent].append(process)

    def left_by(process: psutil.Process) -> float:
        return before[process].total + sum(left_by(child) for child in ended[process])

    lost = 0.0
    for parent, children in list(ended.items()):
        due = sum(left_by(child) for child in children)
        if parent is not None and parent in now:
            lost += max(0.0, due - (now[parent].waited_for - before[parent].waited_for))
        elif parent not in before:
            lost += due
    return lost


class Usage:
    """What the trees of some processes use, by the name each tree is given."""

    def __init__(self, **roots: int) -> None:
        self._roots = {psutil.Process(pid): name for name, pid in roots.items()}
        self._members: dict[psutil.Process, str] = dict(self._roots)
        self._readings: dict[str, dict[psutil.Process, Reading]] = {n: {} for n in roots}
        self._lost: dict[str, float] = dict.fromkeys(roots, 0.0)
        self._lock = threading.Lock()

    def cpu_seconds(self) -> dict[str, float]:
        """CPU seconds of each tree since its processes started: of the living and of the ended."""
        with self._lock:
            self._sample()
            return {
                name: self._lost[name] + sum(reading.total for reading in readings.values())
                for name, readings in self._readings.items()
            }

    def memory_mb(self, name: str) -> float:
        """Memory of a tree; what processes share is counted once, in parts (PSS)."""
        mb = 0.0
        for process in self.processes(name):
            with contextlib.suppress(psutil.Error):
                mb += process.memory_full_info().pss / 2**20
        return mb

    def processes(self, name: str) -> list[psutil.Process]:
        """The living processes of a tree."""
        with self._lock:
            self._sample()
            return list(self._readings[name])

    @contextlib.contextmanager
    def watched(self) -> Iterator["Usage"]:
        """Keep reading in the background."""
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(SAMPLE_SECONDS):
                self.cpu_seconds()

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()

    def _sample(self) -> None:
        now: dict[str, dict[psutil.Process, Reading]] = {name: {} for name in self._readings}
        self._members = dict(_grown(self._members))
        by_pid = {process.pid: process for process in self._members}
        for process, name in self._members.items():
            with contextlib.suppress(psutil.NoSuchProcess), process.oneshot():
                times = process.cpu_times()
                now[name][process] = Reading(
                    own=times.user + times.system,
                    waited_for=times.children_user + times.children_system,
                    parent=by_pid.get(process.ppid()) if process not in self._roots else None,
                )
        for name, readings in now.items():
            self._lost[name] += uncredited(self._readings[name], readings)
        self._readings = now


def _grown(members: Mapping[psutil.Process, str]) -> Iterator[tuple[psutil.Process, str]]:
    """The living among the members, and all that they have started."""
    parents: dict[int, list[psutil.Process]] = defaultdict(list)
    living = set()
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            parents[process.ppid()].append(process)
            living.add(process)
    seen = set()
    queue = [(process, name) for process, name in members.items() if process in living]
    while queue:
        process, name = queue.pop()
        if process not in seen:
            seen.add(process)
            yield process, name
            queue += [(child, name) for child in parents[process.pid]]
