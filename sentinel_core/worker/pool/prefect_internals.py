"""All of Prefect's internals that warm processes use; check these first when the pin moves.

What warm processes replace in Prefect is in sentinel_core/patches.
"""

from logging import Logger, LoggerAdapter
from typing import Any
from uuid import UUID

import prefect.flow_engine
from prefect import Flow
from prefect._internal import control_listener
from prefect.client.schemas.objects import FlowRun
from prefect.engine import _drive_run_flow_result
from prefect.flow_engine import run_flow
from prefect.utilities.engine import is_prefect_sigterm_handler_installed

from sentinel_core.patches.known_deployment import KnownDeployment, remember
from sentinel_core.patches.of_runs import PATCHES
from sentinel_core.patches.patch import apply

apply(PATCHES)


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


def name_deployment(id: str, name: str, tags: list[str]) -> None:
    """Have the run's events name its deployment without asking the server for it."""
    remember(KnownDeployment(UUID(id), name, tags))


def intend_to_cancel() -> None:
    """Mark the termination that follows as a cancellation, not a crash."""
    control_listener._set_intent("cancel")


def run(flow: Flow[..., Any], flow_run: FlowRun, log: Logger | LoggerAdapter[Any]) -> None:
    """Run the flow to its end, sync, async or generator. Raises what the flow raised."""
    _drive_run_flow_result(flow, run_flow(flow, flow_run=flow_run, error_logger=log))  # type: ignore[arg-type]
