"""The job configuration of a sentinel work pool: its form, and how a run is prepared.

Knows Prefect's deployments and job variables; starts nothing.
"""

import os
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import ClassVar
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import Flow, FlowRun, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import Settings, get_current_settings
from prefect.workers.base import BaseJobConfiguration, BaseVariables
from pydantic import BaseModel, Field, PrivateAttr

from sentinel_core.decide.misfire import skipped
from sentinel_core.model.spread import Spread
from sentinel_core.prefect_io.due import next_due
from sentinel_core.prefect_io.facts import is_rule, rule_facts, rule_settings
from sentinel_core.prefect_io.planned import to_hand_down
from sentinel_core.worker.pool.protocol import Job, ProcessSpec, ReusePolicy

# What the first run in each process would import otherwise.
PRELOAD = (
    "sentinel_core.flow.hooks",
    "sentinel_core.flow.rule_flow",
    "prefect.task_engine",
    "anyio._backends._asyncio",
    "sqlalchemy.dialects.sqlite",
    "httpx",
    "pandas",
)


_NAMED = {"id", "name", "tags"}


class _ProcessSettings(BaseModel):
    working_dir: Path | None = Field(
        default=None,
        description="Where processes for code that is fetched (pull steps) or installed start.",
    )
    heartbeat_seconds: int | None = Field(
        default=None,
        ge=30,
        description=(
            "Seconds between a run's heartbeat events. Empty: none, as the worker watches its "
            "processes itself; a heartbeat costs each run up to a second of waiting at its end."
        ),
    )
    preload: list[str] = Field(
        default_factory=lambda: list(PRELOAD),
        description="Modules imported once for all processes; they must not start threads.",
    )
    max_runs_per_process: int = Field(
        default=1000,
        ge=1,
        description="Runs after which a process is replaced; 1 for isolation.",
    )
    max_memory_mb: float = Field(
        default=512,
        gt=0,
        description="A process that uses more memory after a run is replaced.",
    )
    spread: Spread | None = Field(
        default=None,
        description=(
            "How runs that are due at once are spread: `interval` (until the deployment is due "
            "again, at most 15 minutes), a number of seconds, or `none`. Empty: as the worker's "
            "SENTINEL_WORKER_SPREAD_SECONDS says."
        ),
    )


class SentinelVariables(_ProcessSettings, BaseVariables):
    """The work pool's form in the Prefect UI; a deployment may override each in `job_variables`."""


