"""The worker type `sentinel`: Prefect's worker over warm processes (docs/worker.md).

Knows Prefect's runs and their states; processes are pool/pool.py's business.
"""

import asyncio
import contextlib
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import anyio
from anyio.abc import TaskStatus
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import DeploymentResponse, WorkerFlowRunResponse
from prefect.exceptions import Abort, ObjectNotFound
from prefect.logging import get_logger
from prefect.states import AwaitingRetry, Cancelled, Cancelling, Completed, Crashed, Failed, Pending
from prefect.utilities.engine import propose_state
from prefect.workers.base import BaseWorker, BaseWorkerResult

from sentinel_core.base.settings import get_settings
from sentinel_core.decide.stagger import offset_seconds
from sentinel_core.model.run import SKIPPED
from sentinel_core.worker.job import SentinelJobConfiguration, SentinelVariables, out_of_date
from sentinel_core.worker.pool.pool import Crew, Ended, Profile
from sentinel_core.worker.pool.protocol import Job

DEFAULT_LIMIT = 16
WATCH_SECONDS = 2.0
CANCEL_GRACE_SECONDS = 30.0
LATE_SECONDS = 15.0  # from then on it is worth asking whether a run is out of date

_NO_PAUSE = (
    "A run on a sentinel worker can't be paused or suspended: it was ended. "
    "Use a process work pool for flows that wait for people."
)


class SentinelWorkerResult(BaseWorkerResult):
    """How a run's process ended."""


