"""A whole Sentinel in a folder of its own: its environment, its programs, and their end."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from sentinel_core.base.errors import SetupError
from sentinel_core.demo.page import HOST, Board
from sentinel_core.demo.project import CRITICAL, WARNINGS
from sentinel_core.up.process import ManagedProcess, listens, program

SENTINEL = "sentinel_core.cli"
_READY_SECONDS = 180.0
_OURS = ("PREFECT_", "SENTINEL_", "STREAMLIT_")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the programs of the demo listen, all on this machine alone."""

    server: int
    viewer: int
    page: int

    def require_free(self) -> None:
        """Raise SetupError if something listens on one of them."""
        for option, port in (
            ("--server-port", self.server),
            ("--viewer-port", self.viewer),
            ("--page-port", self.page),
        ):
            if listens(port):
                raise SetupError(
                    f"port {port} is busy: stop what listens there, or choose another with {option}"
                )


@contextmanager
def workspace(keep: Path | None) -> Iterator[Path]:
    """The demo's folder, removed at the end unless it is one to keep. Raises SetupError."""
    if keep is None:
        folder = Path(tempfile.mkdtemp(prefix="sentinel-demo-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise SetupError(f"{keep} is not an empty folder: name a new one with --keep")
    keep.mkdir(parents=True, exist_ok=True)
    yield keep.resolve()


def isolated(environment: Mapping[str, str], folder: Path, ports: Ports) -> dict[str, str]:
    """The environment of the demo: nothing of it leads to another Prefect or another store."""
    kept = {name: value for name, value in environment.items() if not name.startswith(_OURS)}
    server = f"http://{HOST}:{ports.server}"
    return {
        **kept,
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"{server}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "SENTINEL_DATABASE_URL": f"sqlite:///{folder / 'sentinel.db'}",
        "SENTINEL_VIEWER_URL": f"http://{HOST}:{ports.viewer}",
        "SENTINEL_PREFECT_UI_URL": server,
        "SENTINEL_USER": "demo",
        "SENTINEL_WORKER_SPREAD_SECONDS": "0",
        "SENTINEL_WORKER_STOP_SECONDS": "2",
    }


@dataclass
class System:
    """The programs of the demo, started in the present folder and environment."""

    folder: Path
    ports: Ports
    children: list[ManagedProcess] = field(default_factory=list)

    def start(self, file: Path, board: Board, say: Callable[[str], None]) -> None:
        """Start all programs and deploy the rules. Raises SetupError when one does not come up."""
        server = f"http://{HOST}:{self.ports.server}"
        say("starting a Prefect server of its own …")
        command = [*program("sentinel_core.up.prefect_server"), "server", "start"]
        command += ["--host", HOST, "--port", str(self.ports.server)]
        self._child("server", command)
        self._wait_for(f"{server}/api/health")
        self.sentinel(
            "channels",
            "setup",
            SENTINEL_SLACK_CRITICAL_URL=board.webhook(CRITICAL),
            SENTINEL_SLACK_WARNINGS_URL=board.webhook(WARNINGS),
        )
        say("starting a worker and the blotter, deploying the rules …")
        command = [*program(SENTINEL), "up", "--file", str(file), "--no-first-run"]
        command += ["--viewer-port", str(self.ports.viewer), "--logs", str(self.folder), "--no-api"]
        self._child("up", command, patience=60)
        self._wait_for(f"http://{HOST}:{self.ports.viewer}/_stcore/health")

    def sentinel(self, *arguments: str, **environment: str) -> str:
        """Run a `sentinel` command; returns what it printed. Raises SetupError when it fails."""
        done = subprocess.run(  # noqa: S603 (our own program)
            [*program(SENTINEL), *arguments],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SetupError(f"`sentinel {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return done.stdout

    def fail_if_dead(self) -> None:
        """Raise SetupError if a program has ended by itself."""
        for child in self.children:
            if child.exit_code is not None:
                tail = "\n".join(child.last_lines)
                raise SetupError(
                    f"the demo's {child.name} ended by itself. Its last lines:\n{tail}"
                )

    def stop(self) -> None:
        """Stop all programs, the last one first."""
        while self.children:
            child = self.children.pop()
            child.stop(child.patience)

    def _child(self, name: str, command: list[str], patience: float = 20) -> None:
        log = self.folder / f"{name}.log"
        child = ManagedProcess(
            name, command, os.environ, log, on_problem=_in_the_log, patience=patience
        )
        self.children.append(child)

    def _wait_for(self, url: str) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not _answers(url):
            self.fail_if_dead()
            if time.monotonic() > deadline:
                raise SetupError(f"nothing answers at {url} after {_READY_SECONDS:.0f} s")
            time.sleep(0.2)


def _in_the_log(_name: str, _line: str) -> None:
    """A problem that a program prints is in its log, which `--keep` keeps."""


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.HTTPError:
        return False
