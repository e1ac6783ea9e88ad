"""Deploying test rules and running them for real."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings
from sqlalchemy import Engine, text

from sentinel_core.store.db.engine import reading
from tests.support.prefect import PrefectServer
from tests.support.processes import wait_for


@contextlib.contextmanager
def client_of(server: PrefectServer) -> Iterator[SyncPrefectClient]:
    """A client of this server, in this process."""
    with (
        temporary_settings({PREFECT_API_URL: server.api_url}),
        get_client(sync_client=True) as client,
    ):
        yield client


def rule_yaml(
    name: str, entrypoint: str, check: dict[str, Any] | None = None, **settings: Any
) -> dict[str, Any]:
    """One deployment for a prefect.yaml."""
    schedules = settings.pop("schedules", [{"cron": "0 0 1 1 *", "timezone": "UTC"}])
    extra = settings.pop("deployment", {})
    return {
        "name": name,
        "entrypoint": entrypoint,
        "work_pool": {"name": "sentinel"},
        "schedules": schedules,
        "parameters": {"check": check or {}, **settings},
        **extra,
    }


def deploy(server: PrefectServer, folder: Path, *deployments: dict[str, Any]) -> None:
    """`prefect deploy --all` of these deployments, from the checkout."""
    file = folder / "prefect.yaml"
    file.write_text(yaml.safe_dump({"deployments": list(deployments)}))
    server.prefect("work-pool", "create", "sentinel", "--type", "process", check=False)
    server.prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(file))


@dataclass(frozen=True)
class Deployed:
    """One deployed rule."""

    client: SyncPrefectClient
    id: UUID

    @classmethod
    def find(cls, client: SyncPrefectClient, name: str) -> "Deployed":
        return cls(client, client.read_deployment_by_name(name).id)

    def start(self, **check: Any) -> UUID:
        """A run now, with these values in `check`."""
        deployment = self.client.read_deployment(self.id)
        merged = {**deployment.parameters.get("check", {}), **check}
        run = self.client.create_flow_run_from_deployment(
            self.id, parameters={**deployment.parameters, "check": merged}
        )
        return run.id

    def start_as_is(self) -> UUID:
        """A run now, with the deployment's own parameters."""
        return self.client.create_flow_run_from_deployment(self.id).id

    def wait(self, run_id: UUID, *, seconds: float = 60, what: str = "end") -> FlowRun:
        """The run once it is final."""

        def final() -> FlowRun | None:
            run = self.client.read_flow_run(run_id)
            return run if run.state is not None and run.state.is_final() else None

        run = wait_for(final, seconds=seconds, what=f"run {run_id} to {what}")
        assert isinstance(run, FlowRun)
        return run

    def wait_state(self, run_id: UUID, name: str, *, seconds: float = 60) -> None:
        """Until the run is in the state of this name."""

        def there() -> bool:
            state = self.client.read_flow_run(run_id).state
            return state is not None and state.name == name

        wait_for(there, seconds=seconds, what=f"run {run_id} to be {name}")


def rows(engine: Engine, query: str, **values: Any) -> list[dict[str, Any]]:
    """Rows of a query, as dictionaries (SQLite gives times as text)."""
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(text(query), values).mappings()]
