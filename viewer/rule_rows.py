"""Rows of the page of rules: filtered, sorted and in words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from sentinel_core.base.settings import Settings
from sentinel_core.model.alert import Importance
from sentinel_core.store.read.rule_history import RuleHistory
from sentinel_core.store.state.watched import WATCHED, kind_without_deployment
from sentinel_core.wording.schedules import cron_words, interval_words
from viewer.rows import one_line, rule_url

Row = Mapping[str, Any]

CONDITIONS = ("active", "paused", "hook", "built-in", "firing", "overdue")
SORTS = (
    "by rule",
    "by importance",
    "by category",
    "by events",
    "by last evaluation",
    "by next due",
)
SIZES = ("20", "50", "100")
_LEVELS = [item.value for item in reversed(Importance)]


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """The choices in the filter row of the page of rules."""

    q: str = ""
    condition: tuple[str, ...] = ()
    importance: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    sort: str = SORTS[0]


def frequency(rule: Row) -> str:
    """The schedules of a rule in words; `no schedule` for none."""
    if rule["trigger"] == WATCHED:
        return "each run of its flow"
    words = [_schedule_words(item) for item in rule["schedules"]]
    return "; ".join(words) or "no schedule"


def _schedule_words(schedule: Row) -> str:
    zone = schedule.get("timezone") or "UTC"
    if schedule.get("cron"):
        return cron_words(schedule["cron"], zone)
    if schedule.get("interval_seconds"):
        return interval_words(schedule["interval_seconds"])
    return one_line(str(schedule.get("rrule") or "unknown"), 80)


def conditions_of(rule: Row, history: RuleHistory, overdue: Sequence[str]) -> list[str]:
    """What is true of a rule: active, paused, hook or built-in, and also firing or overdue."""
    # Only a rule with a deployment is ever paused: a hook is called by Prefect's runs.
    found = [kind_without_deployment(rule) or ("active" if rule["is_active"] else "paused")]
    if history.firing:
        found.append("firing")
    if rule["is_active"] and rule["name"] in overdue:
        found.append("overdue")
    return found


def _now(conditions: Sequence[str]) -> str:
    """What is worth saying of a rule: that it is active goes without saying while it fires."""
    return ", ".join(name for name in conditions if name != "active") or "active"


def chosen(
    rules: Sequence[Row],
    histories: Mapping[int, RuleHistory],
    overdue: Sequence[str],
    due: Mapping[int, datetime | None],
    choice: RuleChoice,
) -> list[Row]:
    """The rules that all choices hold for, sorted; those without a value come last."""
    text = choice.q.strip().lower()
    found = [
        rule
        for rule in rules
        if (not choice.importance or rule["importance"] in choice.importance)
        and (not choice.category or rule["category"] in choice.category)
        and (
            not choice.condition
            or {*choice.condition} & {*conditions_of(rule, _of(histories, rule), overdue)}
        )
        and text in f"{rule['name']}\n{rule['flow_name']}\n{rule['description']}".lower()
    ]
    found.sort(key=lambda rule: rule["name"])
    keys: dict[str, Any] = {
        "by importance": lambda rule: _LEVELS.index(rule["importance"]),
        "by category": lambda rule: rule["category"],
        "by events": lambda rule: -_of(histories, rule).events,
        "by last evaluation": lambda rule: _newest_first(rule["last_evaluated_at"]),
        "by next due": lambda rule: _soonest_first(due.get(rule["id"])),
    }
    if key := keys.get(choice.sort):
        found.sort(key=key)
    return found


def _newest_first(at: datetime | None) -> tuple[bool, float]:
    return at is None, -at.timestamp() if at else 0


def _soonest_first(at: datetime | None) -> tuple[bool, float]:
    return at is None, at.timestamp() if at else 0


def _of(histories: Mapping[int, RuleHistory], rule: Row) -> RuleHistory:
    return histories.get(rule["id"], RuleHistory())


def table(
    rules: Sequence[Row],
    histories: Mapping[int, RuleHistory],
    coverage: Mapping[int, float | None],
    due: Mapping[int, datetime | None],
    overdue: Sequence[str],
    settings: Settings,
) -> pd.DataFrame:
    """The rows of the table, in the order given."""
    data = [
        (
            rule["name"],
            [rule["importance"]],
            _now(conditions_of(rule, history, overdue)),
            rule["category"],
            frequency(rule),
            [rule["last_prefect_state_name"]] if rule["last_prefect_state_name"] else [],
            rule["last_evaluated_at"],
            due.get(rule["id"]),
            coverage.get(rule["id"]),
            history.events,
            list(history.values),
            history.ticker,
            rule["last_prefect_sync"],
            rule_url(rule, settings),
        )
        for rule in rules
        for history in [_of(histories, rule)]
    ]
    return pd.DataFrame(data, columns=list(COLUMNS))


COLUMNS = (
    "Rule",
    "Importance",
    "Now",
    "Category",
    "Frequency",
    "Last state",
    "Last evaluation",
    "Next due",
    "Coverage",
    "Noise",
    "Series",
    "Ticker",
    "Last sync",
    "Deployment",
)
