"""What is observed, as rows. Pure: names and values of columns, nothing read or written."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from sentinel_core.decide.observe import Observation
from sentinel_core.decide.policy import Decision, Series
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Suppression
from sentinel_core.model.routing import Suggestions, suggested_action
from sentinel_core.model.run import SKIPPED, Rule, Run, StateType
from sentinel_core.store.db.tables import Row


def retries_of(run: Run) -> int:
    """How often Prefect ran this run again."""
    return max(run.run_count - 1, 0)


def last_run(run: Run, observations: Sequence[Observation]) -> Row:
    """What a rule's row shows of its newest run."""
    # Nobody looked: no evaluation.
    unseen = run.state_type is StateType.CANCELLED or run.state_name == SKIPPED
    return {
        **({} if unseen else {"last_evaluated_at": run.at}),
        "last_prefect_state": run.state_type.value,
        "last_prefect_state_name": run.state_name,
        "last_output": [
            {"ticker": seen.ticker, "breached": seen.breached, "message": seen.message[:500]}
            for seen in islice((seen for seen in observations if seen.evaluated), 20)
        ],
    }


def evaluation_row(
    rule_id: int,
    run: Run,
    seen: Observation,
    why: Mapping[str, str],
    event_id: int | None,
    now: datetime,
) -> Row:
    """One series judged by one run; `why` are the three columns of the decision."""
    return {
        "rule_id": rule_id,
        "prefect_flow_run_id": run.id,
        "kind": seen.kind.value,
        "ticker": seen.ticker,
        "at": seen.at,
        "started_at": run.started_at,
        "completed_at": run.state_at,
        "measured_at": seen.measured_at,
        "retry_count": retries_of(run),
        "prefect_state": run.state_type.value,
        "prefect_state_name": run.state_name,
        "prefect_state_message": run.state_message,
        "triggered": seen.breached,
        "reported": seen.reported,
        "said": seen.said,
        "importance": seen.importance.value,
        "message": seen.message,
        "metrics": seen.metrics,
        "metadata": seen.metadata,
        **why,
        "event_id": event_id,
        "recorded_at": now,
    }


def series_row(
    rule_id: int, seen: Observation, series: Series, now: datetime, event_id: int | None
) -> Row:
    """A series as a row of its own; `event_id` is its open event's."""
    return {
        "rule_id": rule_id,
        "kind": seen.kind.value,
        "ticker": seen.ticker,
        **state_row(series, now, event_id),
    }


def state_row(series: Series, now: datetime, event_id: int | None) -> Row:
    """The state a series is in now, without what it is about."""
    mattered = series.ended_importance
    return {
        "status": series.status.value,
        "last_at": series.last_at,
        "changed_at": now,
        "event_id": event_id,
        "event_importance": series.event_importance.value if series.event_importance else None,
        "breaches": series.breaches,
        "oks": series.oks,
        "recent": series.recent,
        "flapping": series.flapping,
        "breached_at": series.breached_at,
        "ended_at": series.ended_at,
        "ended_importance": mattered.value if mattered else None,
        "told_at": series.told_at,
        "tells": series.tells,
        "untold": series.untold.value if series.untold else None,
    }


def shown(run: Run | None, seen: Observation, suggestions: Suggestions = ()) -> Row:
    """The columns of an event that always show its newest run."""
    return {
        "suggested_action": suggested_action(suggestions, seen.message) if suggestions else None,
        "last_seen": seen.at,
        "message": seen.message,
        "metrics": seen.metrics,
        "metadata": seen.metadata,
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
    seen: Observation,
    resolved_at: datetime | None,
    suppressed: Suppression | None = None,
) -> Row:
    """An event that opens, or one that was over before it was known."""
    settings = rule.settings
    return {
        "rule_id": rule_id,
        "rule_name": rule.name,
        "kind": seen.kind.value,
        "ticker": seen.ticker,
        "category": settings.category,
        "importance": seen.importance.value,
        "timestamp": seen.at,
        "first_seen": seen.at,
        "occurrences": 1,
        "display_until": seen.at + timedelta(minutes=settings.display_duration_minutes),
        "is_acknowledged": False,
        "resolved_at": resolved_at,
        "resolution": "late" if resolved_at else None,
        **suppressed_columns(suppressed),
        "runbook": settings.runbook,
        **shown(run, seen, settings.suggestions),
    }


def suppressed_columns(suppression: Suppression | None) -> Row:
    """Why nobody was notified last, as an event's row keeps it."""
    if suppression is None:
        return {"suppressed": None, "suppressed_code": None}
    return {"suppressed": suppression.sentence, "suppressed_code": suppression.code.value}


def reason_of(decision: Decision, importance: Importance) -> str:
    """What a message is for, as the outbox has it."""
    assert decision.tell is not None
    if decision.tell is NotifyReason.ESCALATED:
        return f"escalated-{importance}"
    return decision.tell.value
