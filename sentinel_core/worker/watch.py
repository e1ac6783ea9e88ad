"""Ends runs that were cancelled, paused or suspended in Prefect while their process works."""

import asyncio
import time
from collections.abc import Mapping
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.logging import get_logger

from sentinel_core.prefect_io.client import in_states
from sentinel_core.worker.pool.pool import ProcessPool

WATCH_SECONDS = 2.0
CANCEL_GRACE_SECONDS = 30.0
_STATES = in_states((StateType.CANCELLING, StateType.PAUSED))

logger = get_logger("sentinel.worker")


async def watch(
    client: PrefectClient, processes: ProcessPool, running: Mapping[UUID, FlowRun]
) -> None:
    """Until cancelled: ask Prefect every two seconds about all running runs in one request."""
    cancelling_since: dict[UUID, float] = {}
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        if not running:
            continue
        wanted = FlowRunFilter(id=FlowRunFilterId(any_=list(running)), state=_STATES)
        try:
            runs = await client.read_flow_runs(flow_run_filter=wanted)
        except Exception as error:
            logger.warning("Could not ask for cancelled runs: %s", error)
            continue
        now = time.monotonic()
        cancelling_since = {run.id: cancelling_since.get(run.id, now) for run in runs}
        for run in runs:
            if run.state is not None and run.state.is_paused():
                processes.kill(str(run.id), "it was paused or suspended")
            elif now - cancelling_since[run.id] > CANCEL_GRACE_SECONDS:
                processes.kill(str(run.id), "it was cancelled and did not stop")
            else:
                processes.cancel(str(run.id))
