"""`sentinel up`: starts everything a team needs in order, watches it, and stops it again."""

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs
from rich.console import Console

from sentinel_core.base.errors import SetupError
from sentinel_core.base.settings import get_settings
from sentinel_core.rulefile.source import work_pools
from sentinel_core.up.answers import answer, is_healthy
from sentinel_core.up.commands import (
    SENTINEL,
    api_command,
    database_commands,
    server_command,
    services_command,
    viewer_command,
    worker_command,
)
from sentinel_core.up.prefect_server import LATE_AFTER, SETTINGS
from sentinel_core.up.process import HOST, ManagedProcess, listens, program, stopped_by_signals

HEALTH_SECONDS = 120.0
# A rule that is due by then has no first run: the two would collide where it may not run twice.
FIRST_RUN_SECONDS = 60
# What Prefect's server logs before it tries again, when its SQLite was busy for a moment.
_TRANSIENT = re.compile(
    r"Encountered error during state validation|database is locked"
    r"|Worker channel heartbeat persistence failed"
)
_DETAILED = {
    "PREFECT_LOGGING_LEVEL": "DEBUG",
    "PREFECT_SERVER_LOGGING_LEVEL": "DEBUG",
    "PREFECT_LOGGING_ROOT_LEVEL": "INFO",  # libraries: the drivers of databases log each row
    "STREAMLIT_LOGGER_LEVEL": "debug",
}
_CLOCK = re.compile(r"^\d{2}:\d{2}:\d{2}\.\d{3} \| ")


def default_logs() -> Path:
    """The folder for logs where `--logs` names none."""
    return Path(platformdirs.user_log_dir("sentinel", appauthor=False))


