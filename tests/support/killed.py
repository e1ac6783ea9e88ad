"""Deliverers that are killed: real processes that deliver for ever, forked from one that is warm.

Starting from nothing costs seconds of imports, and most kills would hit those. Run as a program it
is that warm process: told `start`, it forks a deliverer and answers its process id; told `kill` and
an id, it kills that one with SIGKILL, waits for its end and answers.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sentinel_core.base.settings import Settings
from sentinel_core.model.routing import Routes
from sentinel_core.notify.deliver import deliver_all
from sentinel_core.store.db.engine import open_engine
from tests.support.patience import patient
from tests.support.processes import ROOT

PAUSE_SECONDS = 0.05  # between two rounds of a deliverer that found nothing


def main() -> None:
    """Do as told on standard input, until its end; then nothing that was started is left."""
    alive: set[int] = set()
    print("ready", flush=True)
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "start":
            pid = os.fork()
            if pid == 0:
                _deliver_for_ever()
            alive.add(pid)
            print(pid, flush=True)
        else:
            _end(int(arguments[0]))
            alive.discard(int(arguments[0]))
            print("killed", flush=True)
    for pid in alive:
        _end(pid)


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if not os.WIFSIGNALED(status):
        raise AssertionError(f"deliverer {pid} had ended by itself: {status}")


def _deliver_for_ever() -> None:
    """What flows/deliver.py does, again and again. Never returns into the parent's code."""
    sys.stdin.close()
    try:
        settings = Settings()
        engine = open_engine(settings.database_url)
        while True:
            if not deliver_all(engine, settings, Routes()).sent:
                time.sleep(PAUSE_SECONDS)
    finally:
        os._exit(1)


@dataclass
class Deliverers:
    """The warm process, seen from a test."""

    process: "subprocess.Popen[str]"

    def start(self) -> int:
        """A new deliverer; its process id."""
        return int(self._ask("start"))

    def kill(self, pid: int) -> None:
        """It ends now, whatever it is doing. Fails when it had ended by itself."""
        assert self._ask(f"kill {pid}") == "killed"

    def _ask(self, command: str) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer, f"no answer to {command!r}: see the log"
        return answer


@contextlib.contextmanager
def deliverers(env: Mapping[str, str], log: str) -> Iterator[Deliverers]:
    """A warm process with this environment; gone after, with all it has started."""
    command = [sys.executable, "-m", "tests.support.killed"]
    with (
        open(log, "a") as said,  # noqa: PTH123 (a file for a process)
        subprocess.Popen(
            command,
            env=dict(env),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline().strip() == "ready"
        try:
            yield Deliverers(process)
        finally:
            process.stdin.close()
            process.wait(patient(30))


if __name__ == "__main__":
    main()
