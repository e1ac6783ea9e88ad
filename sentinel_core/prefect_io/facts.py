"""Prefect's objects as Sentinel's own: the only place that knows how Prefect spells them."""

import json
from datetime import UTC, datetime
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
)
from prefect.client.schemas.objects import FlowRun, State, StateDetails, TaskRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.states import Completed
from pydantic import ValidationError

from sentinel_core.base.errors import OutputError
from sentinel_core.model.alert import AlertOutput, load_outputs
from sentinel_core.model.attempts import Attempts, TriggerAttempts
from sentinel_core.model.cleaning import clean_json, clean_message, clean_text
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule, Run, Schedule, StateType
from sentinel_core.model.trigger import ATTEMPTS_MARK, MARK, TIMEOUT_MARK
from sentinel_core.prefect_io.overlap import cancels_new
from sentinel_core.wording.schedules import cron_words, interval_words

TRIGGERED = "Triggered"  # the state name of a completed run in which something fired
MEASURED = "Measured"  # of one whose conditions are asked when it is recorded
CHECKED_KEY = "sentinel/checked"  # in the state of a completed run in which nothing did
ARTIFACT_KEY = "sentinel-output"
ARTIFACT_TYPE = "table"


def run_facts(flow_run: FlowRun, state: State[Any] | None = None) -> Run:
    """A flow run, in `state` (a hook's) or else in its own."""
    state = state or flow_run.state
    if state is None:
        raise ValueError(f"flow run {flow_run.id} has no state")
    kind = state.type.value
    if kind == StateType.CANCELLING:  # on_cancellation is called before the run is Cancelled
        kind = StateType.CANCELLED
    expected = flow_run.expected_start_time or flow_run.start_time or state.timestamp
    return Run(
        id=flow_run.id,
        name=clean_text(flow_run.name),
        state_type=StateType(kind),
        state_name=clean_text(state.name or state.type.value.title()),
        state_message=clean_message(state.message or ""),
        state_at=_utc(state.timestamp),
        expected_start=_utc(expected),
        started_at=_utc(flow_run.start_time) if flow_run.start_time else None,
        run_count=flow_run.run_count or 0,
    )


def task_run_facts(
    task_run: TaskRun, flow_run: FlowRun | None, state: State[Any] | None = None
) -> Run:
    """The end of a task run, in `state` (a hook's) or else in its own.

    It counts for the flow run whose attempt it belongs to: the record of a run is that of a flow
    run, and each attempt of it counts once. A task outside of any flow counts for itself.
    """
    as_flow_run = FlowRun(
        id=flow_run.id if flow_run else task_run.id,
        name=task_run.name,
        flow_id=flow_run.flow_id if flow_run else task_run.id,
        expected_start_time=(flow_run or task_run).expected_start_time,
        start_time=task_run.start_time,
        run_count=(task_run.flow_run_run_count or flow_run.run_count) if flow_run else 1,
        state=state or task_run.state,
    )
    return run_facts(as_flow_run)


def _utc(time: datetime) -> datetime:
    return datetime.fromtimestamp(time.timestamp(), UTC)


def checked_state(message: str, data: Any = None) -> State[Any]:
    """The end of a run that measured and in which nothing triggered.

    Anybody can give a state any name and message by hand. Prefect keeps the details as they were
    given, shows them nowhere and asks for this key only where a task has a cache, so only the flow
    itself leaves it.
    """
    return Completed(message=message, data=data, state_details=StateDetails(cache_key=CHECKED_KEY))


def is_checked(state: State[Any] | None) -> bool:
    """True for the state that `checked_state` makes, also as Prefect's API returns it."""
    return state is not None and state.state_details.cache_key == CHECKED_KEY


def trigger_of(schema: dict[str, Any] | None) -> dict[str, Any] | None:
    """The trigger's definition in a deployment's parameter schema; None when it is not a rule."""
    for definition in ((schema or {}).get("definitions") or {}).values():
        if isinstance(definition, dict) and MARK in definition:
            return definition
    return None


def is_rule(deployment: DeploymentResponse) -> bool:
    """True if this deployment was made from a `rule_flow`."""
    return trigger_of(deployment.parameter_openapi_schema) is not None


