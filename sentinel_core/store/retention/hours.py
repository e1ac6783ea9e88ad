"""Evaluations summarised by hour. Pure: rows in, rows out.

Averages are merged by weight, never by sums: no sum of finite values may become too large.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sentinel_core.decide.lifecycle import PROBLEMS, WARMING_UP
from sentinel_core.decide.observe import Kind
from sentinel_core.model.run import StateType

Key = tuple[datetime, str, str, str]
"""Hour, kind, ticker and metric."""
Summary = dict[str, Any]
"""The other columns of an evaluation hour, but for its rule."""

EVALUATIONS = ""  # the metric of the row that counts evaluations
_FAILED = [kind.value for kind in (Kind.FAILURE, *PROBLEMS)]


def hour_of(moment: datetime) -> datetime:
    """The hour in which this moment is."""
    return moment.replace(minute=0, second=0, microsecond=0)


def summarised(evaluations: Iterable[Mapping[str, Any]]) -> dict[Key, Summary]:
    """These evaluations by hour, series and metric."""
    hours: dict[Key, Summary] = {}
    for row in evaluations:
        series = (hour_of(row["at"]), row["kind"], row["ticker"])
        _add(hours, (*series, EVALUATIONS), _counted(row))
        for metric, value in row["metrics"].items():
            _add(hours, (*series, metric), _measured(row["at"], value))
    return hours


def merged(one: Summary, other: Summary) -> Summary:
    """Two summaries of the same hour, series and metric as one."""
    count = one["count"] + other["count"]
    older, newer = sorted((one, other), key=lambda summary: summary["last_at"])
    result = {name: one[name] + other[name] for name in ("count", "triggered", "ok", "errors")}
    result |= {"last_at": newer["last_at"], "last": newer["last"]}
    if one["average"] is None:
        return result | {"minimum": None, "maximum": None, "average": None}
    weighted = (each["average"] * (each["count"] / count) for each in (older, newer))
    return result | {
        "minimum": min(one["minimum"], other["minimum"]),
        "maximum": max(one["maximum"], other["maximum"]),
        "average": sum(weighted),
    }


def _add(hours: dict[Key, Summary], key: Key, summary: Summary) -> None:
    hours[key] = merged(hours[key], summary) if key in hours else summary


def _counted(row: Mapping[str, Any]) -> Summary:
    """One evaluation; a run that was cancelled or skipped has judged nothing."""
    alert = row["kind"] == Kind.ALERT.value and row["decision_code"] != WARMING_UP
    failed = row["kind"] in _FAILED and row["prefect_state"] != StateType.CANCELLED.value
    return {
        "count": 1,
        "triggered": int(alert and row["triggered"]),
        "ok": int(alert and not row["triggered"]),
        "errors": int(failed and row["triggered"]),
        "minimum": None,
        "maximum": None,
        "average": None,
        "last": None,
        "last_at": row["at"],
    }


def _measured(at: datetime, value: float) -> Summary:
    counts = {"count": 1, "triggered": 0, "ok": 0, "errors": 0}
    return counts | {
        "minimum": value,
        "maximum": value,
        "average": value,
        "last": value,
        "last_at": at,
    }
