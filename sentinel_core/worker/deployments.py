"""The deployments of a worker's runs, read together and kept while they can't have changed."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.logging import get_logger

KEPT_SECONDS = 900
CLOCK_SECONDS = 60  # by which the clocks of the server and of this machine may differ
_AT_ONCE = 200  # what Prefect's API answers at most

logger = get_logger("sentinel.worker")


@dataclass(frozen=True, slots=True)
class _Copy:
    """A deployment, when it was asked for here, and the youngest run that was known by then."""

    deployment: DeploymentResponse
    asked: float
    youngest: datetime | None

    def fits(self, run: FlowRun) -> bool:
        """Whether the deployment can't have changed between the making of the run and this copy.

        Prefect replaces a deployment's scheduled runs whenever the deployment is changed: a run
        that is older than the copy belongs to the deployment as it is there.
        """
        if run.created is None or self.asked < time.time() - KEPT_SECONDS:
            return False
        known = self.youngest is not None and run.created <= self.youngest
        return known or run.created.timestamp() < self.asked - CLOCK_SECONDS


class Deployments:
    """The deployments of the runs of one worker."""

    def __init__(self) -> None:
        self._known: dict[UUID, _Copy] = {}

    async def refresh(self, client: PrefectClient, runs: Iterable[FlowRun]) -> None:
        """Read those deployments of scheduled runs that may have changed, in one request."""
        stale = [run for run in runs if run.auto_scheduled and not self._copy_for(run)]
        wanted = sorted({run.deployment_id for run in stale if run.deployment_id}, key=str)
        youngest = max((run.created for run in stale if run.created), default=None)
        for first in range(0, len(wanted), _AT_ONCE):
            some, asked = wanted[first : first + _AT_ONCE], time.time()
            which = DeploymentFilter(id=DeploymentFilterId(any_=some))
            try:
                found = await client.read_deployments(deployment_filter=which, limit=_AT_ONCE)
            except Exception as error:  # each run asks for its own then
                logger.warning("Could not read %d deployments at once: %s", len(some), error)
                return
            self._known |= {one.id: _Copy(one, asked, youngest) for one in found}

    async def of(self, client: PrefectClient, run: FlowRun) -> DeploymentResponse | None:
        """The run's deployment, from memory when it can't have changed since.

        A run that was started by hand is as old as somebody's click: always asked about.
        Raises ObjectNotFound.
        """
        if run.deployment_id is None:
            return None
        if copy := self._copy_for(run):
            return copy.deployment
        asked, found = time.time(), await client.read_deployment(run.deployment_id)
        self._known[run.deployment_id] = _Copy(found, asked, run.created)
        return found

    async def readable(self, client: PrefectClient, run: FlowRun) -> DeploymentResponse | None:
        """The run's deployment; None on errors, which preparing the run reports."""
        try:
            return await self.of(client, run)
        except Exception:
            return None

    def _copy_for(self, run: FlowRun) -> _Copy | None:
        copy = self._known.get(run.deployment_id) if run.deployment_id else None
        return copy if copy and run.auto_scheduled and copy.fits(run) else None
