"""`sentinel rules list`: the rules as Prefect has them, and those only the store remembers."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from sqlalchemy import RowMapping

from sentinel_core.base.errors import SentinelError
from sentinel_core.cli.options import Flag, Json, Level, Several
from sentinel_core.cli.output import print_json, print_table
from sentinel_core.cli.store import settings, stored_rules
from sentinel_core.model.alert import Importance
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.spread import VARIABLE, spread_of
from sentinel_core.prefect_io.client import all_deployments, prefect_api
from sentinel_core.prefect_io.facts import is_rule, rule_facts, rule_settings, schedule_words
from sentinel_core.prefect_io.latest_runs import last_runs, next_runs
from sentinel_core.prefect_io.unfinished_deploy import unfinished_note
from sentinel_core.store.state.watched import kind_without_deployment
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
IF_ANY = ["environment", "timeout", "retries", "retry_delay", "spread"]
"""Columns of what only some rules say; a table has them if one of its rules does."""
_LEAST = (
    "spread",
    "retry delay",
    "retries",
    "timeout",
    "schedule",
    "trigger",
    "category",
    "next run",
    "importance",
    "last run",
)
Activity = Literal["active", "paused", "no-schedule", "not-deployed", "hook", "built-in"]
Order = Literal["rule", "importance", "category", "active", "last-state", "last-run", "next-run"]
_LEVELS = [level.value for level in reversed(Importance)]


def list_rules(
    *names: Annotated[str, Parameter(help="Only rules of these names; * and ? allowed.")],
    importance: Annotated[
        tuple[Level, ...],
        Several,
        Parameter(help="critical, high, medium or low. May be repeated."),
    ] = (),
    category: Annotated[
        tuple[str, ...], Several, Parameter(help="A category; * and ? allowed. May be repeated.")
    ] = (),
    state: Annotated[
        tuple[Activity, ...],
        Several,
        Parameter(
            help="active, paused, no-schedule, not-deployed, hook or built-in. May be repeated."
        ),
    ] = (),
    last_state: Annotated[
        tuple[str, ...],
        Several,
        Parameter(help="The state of the last run, like Failed; * and ? allowed. May be repeated."),
    ] = (),
    sort: Annotated[
        Order,
        Parameter(
            help="By rule, importance (critical first), category, active, last-state, last-run "
            "(newest first) or next-run."
        ),
    ] = "rule",
    reverse: Annotated[bool, Flag, Parameter(help="The other way round.")] = False,
    as_json: Json = False,
) -> None:
    """List the rules Prefect has: schedule, last state, last and next run (times in UTC).

    Also those in the event store without a deployment: flows with hooks ("hook"), Sentinel's own
    ("built-in"), and rules that are no longer deployed ("not deployed"). On a narrow terminal some
    columns are left out. Options that may be repeated mean "one of these"; all options together
    must hold.

    `sentinel rules list "disk-*" --importance high --sort last-run`
    """
    with prefect_api() as client:
        deployed = [found for found in all_deployments(client) if is_rule(found[0])]
        ids = [item.id for item, _ in deployed]
        last, ahead = last_runs(client, ids), next_runs(client, ids)
        unfinished = unfinished_note(client, settings().store_variable)
    rows = [_row(item, flow, last.get(item.id), ahead.get(item.id)) for item, flow in deployed]
    try:
        known = {str(key) for key in ids}
        stored = [_stored_row(rule) for rule in stored_rules()]
        rows.extend(row for row in stored if row["deployment_id"] not in known)
        note = None
    except SentinelError as error:
        note = f"hooks and rules that are no longer deployed are not listed: {error}"
    chosen = [
        row
        for row in rows
        if _is_one_of(row["rule"], names)
        and (not importance or row["importance"] in importance)
        and _is_one_of(row["category"], category)
        and (not state or row["active"].replace(" ", "-") in state)
        and _is_one_of(row["last_state"] or "", last_state)
    ]
    chosen = _sorted(chosen, sort, reverse)
    if as_json:
        print_json(chosen)
    elif not rows:
        print("no rules: `sentinel rules deploy` deploys those of prefect.yaml")
    elif not chosen:
        print(f"none of {len(rows)} rules match")
    else:
        columns = COLUMNS + [
            column for column in IF_ANY if any(row[column] is not None for row in chosen)
        ]
        print_table(
            [column.replace("_", " ") for column in columns],
            [[_cell(row[column]) for column in columns] for row in chosen],
            least=_LEAST,
        )
    if note:
        print(f"note: {note}", file=sys.stderr)
    if unfinished:
        print(f"warning: {unfinished}", file=sys.stderr)


def _is_one_of(value: str, patterns: Sequence[str]) -> bool:
    """True if the value matches one of the patterns, whatever its case, or there is none."""
    return not patterns or any(fnmatchcase(value.lower(), one.lower()) for one in patterns)


def _sorted(rows: Sequence[dict[str, Any]], sort: Order, reverse: bool) -> list[dict[str, Any]]:
    """Those without a value come last, whichever way round the others are."""
    column = sort.replace("-", "_")

    def key(row: dict[str, Any]) -> Any:
        value = row[column]
        if sort == "importance":
            return _LEVELS.index(value)
        return -value.timestamp() if sort == "last-run" else value

    by_name = sorted(rows, key=lambda row: str(row["rule"]))
    there = [row for row in by_name if row[column] is not None]
    there.sort(key=key, reverse=reverse)
    return there + [row for row in by_name if row[column] is None]


def _row(
    item: DeploymentResponse, flow_name: str, last: FlowRun | None, ahead: FlowRun | None
) -> dict[str, Any]:
    rule = rule_facts(item, flow_name)
    state = last.state if last else None
    return {
        "rule": rule.name,
        "trigger": rule.trigger,
        "importance": rule.settings.importance.value,
        "category": rule.settings.category,
        **_said(rule.settings),
        "spread": _spread(item),
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
        **_said(rule_settings(rule["parameters"], {})),
        "spread": None,
        "schedule": words,
        "active": kind_without_deployment(rule) or "not deployed",
        "last_state": rule["last_prefect_state_name"],
        "last_run": _second(rule["last_evaluated_at"]),
        "next_run": None,
        "deployment_id": str(rule["deployment_id"]),
    }


def _said(settings: RuleSettings) -> dict[str, Any]:
    """What the rule says of itself and its check; None where it says nothing."""
    seconds, delay = settings.timeout_seconds, settings.retry_delay_seconds
    return {
        "environment": settings.environment,
        "timeout": None if seconds is None else f"{seconds:g} s",
        "retries": None if settings.retries is None else str(settings.retries),
        "retry_delay": None if delay is None else f"{delay:g} s",
    }


def _spread(item: DeploymentResponse) -> str | None:
    """The rule's own spread; None for one that leaves it to its pool and the worker."""
    spread = spread_of((item.job_variables or {}).get(VARIABLE))
    return f"{spread:g} s" if isinstance(spread, float) else spread


def _second(time: datetime | None) -> datetime | None:
    return datetime.fromtimestamp(int(time.timestamp()), UTC) if time else None


def _cell(value: str | datetime | None) -> str:
    if isinstance(value, datetime):
        return stamp(value, year=False, seconds=False)
    return value or "–"
