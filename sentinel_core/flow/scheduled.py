"""The housekeeping flows, for deployments that name them as modules.

`entrypoint: sentinel_core.flow.scheduled.reconcile` with `pull: []` runs the installed code,
whatever the folders of a project are called. They hold no logic, and import what does the work in
the run: a command that only reads a rule file does without the event store.
"""

from datetime import UTC, datetime
from typing import Annotated

from prefect import flow, get_run_logger, runtime
from pydantic import Field

from sentinel_core.model.routing import Routed, Routes
from sentinel_core.report.run_figures import SLOW_SECONDS

REPORT = "daily-report"


@flow(name="reconcile", timeout_seconds=600, persist_result=False)
def reconcile(settle_seconds: Annotated[float, Field(ge=0, le=3600)] = 30) -> str:
    """Records runs whose hook was lost, closes stuck runs, reports silent rules, sends what is due.

    `settle_seconds`: runs that ended less long ago than this are left to their hooks.
    """
    from sentinel_core.flow.housekeeping import record_missed

    logger = get_run_logger()
    sentence = record_missed(settle_seconds, logger.warning)
    logger.info(sentence)
    return sentence


@flow(name="deliver", timeout_seconds=300, persist_result=False)
def deliver(notify: Routes = Routes()) -> str:  # noqa: B008 (frozen)
    """Sends notifications that are due: retries, groups that are complete, escalations.

    `notify`: the channels to inform when a channel fails for good, but for that channel itself.
    """
    from sentinel_core.flow.housekeeping import send_due

    sentence = send_due(notify)
    get_run_logger().info(sentence)
    return sentence


@flow(name=REPORT, timeout_seconds=600, persist_result=False)
def daily_report(
    notify: Annotated[tuple[Routed, ...], Field(description="Channels that get the report.")] = (),
    hours: Annotated[int, Field(ge=1, le=24 * 366)] = 24,
    timezone: Annotated[
        str, Field(description="Time zone of its date and times, like Europe/Berlin.")
    ] = "UTC",
    slow_seconds: Annotated[
        float, Field(gt=0, description="Seconds from which on a run of your own flows is slow.")
    ] = SLOW_SECONDS,
) -> str:
    """Reports the last `hours`: events, evaluations, coverage, notifications, with a chart.

    And the runs of your own flows: how many failed, were slow, and took how long.

    Each reader gets the report of a day once, however often this runs that day.
    """
    from sentinel_core.flow.housekeeping import publish_report

    # When the run was due, not when it started: a second run is about the same time.
    due = runtime.flow_run.scheduled_start_time
    until = due if isinstance(due, datetime) else datetime.now(UTC)
    name = runtime.deployment.name or REPORT
    sentence = publish_report(name, until, hours, timezone, notify, slow_seconds)
    get_run_logger().info(sentence)
    return sentence


@flow(name="retention", timeout_seconds=7200, persist_result=False)
def retention(
    minutes: Annotated[
        float, Field(gt=0, le=110, description="Time after which the rest is left to the next run.")
    ] = 60,
    dry_run: Annotated[bool, Field(description="Count what would go, and delete nothing.")] = False,
) -> str:
    """Deletes old evaluations, events and series, as the SENTINEL_RETENTION_* settings say."""
    from sentinel_core.flow.housekeeping import delete_old

    sentence = delete_old(minutes, dry_run)
    get_run_logger().info(sentence)
    return sentence
