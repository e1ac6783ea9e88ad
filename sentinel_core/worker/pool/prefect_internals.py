"""All of Prefect's internals that warm processes use; check these first when the pin moves."""

import contextlib
import time
from collections.abc import Callable, Iterator
from logging import Logger, LoggerAdapter
from typing import Any
from uuid import UUID

import prefect.flow_engine
import prefect.results
from prefect import Flow
from prefect._internal import control_listener
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.engine import _drive_run_flow_result
from prefect.flow_engine import run_flow
from prefect.utilities.engine import is_prefect_sigterm_handler_installed


@contextlib.contextmanager
def _unobserved(*_: object, **__: object) -> Iterator[None]:
    """Replaces the engine's own watch for suspension.

    Prefect's own watch is a thread, an event loop and a websocket for each run; the worker asks
    for all its runs at once instead, and ends one that was suspended.
    """
    yield


def _remembered(ask: Callable[[], UUID | None], seconds: float) -> Callable[[], UUID | None]:
    """Caches an answer of the server that the engine asks for in each run."""
    answer: list[tuple[float, UUID | None]] = []

    def remembering() -> UUID | None:
        if not answer or answer[0][0] < time.monotonic():
            answer[:] = [(time.monotonic() + seconds, ask())]
        return answer[0][1]

    return remembering


setattr(prefect.flow_engine, "observe_flow_run_suspension", _unobserved)  # noqa: B010
setattr(  # noqa: B010
    prefect.results,
    "_read_server_default_result_storage_block_id",
    _remembered(prefect.results._read_server_default_result_storage_block_id, 60),
)


def _unless_nothing(update: Callable[..., Any]) -> Callable[..., Any]:
    """Skips the engine's first call, which stores the flow's retries, where there are none.

    It is a write to Prefect's database in each run; a run without a stored policy is not retried
    either.
    """

    def updating(client: SyncPrefectClient, flow_run_id: UUID, **changes: Any) -> Any:
        policy = changes.get("empirical_policy")
        if set(changes) == {"flow_version", "empirical_policy"} and not getattr(
            policy, "retries", 1
        ):
            return None
        return update(client, flow_run_id, **changes)

    return updating


setattr(  # noqa: B010
    SyncPrefectClient, "update_flow_run", _unless_nothing(SyncPrefectClient.update_flow_run)
)


def new_attempt() -> None:
    """Reset what Prefect keeps in the process about the previous run."""
    control_listener.stop()
    control_listener.clear_intent()
    control_listener.configure_from_env()


outcome_was_reported = control_listener.engine_outcome_is_handled
"""True when the engine has reported the end of this run to Prefect's API."""
load_flow_run = prefect.flow_engine.load_flow_run
"""The run as the API has it now, by its id."""
engine_listens = is_prefect_sigterm_handler_installed
"""True while the engine handles termination signals."""


def intend_to_cancel() -> None:
    """Mark the termination that follows as a cancellation, not a crash."""
    control_listener._set_intent("cancel")


def run(flow: Flow[..., Any], flow_run: FlowRun, log: Logger | LoggerAdapter[Any]) -> None:
    """Run the flow to its end, sync, async or generator. Raises what the flow raised."""
    _drive_run_flow_result(flow, run_flow(flow, flow_run=flow_run, error_logger=log))  # type: ignore[arg-type]
