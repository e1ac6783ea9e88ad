"""A real Prefect server and worker."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.events.worker import EventsWorker
from prefect.exceptions import ObjectAlreadyExists
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.utilities.asyncutils import run_coro_as_sync
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from sentinel_core.up.commands import server_command
from tests.support.patience import PATIENCE, VARIABLE, patient
from tests.support.processes import (
    BIN,
    ROOT,
    answers,
    cpu_seconds,
    free_port,
    running,
    start,
    stop,
    wait_for,
)

STOCK = "SENTINEL_TEST_STOCK_PREFECT"
"""What of Prefect is not to be replaced in the processes that tests start: as
SENTINEL_STOCK_PREFECT, which tests themselves do not pass on."""

_NONE: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True)
class PrefectServer:
    """A running server; `env` is what a program needs to talk to it."""

    api_url: str
    env: dict[str, str]
    folder: Path
    pid: int = 0

    @property
    def ui_url(self) -> str:
        return self.api_url.removesuffix("/api")

    def prefect(
        self, *arguments: str, check: bool = True, cwd: Path = ROOT, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the `prefect` command against this server."""
        return self.run("prefect", *arguments, check=check, cwd=cwd, **env)

    def run(
        self, program: str, *arguments: str, check: bool = True, cwd: Path = ROOT, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment against this server."""
        done = subprocess.run(
            [str(BIN / program), *arguments],
            env={**self.env, **env},
            cwd=cwd,
            text=True,
            capture_output=True,
            timeout=patient(300),
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{program} {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}")
        return done


def clean_environment(folder: Path) -> dict[str, str]:
    """This process's environment without anything that names a server or a store."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "SENTINEL_"))}
    stock = os.environ.get(STOCK)  # `make stock`
    return {
        **kept,
        **({"SENTINEL_STOCK_PREFECT": stock} if stock else {}),
        "SENTINEL_SOURCE_ROOTS": tempfile.gettempdir(),
        VARIABLE: str(PATIENCE),
        "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}",
        "HOME": str(folder),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "DO_NOT_TRACK": "1",
        "COLUMNS": "200",
    }


def environment(folder: Path, url: str, **more: str) -> dict[str, str]:
    """What a program needs to talk to the server at this address, which lives in `folder`."""
    return {**clean_environment(folder), "PREFECT_API_URL": url, **more}


@contextlib.contextmanager
def prefect_server(
    folder: Path,
    port: int | None = None,
    grace_seconds: float = 15,
    workers: int = 1,
    **more: str,
) -> Iterator[PrefectServer]:
    """A Prefect server with its own database in `folder`, started as `sentinel up` does.

    With a short `grace_seconds` it does not get to see its connections closed when it is stopped.
    """
    process, server = _start(folder, port, more, workers)
    try:
        yield server
    finally:
        stop(process, grace_seconds)


def start_prefect_server(folder: Path) -> PrefectServer:
    """A server that outlives this process."""
    process, server = _start(folder, None, {})
    _STARTED.append(process)
    return server


_STARTED: list[subprocess.Popen[bytes]] = []  # else Python warns that they still run


def _start(
    folder: Path, port: int | None, more: Mapping[str, str], workers: int = 1
) -> tuple[subprocess.Popen[bytes], PrefectServer]:
    port = port or free_port()
    url = f"http://127.0.0.1:{port}/api"
    env = environment(folder, url, **more)
    process = start(*server_command(port, workers), env=env, log=folder / "server.log")
    try:
        wait_for(
            lambda: answers(f"{url}/health"),
            what="the Prefect server",
            progress=lambda: cpu_seconds(process.pid),
        )
    except BaseException:
        stop(process)
        raise
    return process, PrefectServer(url, env, folder, process.pid)


@contextlib.contextmanager
def prefect_worker(
    server: PrefectServer, pool: str, *, limit: int = 2, kind: str = "process", **env: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker for `pool`, which is made of this kind if it does not exist."""
    with client_of(server) as client:
        make_pool(client, pool, kind)
    command = (str(BIN / "prefect"), "worker", "start", "--pool", pool, "--limit", str(limit))
    extra = {"PREFECT_WORKER_QUERY_SECONDS": "1", **env}
    log = worker_log(server, pool)
    with running(*command, env={**server.env, **extra}, log=log) as process:
        yield process


def worker_log(server: PrefectServer, pool: str) -> Path:
    """What the workers of this pool print."""
    return server.folder / f"worker-{pool}.log"


@contextlib.contextmanager
def client_of(server: PrefectServer) -> Iterator[SyncPrefectClient]:
    """A client of this server, in this process."""
    with connected_to(server.api_url), get_client(sync_client=True) as client:
        yield client


@contextlib.contextmanager
def connected_to(api_url: str, more: Mapping[Any, Any] = _NONE) -> Iterator[None]:
    """This process talks to that server.

    Its events and log lines go there as well: Prefect keeps one client of each for the whole
    process, connected to the server that was set at its first use. An earlier test's is closed.
    """
    with temporary_settings({PREFECT_API_URL: api_url, **more}):
        EventsWorker.drain_all(timeout=patient(10))
        APILogWorker.drain_all(timeout=patient(10))
        try:
            yield
        finally:  # sent without a server set, a late line would start one of Prefect's own
            APILogWorker.drain_all(timeout=patient(10))


def make_pool(client: SyncPrefectClient, name: str, kind: str = "process") -> None:
    """A work pool, unless there is one of this name; by its form Prefect checks job variables."""
    form = run_coro_as_sync(get_default_base_job_template_for_infrastructure_type(kind))
    with contextlib.suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name=name, type=kind, base_job_template=form or {}))
