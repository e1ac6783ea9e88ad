"""The housekeeping flow that reports once a day what happened, to channels and as an artifact."""

from datetime import UTC, datetime
from typing import Annotated

from prefect import flow, get_run_logger, runtime
from pydantic import Field

from sentinel_core.flow.housekeeping import publish_report
from sentinel_core.model.routing import Routed

NAME = "daily-report"


@flow(name=NAME, timeout_seconds=600, persist_result=False)
def daily_report(
    notify: Annotated[tuple[Routed, ...], Field(description="Channels that get the report.")] = (),
    hours: Annotated[int, Field(ge=1, le=24 * 366)] = 24,
    timezone: Annotated[
        str, Field(description="Time zone of its date and times, like Europe/Berlin.")
    ] = "UTC",
) -> str:
    """Reports the last `hours`: events, evaluations, coverage, notifications, with a chart.

    Each reader gets the report of a day once, however often this runs that day.
    """
    # When the run was due, not when it started: a second run is about the same time.
    due = runtime.flow_run.scheduled_start_time
    until = due if isinstance(due, datetime) else datetime.now(UTC)
    sentence = publish_report(runtime.deployment.name or NAME, until, hours, timezone, notify)
    get_run_logger().info(sentence)
    return sentence
