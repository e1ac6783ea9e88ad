"""A run is not read again right after it became Running: the answer to that says what changed."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun

from sentinel_core.patches.patch import Patch, original, replace

_SETTING_UP = "prefect.flow_engine:FlowRunEngine.setup_run_context"
_READ = "prefect.client.orchestration:SyncPrefectClient.read_flow_run"
_known: dict[UUID, FlowRun] = {}  # until they are asked for, once


def as_running(run: FlowRun) -> FlowRun:
    """The run as the server has it since it accepted this state."""
    state = run.state
    if state is None:
        return run
    first = run.start_time or state.timestamp
    now = {"state_id": state.id, "start_time": first, "run_count": run.run_count + 1}
    return run.model_copy(update={**now, "next_scheduled_start_time": None})


def _put_in() -> None:
    set_up: Callable[..., Any] = original(_SETTING_UP)
    read: Callable[..., FlowRun] = original(_READ)

    def setting_up(self: Any, client: SyncPrefectClient | None = None) -> Any:
        run: FlowRun | None = self.flow_run
        if run is not None and run.state is not None and run.state.is_running():
            _known.clear()
            _known[run.id] = as_running(run)
        return set_up(self, client)

    def reading(self: SyncPrefectClient, flow_run_id: UUID) -> FlowRun:
        return _known.pop(flow_run_id, None) or read(self, flow_run_id)

    replace(_SETTING_UP, setting_up)
    replace(_READ, reading)


PATCH = Patch(
    name="known-run",
    costs="one request more in each run",
    replaces={
        _SETTING_UP: "8f96c519e42c08fe",
        _READ: "45a5fa6661a482ea",
        "prefect.flow_engine:FlowRunEngine.set_state": "bf1c86f671dfc515",
        "prefect.flow_engine:FlowRunEngine.begin_run": "9adcdb89e26aaa1c",
    },
    put_in=_put_in,
)
