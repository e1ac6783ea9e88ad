"""The observation of a hook about a run of somebody's own flow. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sentinel_core.decide.observe import Kind, Observation, next_step
from sentinel_core.model.cleaning import clean_message
from sentinel_core.model.run import TIMED_OUT, Run, StateType
from sentinel_core.model.watched import Hook, HookKind

ENDED_BY_COMPLETION = (HookKind.FAILURE, HookKind.TIMEOUT)
_LONGEST_MESSAGE = 2_000  # characters of a state's message; the rest is in Prefect


@dataclass(frozen=True, slots=True)
class EndedRun:
    """What is known about the end of a run, of a flow or of a task.

    `result` is a result hook's verdict: True if it is to alert; a sentence if it raised an error;
    None if there is no result. `retries` counts the task's where the run is a task's.
    """

    subject: str
    run: Run
    retries: int = 0
    result: bool | str | None = None
    items: float | None = None
    message: str = ""
    suggestion: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """The time from the start of the run to its end; None if it never started."""
        started = self.run.started_at
        return None if started is None else max((self.run.state_at - started).total_seconds(), 0.0)


def observe(hook: Hook, ended: EndedRun) -> Observation | None:
    """The observation of a hook about a run; None if the run says nothing about it."""
    if hook.kind is HookKind.CHECK:
        return None  # the run's end says nothing about the data that was checked in it
    if hook.kind is HookKind.SLOW:
        return _slow(hook, ended)
    if hook.kind is HookKind.RESULT:
        return _result(hook, ended)
    if ended.run.state_type is StateType.COMPLETED:
        return _observation(hook, ended, False, f"{ended.subject}: completed{_took(hook, ended)}.")
    if not alerts_at(hook, ended.run.state_type, ended.run.state_name):
        return None
    said = ended.run.state_message[:_LONGEST_MESSAGE].strip()
    how = f"{ended.subject}: ended as {ended.run.state_name}{_took(hook, ended)}"
    return _observation(hook, ended, True, f"{how}: {said}" if said else f"{how}.")


def may_end(hook: Hook, ended: EndedRun, breach: Mapping[str, Any]) -> bool:
    """True if a run that is fine may end the event whose latest breach has this metadata.

    A flow run may have many runs of a task, and a hook is called for one at a time. That none of
    them failed is known when the flow run has ended; reconcile looks then. The task was slow, or
    returned something to alert on, for the whole flow run: no other run in it ends that.
    """
    if not hook.task:
        return True
    ended_here = hook.kind not in ENDED_BY_COMPLETION
    return ended_here and breach.get("run_id") != str(ended.run.id)


def alerts_at(hook: Hook, state: StateType, name: str) -> bool:
    """True if a failure, timeout or crash hook alerts at a run that ended so.

    Timeouts are told apart by the state's type and name, never by its message.
    """
    timed_out = state is StateType.FAILED and name == TIMED_OUT
    if hook.kind is HookKind.TIMEOUT:
        return timed_out
    if hook.kind is HookKind.CRASH:
        return state is StateType.CRASHED
    wanted = state in hook.states and state is not StateType.COMPLETED
    return wanted and hook.kind is HookKind.FAILURE and not (timed_out and hook.leaves_timeouts)


def _slow(hook: Hook, ended: EndedRun) -> Observation | None:
    if ended.seconds is None or hook.seconds is None or ended.run.state_type not in hook.states:
        return None
    slow = ended.seconds > hook.seconds
    took = f"{ended.subject}: took {_time(ended.seconds)}, limit {_time(hook.seconds)}"
    count = "" if ended.items is None else f", {ended.items:,.10g} items"
    return _observation(hook, ended, slow, f"{took}{count}.")


def _result(hook: Hook, ended: EndedRun) -> Observation | None:
    if ended.run.state_type is not StateType.COMPLETED or ended.result is None:
        return None
    if isinstance(ended.result, str):
        message = f"Not checked: {ended.subject}: {ended.result}"
        return _observation(hook, ended, True, message, Kind.ERROR)
    message = ended.message or "The result is one to alert on."
    if not ended.result:
        message = "The result is as it should be."
    return _observation(hook, ended, ended.result, f"{ended.subject}: {message}")


def _took(hook: Hook, ended: EndedRun) -> str:
    parts = []
    if ended.seconds is not None:
        limit = "" if hook.timeout_seconds is None else f" (limit {_time(hook.timeout_seconds)})"
        parts.append(f" after {_time(ended.seconds)}{limit}")
    if ended.retries:
        parts.append(f", {ended.retries} {'retry' if ended.retries == 1 else 'retries'}")
    return "".join(parts)


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:,.0f} s"  # noqa: PLR2004


def _observation(
    hook: Hook, ended: EndedRun, breached: bool, message: str, kind: Kind = Kind.ALERT
) -> Observation:
    run = ended.run
    metrics = {**ended.metrics, "retries": float(ended.retries)}
    if ended.seconds is not None:
        metrics["duration_seconds"] = ended.seconds
    limit = hook.seconds if hook.kind is HookKind.SLOW else hook.timeout_seconds
    if limit is not None:
        metrics["limit_seconds"] = limit
    facts: dict[str, Any] = {
        "run": run.name,
        "run_id": str(run.id),
        "state": run.state_name,
        "state_message": run.state_message[:_LONGEST_MESSAGE],
        "ended_at": run.state_at.isoformat(),
    }
    return Observation(
        kind,
        hook.ticker,
        run.at,
        breached,
        hook.settings.importance,
        clean_message(message),
        # Runs of a task share a flow run: one that is ok must not hide another's alert.
        evaluated=breached or not hook.task,
        measured_at=run.state_at,
        metrics=metrics,
        metadata={**facts, **ended.evidence} if breached else {},
        suggestion=(ended.suggestion or next_step(run)) if breached else "",
    )
