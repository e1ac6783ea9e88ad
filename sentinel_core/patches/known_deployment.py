"""The deployment that a run's events name is the one the worker has read, not read once more.

Prefect keeps the objects that events relate to, 100 of them in each process: a warm process that
serves hundreds of rules reads one for most of its runs.
"""

from dataclasses import dataclass
from uuid import UUID

from prefect.types._datetime import now

from sentinel_core.patches.patch import Patch, original

_CACHE = "prefect.events.related:RESOURCE_CACHE"
_in_force: list[bool] = []


@dataclass(frozen=True, slots=True)
class KnownDeployment:
    """What events say of a deployment."""

    id: UUID
    name: str
    tags: list[str]


def remember(deployment: KnownDeployment) -> None:
    """Put it where Prefect looks before it asks the server; nothing while the patch is left out."""
    if _in_force:
        entry = {"kind": "deployment", "object": deployment}
        original(_CACHE)[f"deployment.{deployment.id}"] = entry, now("UTC")


PATCH = Patch(
    name="known-deployment",
    costs="one request more in most runs, where there are more than 100 rules",
    replaces={
        "prefect.events.related:_get_and_cache_related_object": "17ca388565e45717",
        "prefect.events.related:object_as_related_resource": "b083bd45f3a3a83b",
        "prefect.events.related:related_resources_from_run_context": "151dcde1482e582e",
    },
    put_in=lambda: _in_force.append(True),
)
