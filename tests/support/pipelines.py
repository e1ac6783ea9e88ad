"""Pipelines for watchers to watch: flows of a team, deployed on the real server and run here."""

import contextlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.flow_engine import run_flow
from prefect.states import Pending
from prefect.utilities.callables import parameter_schema
from sqlalchemy import Engine

from tests.support.deployed import deploy, rule_yaml
from tests.support.prefect import make_pool
from tests.support.scenes import Scene


@dataclass(frozen=True)
class Team:
    """A team's deployments. Its flow names begin with a prefix that no other test has."""

    client: SyncPrefectClient

    def deploy(self, flow: Flow[..., Any], name: str, pool: str | None = None, **more: Any) -> UUID:
        """A deployment of this flow."""
        if pool:
            make_pool(self.client, pool)
        return self.client.create_deployment(
            flow_id=self.client.create_flow_from_name(flow.name),
            name=name,
            work_pool_name=pool,
            parameter_openapi_schema=parameter_schema(flow).model_dump_for_openapi(),
            enforce_parameter_schema=False,
            **more,
        )

    def run(self, flow: Flow[..., Any], deployment: UUID, **parameters: Any) -> FlowRun:
        """A run of a deployment from its beginning to its end, as a worker would run it."""
        made = self.client.create_flow_run_from_deployment(deployment, parameters=parameters)
        self.client.set_flow_run_state(made.id, Pending())
        with contextlib.suppress(Exception):  # the flow's own
            run_flow(flow, flow_run=self.client.read_flow_run(made.id), parameters=parameters)
        return self.client.read_flow_run(made.id)

    def put(self, deployment: UUID, *states: State[Any]) -> FlowRun:
        """A run that has been in these states, set through the API."""
        made = self.client.create_flow_run_from_deployment(deployment)
        for state in states:
            self.client.set_flow_run_state(made.id, state, force=True)
        return self.client.read_flow_run(made.id)


def watcher(
    client: SyncPrefectClient,
    engine: Engine,
    flow: Flow[..., Any],
    name: str,
    check: dict[str, Any],
    **settings: Any,
) -> Scene:
    """A rule of a trigger of `flows/pipelines.py`, deployed."""
    entrypoint = f"flows/pipelines.py:{flow.name.replace('-', '_')}"
    deploy(client, rule_yaml(name, entrypoint, check, pool="watchers", **settings))
    found = client.read_deployment_by_name(f"{flow.name}/{name}")
    return Scene(client, engine, flow, found)
