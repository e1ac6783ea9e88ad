"""Where a run waits for its planned start: in the worker for a moment, in Prefect for longer.

A run that is put off is listed by Prefect again when it is to start, for any worker of the pool.
Until then it is no one's: a worker that ends forgets nothing.
"""

import asyncio
import time

import anyio
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.logging import get_logger
from prefect.settings import get_current_settings

from sentinel_core.prefect_io.planned import put_off
from sentinel_core.worker.run import propose
from sentinel_core.worker.spread import Plan

LONGEST_SECONDS = 60.0  # that a run waits in the worker after it was due
SHORT_SECONDS = 5.0  # the same where runs that wait hide others
AT_ONCE = 4  # a server that is asked for more at a time is no faster

logger = get_logger("sentinel.worker")


class Waiting:
    """The runs that wait for their start. `stopped` is set when the worker stops."""

    def __init__(self, stopped: asyncio.Event) -> None:
        self._stopped = stopped
        self._turns = anyio.Semaphore(AT_ONCE)

    async def in_prefect(
        self, client: PrefectClient, run: FlowRun, plan: Plan, *, limited: bool
    ) -> bool:
        """True for a run that waits in Prefect now; False for one that waits here.

        `limited`: see WorkPoolFacts.
        """
        listed = run.next_scheduled_start_time or plan.start
        longest = longest_here(limited=limited)
        if waits_for(listed.timestamp(), plan, time.time()) <= longest:
            return False
        async with self._turns:
            if self._stopped.is_set():
                return True
            if plan.start.timestamp() - time.time() < min(longest, SHORT_SECONDS):
                return False
            if await is_as_listed(client, run):
                due = run.expected_start_time or plan.start
                await propose(client, run, put_off(due, plan.start))
            return True

    async def here(self, plan: Plan) -> None:
        """Wait for the planned start, or until the worker stops."""
        with anyio.move_on_after(max(0.0, plan.start.timestamp() - time.time())):
            await self._stopped.wait()


def waits_for(listed: float, plan: Plan, now: float) -> float:
    """How many seconds Prefect would list the run as due while it waits; times since the epoch."""
    return plan.start.timestamp() - max(listed, now)


def longest_here(*, limited: bool) -> float:
    """The longest wait in the worker: Prefect marks runs late that it lists as due for long.

    In a limited pool a run that waits keeps others from being listed.
    """
    late_after = get_current_settings().server.services.late_runs.after_seconds.total_seconds()
    return min(late_after, SHORT_SECONDS if limited else LONGEST_SECONDS)


async def is_as_listed(client: PrefectClient, run: FlowRun) -> bool:
    """True if nobody has taken, moved or cancelled the run since Prefect listed it.

    Where that is not known, the run is left alone: Prefect lists it again.
    """
    try:
        now = await client.read_flow_run(run.id)
    except Exception as error:
        logger.info("Run %s is left for now: %r", run.id, error)
        return False
    same = now.next_scheduled_start_time == run.next_scheduled_start_time
    return same and now.state is not None and now.state.is_scheduled()
