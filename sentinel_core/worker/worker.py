"""The worker type `sentinel`: Prefect's worker over warm processes (docs/worker.md).

Takes due runs from Prefect and starts each in its turn. run.py sees a run to its end, watch.py
ends cancelled ones, pool/ has the processes.
"""

import asyncio
import contextlib
import logging
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import anyio
from anyio.abc import TaskStatus
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import WorkerFlowRunResponse
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_logger
from prefect.logging.configuration import setup_logging
from prefect.settings import PREFECT_WORKER_QUERY_SECONDS
from prefect.states import Cancelled, Completed, Crashed, Pending
from prefect.workers.base import BaseWorker, BaseWorkerResult

from sentinel_core.base import logs
from sentinel_core.base.settings import get_settings
from sentinel_core.model.run import SKIPPED
from sentinel_core.worker.deployments import Deployments
from sentinel_core.worker.job import SentinelJobConfiguration, SentinelVariables, out_of_date
from sentinel_core.worker.pace import Pace
from sentinel_core.worker.pool.pool import ProcessPool
from sentinel_core.worker.registered import RegisteredStore
from sentinel_core.worker.run import RunInProcess, propose
from sentinel_core.worker.spread import Plan, plan_of
from sentinel_core.worker.waiting import Waiting, is_as_listed
from sentinel_core.worker.watch import watch
from sentinel_core.worker.work_pool import WorkPoolFacts

if logs.wanted() and not logs.PREFECT.keys() <= os.environ.keys():
    # Started by hand: Prefect has set up its logs before this module was loaded.
    logs.configure()
    setup_logging(incremental=False)
DEFAULT_LIMIT = 16
LATE_SECONDS = 15.0  # from then on it is worth asking whether a run is out of date


