"""Starts what a reaction asks for in Prefect: a run of a deployment, a retry, a resumed schedule.

Each can be asked for again without being done twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas import OrchestrationResult
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import AwaitingRetry

from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.reaction import ReactionCode
from sentinel_core.prefect_io.client import PAGE

_LATER = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_TIMEOUT,
          HTTPStatus.TOO_MANY_REQUESTS)  # fmt: skip
_BAD = (StateType.FAILED, StateType.CRASHED)


@dataclass(frozen=True, slots=True)
class NotStarted:
    """Why a reaction was not started; without a code it may be tried again."""

    sentence: str
    code: ReactionCode | None = None


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run that failed, and the id of the state it failed in."""

    id: UUID
    name: str
    state_id: UUID


def run_deployment(
    client: SyncPrefectClient,
    target: str,
    parameters: Mapping[str, Any],
    *,
    key: str,
    tags: Sequence[str],
) -> FlowRun | NotStarted:
    """A new run of a deployment; with a key that was used before, the run of that time."""
    try:
        deployment = client.read_deployment_by_name(target)
        return client.create_flow_run_from_deployment(
            deployment.id, parameters=dict(parameters), idempotency_key=key, tags=list(tags)
        )
    except ObjectNotFound:
        return _missing(target)
    except httpx.HTTPError as error:
        return _failed(error)


def resume_deployment(client: SyncPrefectClient, target: str) -> NotStarted | None:
    """Resume a paused deployment; None if that is done."""
    try:
        client.resume_deployment(client.read_deployment_by_name(target).id)
    except ObjectNotFound:
        return _missing(target)
    except httpx.HTTPError as error:
        return _failed(error)
    return None


def failed_run(client: SyncPrefectClient, runs: Sequence[str]) -> FailedRun | NotStarted:
    """The first of these runs, which has to have failed."""
    try:
        found = client.read_flow_run(UUID(runs[0]))
    except (IndexError, ValueError):
        return NotStarted("the event names no flow run to retry", ReactionCode.NO_RUN)
    except ObjectNotFound:
        return NotStarted(f"Prefect has no run {runs[0]} any longer", ReactionCode.NO_RUN)
    except httpx.HTTPError as error:
        return _failed(error)
    state = found.state
    if state is None or state.type not in _BAD:
        is_now = state.name if state else "without a state"
        sentence = f"run {clean_text(found.name)} is {is_now}, so there is nothing to retry"
        return NotStarted(sentence, ReactionCode.NOT_FAILED)
    if found.deployment_id is None:
        sentence = f"run {clean_text(found.name)} has no deployment: no worker would retry it"
        return NotStarted(sentence, ReactionCode.NOT_FAILED)
    return FailedRun(found.id, found.name, state.id)


def retry_run(client: SyncPrefectClient, run_id: UUID, state_id: UUID) -> FlowRun | NotStarted:
    """Retry a run that is still in this failed state; one that has left it was retried before."""
    try:
        found = client.read_flow_run(run_id)
        if found.state is None or found.state.id != state_id:
            return found
        result: OrchestrationResult[Any] = client.set_flow_run_state(
            run_id, AwaitingRetry(), force=True
        )
    except ObjectNotFound:
        return NotStarted("Prefect has no such run any longer", ReactionCode.NO_RUN)
    except httpx.HTTPError as error:
        return _failed(error)
    if result.status.value != "ACCEPT":
        why = getattr(result.details, "reason", None) or result.status.value
        return NotStarted(f"Prefect does not retry it: {why}", ReactionCode.REFUSED)
    return found


def final_states(client: SyncPrefectClient, runs: Sequence[UUID]) -> dict[UUID, State[Any] | None]:
    """The states of those of these runs that have ended; None for one that no longer exists."""
    states: dict[UUID, State[Any] | None] = {}
    for start in range(0, len(runs), PAGE):
        some = list(runs[start : start + PAGE])
        wanted = FlowRunFilter(id=FlowRunFilterId(any_=some))
        found = {run.id: run.state for run in client.read_flow_runs(flow_run_filter=wanted)}
        for key in some:
            state = found.get(key)
            if key not in found:
                states[key] = None
            elif state is not None and state.is_final():
                states[key] = state
    return states


def _missing(target: str) -> NotStarted:
    sentence = f"Prefect has no deployment {target}: deploy it, or correct the rule"
    return NotStarted(sentence, ReactionCode.DEPLOYMENT_MISSING)


def _failed(error: httpx.HTTPError) -> NotStarted:
    """A refusal, or an error that may pass."""
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        said = clean_text(error.response.text)[:1_000]
        if status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _LATER:
            return NotStarted(f"Prefect refuses it: {said}", ReactionCode.REFUSED)
        return NotStarted(f"Prefect answers with status {status}: {said}")
    return NotStarted(f"Prefect does not answer: {type(error).__name__}")
