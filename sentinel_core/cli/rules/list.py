"""`sentinel rules list`: the rules as Prefect has them, and those only the store remembers."""

import sys
from datetime import UTC, datetime
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from sqlalchemy import RowMapping

from sentinel_core.base.errors import SentinelError
from sentinel_core.cli.options import Json
from sentinel_core.cli.output import print_json, print_table
from sentinel_core.cli.store import settings, stored_rules
from sentinel_core.prefect_io.client import all_deployments, prefect_api
from sentinel_core.prefect_io.facts import is_rule, rule_facts
from sentinel_core.prefect_io.unfinished_deploy import unfinished_note
from sentinel_core.rulefile.deploy.compare import schedule_words
from sentinel_core.wording.schedules import cron_words, interval_words
from sentinel_core.wording.times import stamp

COLUMNS = [
    "rule",
    "trigger",
    "importance",
    "category",
    "schedule",
    "active",
    "last_state",
    "last_run",
    "next_run",
]


def list_rules(*, as_json: Json = False) -> None:
    """List the rules Prefect has: schedule, last state, last and next run (times in UTC).

    Also those that are in the event store and no longer deployed.
    """
    with prefect_api() as client:
        rows = [_row(client, *found) for found in all_deployments(client) if is_rule(found[0])]
        unfinished = unfinished_note(client, settings().store_variable)
    deployed = {row["deployment_id"] for row in rows}
    try:
        stored = [_stored_row(rule) for rule in stored_rules()]
        rows.extend(row for row in stored if row["deployment_id"] not in deployed)
        note = None
    except SentinelError as error:
        note = f"rules that are no longer deployed are not listed: {error}"
    if as_json:
        print_json(rows)
    elif not rows:
        print("no rules: `sentinel rules deploy` deploys those of prefect.yaml")
    else:
        print_table(
            [column.replace("_", " ") for column in COLUMNS],
            [[_cell(row[column]) for column in COLUMNS] for row in rows],
            # Not the others: a name broken over two lines can't be copied.
            folded={"trigger", "importance", "category", "schedule", "active", "last state"},
        )
    if note:
        print(f"note: {note}", file=sys.stderr)
    if unfinished:
        print(f"warning: {unfinished}", file=sys.stderr)


def _row(client: SyncPrefectClient, item: DeploymentResponse, flow_name: str) -> dict[str, Any]:
    rule = rule_facts(item, flow_name)
    last = _one_run(client, item, due=False)
    ahead = _one_run(client, item, due=True)
    state = last.state if last else None
    return {
        "rule": rule.name,
        "trigger": rule.trigger,
        "importance": rule.settings.importance.value,
        "category": rule.settings.category,
        "schedule": "; ".join(schedule_words(s.schedule) for s in item.schedules) or "none",
        "active": _activity(item),
        "last_state": state.name if state else None,
        "last_run": _second(last.start_time or last.expected_start_time) if last else None,
        "next_run": _second(ahead.next_scheduled_start_time) if ahead else None,
        "deployment_id": str(item.id),
    }


def _activity(item: DeploymentResponse) -> str:
    if item.paused:
        return "paused"
    if not item.schedules:
        return "no schedule"
    return "active" if any(schedule.active for schedule in item.schedules) else "paused"


def _one_run(client: SyncPrefectClient, item: DeploymentResponse, *, due: bool) -> FlowRun | None:
    """The next scheduled run, or the newest that is more than scheduled."""
    waiting = [StateType.SCHEDULED]
    kinds = (
        FlowRunFilterStateType(any_=waiting) if due else FlowRunFilterStateType(not_any_=waiting)
    )
    runs = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=[item.id]),
            state=FlowRunFilterState(type=kinds),
        ),
        sort=(
            FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC
            if due
            else FlowRunSort.EXPECTED_START_TIME_DESC
        ),
        limit=1,
    )
    return runs[0] if runs else None


def _stored_row(rule: RowMapping) -> dict[str, Any]:
    """A rule that only the event store has."""
    words = cron_words(rule["cron"], rule["timezone"]) if rule["cron"] else "none"
    if rule["interval_seconds"]:
        words = interval_words(rule["interval_seconds"])
    return {
        "rule": rule["name"],
        "trigger": rule["trigger"],
        "importance": rule["importance"],
        "category": rule["category"],
        "schedule": words,
        "active": "not deployed",
        "last_state": rule["last_prefect_state_name"],
        "last_run": _second(rule["last_evaluated_at"]),
        "next_run": None,
        "deployment_id": str(rule["deployment_id"]),
    }


def _second(time: datetime | None) -> datetime | None:
    return datetime.fromtimestamp(int(time.timestamp()), UTC) if time else None


def _cell(value: str | datetime | None) -> str:
    if isinstance(value, datetime):
        return stamp(value, year=False, seconds=False)
    return value or "–"