def rule_facts(deployment: DeploymentResponse, flow_name: str) -> Rule:
    """The rule of a deployment; settings its author left out are the flow's defaults."""
    schema = deployment.parameter_openapi_schema or {}
    definition = trigger_of(schema) or {}
    settings = rule_settings(deployment.parameters, schema)
    schedules = tuple(schedule_facts(item.schedule) for item in deployment.schedules if item.active)
    cron = next((schedule for schedule in schedules if schedule.cron is not None), None)
    interval = next((item for item in schedules if item.interval_seconds is not None), None)
    zoned = cron or interval
    try:
        parameters: dict[str, Any] = clean_json(deployment.parameters)
    except ValueError as error:  # only shown on the rules page: the rule is watched nevertheless
        parameters = {"unreadable": str(error)}
    return Rule(
        deployment_id=deployment.id,
        name=clean_text(deployment.name),
        flow_name=clean_text(flow_name),
        settings=settings,
        trigger=definition.get(MARK, ""),
        description=clean_message(deployment.description or ""),
        parameters=parameters,
        tags=tuple(clean_text(tag) for tag in deployment.tags),
        cron=cron.cron if cron else None,
        interval_seconds=interval.interval_seconds if interval else None,
        timezone=zoned.timezone if zoned else "UTC",
        schedules=schedules,
        active=not deployment.paused and bool(schedules),
        timeout_seconds=_longest_seconds(definition, settings),
        cancels_new=cancels_new(deployment),
    )


def _longest_seconds(definition: dict[str, Any], settings: RuleSettings) -> float | None:
    """Seconds that a run may take; None for a rule that a Sentinel without the mark deployed."""
    marked = definition.get(ATTEMPTS_MARK)
    if marked is None or settings.attempts == Attempts():
        return definition.get(TIMEOUT_MARK)
    return TriggerAttempts.model_validate(marked).changed_by(settings.attempts).longest_seconds


def schedule_facts(item: CronSchedule | IntervalSchedule | RRuleSchedule | Any) -> Schedule:
    """A schedule of Prefect as the store keeps it."""
    zone = getattr(item, "timezone", None) or "UTC"
    if isinstance(item, CronSchedule):
        return Schedule(cron=item.cron, timezone=zone, day_or=item.day_or)
    if isinstance(item, IntervalSchedule):
        seconds, anchor = item.interval.total_seconds(), item.anchor_date.isoformat()
        return Schedule(interval_seconds=seconds, timezone=zone, anchor=anchor)
    return Schedule(rrule=getattr(item, "rrule", ""), timezone=zone)


def schedule_words(schedule: Any) -> str:
    """A Prefect schedule for people."""
    if isinstance(schedule, CronSchedule):
        return cron_words(schedule.cron, schedule.timezone or "UTC")
    if isinstance(schedule, IntervalSchedule):
        return interval_words(schedule.interval.total_seconds())
    return f"{getattr(schedule, 'rrule', schedule)}"


def rule_settings(parameters: dict[str, Any], schema: dict[str, Any]) -> RuleSettings:
    """The rule's own settings among a deployment's parameters, field by field.

    A field that does not validate falls back to its default: recording that something is wrong
    must not fail because something is wrong.
    """
    defaults = {
        name: part["default"]
        for name, part in (schema.get("properties") or {}).items()
        if isinstance(part, dict) and part.get("default") is not None
    }
    merged = {**defaults, **{k: v for k, v in parameters.items() if v is not None}}
    try:
        return RuleSettings.model_validate(merged)
    except ValidationError as error:
        wrong = {item["loc"][0] for item in error.errors() if item["loc"]}
        kept = {k: v for k, v in merged.items() if k not in wrong}
        return RuleSettings.model_validate({**defaults, **kept})


def read_rule(client: SyncPrefectClient, deployment_id: Any) -> Rule:
    """The rule of a deployment, from Prefect's API."""
    deployment = client.read_deployment(deployment_id)
    return rule_facts(deployment, client.read_flow(deployment.flow_id).name)


def kept_outputs(client: SyncPrefectClient, flow_run: FlowRun) -> list[AlertOutput] | None:
    """The outputs in the run's artifact; None when there is none or it can't be read."""
    artifacts = client.read_artifacts(
        artifact_filter=ArtifactFilter(
            flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run.id]),
            key=ArtifactFilterKey(any_=[ARTIFACT_KEY]),
        ),
        limit=10,
    )
    newest = max(artifacts, key=lambda artifact: str(artifact.created), default=None)
    if newest is None:
        return None
    try:
        rows: Any = json.loads(newest.data) if isinstance(newest.data, str) else newest.data
        return load_outputs(
            [
                {**row, **{name: json.loads(row[name]) for name in ("metrics", "metadata")}}
                for row in rows
            ]
        )
    except (ValueError, TypeError, KeyError, OutputError):
        return None
