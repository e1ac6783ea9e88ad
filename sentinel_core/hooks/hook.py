"""The hook that Prefect calls: gathers what is known about a run's end, and has it recorded."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect import Flow, Task
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.logging.loggers import flow_run_logger, task_run_logger
from sqlalchemy import Engine

from sentinel_core.base.errors import SentinelError
from sentinel_core.base.settings import Settings, get_settings
from sentinel_core.decide.watch import EndedRun, observe
from sentinel_core.flow.hooks import connected
from sentinel_core.flow.watched import record_hook
from sentinel_core.hooks.bounded import Log, bounded
from sentinel_core.hooks.causes import failed_below, failing_starter
from sentinel_core.hooks.evidence import exception_of, last_frame, last_log_lines
from sentinel_core.hooks.next_step import next_step
from sentinel_core.hooks.subject import Subject, subject_of_flow, subject_of_task
from sentinel_core.hooks.verdict import items_of, result_of, verdict_on
from sentinel_core.model.run import Rule, StateType
from sentinel_core.model.watched import Hook, HookKind
from sentinel_core.prefect_io.facts import trigger_of
from sentinel_core.store.state import watched

_STATES = {
    "on_completion_hooks": StateType.COMPLETED,
    "on_failure_hooks": StateType.FAILED,
    "on_crashed_hooks": StateType.CRASHED,
}
_AT_MOST = 3.0  # seconds for which an unavailable store is tried again
_LATER = "reconcile records it later if it can"


class AlertHook:
    """One hook of a flow or a task; the same object may stand in several of its lists.

    Under `on_failure` it alerts. Under `on_completion` it also ends its event at once, which
    reconcile does within minutes otherwise. Under `on_running` it only makes the flow known, so
    that reconcile records even a first run whose process was killed.
    """

    def __init__(
        self,
        hook: Hook,
        *,
        items: str | Callable[[Any], float] | None = None,
        condition: Callable[[Any], bool] | None = None,
        message: str = "",
    ) -> None:
        self.hook = hook
        self.items = items
        self.condition = condition
        self.message = message
        self.__name__ = f"alert_on_{hook.kind}"  # for Prefect's log

    def __call__(
        self, flow: Flow[..., Any] | Task[..., Any], flow_run: FlowRun | TaskRun, state: State[Any]
    ) -> None:
        """Record a run's end. Never raises, and returns within seconds (bounded.py).

        Prefect calls flow hooks by keyword in places: the three names are part of its interface.
        """
        log: Log = (
            task_run_logger(flow_run, flow)  # type: ignore[arg-type]
            if isinstance(flow_run, TaskRun)
            else flow_run_logger(flow_run, flow)  # type: ignore[arg-type]
        )
        bounded(lambda: self._record(flow, flow_run, state, log), log, _LATER)

    def _record(
        self,
        flow: Flow[..., Any] | Task[..., Any],
        flow_run: FlowRun | TaskRun,
        state: State[Any],
        log: Log,
    ) -> None:
        if isinstance(flow_run, TaskRun):
            subject = subject_of_task(flow.name, flow_run, state)
        elif is_rule(flow):  # type: ignore[arg-type]
            log.warning(
                "%s records nothing: this flow is a rule of Sentinel, which records its runs "
                "itself. Remove the hook.",
                self.__name__,
            )
            return
        else:
            subject = subject_of_flow(flow.name, flow_run, state)
        hook = self._as_listed(flow, subject)
        with connected(brief(get_settings())) as engine:
            rule = watched.rule_of(
                subject.flow_name, subject.deployment_id, subject.deployment_name, hook.settings
            )
            _register_once(engine, rule, hook)
            if state.is_running():
                return
            hook = with_rule(engine, hook, log)
            rule = watched.rule_of(
                subject.flow_name, subject.deployment_id, subject.deployment_name, hook.settings
            )
            if isinstance(flow_run, FlowRun) and hook.kind in _OF_FAILURES:
                above = failing_starter(engine, flow_run, state)
                if above is not None:
                    said = "%s: part of the failure of %s, which started this run."
                    log.info(said, self.__name__, above)
                    return
            recorded = record_hook(engine, rule, hook, self._ended(hook, subject, state))
            if recorded.opened:
                log.info("%s opened event %s.", self.__name__, recorded.opened[0])
            if recorded.resolved:
                log.info("%s resolved event %s.", self.__name__, recorded.resolved[0])

    def _as_listed(self, flow: Any, subject: Subject) -> Hook:
        """The hook's record, with what the flow (or task) and its lists of hooks say about it."""
        lists: Mapping[str, list[Any]] = {name: getattr(flow, name, None) or [] for name in _STATES}
        others = [
            other for name in _STATES for other in lists[name] if isinstance(other, AlertHook)
        ]
        same = list(dict.fromkeys(o for o in others if o.hook.ticker == self.hook.ticker))
        number = same.index(self) + 1 if self in same else 1
        name = self.hook.ticker if number == 1 else f"{self.hook.ticker} {number}"
        return self.hook.model_copy(
            update={
                "ticker": f"{subject.task}: {name}" if subject.task else name,
                "task": subject.task,
                "task_key": getattr(flow, "task_key", ""),
                "states": tuple(_STATES[key] for key in _STATES if self in lists[key]),
                "leaves_timeouts": self.hook.kind is HookKind.FAILURE
                and any(other.hook.kind is HookKind.TIMEOUT for other in others),
                "timeout_seconds": getattr(flow, "timeout_seconds", None),
            }
        )

    def _ended(self, hook: Hook, subject: Subject, state: State[Any]) -> EndedRun:
        """The end of the run; evidence is gathered only where the hook alerts."""
        result, problem = result_of(state) if hook.kind in _OF_RESULTS else (None, "")
        ended = EndedRun(
            subject.text,
            subject.run,
            retries=subject.retries,
            result=verdict_on(self.condition, result, problem) if self.condition else None,
            items=items_of(self.items, result),
            message=self.message,
        )
        observation = observe(hook, ended)
        if observation is None or not observation.breached:
            return ended
        evidence = {
            "url": subject.url,
            "last_frame": last_frame(exception_of(state)),
            "log": last_log_lines(subject.flow_run_id, subject.task_run_id),
        }
        if not hook.task and hook.kind in _OF_FAILURES:
            evidence |= failed_below(subject.flow_run_id)
        return replace(
            ended,
            suggestion=next_step(state, exception_of(state)) if hook.kind in _OF_FAILURES else "",
            metrics={} if ended.items is None else {"items": ended.items},
            evidence={key: value for key, value in evidence.items() if value},
        )


_OF_RESULTS = (HookKind.RESULT, HookKind.SLOW)
_OF_FAILURES = (HookKind.FAILURE, HookKind.TIMEOUT, HookKind.CRASH)


def is_rule(flow: Flow[..., Any]) -> bool:
    """True if the flow was made by `rule_flow`."""
    return bool(flow.parameters) and trigger_of(flow.parameters.model_dump()) is not None


def brief(settings: Settings) -> Settings:
    """The settings, with a short wait for a store that is away."""
    seconds = min(settings.record_timeout_seconds, _AT_MOST)
    return settings.model_copy(update={"record_timeout_seconds": seconds})


def with_rule(engine: Engine, hook: Hook, log: Log) -> Hook:
    """The hook with the settings of the rule that it names; a warning if that can't be had."""
    try:
        return watched.with_settings_of_rule(engine, hook)
    except SentinelError as error:
        log.warning("%s", error)
        return hook


_registered: dict[tuple[str, UUID, str], Hook] = {}


def _register_once(engine: Engine, rule: Rule, hook: Hook) -> None:
    key = (str(engine.url), rule.deployment_id, hook.ticker)
    if _registered.get(key) != hook:
        watched.register(engine, rule, hook, datetime.now(UTC))
        _registered[key] = hook
