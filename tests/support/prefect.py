"""A real Prefect server and worker."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import BIN, ROOT, answers, free_port, running, wait_for


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
            timeout=180,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{program} {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}")
        return done


def clean_environment(folder: Path) -> dict[str, str]:
    """This process's environment without anything that names a server or a store."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "SENTINEL_"))}
    return {
        **kept,
        "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}",
        "HOME": str(folder),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "DO_NOT_TRACK": "1",
        "COLUMNS": "200",
    }


@contextlib.contextmanager
def prefect_server(
    folder: Path, port: int | None = None, grace_seconds: float = 15, **more: str
) -> Iterator[PrefectServer]:
    """A Prefect server with its own database in `folder`, started as `sentinel up` does.

    With a short `grace_seconds` it does not get to see its connections closed when it is stopped.
    """
    port = port or free_port()
    url = f"http://127.0.0.1:{port}/api"
    env = {**clean_environment(folder), "PREFECT_API_URL": url, **more}
    command = (str(BIN / "python"), "-m", "sentinel_core.up.prefect_server", "server", "start")
    command += ("--host", "127.0.0.1", "--port", str(port))
    log = folder / "server.log"
    with running(*command, env=env, log=log, grace_seconds=grace_seconds) as process:
        wait_for(lambda: answers(f"{url}/health"), seconds=90, what="the Prefect server")
        yield PrefectServer(url, env, folder, process.pid)


@contextlib.contextmanager
def prefect_worker(
    server: PrefectServer,
    pool: str = "sentinel",
    *,
    limit: int = 2,
    kind: str = "process",
    **env: str,
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker for `pool`, which is made of this kind if it does not exist."""
    server.prefect("work-pool", "create", pool, "--type", kind, check=False)
    command = (str(BIN / "prefect"), "worker", "start", "--pool", pool, "--limit", str(limit))
    extra = {"PREFECT_WORKER_QUERY_SECONDS": "1", **env}
    with running(
        *command, env={**server.env, **extra}, log=server.folder / "worker.log"
    ) as process:
        yield process
