"""Runs a Prefect deployment, waits, and checks the run's final state."""

import time
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from pydantic import BaseModel, Field, field_validator

from sentinel_core import AlertOutput, Importance, SentinelError, Trigger
from sentinel_core.base.settings import get_settings

_LONGEST_WAIT_SECONDS = 3_000
_POLL_SECONDS = 2.0


class DeploymentError(SentinelError):
    """A deployment could not be run or watched, so its final state is unknown."""


class StateSeen(BaseModel):
    """One state a flow run went through."""

    type: str
    name: str
    message: str
    at: datetime


class RunSample(BaseModel):
    """A flow run at the end of the wait. Durations in seconds."""

    deployment: str
    flow_run_id: str
    flow_run_name: str
    flow_run_url: str
    finished: bool
    state: StateSeen
    states: list[StateSeen]
    waited_seconds: float
    duration_seconds: float


class PrefectDeployment(Trigger):
    """A run of a Prefect deployment ends in a bad state, or not in time."""

    display_name: ClassVar[str] = "Prefect deployment"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "System"
    timeout_seconds: ClassVar[float] = _LONGEST_WAIT_SECONDS + 120  # starting and asking take time

    deployment: str = Field(min_length=1, description="flow-name/deployment-name, or its id")
    parameters: dict[str, Any] = Field(
        default={}, description="for this run; merged over the deployment's own"
    )
    wait_seconds: float = Field(
        600, gt=0, le=_LONGEST_WAIT_SECONDS, description="how long the run may take, queue included"
    )
    alert_on: list[str] = Field(
        default=["FAILED", "CRASHED", "CANCELLED", "TimedOut"],
        description="final states that trigger, by type or by name, in upper or lower case",
    )
    alert_when_unfinished: bool = Field(
        True, description="trigger as well when the run has not ended within wait_seconds"
    )

    @field_validator("deployment")
    @classmethod
    def _nameable(cls, deployment: str) -> str:
        flow, slash, name = deployment.partition("/")
        if not _is_uuid(deployment) and not (flow and slash and name and "/" not in name):
            raise ValueError("expected flow-name/deployment-name, or a deployment's id")
        return deployment

    def check(self) -> AlertOutput:
        """Run the deployment and check. Raises DeploymentError if it is missing or unreachable.

        Inside a rule's run the new run is linked to it, as a subflow. It is never stopped, however
        the waiting ends.
        """
        return self.evaluate(self.read())

    def read(self) -> RunSample:
        """Start a run and follow it to its end, or for `wait_seconds`."""
        started = time.monotonic()
        run = self._start()
        try:
            with get_client(sync_client=True) as client:
                run = self._follow(client, run, started + self.wait_seconds)
                return self._sample(client, run, time.monotonic() - started)
        except (httpx.HTTPError, ObjectNotFound) as error:
            raise DeploymentError(
                f"flow run {run.id} of {self.deployment} was started, but Prefect's API no longer "
                f"answers about it: {error!r}"
            ) from error

    def _start(self) -> FlowRun:
        try:
            started = run_deployment(self.deployment, parameters=self.parameters, timeout=0)
        except ObjectNotFound as error:
            raise DeploymentError(
                f"there is no deployment {self.deployment!r}: deploy it, or correct the name "
                "(flow-name/deployment-name)"
            ) from error
        except PrefectHTTPStatusError as error:
            raise DeploymentError(
                f"Prefect refused to run {self.deployment}: {error.response.text[:500]}"
            ) from error
        except (httpx.HTTPError, RuntimeError) as error:
            raise DeploymentError(
                f"Prefect's API could not be reached to run {self.deployment}: {error}"
            ) from error
        assert isinstance(started, FlowRun)
        return started

    def _follow(self, client: SyncPrefectClient, run: FlowRun, deadline: float) -> FlowRun:
        """The run as last read. An unavailable API is asked again until the time is up."""
        while True:
            remaining = deadline - time.monotonic()
            try:
                run = client.read_flow_run(run.id)
                if remaining <= 0 or (run.state is not None and run.state.is_final()):
                    return run
            except httpx.HTTPError:
                if remaining <= 0:
                    raise
            time.sleep(max(0.0, min(_POLL_SECONDS, remaining)))

    def _sample(self, client: SyncPrefectClient, run: FlowRun, waited: float) -> RunSample:
        history = client.read_flow_run_states(run.id)
        states = [_seen(state) for state in sorted(history, key=lambda state: state.timestamp)]
        ended = run.end_time or datetime.now(UTC)
        return RunSample(
            deployment=self.deployment,
            flow_run_id=str(run.id),
            flow_run_name=run.name,
            flow_run_url=get_settings().flow_run_url(run.id),
            finished=run.state is not None and run.state.is_final(),
            state=_seen(run.state) if run.state else states[-1],
            states=states,
            waited_seconds=waited,
            duration_seconds=(ended - run.start_time).total_seconds() if run.start_time else 0,
        )

    def evaluate(self, sample: RunSample) -> AlertOutput:
        """Triggered by a final state in `alert_on`, or if there is none in time.

        Without `alert_when_unfinished` a run that has not ended is no data.
        """
        last = sample.state
        wanted = {name.casefold() for name in self.alert_on}
        bad = bool(wanted & {last.type.casefold(), last.name.casefold()})
        metrics = {"duration_seconds": sample.duration_seconds}
        if sample.finished:
            said = f": {last.message}" if bad and last.message else ""
            message = (
                f"{self.deployment} ended as {last.name} "
                f"after {sample.duration_seconds:.1f} s{said}"
            )
        else:
            message = (
                f"{self.deployment} has not ended within {self.wait_seconds:g} s; it is {last.name}"
            )
            metrics |= {"value": sample.waited_seconds, "threshold": self.wait_seconds}
        return AlertOutput(
            triggered=bad if sample.finished else self.alert_when_unfinished,
            problem=None if sample.finished or self.alert_when_unfinished else "no_data",
            ticker=self.deployment,
            message=message,
            metrics=metrics,
            metadata={"unit": "s", **sample.model_dump(mode="json")},
        )


def _seen(state: State[Any]) -> StateSeen:
    return StateSeen(
        type=state.type.value,
        name=state.name or state.type.value.title(),
        message=state.message or "",
        at=state.timestamp,
    )


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
