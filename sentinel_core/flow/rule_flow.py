"""`rule_flow(Trigger)`: the one place where a trigger becomes a Prefect flow with our hooks."""

import inspect
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from prefect import Flow, Task
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.states import Completed
from pydantic import Field

import sentinel_core.base.gc_freeze  # noqa: F401 (before whatever else is imported)
from sentinel_core.base.errors import HistoryUnavailableError, SentinelError
from sentinel_core.decide.conditions import MetricMissingError, Samples
from sentinel_core.decide.conditions import evaluate as evaluate_conditions
from sentinel_core.decide.misfire import lateness, skipped
from sentinel_core.flow.hooks import record_run
from sentinel_core.model.alert import AlertOutput, Importance, as_outputs, dump_outputs
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.condition import Conditions, look_back_seconds
from sentinel_core.model.routing import Escalates, Escalation, Routes, Suggestions
from sentinel_core.model.rule import (
    DEFAULT_DISPLAY_MINUTES,
    Inhibits,
    Policy,
    RuleSettings,
    Templates,
)
from sentinel_core.model.run import SKIPPED, Schedule
from sentinel_core.model.trigger import History, NoHistory, PastEvaluation, Trigger
from sentinel_core.prefect_io.facts import ARTIFACT_KEY, ARTIFACT_TYPE, CHECKED, MEASURED, TRIGGERED

T = TypeVar("T", bound=Trigger)


def rule_flow(trigger: type[T]) -> Flow[..., State[Any]]:
    """A flow named after the trigger whose parameters are the rule: Prefect's UI shows a form.

    One line in flows/<family>.py is all it takes: `price_surge = rule_flow(PriceSurge)`.
    """
    task: Task[..., list[AlertOutput]] = Task(
        _measure,
        name=trigger.slug(),
        description=inspect.getdoc(trigger),
        retries=trigger.retries,
        retry_delay_seconds=trigger.retry_delay_seconds,
        timeout_seconds=trigger.timeout_seconds,
        persist_result=False,
    )

    def evaluate(check: T, **settings: Any) -> State[Any]:
        rule = RuleSettings.model_validate(settings)
        if (why := _skipped(rule.policy)) is not None:
            return Completed(name=SKIPPED, message=why, data=[])
        return _conclude(task(check, _own_history()), rule)

    evaluate.__name__ = evaluate.__qualname__ = trigger.slug().replace("-", "_")
    evaluate.__doc__ = inspect.getdoc(trigger)
    evaluate.__signature__ = _signature(trigger)  # type: ignore[attr-defined]
    evaluate.__annotations__ = {
        name: parameter.annotation for name, parameter in _signature(trigger).parameters.items()
    }
    return Flow(
        evaluate,
        name=trigger.slug(),
        timeout_seconds=trigger.longest_seconds(),
        persist_result=False,
        on_completion=[record_run],
        on_failure=[record_run],
        on_crashed=[record_run],
        on_cancellation=[record_run],
    )


def _signature(trigger: type[Trigger]) -> inspect.Signature:
    def setting(name: str, annotation: Any, default: object) -> inspect.Parameter:
        return inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
        )

    return inspect.Signature(
        [
            inspect.Parameter("check", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=trigger),
            setting("importance", Importance, trigger.default_importance),
            setting(
                "category",
                Annotated[str, Field(max_length=40, description="for filters on the blotter")],
                trigger.default_category,
            ),
            setting(
                "display_duration_minutes",
                Annotated[
                    int,
                    Field(
                        ge=1,
                        le=525_600,
                        description="how long a medium or low event stays on the live blotter",
                    ),
                ],
                DEFAULT_DISPLAY_MINUTES,
            ),
            setting("notify", Routes, Routes()),
            setting(
                "runbook",
                Annotated[str | None, Field(description="where to read what to do")],
                None,
            ),
            setting("conditions", Conditions, ()),
            setting("policy", Policy, Policy()),
            setting("inhibits", Inhibits, ()),
            setting("escalation", Escalates, Escalation()),
            setting("suggestions", Suggestions, ()),
            setting("templates", Templates, {}),
        ]
    )


