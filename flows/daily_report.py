"""The housekeeping flow that tells, once a day, what happened: to channels and as an artifact."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from prefect import flow, get_run_logger, runtime
from pydantic import Field

from sentinel_core.base.settings import get_settings
from sentinel_core.flow.hooks import connect
from sentinel_core.model.routing import Routed
from sentinel_core.report.publish import publish, report

NAME = "daily-report"


@flow(name=NAME, timeout_seconds=600, persist_result=False)
def daily_report(
    notify: Annotated[tuple[Routed, ...], Field(description="who reads it")] = (),
    hours: Annotated[int, Field(ge=1, le=24 * 366)] = 24,
    timezone: Annotated[str, Field(description="of its date and times: Europe/Berlin")] = "UTC",
) -> str:
    """Reports the last `hours`: events, evaluations, coverage, notifications, with a chart.

    Each reader gets the report of a day once, however often this runs that day.
    """
    settings = get_settings()
    # When the run was due, not when it started: a second run is about the same time.
    due = runtime.flow_run.scheduled_start_time
    until = due if isinstance(due, datetime) else datetime.now(UTC)
    name = runtime.deployment.name or NAME
    engine = connect(settings)
    made = report(engine, name, until, timedelta(hours=hours), timezone)
    sentence = publish(engine, settings, made, notify)
    get_run_logger().info(sentence)
    return sentence
