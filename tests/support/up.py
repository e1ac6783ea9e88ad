"""A running `sentinel up`."""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from sqlalchemy import Engine

from sentinel_core.store.db.engine import open_engine
from tests.support.processes import BIN, ROOT, free_port, running, wait_for


@dataclass(frozen=True)
class System:
    """A running `sentinel up`."""

    process: subprocess.Popen[bytes]
    viewer: str
    store: Engine
    log: Path

    def said(self) -> str:
        return self.log.read_text()


@contextmanager
def sentinel_up(
    folder: Path,
    file: Path,
    *options: str,
    env: dict[str, str],
    ready: bool = True,
    api_port: int | None = None,
    cwd: Path = ROOT,
) -> Iterator[System]:
    """`sentinel up` as a user runs it, on ports of its own; without an API where it has no port."""
    port = free_port()
    url = f"sqlite:///{folder / 'sentinel.db'}"
    log = folder / "up.log"
    command = (str(BIN / "sentinel"), "up", "--file", str(file), "--viewer-port", str(port))
    api = ("--no-api",) if api_port is None else ("--api-port", str(api_port))
    env = {**env, "SENTINEL_DATABASE_URL": url, "SENTINEL_USER": "ana"}
    env["SENTINEL_STORE_VARIABLE"] = f"store_{uuid.uuid4().hex}"  # others use the server, too
    with running(*command, *api, *options, env=env, log=log, cwd=cwd, grace_seconds=60) as process:
        system = System(process, f"http://127.0.0.1:{port}", open_engine(url), log)
        if ready:
            wait_for(
                lambda: "Ctrl-C stops all" in log.read_text(),
                seconds=120,
                what="readiness",
                progress=log.read_text,  # it names each rule as soon as it is deployed
            )
        yield system


def rule_file(folder: Path, *deployments: dict[str, object]) -> Path:
    file = folder / "prefect.yaml"
    file.write_text(yaml.safe_dump({"deployments": list(deployments)}))
    return file
