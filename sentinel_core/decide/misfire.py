"""Runs that start long after they were due: whether they are still evaluated. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sentinel_core.base.errors import ScheduleError
from sentinel_core.model.rule import Policy, Stale
from sentinel_core.model.run import Run
from sentinel_core.model.times import span


def lateness(policy: Policy, planned: datetime, now: datetime) -> timedelta | None:
    """The delay of a run if it exceeds the policy's limit; else None.

    `planned` is when it was to start: when it was due, unless its worker spreads runs.
    """
    late = now - planned
    if policy.stale_seconds is None or late <= timedelta(seconds=policy.stale_seconds):
        return None
    return late


def skipped(
    policy: Policy,
    due: datetime,
    now: datetime,
    next_due: Callable[[datetime], datetime | None],
    planned: datetime | None = None,
) -> str | None:
    """The reason to skip a run that was due then and starts now; None if it is evaluated.

    `next_due` returns the rule's first due time after a moment, and is asked only when that
    matters. The run is evaluated if an unreadable schedule (ScheduleError) leaves it unknown.
    `planned` is when it was to start, if not when it was due: it is late from then on.
    """
    late = lateness(policy, planned or due, now)
    if late is None or policy.on_stale is Stale.MARK:
        return None
    reason = f"Not checked: the run started {span(late.total_seconds())} late"
    if policy.on_stale is Stale.SKIP:
        return f"{reason}."
    try:
        following = next_due(due)
    except ScheduleError:
        return None
    if following is None or following > now:
        return None  # no later run is due by now
    return f"{reason}, and a later one is due as well."


def late_mark(policy: Policy, run: Run) -> str:
    """The suffix of a late alert's message; empty if it is on time."""
    if run.started_at is None or run.run_count > 1:
        return ""
    late = lateness(policy, run.planned_start or run.expected_start, run.started_at)
    return f" (detected {span(late.total_seconds())} late)" if late else ""
