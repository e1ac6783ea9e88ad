"""Flows of people who watch them with Sentinel's hooks; tests run them in their own process."""

import asyncio
import os
import signal
import sys
import threading
import time
from typing import Any
from uuid import uuid4

from prefect import Flow, flow, get_client, task
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterId
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger

from sentinel_core.flow.hooks import record_run
from sentinel_core.flow.rule_flow import rule_flow
from sentinel_core.hooks import (
    alert_on_crash,
    alert_on_failure,
    alert_on_result,
    alert_on_slow,
    alert_on_timeout,
)
from sentinel_core.hooks.bounded import THREAD
from tests.support.patience import patient
from triggers.system.disk_usage import DiskUsage

WATCH: dict[str, Any] = {
    "on_failure": [alert_on_failure(importance="high"), alert_on_timeout()],
    "on_crashed": [alert_on_crash(importance="critical")],
}


def _do(mode: str, attempt: int = 1) -> dict[str, int]:
    if mode == "fail" or (mode == "second try" and attempt == 1):
        get_run_logger().warning("about to fail with the key %s", os.environ.get("LAB_TOKEN"))
        raise RuntimeError("the source is away")
    if mode == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "exit":
        sys.exit(3)
    return {"matches": 0 if mode == "nothing" else 4}


def _attempt() -> int:
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    return context.flow_run.run_count


@flow(retries=1, retry_delay_seconds=0, **WATCH)
def nightly(mode: str) -> dict[str, int]:
    """A sync flow that does what `mode` says."""
    return _do(mode, _attempt())


@flow(retries=1, retry_delay_seconds=0, **WATCH)
async def nightly_async(mode: str) -> dict[str, int]:
    """An async one."""
    return _do(mode, _attempt())


@flow(timeout_seconds=0.5, **WATCH)
def endless() -> None:
    """A sync flow that outlives its timeout."""
    for _ in range(200):
        time.sleep(0.05)


@flow(timeout_seconds=0.5, **WATCH)
async def endless_async() -> None:
    """An async one."""
    await asyncio.sleep(30)


AT_ONCE = alert_on_failure()


@flow(on_failure=[AT_ONCE], on_completion=[AT_ONCE])
def recovers(mode: str) -> None:
    """A flow whose hook is called at its success, too."""
    _do(mode)


KNOWN = alert_on_crash()


@flow(on_running=[KNOWN], on_crashed=[KNOWN])
def mortal(mode: str) -> None:
    """A flow that is known to Sentinel from its first start."""
    _do(mode)


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


@flow(on_failure=[alert_on_failure()])
def hostile() -> None:
    """A flow whose error is long."""
    raise RuntimeError("x" * 10_000_000)


@flow(on_failure=[alert_on_failure()])
def unspeakable() -> None:
    """A flow whose error has no text."""
    raise UnspeakableError


@flow(on_failure=[record_run], on_completion=[record_run])
def misled(mode: str) -> None:
    """A flow with the hook of rules."""
    _do(mode)


def die_before_the_next_hook(_task: Any, task_run: TaskRun, _state: State[Any]) -> None:
    """Where the test asks for it: kill the process once Prefect knows how the task ended."""
    if "LAB_DIES_IN_HOOKS" not in os.environ:
        return
    mine = TaskRunFilter(id=TaskRunFilterId(any_=[task_run.id]))
    with get_client(sync_client=True) as client:
        while [run.state_type for run in client.read_task_runs(task_run_filter=mine)] != ["FAILED"]:
            time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGKILL)


@task(
    retries=1,
    retry_delay_seconds=0,
    on_failure=[die_before_the_next_hook, alert_on_failure(), alert_on_timeout()],
    on_completion=[
        alert_on_slow(seconds=0.5, items="matches"),
        alert_on_result(lambda r: r["matches"] == 0, message="nothing matched"),
    ],
)
def extract(mode: str) -> dict[str, int]:
    """A task that does what `mode` says."""
    if mode == "slow":
        time.sleep(0.7)
    return _do(mode, _task_attempt())


@task(retries=1, retry_delay_seconds=0, timeout_seconds=0.5, on_failure=[alert_on_timeout()])
async def extract_async(mode: str) -> dict[str, int]:
    """An async task."""
    if mode == "endless":
        await asyncio.sleep(30)
    return _do(mode, _task_attempt())


def _task_attempt() -> int:
    from prefect.context import TaskRunContext

    context = TaskRunContext.get()
    assert context is not None
    return context.task_run.run_count


@flow
def fan_out(modes: list[str]) -> None:
    """A flow with a task run for each mode, one after the other."""
    for mode in modes:
        extract(mode, return_state=True)


@flow
def pipeline(mode: str) -> None:
    """A flow without hooks, whose task has some."""
    extract(mode)


@flow
async def pipeline_async(mode: str) -> None:
    """An async one."""
    await extract_async(mode)


@flow(
    on_completion=[
        alert_on_slow(seconds=0.5, items=lambda r: r["matches"]),
        alert_on_result(lambda r: r["matches"] == 0, message="nothing matched"),
        alert_on_result(lambda r: r["wrong"], message="never", name="broken"),
    ]
)
def checked(mode: str) -> dict[str, int]:
    """A flow whose result and duration are watched."""
    if mode == "slow":
        time.sleep(0.7)
    return _do(mode)


@flow(
    on_failure=[
        alert_on_failure(
            importance="high",
            notify={"high": ["slack-incoming-webhook/own"]},
            suggestions={"source is away": "restart the source"},
        )
    ]
)
def routed(mode: str) -> None:
    """A flow whose hook says who is notified."""
    _do(mode)


@flow(on_failure=[alert_on_failure(rule="nightly-rule")])
def by_rule(mode: str) -> None:
    """A flow whose hook takes what a rule says."""
    _do(mode)


ABOVE = alert_on_failure()
BELOW = alert_on_failure()


@flow(on_running=[BELOW], on_failure=[BELOW])
def below(mode: str) -> None:
    """A flow that others start as a subflow."""
    _do(mode)


@flow(on_running=[ABOVE], on_failure=[ABOVE], on_completion=[ABOVE], validate_parameters=False)
def above(started: Any, modes: list[str], then: str) -> None:
    """A flow that starts another one in each of these modes, and fails with it, or copes."""
    states = [started(mode, return_state=True) for mode in modes]
    if then == "raise" and any(state.is_failed() for state in states):
        raise RuntimeError("a part failed")


def _watched(rule: Flow[..., Any]) -> Flow[..., Any]:
    rule.on_completion(alert_on_slow(seconds=0))
    return rule


watched_rule = _watched(rule_flow(DiskUsage))


def run(flow: Flow[..., Any], *arguments: Any) -> State[Any]:
    """The final state of one run of a flow, sync or async, in this process.

    On a busy machine a hook goes on in the background after the run: waits for its end.
    """
    state: Any = flow(*arguments, return_state=True)
    final: State[Any] = asyncio.run(state) if asyncio.iscoroutine(state) else state
    for thread in threading.enumerate():
        if thread.name == THREAD:
            thread.join(patient(30))
    return final


def renamed(flow: Flow[..., Any]) -> Flow[..., Any]:
    """The flow under a name of its own: reconcile looks for the runs of a name on its server."""
    return flow.with_options(name=f"{flow.name}-{uuid4()}")


if __name__ == "__main__":
    kind, called_as, *arguments = sys.argv[1:]
    called = globals()[kind].with_options(name=called_as)(*arguments)
    if asyncio.iscoroutine(called):
        asyncio.run(called)
