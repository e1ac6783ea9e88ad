"""What is observed, as rows. Pure: names and values of columns, nothing read or written."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sentinel_core.alert import Importance
from sentinel_core.judge import Observation
from sentinel_core.policy import Status
from sentinel_core.run import RuleFacts, RunFacts, StateType

Row = dict[str, Any]


def retries_of(run: RunFacts) -> int:
    """How often Prefect ran this run again."""
    return max(run.run_count - 1, 0)


def last_run(run: RunFacts, observations: Sequence[Observation]) -> Row:
    """What a rule's row shows of its newest run."""
    cancelled = run.state_type is StateType.CANCELLED  # nobody looked: no evaluation
    return {
        **({} if cancelled else {"last_evaluated_at": run.at}),
        "last_prefect_state": run.state_type.value,
        "last_prefect_state_name": run.state_name,
        "last_output": [
            {"ticker": seen.ticker, "breached": seen.breached, "message": seen.message[:500]}
            for seen in observations
            if seen.evaluated
        ][:20],
    }


def evaluation_row(
    rule_id: int, run: RunFacts, seen: Observation, why: Mapping[str, str], event_id: int | None
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
        "importance": seen.importance.value,
        "message": seen.message,
        "metrics": seen.metrics,
        "metadata": seen.metadata,
        **why,
        "event_id": event_id,
    }


def series_row(
    rule_id: int,
    seen: Observation,
    status: Status,
    now: datetime,
    event: tuple[int, Importance] | None,
) -> Row:
    """The state a series is in now; `event` is its open one and what that matters."""
    return {
        "rule_id": rule_id,
        "kind": seen.kind.value,
        "ticker": seen.ticker,
        "status": status.value,
        "last_at": seen.at,
        "changed_at": now,
        "event_id": event[0] if event else None,
        "event_importance": event[1].value if event else None,
    }


def shown(run: RunFacts | None, seen: Observation) -> Row:
    """The columns of an event that always show its newest run."""
    return {
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
    rule: RuleFacts,
    run: RunFacts | None,
    seen: Observation,
    resolved_at: datetime | None,
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
        "runbook": settings.runbook,
        **shown(run, seen),
    }


def owed_rows(
    rule: RuleFacts, event_id: int, importance: Importance, reason: str, now: datetime
) -> list[Row]:
    """One message for each channel that the rule's routes name for this importance."""
    return [
        {
            "event_id": event_id,
            "channel": channel,
            "reason": reason,
            "sequence": 0,
            "status": "pending",
            "attempts": 0,
            "created_at": now,
            "next_attempt_at": now,
        }
        for channel in rule.settings.notify.channels(importance)
    ]
