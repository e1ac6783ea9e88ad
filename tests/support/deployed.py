"""Deploying test rules and running them for real."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyOptions, FlowRun
from prefect.client.schemas.schedules import CronSchedule
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from sqlalchemy import Engine, text

from sentinel_core.store.db.engine import reading
from tests.support.prefect import make_pool
from tests.support.processes import ROOT, wait_for


def rule_yaml(
    name: str,
    entrypoint: str,
    check: dict[str, Any] | None = None,
    *,
    pool: str = "sentinel",
    job_variables: dict[str, Any] | None = None,
    concurrency_limit: dict[str, Any] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """One deployment for a prefect.yaml."""
    schedules = settings.pop("schedules", [{"cron": "0 0 1 1 *", "timezone": "UTC"}])
    return {
        "name": name,
        "entrypoint": entrypoint,
        "work_pool": {"name": pool, **({"job_variables": job_variables} if job_variables else {})},
        "schedules": schedules,
        **({"concurrency_limit": concurrency_limit} if concurrency_limit else {}),
        "parameters": {"check": check or {}, **settings},
    }


def deploy(client: SyncPrefectClient, *deployments: dict[str, Any]) -> None:
    """What `prefect deploy` makes of these in the checkout, without its seconds of imports."""
    path = sys.path.copy()
    for item in deployments:
        _deploy(client, **item)
    sys.path[:] = path  # loading a flow puts its folder there


def _deploy(
    client: SyncPrefectClient,
    *,
    name: str,
    entrypoint: str,
    work_pool: dict[str, Any],
    parameters: dict[str, Any],
    schedules: Sequence[dict[str, str]] = (),
    concurrency_limit: dict[str, Any] | None = None,
) -> None:
    make_pool(client, work_pool["name"])
    flow = load_flow_from_entrypoint(entrypoint)
    client.create_deployment(
        flow_id=client.create_flow_from_name(flow.name),
        name=name,
        entrypoint=entrypoint,
        work_pool_name=work_pool["name"],
        job_variables=work_pool.get("job_variables", {}),
        schedules=[
            DeploymentScheduleCreate(schedule=CronSchedule(**schedule)) for schedule in schedules
        ],
        concurrency_limit=concurrency_limit["limit"] if concurrency_limit else None,
        concurrency_options=(
            ConcurrencyOptions(collision_strategy=concurrency_limit["collision_strategy"])
            if concurrency_limit
            else None
        ),
        parameters=parameters,
        parameter_openapi_schema=parameter_schema(flow).model_dump_for_openapi(),
        pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}],
    )


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

    def wait(self, run_id: UUID, *, seconds: float = 120, what: str = "end") -> FlowRun:
        """The run once it is final."""

        def final() -> FlowRun | None:
            run = self.client.read_flow_run(run_id)
            return run if run.state is not None and run.state.is_final() else None

        run = wait_for(
            final,
            seconds=seconds,
            what=f"run {run_id} to {what}",
            progress=lambda: self.client.read_flow_run(run_id).state_name,
        )
        assert isinstance(run, FlowRun)
        return run

    def wait_state(self, run_id: UUID, name: str, *, seconds: float = 120) -> None:
        """Until the run is in the state of this name."""

        def there() -> bool:
            state = self.client.read_flow_run(run_id).state
            return state is not None and state.name == name

        wait_for(there, seconds=seconds, what=f"run {run_id} to be {name}")


def rows(engine: Engine, query: str, **values: Any) -> list[dict[str, Any]]:
    """Rows of a query, as dictionaries (SQLite gives times as text)."""
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(text(query), values).mappings()]
