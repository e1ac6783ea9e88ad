"""One flow run in a warm process, and the state it ends in when its process can't report one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from logging import Logger, LoggerAdapter
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import Abort, ObjectNotFound
from prefect.logging import get_logger
from prefect.states import AwaitingRetry, Cancelled, Cancelling, Crashed, Failed
from prefect.utilities.engine import propose_state

from sentinel_core.worker.pool.handle import Ended, OnAssigned
from sentinel_core.worker.pool.pool import ProcessPool
from sentinel_core.worker.pool.protocol import Job, ProcessSpec

_NO_PAUSE = (
    "A run on a sentinel worker can't be paused or suspended: it was ended. "
    "Use a process work pool for flows that wait for people."
)

logger = get_logger("sentinel.worker")


@dataclass(frozen=True, slots=True)
class RunInProcess:
    """A flow run, the job it is for the process pool, and whether its worker is stopping."""

    client: PrefectClient
    processes: ProcessPool
    flow_run: FlowRun
    job: Job
    spec: ProcessSpec
    log: Logger | LoggerAdapter[Any]
    is_stopping: Callable[[], bool]

    async def run(self, on_assigned: OnAssigned) -> Ended:
        """Run it to its end. `on_assigned` is called once, with the process id."""
        ended = await self._in_process(self.job, _once(on_assigned))
        if not ended.concluded or ended.error == "paused":
            await self._conclude(ended)
        return ended

    async def _in_process(self, job: Job, on_assigned: OnAssigned) -> Ended:
        try:
            return await self.processes.run(job, self.spec, on_assigned)
        except OSError as error:
            return Ended(concluded=False, error=f"no process could be started ({error})")

    async def _conclude(self, ended: Ended) -> None:
        """Set the final state of a run whose process did not set one, and run the flow's hooks."""
        try:
            state = (await self.client.read_flow_run(self.flow_run.id)).state
        except ObjectNotFound:
            return
        if state is None or state.is_final() or state.is_scheduled():
            return
        if state.is_cancelling():
            await self._run_hooks("on_cancellation", Cancelling(message=ended.error))
            await self._propose(Cancelled(message="Flow run was cancelled."), force=True)
        elif state.is_paused():
            failed: State[Any] = Failed(message=_NO_PAUSE)
            await self._propose(failed, force=True)
            await self._run_hooks("on_failure", failed)
        elif self.is_stopping():
            self.log.info("Handed back: the worker stopped before the run had ended.")
            await self._propose(AwaitingRetry(message="The worker stopped; run it again."))
        else:
            why = ended.error or "its process ended without saying why"
            crashed = await self._propose(Crashed(message=f"The run did not end: {why}."))
            if crashed is not None and crashed.is_crashed():
                self.log.error("Crashed: %s", why)
                await self._run_hooks("on_crashed", crashed)

    async def _propose(self, state: State[Any], force: bool = False) -> State[Any] | None:
        return await propose(self.client, self.flow_run, state, force=force)

    async def _run_hooks(self, which: str, state: State[Any]) -> None:
        """Run the flow's hooks in a process of their own; reconcile records what they miss."""
        if self.is_stopping():
            return
        hooks = replace(self.job, hooks=which, state=state.model_dump(mode="json"))
        ended = await self._in_process(hooks, lambda _pid: None)
        if not ended.concluded:
            logger.error("The %s hooks of %s did not run: %s", which, self.job.id, ended.error)


async def propose(
    client: PrefectClient, flow_run: FlowRun, state: State[Any], force: bool = False
) -> State[Any] | None:
    """Propose a state to Prefect; the state the run then has. None when Prefect did not set one."""
    try:
        return await propose_state(client, state, force=force, flow_run_id=flow_run.id)
    except Abort as abort:
        logger.info("Run %s keeps its state: %s", flow_run.id, abort)
    except ObjectNotFound:
        logger.info("Run %s no longer exists.", flow_run.id)
    except Exception:
        logger.exception("The state of run %s could not be set", flow_run.id)
    return None


def _once(call: OnAssigned) -> OnAssigned:
    """`call`, made the first time only: a job that meets changed code is assigned again."""
    called = False

    def first(pid: int) -> None:
        nonlocal called
        if not called:
            called = True
            call(pid)

    return first
