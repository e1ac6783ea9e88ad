"""What the pages need of Prefect: actions on rules, due times, coverage, health.

The only module of the viewer beside `status` that reaches Prefect. Importing Prefect takes a
second, so each function imports what it needs.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from sentinel_core.base.errors import ScheduleError
from sentinel_core.base.settings import Settings
from sentinel_core.model.run import Schedule

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from sentinel_core.health.finding import Finding
    from sentinel_core.health.status import Status
    from sentinel_core.prefect_io.summary import Summary

COVERED = timedelta(days=1)  # the window of the coverage
Action = Literal["run", "pause", "resume"]


def act(
    engine: "Engine", action: Action, deployment_ids: Sequence[UUID], *, by: str, now: datetime
) -> int:
    """Run, pause or resume these rules; the number of them for which that changed something.

    Raises SentinelError when Prefect or the store refuses, ValueError for an empty name.
    """
    from sentinel_core.flow.operate import change, run_now

    if action == "run":
        return len(run_now(engine, deployment_ids, by=by, now=now))
    what: Literal["rule-paused", "rule-resumed"] = (
        "rule-paused" if action == "pause" else "rule-resumed"
    )
    return change(engine, deployment_ids, what, by=by, now=now)


def reconcile(engine: "Engine", settings: Settings) -> str:
    """Compare Prefect's runs with the record now; the result in a sentence.

    Raises SentinelError.
    """
    from sentinel_core.flow.operate import reconcile_now

    return reconcile_now(engine, settings)


def health(seconds: float) -> "tuple[Status, Sequence[Finding]]":
    """The status of everything, and the findings behind it, with the settings. Never raises."""
    from sentinel_core.health.status import status_and_findings

    return status_and_findings(seconds)


def next_due(rule: Mapping[str, Any], now: datetime) -> datetime | None:
    """When a rule is due next; None for one that is paused, or has no schedule that can be read."""
    from sentinel_core.prefect_io.due import next_due as first_after

    if not rule["is_active"]:
        return None
    try:
        return first_after([Schedule(**item) for item in rule["schedules"]], now)
    except ScheduleError:
        return None


def coverage(engine: "Engine", rule_ids: Sequence[int], now: datetime) -> dict[int, float | None]:
    """The share of the last day's due times at which each rule was checked; None for unknown."""
    from sentinel_core.report.coverage import coverage as covered
    from sentinel_core.report.figures import Window
    from sentinel_core.report.query import rule_runs

    window = Window(now - COVERED, now)
    found = {run.rule_id: covered(run, window) for run in rule_runs(engine, window, rule_ids)}
    return {key: one.share if one else None for key, one in found.items()}


def summary(since: datetime) -> "Summary":
    """Prefect's flow runs since a moment, and its workers. Raises SentinelError."""
    from sentinel_core.flow.operate import prefect_summary

    return prefect_summary(since)
