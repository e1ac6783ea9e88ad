"""`rule_flow(Trigger)`: the one place where a trigger becomes a Prefect flow with our hooks."""

import inspect
import os
from datetime import UTC, datetime
from functools import partial, update_wrapper
from typing import Any, TypeVar
from uuid import UUID

from prefect import Flow, Task
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.states import Completed

import sentinel_core.base.gc_freeze  # noqa: F401 (before all other imports)
from sentinel_core.base.errors import SentinelError, StoreRefusedError
from sentinel_core.decide.misfire import lateness, skipped
from sentinel_core.flow.bounded_flow import BoundedFlow, tried_as
from sentinel_core.flow.history import history_of_this_run
from sentinel_core.flow.outcome import final_state
from sentinel_core.flow.parameters import schema_of, signature_of
from sentinel_core.model.alert import Outputs, as_outputs
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.rule import Policy, RuleSettings
from sentinel_core.model.run import CLOSED, SKIPPED, Schedule
from sentinel_core.model.trigger import History, Trigger, attempts_of
from sentinel_core.prefect_io.planned import handed_down

T = TypeVar("T", bound=Trigger)


def rule_flow(trigger: type[T]) -> Flow[..., State[Any]]:
    """A flow named after the trigger; its parameters are the rule, as a form in Prefect's UI.

    One line in flows/<family>.py is all it takes: `price_surge = rule_flow(PriceSurge)`.
    """
    attempts = attempts_of(trigger)
    task: Task[..., Outputs] = Task(
        _measure,
        name=trigger.slug(),
        description=inspect.getdoc(trigger),
        **attempts.model_dump(),
        persist_result=False,
    )

    def evaluate(check: T, **settings: Any) -> State[Any]:
        import sentinel_core.flow.hooks  # noqa: F401 (what records the run is there from its start)

        rule = RuleSettings.model_validate(settings)
        if (why := _skipped(rule.policy)) is not None:
            return Completed(name=SKIPPED, message=why, data=[])
        if (why := _closed(check)) is not None:
            return Completed(name=CLOSED, message=why, data=[])
        measure = tried_as(task, attempts, rule.attempts)
        return final_state(measure(check, history_of_this_run()), rule)

    evaluate.__name__ = evaluate.__qualname__ = trigger.slug().replace("-", "_")
    evaluate.__doc__ = inspect.getdoc(trigger)
    # Prefect derives a schema of what it finds, here of nothing; ours comes below.
    evaluate.__annotations__ = {}
    evaluate.__signature__ = inspect.Signature()  # type: ignore[attr-defined]
    flow = BoundedFlow(
        evaluate,
        name=trigger.slug(),
        timeout_seconds=trigger.longest_seconds(),
        persist_result=False,
        on_completion=[record_run],
        on_failure=[record_run],
        on_crashed=[record_run],
        on_cancellation=[record_run],
    )
    flow.attempts = attempts
    signature = signature_of(trigger)
    evaluate.__signature__ = signature  # type: ignore[attr-defined]
    evaluate.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    update_wrapper(flow, evaluate)
    flow.schema = partial(schema_of, trigger)
    return flow


def record_run(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """The hook of every rule. Commands that only read a rule file do without the event store."""
    from sentinel_core.flow import hooks

    hooks.record_run(flow, flow_run, state)


def _skipped(policy: Policy) -> str | None:
    """Why this run is too late and skipped; None if it measures."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.deployment_id is None or not run.auto_scheduled:
        return None  # started by hand: a person wants a result now
    now, due = datetime.now(UTC), run.expected_start_time
    if due is None or (run.run_count or 0) > 1:
        return None
    planned = handed_down(run.id) or due
    if lateness(policy, planned, now) is None:
        return None
    return skipped(policy, due, now, partial(_next_due, run.deployment_id), planned)


def _closed(check: Trigger) -> str | None:
    """Why this run has nothing to check; None for one that a person started."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.deployment_id is None or not run.auto_scheduled:
        return None
    return check.why_closed(run.expected_start_time or datetime.now(UTC))


def _next_due(deployment_id: UUID, after: datetime) -> datetime | None:
    """The next due time of the rule by its schedules in the store; None if it can't be read."""
    from sqlalchemy.exc import SQLAlchemyError

    from sentinel_core.base.settings import get_settings
    from sentinel_core.prefect_io.due import next_due
    from sentinel_core.store.db.engine import open_engine
    from sentinel_core.store.state.rules import rule_of_deployment

    try:
        engine = open_engine(get_settings().database_url, create=False)
        row = rule_of_deployment(engine, deployment_id)
    except (SQLAlchemyError, StoreRefusedError):
        return None
    return next_due([Schedule(**item) for item in row["schedules"]], after) if row else None


def _measure(check: Trigger, history: History) -> Outputs:
    run_process = os.getpid()
    try:
        return Outputs(as_outputs(check.measure(history)))
    except Exception as error:
        text = clean_text(str(error))
        if text == str(error):
            raise
        # Prefect's API refuses such text (a file name that is not UTF-8): the run would crash
        # without a reason.
        raise SentinelError(f"{type(error).__name__}: {text}") from None
    finally:
        if os.getpid() != run_process:
            # The check forked, and this is the copy: it would report a second end of the run over
            # the same connection, and each would read the other's answers.
            os._exit(0)
