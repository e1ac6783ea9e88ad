"""One job through Prefect's own engine, in a process that has done others before and will again.

It does what `python -m prefect.engine` does for a process worker, repeatedly. Everything that
is private to Prefect is in prefect_internals.py, so that a new version is checked in one place.
"""

import contextlib
import inspect
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import SyncClientContext
from prefect.exceptions import Abort, MissingFlowError, Pause, TerminationSignal
from prefect.flows import (
    load_flow_from_entrypoint,
    load_flow_from_flow_run,
    load_function_and_convert_to_flow,
)
from prefect.logging import get_logger
from prefect.logging.loggers import flow_run_logger
from prefect.settings import (
    PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    temporary_settings,
)
from prefect.utilities.asyncutils import run_coro_as_sync

from sentinel_core.base.settings import get_settings
from sentinel_core.worker.pool import prefect_internals, run_logs
from sentinel_core.worker.pool.loaded_code import LoadedCode
from sentinel_core.worker.pool.protocol import Job, Message, ReusePolicy

logger = get_logger("sentinel.worker")
code: LoadedCode[Flow[..., Any]] = LoadedCode(os.getcwd())  # noqa: PTH109


@dataclass(frozen=True)
class JobOutcome:
    """The outcome of a job, as far as the child can tell.

    `concluded`: Prefect knows the run's state. `clean`: nothing unusual happened, the process is
    as good as new. `stale`: nothing was run, because the code on disk is no longer what is loaded.
    """

    concluded: bool
    clean: bool = False
    stale: bool = False
    error: str | None = None


class _CancelledEarlyError(BaseException):
    """Cancelled while the code was being loaded: the engine has not begun."""


_loading = False


def cancel() -> None:
    """Cancel the child's run at whatever point it is (a signal handler)."""
    if _loading:
        raise _CancelledEarlyError
    if prefect_internals.engine_listens():
        prefect_internals.intend_to_cancel()
        raise TerminationSignal(signal=15)


def execute(job: Job, report: Callable[[Message], None]) -> JobOutcome:
    """Run the job to its end; whatever a rule does, this returns."""
    if code.changed():
        return JobOutcome(concluded=False, stale=True)
    os.environ.update(job.env)
    started = time.time_ns()
    with _storage_folder(job):
        try:
            return _hooks(job) if job.hooks else _flow_run(job, report)
        finally:
            code.watch(since=started)


def _flow_run(job: Job, report: Callable[[Message], None]) -> JobOutcome:
    prefect_internals.new_attempt()
    if job.deployment is not None:
        prefect_internals.name_deployment(**job.deployment)
    try:
        flow_run = FlowRun.model_validate(job.flow_run)
        flow = _load(job, flow_run)
        timeout_of = getattr(flow, "timeout_of", None)  # it may depend on the run's parameters
        timeout = timeout_of(flow_run.parameters) if timeout_of else flow.timeout_seconds
        report({"kind": "running", "timeout_seconds": timeout})
        prefect_internals.run(flow, flow_run, flow_run_logger(flow_run, flow))
    except Abort as abort:
        logger.info("Flow run %s: %s", job.id, abort)
        return JobOutcome(concluded=True, clean=True)
    except Pause:
        return JobOutcome(concluded=True, error="paused")
    except _CancelledEarlyError:
        return JobOutcome(concluded=False, error="cancelled before it began")
    except BaseException as error:
        # A failed flow raises here too, after its state was set in Prefect.
        reported = prefect_internals.outcome_was_reported()
        if not reported:
            logger.error("Flow run %s ended outside the engine", job.id, exc_info=True)
        clean = reported and isinstance(error, Exception)
        return JobOutcome(
            concluded=reported, clean=clean, error=f"{type(error).__name__}: {error}"[:1000]
        )
    return JobOutcome(concluded=True, clean=job.entrypoint is not None)


def _load(job: Job, flow_run: FlowRun) -> Flow[..., Any]:
    global _loading  # noqa: PLW0603 (a signal handler has nothing else to look at)
    _loading = True
    try:
        if job.entrypoint is not None:
            return code.get(job.entrypoint, _load_entrypoint)
        return run_coro_as_sync(load_flow_from_flow_run(flow_run, use_placeholder_flow=False))
    except Exception:
        flow_run_logger(flow_run).error("The flow could not be loaded.", exc_info=True)
        raise
    finally:
        _loading = False


def _load_entrypoint(entrypoint: str) -> Flow[..., Any]:
    try:
        return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
    except MissingFlowError:
        return load_function_and_convert_to_flow(entrypoint)


def _hooks(job: Job) -> JobOutcome:
    """Run a flow's hooks for a state that was set after its own process had died."""
    flow_run = prefect_internals.load_flow_run(UUID(job.id))
    flow = _load(job, flow_run)
    state: State[Any] = State.model_validate(job.state)
    log = flow_run_logger(flow_run, flow)
    for hook in getattr(flow, f"{job.hooks}_hooks"):
        name = getattr(hook, "__name__", type(hook).__name__)
        try:
            done = hook(flow=flow, flow_run=flow_run, state=state)
            if inspect.iscoroutine(done):
                run_coro_as_sync(done)
        except Exception:
            log.error("The hook %r raised", name, exc_info=True)
        else:
            log.info("The hook %r ran for the state %r", name, state.name)
    return JobOutcome(concluded=True, clean=job.entrypoint is not None)


@contextlib.contextmanager
def _storage_folder(job: Job) -> Iterator[None]:
    """An empty working directory for code that Prefect fetches; the child ends after such a run."""
    if job.entrypoint is not None:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="sentinel-", ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        code.move_to(folder)
        try:
            yield
        finally:
            os.chdir(Path(folder).anchor)


@contextlib.contextmanager
def session(reuse: ReusePolicy) -> Iterator[None]:
    """The context that all runs of a child share: a client of Prefect's API, the heartbeat setting.

    The worker has asked for the server's version already; asking again would end a child that
    starts while the server is away, where the engine tries again.
    """
    settings = {
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: reuse.heartbeat_seconds,
        PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED: False,
    }
    if not get_settings().worker_engine_logs:
        run_logs.leave_out_engine_lines()
    with temporary_settings(settings), SyncClientContext():
        yield