def _skipped(policy: Policy) -> str | None:
    """Why this run is too late to mean anything; None when it is to measure."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.deployment_id is None or not run.auto_scheduled:
        return None  # somebody wants to know now
    now, due = datetime.now(UTC), run.expected_start_time
    if due is None or (run.run_count or 0) > 1 or lateness(policy, due, now) is None:
        return None
    return skipped(policy, _schedules(run.deployment_id), due, now)


def _schedules(deployment_id: UUID) -> list[Schedule]:
    """The rule's schedules as the store has them; none when it can't say."""
    from sqlalchemy.exc import SQLAlchemyError

    from sentinel_core.base.settings import get_settings
    from sentinel_core.store.db.engine import open_engine
    from sentinel_core.store.state.rules import rule_of_deployment

    try:
        row = rule_of_deployment(open_engine(get_settings().database_url), deployment_id)
    except SQLAlchemyError:
        return []
    return [Schedule(**item) for item in row["schedules"]] if row else []


def _measure(check: Trigger, history: History) -> list[AlertOutput]:
    run_process = os.getpid()
    try:
        return as_outputs(check.measure(history))
    except Exception as error:
        said = clean_text(str(error))
        if said == str(error):
            raise
        # Prefect's API refuses such text (the name of a file that is not UTF-8 has it): the run
        # would crash instead of saying what went wrong.
        raise SentinelError(f"{type(error).__name__}: {said}") from None
    finally:
        if os.getpid() != run_process:
            # The check forked, and this is the copy: it would tell Prefect a second end of the run
            # over the same connection, and each would read the other's answers.
            os._exit(0)


def _conclude(outputs: list[AlertOutput], rule: RuleSettings) -> State[Any]:
    """The run's final state: "Triggered" where people look, with the evidence beside it.

    Conditions over a window are asked when the run is recorded: such a run has only measured.
    """
    fired = [output for output in outputs if _fires(output, rule)]
    for output in fired[:20]:
        get_run_logger().warning("Triggered: %s %s", output.ticker, output.message[:500])
    problems = [output for output in outputs if output.problem is not None]
    for output in problems[:20]:
        get_run_logger().warning("Not judged: %s %s", output.ticker, output.message[:500])
    if fired or problems or rule.conditions:
        _keep(outputs)
    if not fired:
        told = f"{CHECKED}{len(outputs)} series, "
        if problems:
            return Completed(
                name=MEASURED, message=f"{told}{len(problems)} not judged.", data=outputs
            )
        if rule.conditions:
            return Completed(name=MEASURED, message=f"{told}see the blotter.", data=outputs)
        return Completed(message=f"{told}none triggered.", data=outputs)
    first = fired[0].message[:200]
    more = f" (and {len(fired) - 1} more)" if len(fired) > 1 else ""
    return Completed(name=TRIGGERED, message=f"{first}{more}", data=outputs)


def _fires(output: AlertOutput, rule: RuleSettings) -> bool:
    """As far as this one measurement can tell."""
    if not rule.conditions or output.problem is not None:
        return output.triggered
    if look_back_seconds(rule.conditions):
        return False
    at = output.timestamp.timestamp()
    try:
        verdict = evaluate_conditions(
            rule.conditions, Samples([at], [output.metrics]), at, firing=False
        )
    except MetricMissingError:
        return False  # an error, which the record will say
    return bool(verdict.breached)


def _keep(outputs: Sequence[AlertOutput]) -> None:
    """Keep the output where Prefect's API can give it back, should the store be away just now."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    rows = [
        {**row, "metrics": json.dumps(row["metrics"]), "metadata": json.dumps(row["metadata"])}
        for row in dump_outputs(outputs)
    ]
    artifact = ArtifactCreate(
        key=ARTIFACT_KEY,
        type=ARTIFACT_TYPE,
        description="What the trigger measured in this run.",
        data=json.dumps(rows),
        flow_run_id=context.flow_run.id,
    )
    try:
        with get_client(sync_client=True) as client:
            client.create_artifact(artifact)
    except Exception:  # a second copy for a bad day: no reason to lose the alert today
        get_run_logger().warning("The output could not be kept in Prefect.", exc_info=True)


class _StoreHistory:
    """A rule's own past, read when a trigger asks for it and not before."""

    def __init__(self, deployment_id: UUID) -> None:
        self.deployment_id = deployment_id

    def latest(self, limit: int, ticker: str | None = None) -> list[PastEvaluation]:
        from sqlalchemy.exc import SQLAlchemyError

        from sentinel_core.base.settings import get_settings
        from sentinel_core.store.db.engine import open_engine
        from sentinel_core.store.db.schema import ensure_schema
        from sentinel_core.store.state.rules import latest_evaluations

        try:
            engine = open_engine(get_settings().database_url)
            ensure_schema(engine)
            rows = latest_evaluations(engine, self.deployment_id, limit, ticker)
        except SQLAlchemyError as error:
            raise HistoryUnavailableError(
                f"the event store could not be read for this rule's past: {error}"
            ) from error
        return [
            # When it was measured, not when it was due: after a backlog the two differ.
            PastEvaluation(
                row["measured_at"] or row["at"], row["ticker"], row["triggered"], row["metrics"]
            )
            for row in rows
        ]


def history_of(deployment_id: UUID | None) -> History:
    """The recorded past of a deployment; nothing for a run without one."""
    return NoHistory() if deployment_id is None else _StoreHistory(deployment_id)


def _own_history() -> History:
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return history_of(run.deployment_id if run else None)