class SentinelWorker(BaseWorker[SentinelJobConfiguration, SentinelVariables, BaseWorkerResult]):
    """Runs flow runs in warm processes, one at a time in each."""

    type = "sentinel"
    job_configuration = SentinelJobConfiguration
    job_configuration_variables = SentinelVariables
    _display_name = "Sentinel"
    _description = (
        "Runs many small flow runs in warm, reused processes on this machine: a tenth of the cost "
        "of a new process for each."
    )

    def __init__(self, work_pool_name: str, *args: Any, **kwargs: Any) -> None:
        if sys.platform == "win32":
            raise RuntimeError(
                "a sentinel worker forks its processes, which Windows can't: use a process pool"
            )
        super().__init__(work_pool_name, *args, **kwargs)
        self._limit = self._limit or DEFAULT_LIMIT  # never without one
        self._processes = ProcessPool(
            get_logger("sentinel.worker"), get_settings().worker_overrun_seconds
        )
        self._running: dict[UUID, FlowRun] = {}
        self._taken: set[UUID] = set()
        self._ended: dict[UUID, float] = {}
        self._asked = time.monotonic()
        self._pace = Pace(PREFECT_WORKER_QUERY_SECONDS.value(), self._prefetch_seconds)
        self._deployments = Deployments()
        self._registered = RegisteredStore()
        self._pool_facts = WorkPoolFacts()
        self._stopping = self._run_once = False
        self._stopped = asyncio.Event()
        self._waiting = Waiting(self._stopped)
        self._turn = anyio.Lock()
        self._slot_freed = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    async def start(
        self,
        run_once: bool = False,
        with_healthcheck: bool = False,
        printer: Callable[..., None] = print,
    ) -> None:
        """Run until stopped; with `run_once`, until what was due at the start has ended."""
        self._run_once = run_once
        await super().start(run_once, with_healthcheck, printer)

    async def setup(self) -> None:
        """Connect to Prefect and start watching the runs' states there."""
        await super().setup()
        self._watcher = asyncio.create_task(watch(self.client, self._processes, self._running))

    async def teardown(self, *exc_info: Any) -> None:
        """Start no more runs, let running ones finish for a while, hand the rest back."""
        if self._run_once and exc_info[0] is None:
            await self._until(lambda: not self._taken)
        self._stopping = True
        self._stopped.set()
        self._slot_freed.set()
        with anyio.CancelScope(shield=True):
            if self._running:
                seconds = get_settings().worker_stop_seconds
                self._logger.info("Waiting up to %g s for %d runs", seconds, len(self._running))
                await self._until(lambda: not self._running, seconds)
            for run_id in list(self._running):
                self._processes.kill(str(run_id), "the worker is stopping")
            await self._until(lambda: not self._running, 10)
            await self._processes.close()
        if self._watcher is not None:
            self._watcher.cancel()
        await super().teardown(*exc_info)

    @staticmethod
    async def _until(done: Callable[[], bool], seconds: float = math.inf) -> None:
        deadline = time.monotonic() + seconds
        while not done() and time.monotonic() < deadline:  # noqa: ASYNC110 (many places end it)
            await asyncio.sleep(0.05)

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Ask Prefect for runs that are due soon, if it is time to, and line them up."""
        if not self._pace.is_time(time.monotonic()):
            return []
        self._asked = time.monotonic()
        self._ended = {run: at for run, at in self._ended.items() if at > self._asked - 600}
        await self._registered.refresh(self.client)
        await self._pool_facts.refresh(self.client, self._work_pool, self.name)
        return await super().get_and_submit_flow_runs()

    async def _submit_scheduled_flow_runs(
        self, flow_run_response: list[WorkerFlowRunResponse]
    ) -> list[FlowRun]:
        """Line the runs up; each is submitted when it is due and a slot is free.

        (Prefect's own worker submits what it finds at once, as far as there are slots, so that
        a slot waits with a run that is not due, and a freed one waits for the next poll.)
        """
        assert self._runs_task_group is not None
        new = []
        for run in (entry.flow_run for entry in flow_run_response):
            ended_since = self._ended.get(run.id, 0.0) >= self._asked
            if not self._stopping and run.id not in self._taken and not ended_since:
                new.append(run)
        known = len(flow_run_response) - len(new)
        self._pace.answered(time.monotonic(), known, limited=self._pool_facts.limited)
        await self._deployments.refresh(self.client, new)
        for run in new:
            self._taken.add(run.id)
            self._runs_task_group.start_soon(self._start_in_turn, run)
        return new

    async def _start_in_turn(self, run: FlowRun) -> None:
        """Wait until the run is to start and a slot is free, claim it, and see it through."""
        try:
            plan = await self._plan(run)
            if plan is not None:
                limited = self._pool_facts.limited
                if await self._waiting.in_prefect(self.client, run, plan, limited=limited):
                    return
                await self._waiting.here(plan)
            async with self._turn:
                while self.limiter.available_tokens < 1 and not self._stopping:
                    self._slot_freed.clear()
                    await self._slot_freed.wait()
                if self._stopping or await self._skips(run, plan):
                    return
                self.limiter.acquire_on_behalf_of_nowait(run.id)
            # Prefect lets a run be claimed again that another worker has done meanwhile.
            if not self._pool_facts.shared or await is_as_listed(self.client, run):
                await self._see_through(run, plan)
        except Exception:  # one run must not end the worker; reconcile closes it
            self._logger.exception("The worker lost run %s", run.id)
        finally:
            with contextlib.suppress(RuntimeError):  # it never had one
                self.limiter.release_on_behalf_of(run.id)
            self._slot_freed.set()
            self._taken.discard(run.id)
            self._ended[run.id] = time.monotonic()

    async def _plan(self, run: FlowRun) -> Plan | None:
        template, seconds = self.work_pool.base_job_template, get_settings().worker_spread_seconds
        spread = run.auto_scheduled
        deployment = await self._deployments.readable(self.client, run) if spread else None
        return plan_of(run, deployment, template, seconds)

    async def _skips(self, run: FlowRun, plan: Plan | None) -> bool:
        """True for a run that is out of date: it is completed here, without a process."""
        if plan is None or time.time() - plan.planned.timestamp() < LATE_SECONDS:
            return False
        deployment = await self._deployments.readable(self.client, run)
        if deployment is None:
            return False
        why = out_of_date(run, deployment, plan.planned, datetime.now(UTC))
        if why is None:
            return False
        await propose(self.client, run, Completed(name=SKIPPED, message=why), force=True)
        return True

    async def _see_through(self, run: FlowRun, plan: Plan | None) -> None:
        """Claim the run, prepare and run it; whatever goes wrong is logged, never raised.

        Prefect's own worker makes five more API calls here (labels, a second Pending state named
        Submitting, the process id, the deployment twice): half of what a run costs the server.
        """
        log = self.get_flow_run_logger(run)
        self._running[run.id] = run  # from the claim on, this worker has to end it
        try:
            claimed = await propose(self.client, run, Pending())
            if claimed is None or not claimed.is_pending():
                return
            run = run.model_copy(update={"state": claimed})
            configuration = await self.job_configuration.resolve_for_flow_run(
                run,
                client=self.client,
                work_pool=self.work_pool,
                worker_name=self.name,
                worker_id=self.backend_id,
                deployment=await self._deployments.of(self.client, run),
            )
            if plan is not None and plan.planned != run.expected_start_time:
                configuration.plan(plan.planned)
        except ObjectNotFound:
            await propose(
                self.client, run, Cancelled(message="Not started: its deployment is gone.")
            )
        except Exception as error:
            log.exception("The run could not be prepared.")
            message = f"Flow run could not be started: {type(error).__name__}: {error}"
            await propose(self.client, run, Crashed(message=message))
        else:
            await self.run(run, configuration)
        finally:
            self._running.pop(run.id, None)

    async def run(
        self,
        flow_run: FlowRun,
        configuration: SentinelJobConfiguration,
        task_status: TaskStatus[Any] | None = None,
    ) -> BaseWorkerResult:
        """Run a flow run in a warm process and make sure that it ends in a state."""
        log = self.get_flow_run_logger(flow_run)

        def assigned(pid: int) -> None:
            level = logging.INFO if get_settings().worker_engine_logs else logging.DEBUG
            log.log(level, "Runs in process %d of worker '%s'.", pid, self.name)
            if task_status is not None:
                task_status.started(pid)

        job, spec = configuration.job(flow_run), configuration.process_spec()
        job = replace(job, env={**job.env, **self._registered.environment})
        run = RunInProcess(
            self.client, self._processes, flow_run, job, spec, log, lambda: self._stopping
        )
        self._running[flow_run.id] = flow_run
        try:
            ended = await run.run(assigned)
        finally:
            self._running.pop(flow_run.id, None)
        # The state is settled here, hooks included; another status would have it crash again.
        return BaseWorkerResult(identifier=str(ended.pid or ""), status_code=0)