class SentinelJobConfiguration(_ProcessSettings, BaseJobConfiguration):
    """The job configuration of one run."""

    _deployment: DeploymentResponse | None = PrivateAttr(default=None)
    _planned: datetime | None = PrivateAttr(default=None)

    _environment_of: ClassVar[tuple[Settings | None, dict[str, str]]] = (None, {})

    @classmethod
    def _base_environment(cls) -> dict[str, str]:
        """Prefect's settings as variables: 20 ms of work, done once for the settings in force."""
        settings = get_current_settings()
        if cls._environment_of[0] is not settings:
            cls._environment_of = settings, super()._base_environment()
        return dict(cls._environment_of[1])

    def prepare_for_flow_run(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse | None = None,
        flow: Flow | None = None,
        work_pool: WorkPool | None = None,
        worker_name: str | None = None,
        worker_id: UUID | None = None,
    ) -> None:
        """Complete the configuration for a run. Raises ValueError for a command of one's own."""
        if self.command is not None:
            raise ValueError(
                "the job variable 'command' starts a program of its own for each run, which a "
                "sentinel worker does not do: remove it, or use a process work pool"
            )
        super().prepare_for_flow_run(
            flow_run, deployment, flow, work_pool, worker_name, worker_id=worker_id
        )
        self._deployment = deployment

    @classmethod
    async def resolve_for_flow_run(
        cls,
        flow_run: FlowRun,
        *,
        client: PrefectClient,
        work_pool: WorkPool,
        worker_name: str,
        worker_id: UUID | None = None,
        deployment: DeploymentResponse | None = None,
    ) -> "SentinelJobConfiguration":
        """The configuration of a run: pool, deployment and run, each overriding the one before.

        (Prefect's own also asks for the flow, for names that nothing here uses.)
        Raises ObjectNotFound when the deployment is gone.
        """
        if deployment is None and flow_run.deployment_id is not None:
            deployment = await client.read_deployment(flow_run.deployment_id)
        general = (deployment.job_variables if deployment else None) or {}
        own = flow_run.job_variables or {}
        values = {**general, **own}
        if "env" in values:
            values["env"] = {**(general.get("env") or {}), **(own.get("env") or {})}
        configuration: SentinelJobConfiguration = await cls.from_template_and_values(
            base_job_template=work_pool.base_job_template, values=values, client=client
        )
        configuration.prepare_for_flow_run(
            flow_run, deployment, None, work_pool, worker_name, worker_id
        )
        return configuration

    def plan(self, planned: datetime) -> None:
        """Have the run told when it was to start, where that is not when it was due."""
        self._planned = planned

    def job(self, flow_run: FlowRun) -> Job:
        """The run as it is handed to a child."""
        own = {name: value for name, value in self.env.items() if name.startswith("PREFECT__")}
        deployment, planned = self._deployment, self._planned
        told = {} if planned is None else to_hand_down(flow_run.id, planned)
        named = deployment.model_dump(mode="json", include=_NAMED) if deployment else None
        return Job(
            id=str(flow_run.id),
            env={**{name: value for name, value in own.items() if value is not None}, **told},
            flow_run=flow_run.model_dump(mode="json"),
            entrypoint=deployment.entrypoint if deployment and is_local(deployment) else None,
            deployment=named,
        )

    def process_spec(self) -> ProcessSpec:
        """The kind of process the run needs."""
        shared = {
            k: v for k, v in self.env.items() if not k.startswith("PREFECT__") and v is not None
        }
        runs, memory = self.max_runs_per_process, self.max_memory_mb
        reuse = ReusePolicy(runs, memory, heartbeat_seconds=self.heartbeat_seconds)
        folder = checkout(self._deployment) or self.working_dir or Path.cwd()
        return ProcessSpec(
            str(folder), tuple(sorted({**os.environ, **shared}.items())), tuple(self.preload), reuse
        )


def out_of_date(
    run: FlowRun, deployment: DeploymentResponse, planned: datetime, now: datetime
) -> str | None:
    """Why a rule's run is out of date and skipped; None when it is to run.

    `planned` is when it was to start.

    The rule's flow checks this too. But where a rule may not run twice at once (CANCEL_NEW), runs
    that start only to be skipped would cancel the one that is to be evaluated.
    """
    due = run.expected_start_time
    if due is None or not run.auto_scheduled or run.run_count or not is_rule(deployment):
        return None
    rule = rule_facts(deployment, "")
    policy = rule_settings(run.parameters, deployment.parameter_openapi_schema or {}).policy
    return skipped(policy, due, now, partial(next_due, rule.schedules), planned)


def is_local(deployment: DeploymentResponse) -> bool:
    """True if nothing has to be fetched: the code is in a folder here, or installed."""
    module = deployment.entrypoint is not None and ":" not in deployment.entrypoint
    return checkout(deployment) is not None or (module and not deployment.pull_steps)


def checkout(deployment: DeploymentResponse | None) -> Path | None:
    """The folder of a deployment whose code lies on this machine; None when it is fetched.

    `prefect deploy` writes one pull step for such a deployment: go to that folder.
    """
    steps = deployment.pull_steps if deployment is not None else None
    if not steps or len(steps) != 1 or len(steps[0]) != 1:
        return None
    inputs = steps[0].get("prefect.deployments.steps.set_working_directory")
    folder = inputs.get("directory") if isinstance(inputs, dict) else None
    if not isinstance(folder, str) or "{{" in folder or not Path(folder).is_absolute():
        return None
    return Path(folder)
