"""No write of a flow's retries at the start of a run that has none.

A run without a stored policy is not retried either.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient

from sentinel_core.patches.patch import Patch, original, replace

_UPDATE = "prefect.client.orchestration:SyncPrefectClient.update_flow_run"


def unless_nothing(update: Callable[..., Any]) -> Callable[..., Any]:
    """`update`, without the engine's first call where the flow has no retries."""

    def updating(client: SyncPrefectClient, flow_run_id: UUID, **changes: Any) -> Any:
        policy = changes.get("empirical_policy")
        if set(changes) == {"flow_version", "empirical_policy"} and not getattr(
            policy, "retries", 1
        ):
            return None
        return update(client, flow_run_id, **changes)

    return updating


PATCH = Patch(
    name="no-retries",
    costs="one write to Prefect's database more in each run",
    replaces={"prefect.flow_engine:FlowRunEngine.initialize_run": "d81421b5aca9b025"},
    put_in=lambda: replace(_UPDATE, unless_nothing(original(_UPDATE))),
)
