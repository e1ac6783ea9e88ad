"""Which run a hook was called for, of which flow, deployment and task."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException
from prefect.settings import temporary_settings

from sentinel_core.base.settings import get_settings
from sentinel_core.model.cleaning import clean_line
from sentinel_core.model.run import Run
from sentinel_core.prefect_io.facts import run_facts, task_run_facts
from sentinel_core.prefect_io.registration import BRIEF

_LONGEST_NAME = 150


@dataclass(frozen=True, slots=True)
class Subject:
    """A run of a flow, or of a task of one. `run` counts for the flow run that it is part of."""

    flow_name: str
    deployment_id: UUID | None
    deployment_name: str
    run: Run
    retries: int
    flow_run_id: UUID | None
    task: str = ""
    task_run_id: UUID | None = None
    url: str = ""

    @property
    def text(self) -> str:
        """The run in a few words, for the beginning of a message."""
        flow = f"{self.flow_name}/{self.deployment_name}" if self.deployment_id else self.flow_name
        return f"{flow}, {'task ' + self.task + ', ' if self.task else ''}run {self.run.name}"


def subject_of_flow(flow_name: str, flow_run: FlowRun, state: State[Any]) -> Subject:
    """The subject of a flow's hook."""
    if flow_run.start_time is None and not state.is_running():
        flow_run = _read_flow_run(flow_run.id) or flow_run  # hooks of crashed runs may lack it
    run = run_facts(flow_run, state)
    return Subject(
        flow_name=clean_line(flow_name)[:_LONGEST_NAME],
        deployment_id=flow_run.deployment_id,
        deployment_name=_deployment_name(flow_run.deployment_id),
        run=run,
        retries=max(run.run_count - 1, 0),
        flow_run_id=flow_run.id,
        url=get_settings().flow_run_url(flow_run.id),
    )


def subject_of_task(task_name: str, task_run: TaskRun, state: State[Any]) -> Subject:
    """The subject of a task's hook. A task outside of any flow counts as a flow of its name.

    Raises what Prefect's client raises where the flow is known to Prefect's API alone.
    """
    flow_name, flow_run = _flow_of(task_run)
    name = clean_line(task_name)[:_LONGEST_NAME]
    return Subject(
        flow_name=flow_name or name,
        deployment_id=flow_run.deployment_id if flow_run else None,
        deployment_name=_deployment_name(flow_run.deployment_id) if flow_run else "",
        run=task_run_facts(task_run, flow_run, state),
        retries=max(task_run.run_count - 1, 0),
        flow_run_id=flow_run.id if flow_run else None,
        task=name,
        task_run_id=task_run.id,
        url=f"{get_settings().prefect_ui_url}/runs/task-run/{task_run.id}",
    )


def _flow_of(task_run: TaskRun) -> tuple[str, FlowRun | None]:
    """The flow's name and the flow run of a task run."""
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None and context.flow is not None:
        return clean_line(context.flow.name)[:_LONGEST_NAME], context.flow_run
    if task_run.flow_run_id is None:
        return "", None
    with temporary_settings(BRIEF), get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(task_run.flow_run_id)
        return clean_line(client.read_flow(flow_run.flow_id).name)[:_LONGEST_NAME], flow_run


def _read_flow_run(flow_run_id: UUID) -> FlowRun | None:
    try:
        with temporary_settings(BRIEF), get_client(sync_client=True) as client:
            return client.read_flow_run(flow_run_id)
    except (httpx.HTTPError, PrefectException):
        return None


_names: dict[UUID, str] = {}


def _deployment_name(deployment_id: UUID | None) -> str:
    """The deployment's name, or its id where Prefect's API does not answer; asked for once."""
    if deployment_id is None:
        return ""
    if deployment_id not in _names:
        try:
            with temporary_settings(BRIEF), get_client(sync_client=True) as client:
                _names[deployment_id] = clean_line(client.read_deployment(deployment_id).name)
        except (httpx.HTTPError, PrefectException):
            return str(deployment_id)
    return _names[deployment_id]
