"""A team's own Prefect project, with Sentinel installed beside its other packages."""

import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import FlowRun
from sqlalchemy import Engine

from sentinel_core.store.db.engine import open_engine
from tests.support.deployed import Deployed
from tests.support.installed import Installed
from tests.support.patience import patient
from tests.support.prefect import PrefectServer, client_of
from tests.support.processes import running


@dataclass(frozen=True)
class Team:
    """A project's folder, and the environment that its programs run in."""

    installed: Installed
    server: PrefectServer
    folder: Path
    name: str = field(default_factory=lambda: f"team-{uuid.uuid4().hex[:6]}")

    @property
    def env(self) -> dict[str, str]:
        """What its programs know of their surroundings."""
        return {
            **self.installed.environment(self.server.env),
            "SENTINEL_DATABASE_URL": f"sqlite:///{self.folder.parent / 'sentinel.db'}",
            "SENTINEL_STORE_VARIABLE": self.name.replace("-", "_"),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }

    def write(self, files: Mapping[str, str]) -> None:
        """Files of the project."""
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)

    def run(
        self, *command: str, cwd: Path | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the project's folder, or elsewhere."""
        done = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env=self.env,
            text=True,
            capture_output=True,
            timeout=patient(300),
            check=False,
        )
        said = f"{done.stdout}{done.stderr}"
        assert "Traceback" not in said, said
        assert not check or done.returncode == 0, said
        return done

    def sentinel(
        self, *arguments: str, cwd: Path | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run the installed command."""
        return self.run(self.installed.sentinel, *arguments, cwd=cwd, check=check)

    @contextmanager
    def worker(self, kind: str = "sentinel", pool: str | None = None) -> Iterator[Path]:
        """A worker for the project's pool, started outside of the project; its log."""
        log = self.folder.parent / "worker.log"
        command = ("worker", "start", "--pool", pool or self.name, "--type", kind)
        elsewhere = self.folder.parent
        with running(*self.installed.prefect(*command), env=self.env, log=log, cwd=elsewhere):
            yield log

    def finish(self, deployment: str, **parameters: Any) -> FlowRun:
        """A run of a deployment, once it has ended."""
        with client_of(self.server) as client:
            found = Deployed.find(client, deployment)
            run = client.create_flow_run_from_deployment(found.id, parameters=parameters or None)
            return found.wait(run.id)

    @contextmanager
    def store(self) -> Iterator[Engine]:
        """Its event store."""
        engine = open_engine(self.env["SENTINEL_DATABASE_URL"])
        yield engine
        engine.dispose()