@dataclass
class Up:
    """One `sentinel up`: its options, and its steps in the order they run."""

    file: Path
    server_port: int
    viewer_port: int
    worker_limit: int | None
    first_run: bool
    logs: Path
    debug: bool = False
    api_port: int | None = None  # None: without the HTTP API
    read_only: bool = False
    server_workers: int = 1
    console: Console = field(default_factory=Console)
    children: list[ManagedProcess] = field(default_factory=list)
    pools: dict[str, str] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    shown: set[tuple[str, str]] = field(default_factory=set)
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def run(self) -> int:
        """Start, watch until Ctrl-C or until something dies, stop; the exit code."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with stopped_by_signals(self.stopping):
            try:
                self._start()
                self._show_urls()
                while not self.stopping.wait(0.5):
                    for child in self.children:
                        self._fail_if_dead(child)
            except KeyboardInterrupt:
                pass
            finally:
                for child in reversed(self.children):
                    self.console.print(f"stopping {child.name} …", highlight=False)
                    child.stop(child.patience)
        return 0

    def _start(self) -> None:
        if not self.file.is_file():
            raise SetupError(
                f"there is no rule file {self.file}: run `sentinel up` in the folder of "
                "your prefect.yaml, name it with --file, or make a project with `sentinel init`"
            )
        self._refuse_busy()
        self._server()
        self._step("event store", self._migrate)
        self._step("work pools", self._pools)
        self._deploy()
        self._worker()
        self._viewer()
        if self.first_run:
            self._step("first runs", self._first_runs)
        if self.api_port is not None:
            self._api(self.api_port)

    def _refuse_busy(self) -> None:
        """Raises SetupError that names every port that is busy, before anything is started."""
        wanted = {self.viewer_port: "another with --viewer-port"}
        if self.api_port is not None:
            wanted[self.api_port] = "another with --api-port, or leave it out: --no-api"
        busy = [
            f"port {port} is busy: stop what listens there, or choose {other}"
            for port, other in wanted.items()
            if listens(port)
        ]
        if busy:
            raise SetupError("; ".join(busy))

    def _server(self) -> None:
        from prefect.settings import PREFECT_API_URL

        local = f"http://{HOST}:{self.server_port}/api"
        named = (PREFECT_API_URL.value() or "").rstrip("/")
        url = named or local
        self._environment(url)  # a server of our own needs it too: its UI asks there
        if is_healthy(url):
            self._say("Prefect server", f"using the one at {url}")
        elif named and named.replace("localhost", HOST) != local:
            raise SetupError(
                f"no Prefect server answers at {named} (PREFECT_API_URL): start it, correct the "
                "variable or profile, or unset it to have one started here"
            )
        elif listens(self.server_port):
            raise SetupError(
                f"port {self.server_port} is busy, and not with a Prefect server: stop "
                "what listens there, or choose another with --server-port"
            )
        else:
            self._own_server(url)

    def _own_server(self, url: str) -> None:
        self.env.setdefault(LATE_AFTER, SETTINGS[LATE_AFTER])  # the worker goes by it as well
        many = self.server_workers
        if many > 1:
            self._step("Prefect's database", self._prepare_many)
        child = self._child("server", server_command(self.server_port, many))
        with self.console.status("Prefect server …"):
            self._wait_for(lambda: is_healthy(url), child, "the Prefect server")
        if many > 1:
            self._child("services", services_command())
        self._say("Prefect server", f"healthy at {url}" + f", {many} processes" * (many > 1))

    def _prepare_many(self) -> str:
        """Set what several processes share, and upgrade the database before they start."""
        from prefect.settings import get_current_settings

        from sentinel_core.up.scaled import settings_of

        url = get_current_settings().server.database.connection_url
        database = url.get_secret_value() if url else ""
        self.env.update(settings_of(self.server_workers, self.env, database))
        for command in database_commands():
            done = self._run(command)
            if done.returncode:
                raise SetupError(f"Prefect's database was not upgraded: {_last_line(done)}")
        return "upgraded, and shared through Redis"

    def _environment(self, api_url: str) -> None:
        """Set the addresses that every program needs."""
        settings = get_settings()
        self.env["PREFECT_API_URL"] = api_url
        self.env["SENTINEL_DATABASE_URL"] = settings.database_url
        self.env.setdefault("SENTINEL_VIEWER_URL", f"http://{HOST}:{self.viewer_port}")
        ui = self.env.get("PREFECT_UI_URL") or api_url.rstrip("/").removesuffix("/api")
        self.env.setdefault("SENTINEL_PREFECT_UI_URL", ui)
        self.env.setdefault("PREFECT_WORKER_QUERY_SECONDS", "2")
        if self.debug:
            self.env.update(_DETAILED)

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

    def _migrate(self) -> str:
        from prefect.settings import PREFECT_API_URL, temporary_settings

        from sentinel_core.flow.opening import open_store
        from sentinel_core.store.db.engine import masked
        from sentinel_core.store.db.failure import explained
        from sentinel_core.store.db.schema import require_schema

        url = get_settings().database_url
        api = {PREFECT_API_URL: self.env["PREFECT_API_URL"]}
        with explained(url), temporary_settings(api):
            identity = require_schema(open_store(get_settings(), upgrading=True))
        return f"{masked(url)}, identity {identity}"

    def _pools(self) -> str:
        """Create the pools that are missing; existing ones keep their type."""
        for name in work_pools(self.file):
            found = self._quiet("prefect", "work-pool", "inspect", name, "--output", "json")
            if found.returncode == 0:
                self.pools[name] = str(json.loads(found.stdout)["type"])
                continue
            created = self._quiet("prefect", "work-pool", "create", name, "--type", "sentinel")
            if created.returncode:
                raise SetupError(f"work pool {name!r} can't be created: {_last_line(created)}")
            self.pools[name] = "sentinel"
        return ", ".join(f"{name} (type {kind})" for name, kind in self.pools.items())

    def _deploy(self) -> None:
        # Without its gate: a change is tried out here, not deployed to a team.
        command = [*program(SENTINEL), "rules", "deploy", "--wait", "60", "--yes", "--no-gate"]
        self._say("rules", f"checking and deploying {self.file}")
        # It prints a line for each rule.
        done = subprocess.run([*command, str(self.file)], env=self.env, check=False)  # noqa: S603
        if done.returncode:
            raise SetupError(f"the rules of {self.file} were not deployed (see above)")

    def _worker(self) -> None:
        for name, kind in self.pools.items():
            limit = self.worker_limit
            if limit is None and kind == "process":  # each run takes a process: one per core
                limit = max(2, os.cpu_count() or 2)
            # It waits for its runs before it hands them back: give it time.
            patience = get_settings().worker_stop_seconds + 20
            self._child(f"worker-{name}", worker_command(name, limit), patience=patience)
            most = limit or "its default of 16"
            self._say("worker", f"pool {name}, type {kind}, at most {most} runs at once")

    def _viewer(self) -> None:
        command = viewer_command(self.viewer_port, read_only=self.read_only)
        child = self._child("viewer", command)
        url = f"http://{HOST}:{self.viewer_port}"
        self._wait_for(lambda: answer(f"{url}/_stcore/health") is not None, child, "the viewer")
        self._say("viewer", f"{url}, read-only" if self.read_only else url)

    def _api(self, port: int) -> None:
        """Start the HTTP API, last: nobody waits for it, and the first events come sooner."""
        self._child("api", api_command(port))
        self._say("HTTP API", f"http://{HOST}:{port}")

    def _first_runs(self) -> str:
        """One run now of every active rule that is not due soon by its schedule."""
        which = ["--all", "--not-due-within", str(FIRST_RUN_SECONDS), "--file", str(self.file)]
        started = self._quiet(SENTINEL, "rules", "run", *which)
        if started.returncode:
            raise SetupError(f"the first runs could not be started: {_last_line(started)}")
        return _last_line(started)

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
            "Blotter": f"http://{HOST}:{self.viewer_port}",
            **({"HTTP API": f"http://{HOST}:{self.api_port}"} if self.api_port else {}),
            "Prefect UI": self.env["SENTINEL_PREFECT_UI_URL"],
            "Logs": str(self.logs),
            "Commands": f"export PREFECT_API_URL={self.env['PREFECT_API_URL']}{self._elsewhere()}",
        }
        self.console.print()
        for name, value in lines.items():
            self.console.print(f"  {name:<11} {value}", highlight=False, soft_wrap=True)
        self.console.print("\nRunning; only problems are shown from here on. Ctrl-C stops all.")

    def _elsewhere(self) -> str:
        """The blotter's address for links that commands print, unless it is the default."""
        url = self.env["SENTINEL_VIEWER_URL"]
        return "" if url == get_settings().viewer_url else f" SENTINEL_VIEWER_URL={url}"

    def _fail_if_dead(self, child: ManagedProcess) -> None:
        if child.exit_code is None:
            return
        tail = "\n".join(child.last_lines)
        raise SetupError(
            f"the {child.name} ended by itself (exit code {child.exit_code}). Its last lines:\n"
            f"{tail}\nThe whole log is {child.log}"
        )

    def _child(self, name: str, command: list[str], patience: float = 20.0) -> ManagedProcess:
        log = self.logs / f"{name}.log"
        child = ManagedProcess(name, command, self.env, log, self._problem, patience)
        self.children.append(child)
        return child

    def _quiet(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run([*program(module), *arguments])

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 (fixed programs, arguments of our own)
            command, env=self.env, capture_output=True, text=True, check=False
        )


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
