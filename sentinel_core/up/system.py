"""`sentinel up`: everything a team needs, started in order, watched, and stopped again."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import httpx
import platformdirs
from rich.console import Console

from sentinel_core.base.errors import SetupError
from sentinel_core.base.settings import get_settings
from sentinel_core.rulefile.source import work_pools
from sentinel_core.up.process import ManagedProcess

HOST = "127.0.0.1"
HEALTH_SECONDS = 120.0
# What Prefect's server logs before it tries again, when its SQLite was busy for a moment.
_TRANSIENT = re.compile(
    r"Encountered error during state validation|database is locked"
    r"|Worker channel heartbeat persistence failed"
)
_CLOCK = re.compile(r"^\d{2}:\d{2}:\d{2}\.\d{3} \| ")


@dataclass(frozen=True, slots=True)
class Options:
    """What `sentinel up` was asked for."""

    file: Path
    server_port: int
    viewer_port: int
    worker_limit: int | None
    first_run: bool


class Up:
    """One `sentinel up`: its steps, in the order they run."""

    def __init__(self, options: Options, console: Console) -> None:
        self.options = options
        self.console = console
        self.children: list[ManagedProcess] = []
        self.pools: dict[str, str] = {}
        self.stopping = threading.Event()
        self.logs = Path(platformdirs.user_log_dir("sentinel", appauthor=False))
        self.shown: set[tuple[str, str]] = set()
        self.env = dict(os.environ)

    def run(self) -> int:
        """Start, watch until Ctrl-C or until something dies, stop; the exit code."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with _signals(self.stopping):
            try:
                self._start()
                self._show_urls()
                return self._watch()
            except KeyboardInterrupt:
                return 0
            finally:
                self._stop()

    # -- steps -----------------------------------------------------------------------------

    def _start(self) -> None:
        self._check_inputs()
        self._server()
        self._step("event store", self._migrate)
        self._step("work pools", self._pools)
        self._deploy()
        self._worker()
        self._viewer()
        if self.options.first_run:
            self._step("first runs", self._first_runs)

    def _check_inputs(self) -> None:
        if not self.options.file.is_file():
            raise SetupError(
                f"there is no rule file {self.options.file}: run `sentinel up` in the folder of "
                "your prefect.yaml, or name it with --file"
            )
        if _listens(self.options.viewer_port):
            raise SetupError(
                f"port {self.options.viewer_port} is busy: stop what listens there, or choose "
                "another with --viewer-port"
            )

    def _server(self) -> None:
        from prefect.settings import PREFECT_API_URL

        local = f"http://{HOST}:{self.options.server_port}/api"
        named = (PREFECT_API_URL.value() or "").rstrip("/")
        url = named or local
        self._environment(url)  # a server of our own needs it too: its UI asks there
        if _healthy(url):
            self._say("Prefect server", f"using the one at {url}")
        elif named and named.replace("localhost", HOST) != local:
            raise SetupError(
                f"no Prefect server answers at {named} (PREFECT_API_URL): start it, correct the "
                "variable or profile, or unset it to have one started here"
            )
        elif _listens(self.options.server_port):
            raise SetupError(
                f"port {self.options.server_port} is busy, and not with a Prefect server: stop "
                "what listens there, or choose another with --server-port"
            )
        else:
            port = str(self.options.server_port)
            command = [sys.executable, "-m", "sentinel_core.up.prefect_server"]
            command += ["server", "start", "--host", HOST, "--port", port]
            child = self._child("server", command)
            self._step("Prefect server", lambda: self._wait_healthy(url, child))

    def _environment(self, api_url: str) -> None:
        """Set the addresses that every program needs."""
        settings = get_settings()
        self.env["PREFECT_API_URL"] = api_url
        self.env["SENTINEL_DATABASE_URL"] = settings.database_url
        self.env.setdefault("SENTINEL_VIEWER_URL", f"http://{HOST}:{self.options.viewer_port}")
        ui = self.env.get("PREFECT_UI_URL") or api_url.rstrip("/").removesuffix("/api")
        self.env.setdefault("SENTINEL_PREFECT_UI_URL", ui)
        self.env.setdefault("PREFECT_WORKER_QUERY_SECONDS", "2")

    def _wait_for(self, answers: Callable[[], bool], child: ManagedProcess, what: str) -> None:
        deadline = time.monotonic() + HEALTH_SECONDS
        while not answers():
            self._fail_if_dead(child)
            if self.stopping.is_set():
                raise KeyboardInterrupt
            if time.monotonic() > deadline:
                raise SetupError(
                    f"{what} did not answer within {HEALTH_SECONDS:.0f} s; its log is {child.log}"
                )
            time.sleep(0.2)

    def _wait_healthy(self, url: str, child: ManagedProcess) -> str:
        self._wait_for(lambda: _healthy(url), child, "the Prefect server")
        return f"healthy at {url}"

    def _migrate(self) -> str:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import OperationalError

        from sentinel_core.store.db.engine import open_engine
        from sentinel_core.store.db.schema import upgrade

        url = get_settings().database_url
        shown = make_url(url).render_as_string(hide_password=True)
        try:
            upgrade(open_engine(url))
        except OperationalError as error:
            raise SetupError(
                f"the event store {shown} can't be opened: {error.orig}. "
                "Start it, or correct SENTINEL_DATABASE_URL"
            ) from error
        return shown

    def _pools(self) -> str:
        """Create the pools that are missing; existing ones keep their type."""
        for name in work_pools(self.options.file):
            if (found := self._pool_type(name)) is None:
                created = self._quiet("prefect", "work-pool", "create", name, "--type", "sentinel")
                if created.returncode:
                    raise SetupError(f"work pool {name!r} can't be created: {_last_line(created)}")
            self.pools[name] = found or "sentinel"
        return ", ".join(f"{name} (type {kind})" for name, kind in self.pools.items())

    def _pool_type(self, name: str) -> str | None:
        found = self._quiet("prefect", "work-pool", "inspect", name, "--output", "json")
        return None if found.returncode else str(json.loads(found.stdout)["type"])

    def _deploy(self) -> None:
        # Without its gate: a change is tried out here, not deployed to a team.
        command = [_program("sentinel"), "rules", "deploy", str(self.options.file)]
        command += ["--yes", "--no-gate"]
        self._say("rules", f"checking and deploying {self.options.file}")
        # It prints a line for each rule.
        done = subprocess.run(command, env=self.env, check=False)  # noqa: S603
        if done.returncode:
            raise SetupError(f"the rules of {self.options.file} were not deployed (see above)")

    def _worker(self) -> None:
        for name, kind in self.pools.items():
            command = [_program("prefect"), "worker", "start", "--pool", name]
            if limit := self._limit(kind):
                command += ["--limit", str(limit)]
            # It waits for its runs before it hands them back: give it time.
            patience = get_settings().worker_stop_seconds + 20
            self._child(f"worker-{name}", command, patience=patience)
            most = limit or "its default of 16"
            self._say("worker", f"pool {name}, type {kind}, at most {most} runs at once")

    def _limit(self, kind: str) -> int | None:
        """The limit asked for; a pool of type process else gets one run per core."""
        if self.options.worker_limit is None and kind == "process":
            return max(2, os.cpu_count() or 2)
        return self.options.worker_limit

    def _viewer(self) -> None:
        root = Path(__file__).parents[2]  # where .streamlit/config.toml is
        port = str(self.options.viewer_port)
        command = [_program("streamlit"), "run", "viewer/app.py", "--server.port", port]
        command += ["--server.address", HOST, "--server.headless", "true"]
        child = self._child("viewer", command, cwd=root)
        url = f"http://{HOST}:{port}"
        self._wait_for(lambda: _answers(f"{url}/_stcore/health"), child, "the viewer")
        self._say("viewer", url)

    def _first_runs(self) -> str:
        """One run of every active rule now, instead of at the next minute of its cron."""
        started = self._quiet("sentinel", "rules", "run", "--all", "--file", str(self.options.file))
        if started.returncode:
            raise SetupError(f"the first runs could not be started: {_last_line(started)}")
        return _last_line(started)

    # -- output and watching ---------------------------------------------------------------

    def _step(self, name: str, work: Callable[[], str]) -> None:
        with self.console.status(f"{name} …"):
            result = work()
        self._say(name, result)

    def _say(self, name: str, text: str) -> None:
        self.console.print(f"[green]✓[/] [bold]{name}[/] {text}", highlight=False, soft_wrap=True)

    def _problem(self, name: str, line: str) -> None:
        """Print a problem once; repetitions are in the log."""
        what = (name, _CLOCK.sub("", line))
        if what in self.shown or _TRANSIENT.search(line):
            return
        self.shown.add(what)
        self.console.print(f"[red]{name}[/] ", end="")
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _show_urls(self) -> None:
        lines = {
            "Blotter": f"http://{HOST}:{self.options.viewer_port}",
            "Prefect UI": self.env["SENTINEL_PREFECT_UI_URL"],
            "Logs": str(self.logs),
            "Commands": f"export PREFECT_API_URL={self.env['PREFECT_API_URL']}",
        }
        self.console.print()
        for name, value in lines.items():
            self.console.print(f"  {name:<11} {value}", highlight=False, soft_wrap=True)
        self.console.print("\nRunning; only problems are shown from here on. Ctrl-C stops all.")

    def _watch(self) -> int:
        while not self.stopping.wait(0.5):
            for child in self.children:
                self._fail_if_dead(child)
        return 0

    def _fail_if_dead(self, child: ManagedProcess) -> None:
        if child.exit_code is None:
            return
        tail = "\n".join(child.last_lines)
        raise SetupError(
            f"the {child.name} ended by itself (exit code {child.exit_code}). Its last lines:\n"
            f"{tail}\nThe whole log is {child.log}"
        )

    def _stop(self) -> None:
        for child in reversed(self.children):
            self.console.print(f"stopping {child.name} …", highlight=False)
            child.stop(child.patience)

    def _child(
        self, name: str, command: list[str], cwd: Path | None = None, patience: float = 20.0
    ) -> ManagedProcess:
        log = self.logs / f"{name}.log"
        child = ManagedProcess(name, command, self.env, log, self._problem, cwd, patience)
        self.children.append(child)
        return child

    def _quiet(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            [_program(program), *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def _signals(stopping: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT stop everything in order, also during the start."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        if not stopping.is_set():
            stopping.set()
            raise KeyboardInterrupt

    previous = {sign: signal.signal(sign, ask) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for sign, handler in previous.items():
            signal.signal(sign, handler)


def _program(name: str) -> str:
    """A program of this Python environment, regardless of PATH."""
    return str(Path(sys.executable).parent / name)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False


def _healthy(api_url: str) -> bool:
    try:
        answer = httpx.get(f"{api_url}/health", timeout=5)
        return answer.is_success and answer.json() is True
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return False


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
