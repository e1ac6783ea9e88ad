"""When a worker starts a run: at its due time, or at its rule's offset after it.

The spread is what the run's job variables say, else its deployment's, else its work pool's, else
the setting. Computes only; asks nobody.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse

from sentinel_core.base.errors import ScheduleError
from sentinel_core.decide.stagger import offset_seconds, window_seconds
from sentinel_core.model.run import Schedule
from sentinel_core.model.spread import VARIABLE, Spread, spread_of
from sentinel_core.prefect_io.due import next_due
from sentinel_core.prefect_io.facts import is_rule, rule_settings, schedule_facts
from sentinel_core.prefect_io.planned import is_put_off


class Plan(NamedTuple):
    """When to start a run, and since when it is late. They differ for a run that starts again."""

    start: datetime
    planned: datetime


def plan_of(
    run: FlowRun,
    deployment: DeploymentResponse | None,
    base_job_template: Mapping[str, Any],
    default_seconds: float,
) -> Plan | None:
    """The plan of a run as Prefect lists it; None for one without a time.

    `default_seconds` is the spread where nothing else says one. A run that was put off (by a
    worker, or by a person) keeps its new time.
    """
    due = run.expected_start_time or run.next_scheduled_start_time
    if due is None:
        return None
    start = _utc(run.next_scheduled_start_time or due)
    if is_put_off(run):
        return Plan(start, start)
    planned = _utc(due)
    if run.auto_scheduled and deployment is not None:
        spread = said(run, deployment, base_job_template)
        planned += _offset(deployment, planned, default_seconds if spread is None else spread)
    return Plan(planned if start == _utc(due) else start, planned)


def said(
    run: FlowRun, deployment: DeploymentResponse, base_job_template: Mapping[str, Any]
) -> Spread | None:
    """The spread that the run, its deployment or its work pool says, the first that says one."""
    for variables in (run.job_variables, deployment.job_variables):
        if (spread := spread_of((variables or {}).get(VARIABLE))) is not None:
            return spread
    return pool_spread(base_job_template)


def pool_spread(base_job_template: Mapping[str, Any]) -> Spread | None:
    """The spread that is the default of a work pool's job variable; None if it has none."""
    fields = (base_job_template.get("variables") or {}).get("properties") or {}
    return spread_of((fields.get(VARIABLE) or {}).get("default"))


def _offset(deployment: DeploymentResponse, due: datetime, spread: Spread) -> timedelta:
    if spread in ("none", 0):
        return timedelta()
    schedules = tuple(schedule_facts(item.schedule) for item in deployment.schedules if item.active)
    try:
        following = _next_due(schedules, due)
    except ScheduleError:  # how long it may wait is not known
        return timedelta()
    period = None if following is None else (following - due).total_seconds()
    window = window_seconds(spread, period, _grace(deployment))
    return timedelta(seconds=offset_seconds(deployment.name, window))


def _grace(deployment: DeploymentResponse) -> float | None:
    if not is_rule(deployment):
        return None
    schema = deployment.parameter_openapi_schema or {}
    return rule_settings(deployment.parameters, schema).policy.grace_seconds


@lru_cache(maxsize=1024)  # many rules are due at the same times
def _next_due(schedules: tuple[Schedule, ...], due: datetime) -> datetime | None:
    return next_due(schedules, due)


def _utc(time: datetime) -> datetime:
    return datetime.fromtimestamp(time.timestamp(), UTC)
