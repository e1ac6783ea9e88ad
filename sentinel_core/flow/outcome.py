"""The end of a rule's run in Prefect: its state, and an artifact with its outputs."""

import json
from collections.abc import Sequence
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.states import Completed

from sentinel_core.decide.conditions import MetricMissingError, Samples, evaluate
from sentinel_core.model.alert import AlertOutput, dump_outputs
from sentinel_core.model.condition import look_back_seconds
from sentinel_core.model.rule import RuleSettings
from sentinel_core.prefect_io.facts import (
    ARTIFACT_KEY,
    ARTIFACT_TYPE,
    MEASURED,
    TRIGGERED,
    checked_state,
)

MOST_LOGGED = 20  # lines of each kind


def final_state(outputs: Sequence[AlertOutput], rule: RuleSettings) -> State[Any]:
    """The run's final state in Prefect: "Triggered", "Measured" or checked; the outputs are kept.

    "Measured" is for runs that are judged when they are recorded, as conditions over a window are.
    """
    fired = [output for output in outputs if _fires(output, rule)]
    problems = [output for output in outputs if output.problem is not None]
    for title, logged in (("Triggered", fired), ("Not judged", problems)):
        for output in logged[:MOST_LOGGED]:
            get_run_logger().warning("%s: %s %s", title, output.ticker, output.message[:500])
    if fired or problems or rule.conditions:
        _keep(outputs)
    if not fired:
        checked = f"Checked {len(outputs)} series, "
        if problems:
            return Completed(
                name=MEASURED, message=f"{checked}{len(problems)} not judged.", data=outputs
            )
        if rule.conditions:
            return Completed(name=MEASURED, message=f"{checked}see the blotter.", data=outputs)
        return checked_state(f"{checked}none triggered.", outputs)
    first = fired[0].message[:200]
    more = f" (and {len(fired) - 1} more)" if len(fired) > 1 else ""
    return Completed(name=TRIGGERED, message=f"{first}{more}", data=outputs)


def _fires(output: AlertOutput, rule: RuleSettings) -> bool:
    """True if this measurement alone triggers; a window of measurements is judged later."""
    if not rule.conditions or output.problem is not None:
        return output.triggered
    if look_back_seconds(rule.conditions):
        return False
    at = output.timestamp.timestamp()
    try:
        verdict = evaluate(rule.conditions, Samples([at], [output.metrics]), at, firing=False)
    except MetricMissingError:
        return False  # recorded as an error of the check
    return bool(verdict.breached)


def _keep(outputs: Sequence[AlertOutput]) -> None:
    """Save the outputs as a Prefect artifact: reconcile reads them if the store is down now."""
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
    except Exception:  # only a copy: losing it must not lose the alert
        get_run_logger().warning("The output could not be kept in Prefect.", exc_info=True)
