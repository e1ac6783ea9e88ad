"""Rows for what was observed and decided. Pure: nothing is read or written."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice

from sentinel_core.decide.late import LateDecision
from sentinel_core.decide.observe import Observation
from sentinel_core.decide.state import Decision, Key, Series
from sentinel_core.model.reasons import Suppression
from sentinel_core.model.routing import Suggestions, suggested_action
from sentinel_core.model.run import SKIPPED, Rule, Run, StateType
from sentinel_core.store.db.tables import Row

NOT_ACKNOWLEDGED: Row = {
    "is_acknowledged": False,
    "acknowledged_at": None,
    "acknowledged_by": None,
    "acknowledged_until": None,
    "acknowledged_above": None,
    "acknowledged_below": None,
}
"""The acknowledgement columns of an unacknowledged event."""


def retries_of(run: Run) -> int:
    """The number of retries of this run by Prefect."""
    return max(run.run_count - 1, 0)


def last_run(run: Run, observations: Sequence[Observation]) -> Row:
    """The columns of a rule that show its newest run; cancelled and skipped runs check nothing."""
    unchecked = run.state_type is StateType.CANCELLED or run.state_name == SKIPPED
    evaluated = (observation for observation in observations if observation.evaluated)
    return {
        **({} if unchecked else {"last_evaluated_at": run.at}),
        "last_prefect_state": run.state_type.value,
        "last_prefect_state_name": run.state_name,
        "last_output": [
            {
                "ticker": observation.ticker,
                "breached": observation.breached,
                "message": observation.message[:500],
            }
            for observation in islice(evaluated, 20)
        ],
    }


def evaluation_row(
    rule_id: int,
    run: Run,
    observation: Observation,
    decision: Decision | LateDecision,
    event_id: int | None,
    now: datetime,
) -> Row:
    """The row of an evaluation: one series in one run, with its decision."""
    return {
        "rule_id": rule_id,
        "prefect_flow_run_id": run.id,
        "kind": observation.kind.value,
        "ticker": observation.ticker,
        "at": observation.at,
        "planned_at": run.planned_start,
        "started_at": run.started_at,
        "completed_at": run.state_at,
        "measured_at": observation.measured_at,
        "retry_count": retries_of(run),
        "prefect_state": run.state_type.value,
        "prefect_state_name": run.state_name,
        "prefect_state_message": run.state_message,
        "triggered": observation.breached,
        "reported": observation.reported,
        "said": observation.said,
        "importance": observation.importance.value,
        "message": observation.message,
        "metrics": observation.metrics,
        "metadata": observation.metadata,
        "decision": decision.action.value,
        "decision_code": decision.code,
        "decision_reason": decision.reason,
        "event_id": event_id,
        "recorded_at": now,
    }


def series_row(rule_id: int, key: Key, series: Series, now: datetime) -> Row:
    """The row of a series."""
    kind, ticker = key
    row = state_row(series, now, series.event_id)
    return {"rule_id": rule_id, "kind": kind.value, "ticker": ticker, **row}


def state_row(series: Series, now: datetime, event_id: int | None) -> Row:
    """The columns of a series' state."""
    importance, ended = series.event_importance, series.ended_importance
    return {
        "status": series.status.value,
        "last_at": series.last_at,
        "changed_at": now,
        "event_id": event_id,
        "event_importance": importance.value if importance else None,
        "breaches": series.breaches,
        "oks": series.oks,
        "recent": series.recent,
        "flapping": series.flapping,
        "breached_at": series.breached_at,
        "ended_at": series.ended_at,
        "ended_importance": ended.value if ended else None,
        "told_at": series.notified_at,
        "tells": series.notify_count,
        "untold": series.withheld.value if series.withheld else None,
    }


def newest_run_row(run: Run | None, observation: Observation, suggestions: Suggestions = ()) -> Row:
    """The columns of an event that show its newest run. The rule's own suggestions go first."""
    action = suggested_action(suggestions, observation.message) if suggestions else None
    action = action or observation.suggestion or None
    return {
        "suggested_action": action,
        "last_seen": observation.at,
        "message": observation.message,
        "metrics": observation.metrics,
        "metadata": observation.metadata,
        "prefect_flow_run_id": run.id if run else None,
        "prefect_state": run.state_type.value if run else None,
        "prefect_state_name": run.state_name if run else None,
        "started_at": run.started_at if run else None,
        "completed_at": run.state_at if run else None,
        "retry_count": retries_of(run) if run else 0,
    }


def event_row(
    rule_id: int,
    rule: Rule,
    run: Run | None,
    observation: Observation,
    resolved_at: datetime | None,
    suppression: Suppression | None = None,
) -> Row:
    """The row of a new event, which may have ended already."""
    settings = rule.settings
    return {
        "rule_id": rule_id,
        "rule_name": rule.name,
        "kind": observation.kind.value,
        "ticker": observation.ticker,
        "category": settings.category,
        "importance": observation.importance.value,
        "timestamp": observation.at,
        "first_seen": observation.at,
        "occurrences": 1,
        "display_until": observation.at + timedelta(minutes=settings.display_duration_minutes),
        "is_acknowledged": False,
        "resolved_at": resolved_at,
        "resolution": "late" if resolved_at else None,
        **suppressed_columns(suppression),
        "runbook": settings.runbook,
        "environment": settings.environment,
        **newest_run_row(run, observation, settings.suggestions),
    }


def suppressed_columns(suppression: Suppression | None) -> Row:
    """The columns of an event that say why nobody is notified."""
    if suppression is None:
        return {"suppressed": None, "suppressed_code": None}
    return {"suppressed": suppression.sentence, "suppressed_code": suppression.code.value}