class SentinelWorker(BaseWorker[SentinelJobConfiguration, SentinelVariables, SentinelWorkerResult]):
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
        self._crew = Crew(get_logger("sentinel.worker"), get_settings().worker_overrun_seconds)
        self._running: dict[UUID, FlowRun] = {}
        self._taken: set[UUID] = set()
        self._ended: dict[UUID, float] = {}
        self._asked = time.monotonic()
        self._cancelling_since: dict[UUID, float] = {}
        self._deployments: dict[UUID, tuple[float, DeploymentResponse]] = {}
        self._stopping = self._run_once = False
        self._turn = anyio.Lock()
        self._slot_freed = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    # -- life ------------------------------------------------------------------------------

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
        self._watcher = asyncio.create_task(self._watch())

    async def teardown(self, *exc_info: Any) -> None:
        """Start nothing more, let runs finish for a while, hand the rest back."""
        if self._run_once and exc_info[0] is None:
            await self._until(lambda: not self._taken)
        self._stopping = True
        self._slot_freed.set()
        with anyio.CancelScope(shield=True):
            await self._finish(get_settings().worker_stop_seconds)
            await self._crew.close()
        if self._watcher is not None:
            self._watcher.cancel()
        await super().teardown(*exc_info)

    async def _finish(self, seconds: float) -> None:
        if self._running:
            self._logger.info("Waiting up to %g s for %d runs", seconds, len(self._running))
        await self._until(lambda: not self._running, seconds)
        for run_id in list(self._running):
            self._crew.kill(str(run_id), "the worker is stopping")
        await self._until(lambda: not self._running, 10)

    @staticmethod
    async def _until(done: Callable[[], bool], seconds: float = math.inf) -> None:
        deadline = time.monotonic() + seconds
        while not done() and time.monotonic() < deadline:  # noqa: ASYNC110 (many places end it)
            await asyncio.sleep(0.05)

    # -- when a run starts -----------------------------------------------------------------

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Ask Prefect for runs that are due soon, and line them up."""
        self._asked = time.monotonic()
        self._ended = {run: at for run, at in self._ended.items() if at > self._asked - 600}
        return await super().get_and_submit_flow_runs()

    async def _submit_scheduled_flow_runs(
        self, flow_run_response: list[WorkerFlowRunResponse]
    ) -> list[FlowRun]:
        """Line the runs up; each is submitted when it is due and a slot is free.

        (Prefect's own worker submits what it finds at once, as far as there are slots, so that
        a slot waits with a run that is not due, and a freed one waits for the next poll.)
        """
        assert self._runs_task_group is not None
        new = [entry for entry in flow_run_response if self._is_new(entry.flow_run.id)]
        for entry in new:
            self._taken.add(entry.flow_run.id)
            self._runs_task_group.start_soon(self._start_in_turn, entry.flow_run)
        return [entry.flow_run for entry in new]

    def _is_new(self, run_id: UUID) -> bool:
        """Not taken, and not ended here since Prefect was asked: such an answer is out of date."""
        if self._stopping or run_id in self._taken:
            return False
        return self._ended.get(run_id, 0.0) < self._asked

    async def _start_in_turn(self, run: FlowRun) -> None:
        """Wait until the run is due and a slot is free, claim it, and see it through."""
        try:
            await anyio.sleep(await self._seconds_until_start(run))
            async with self._turn:
                while self.limiter.available_tokens < 1 and not self._stopping:
                    self._slot_freed.clear()
                    await self._slot_freed.wait()
                if self._stopping or await self._skips(run):
                    return
                self.limiter.acquire_on_behalf_of_nowait(run.id)
            await self._see_through(run)
        except Exception:  # one run's trouble is never the worker's end; reconcile closes the run
            self._logger.exception("Run %s was lost sight of", run.id)
        finally:
            with contextlib.suppress(RuntimeError):  # it never had one
                self.limiter.release_on_behalf_of(run.id)
            self._slot_freed.set()
            self._taken.discard(run.id)
            self._ended[run.id] = time.monotonic()

    async def _skips(self, run: FlowRun) -> bool:
        """A run that is too late to mean anything ends here, without a process."""
        late = time.time() - run.expected_start_time.timestamp() if run.expected_start_time else 0
        if late < LATE_SECONDS:
            return False
        try:
            deployment = await self._deployment_of(run)
        except Exception:
            return False  # whatever is wrong with it, preparing the run will say
        why = out_of_date(run, deployment, datetime.now(UTC)) if deployment else None
        if why is None:
            return False
        await self._set(run, Completed(name=SKIPPED, message=why), force=True)
        return True

    async def _see_through(self, run: FlowRun) -> None:
        """Claim the run, prepare and run it; whatever goes wrong is logged, never raised.

        Prefect's own worker makes five more API calls here (labels, a second Pending state named
        Submitting, the process id, the deployment twice): half of what a run costs the server.
        """
        log = self.get_flow_run_logger(run)
        self._running[run.id] = run  # from the claim on it is this worker's to bring to an end
        try:
            claimed = await self._set(run, Pending())
            if claimed is None or not claimed.is_pending():
                return
            run = run.model_copy(update={"state": claimed})
            configuration = await self.job_configuration.resolve_for_flow_run(
                run,
                client=self.client,
                work_pool=self.work_pool,
                worker_name=self.name,
                worker_id=self.backend_id,
                deployment=await self._deployment_of(run),
            )
        except ObjectNotFound:
            await self._set(run, Cancelled(message="Not started: its deployment is gone."))
        except Exception as error:
            log.exception("The run could not be prepared.")
            message = f"Flow run could not be started: {type(error).__name__}: {error}"
            await self._set(run, Crashed(message=message))
        else:
            await self.run(run, configuration)
        finally:
            self._running.pop(run.id, None)

    async def _seconds_until_start(self, run: FlowRun) -> float:
        due = run.next_scheduled_start_time or run.expected_start_time
        if due is None:
            return 0.0
        wait = due.timestamp() - time.time()
        if run.auto_scheduled:
            wait += await self._offset(run)
        return max(0.0, wait)

    async def _offset(self, run: FlowRun) -> float:
        try:
            deployment = await self._deployment_of(run)
        except Exception:
            return 0.0  # whatever is wrong with it, preparing the run will say
        name = deployment.name if deployment else ""
        return offset_seconds(name, get_settings().worker_spread_seconds)

    async def _deployment_of(self, run: FlowRun) -> DeploymentResponse | None:
        """The run's deployment, from memory when it can't have changed since.

        Prefect makes a deployment's scheduled runs anew whenever the deployment is changed: a run
        that is older than our copy belongs to the deployment as we know it. (The two times are
        different computers', so that runs younger than a minute are always asked about.)
        Raises ObjectNotFound.
        """
        if run.deployment_id is None:
            return None
        asked, known = self._deployments.get(run.deployment_id, (0.0, None))
        created = run.created.timestamp() if run.created else math.inf
        fresh = run.auto_scheduled and created < asked - 60 and asked > time.time() - 900
        if known is None or not fresh:
            asked, known = time.time(), await self.client.read_deployment(run.deployment_id)
            self._deployments[run.deployment_id] = asked, known
        return known

    # -- a run -----------------------------------------------------------------------------

    async def run(
        self,
        flow_run: FlowRun,
        configuration: SentinelJobConfiguration,
        task_status: TaskStatus[Any] | None = None,
    ) -> SentinelWorkerResult:
        """Run a flow run in a warm process and see to it that it ends in a state."""
        job, profile = configuration.job(flow_run), configuration.profile()
        log = self.get_flow_run_logger(flow_run)
        started: Callable[[int], None] = task_status.started if task_status else _ignore

        def assigned(pid: int) -> None:
            log.info("Runs in process %d of worker '%s'.", pid, self.name)
            started(pid)

        self._running[flow_run.id] = flow_run
        try:
            try:
                ended = await self._crew.run(job, profile, _once(assigned))
            except OSError as error:
                ended = Ended(concluded=False, error=f"no process could be started ({error})")
            if not ended.concluded or ended.error == "paused":
                await self._conclude(flow_run, ended, job, profile)
        finally:
            self._running.pop(flow_run.id, None)
            self._cancelling_since.pop(flow_run.id, None)
        # The state is settled here, hooks included; another status would have it crash again.
        return SentinelWorkerResult(identifier=str(ended.pid or ""), status_code=0)

    async def _conclude(self, flow_run: FlowRun, ended: Ended, job: Job, profile: Profile) -> None:
        """The run's process could not say how it ended: find out, and say so for it."""
        log = self.get_flow_run_logger(flow_run)
        try:
            state = (await self.client.read_flow_run(flow_run.id)).state
        except ObjectNotFound:
            return
        if state is None or state.is_final() or state.is_scheduled():
            return
        if state.is_cancelling():
            await self._hooks("on_cancellation", Cancelling(message=ended.error), job, profile)
            await self._set(flow_run, Cancelled(message="Flow run was cancelled."), force=True)
        elif state.is_paused():
            failed: State[Any] = Failed(message=_NO_PAUSE)
            await self._set(flow_run, failed, force=True)
            await self._hooks("on_failure", failed, job, profile)
        elif self._stopping:
            log.info("Handed back: the worker stopped before the run had ended.")
            await self._set(flow_run, AwaitingRetry(message="The worker stopped; run it again."))
        else:
            why = ended.error or "its process ended without saying why"
            crashed = await self._set(flow_run, Crashed(message=f"The run did not end: {why}."))
            if crashed is not None and crashed.is_crashed():
                log.error("Crashed: %s", why)
                await self._hooks("on_crashed", crashed, job, profile)

    async def _set(
        self, flow_run: FlowRun, state: State[Any], force: bool = False
    ) -> State[Any] | None:
        """Propose a state; the one it then has. None when Prefect can't be told."""
        try:
            return await propose_state(self.client, state, force=force, flow_run_id=flow_run.id)
        except Abort as abort:
            self._logger.info("Run %s keeps its state: %s", flow_run.id, abort)
        except ObjectNotFound:
            self._logger.info("Run %s is gone.", flow_run.id)
        except Exception:
            self._logger.exception("The state of run %s could not be set", flow_run.id)
        return None

    async def _hooks(self, which: str, state: State[Any], job: Job, profile: Profile) -> None:
        """Run the flow's hooks in a process of their own; reconcile is there if that fails."""
        if self._stopping:
            return
        hooks = replace(job, hooks=which, state=state.model_dump(mode="json"))
        try:
            ended = await self._crew.run(hooks, profile, _ignore)
        except OSError as error:
            ended = Ended(concluded=False, error=str(error))
        if not ended.concluded:
            self._logger.error("The %s hooks of %s did not run: %s", which, job.id, ended.error)

    # -- what Prefect wants of running runs ------------------------------------------------

    async def _watch(self) -> None:
        """Ask for all runs at once whether one was cancelled, paused or suspended."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if not self._running:
                continue
            try:
                for run in await self._disturbed():
                    self._disturb(run)
            except Exception as error:
                self._logger.warning("Could not ask for cancelled runs: %s", error)

    async def _disturbed(self) -> list[FlowRun]:
        types = [StateType.CANCELLING, StateType.PAUSED]
        return await self.client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                id=FlowRunFilterId(any_=list(self._running)),
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=types)),
            )
        )

    def _disturb(self, run: FlowRun) -> None:
        if run.state is not None and run.state.is_paused():
            self._crew.kill(str(run.id), "it was paused or suspended")
            return
        since = self._cancelling_since.setdefault(run.id, time.monotonic())
        if time.monotonic() - since > CANCEL_GRACE_SECONDS:
            self._crew.kill(str(run.id), "it was cancelled and did not stop")
        else:
            self._crew.cancel(str(run.id))


def _once(call: Callable[[int], None]) -> Callable[[int], None]:
    """The call, made the first time only: a job that finds stale code is assigned again."""
    called = False

    def first(pid: int) -> None:
        nonlocal called
        if not called:
            called = True
            call(pid)

    return first


def _ignore(_pid: int) -> None:
    """Nobody needs to know."""
