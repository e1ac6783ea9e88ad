"""One PostgreSQL and one Prefect server for all processes of a run of the tests.

The process that needs one first starts it and writes down where it is; the others read that. What
was started outlives its starter and is ended by the process that controls the run.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.support.patience import patient
from tests.support.postgres import start_postgres, stop_postgres
from tests.support.prefect import PrefectServer, environment, start_prefect_server


class Shared:
    """The folder in which the processes of one run meet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def new(cls) -> "Shared":
        """A folder of its own, with a short path: a socket's path may have 107 characters."""
        return cls(Path(tempfile.mkdtemp(prefix="st-", dir="/tmp")))

    def postgres(self) -> str:
        """The URL of a real PostgreSQL's maintenance database."""
        return str(self.once("postgres", lambda: start_postgres(self.folder / "pg")[0]))

    def prefect(self, name: str = "prefect") -> PrefectServer:
        """The real Prefect server of this name."""
        folder = self.folder / name

        def start() -> tuple[str, int]:
            folder.mkdir(exist_ok=True)
            server = start_prefect_server(folder)
            return server.api_url, server.pid

        url, pid = self.once(f"server-{name}", start)
        return PrefectServer(url, environment(folder, url), folder, pid)

    @contextlib.contextmanager
    def prefect_of_one_run(self, name: str) -> Iterator[PrefectServer]:
        """A real Prefect server of this name that no other run of tests has, ended with it."""
        name = f"{name}-{os.getpid()}"
        yield self.prefect(name)
        self._end_server(self.folder / f"server-{name}.json")
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` returned in the process that came first; it is made by nobody else."""
        file = self.folder / f"{name}.json"
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not file.exists():
                made = json.dumps(make())
                file.write_text(made)
            return json.loads(file.read_text())

    def end(self) -> None:
        """Stop what was started and remove every trace."""
        for server in self.folder.glob("server-*.json"):
            self._end_server(server)
        if (self.folder / "pg").exists():
            stop_postgres(self.folder / "pg")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end_server(self, written: Path) -> None:
        """End the server that this file tells of."""
        _, pid = json.loads(written.read_text())
        _end_group(pid)
        written.unlink()


def _end_group(pid: int) -> None:
    """End a process group by the process that leads it, which may be another one's child."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, sign)
        with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            psutil.Process(pid).wait(patient(15))
        time.sleep(0.1)
