"""An event for templates: only plain text, numbers, times, lists and mappings. Pure."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any
from urllib.parse import quote

from sentinel_core.message.content import Content, Item, Links
from sentinel_core.message.phrases import RESOLVED_COLOUR, RESOLVED_MARK, colour, mark, news
from sentinel_core.model.cleaning import clean_text
from sentinel_core.wording.labels import KINDS, status_words
from sentinel_core.wording.sparkline import sparkline
from sentinel_core.wording.text import (
    flat,
    is_address,
    roughly,
    shorten,
    unit_of,
    value_against_threshold,
    with_unit,
)

TEXT_LIMIT = 10_000  # characters of one value; the blotter has the whole
VALUE_LIMIT = 200  # characters of one piece of evidence on a line
_DEPTH = 8
_NOT_EVIDENCE = frozenset({"value", "threshold", "unit"})  # shown in a sentence of their own
# How far the watchers of runs have read, for their next evaluation: of no use to a reader.
BOOKKEEPING = frozenset({"checked_until", "newest_failed", "newest_slow", "not_listed"})
_NAMES = ("name", "promise", "series", "ticker", "id")  # of an item of a list, the best one first

View = dict[str, Any]


def plain(value: Any, depth: int = 0) -> Any:
    """The plain form of a value: clean and bounded text, finite numbers, times, lists."""
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool | datetime):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, Mapping | list | tuple) and depth < _DEPTH:
        if isinstance(value, Mapping):
            return {
                flat(str(key), VALUE_LIMIT): plain(item, depth + 1) for key, item in value.items()
            }
        return [plain(item, depth + 1) for item in value]
    # Exactly str: a subclass could claim to be safe HTML.
    return shorten(clean_text(str.__str__(str(value))), TEXT_LIMIT)


def view(item: Item, content: Content, links: Links) -> View:
    """All values of one event, by their names in templates."""
    event, reason = item.event, item.reason
    metrics, metadata = event.get("metrics") or {}, event.get("metadata") or {}
    importance = flat(str(plain(event.get("importance")) or "low"), 20)
    resolved = reason == "resolved"
    unit, run = unit_of(metadata), event.get("prefect_flow_run_id")
    known = {
        "id": event.get("id"),
        "rule": flat(str(event.get("rule_name") or "")) or "(no name)",
        "ticker": flat(str(event.get("ticker") or "")),
        "category": flat(str(event.get("category") or "")),
        "environment": flat(str(event.get("environment") or "")),
        "importance": importance,
        "mark": RESOLVED_MARK if resolved else mark(importance),
        "colour": RESOLVED_COLOUR if resolved else colour(importance),
        "kind": str(event.get("kind") or "alert"),
        "kind_words": KINDS.get(str(event.get("kind")), ""),
        "reason": reason,
        "news": news(event, reason, content.at),
        "status": status_words(
            {"resolved_at": None, "is_acknowledged": False, **event, "suppressed": None}
        ),
        "message": str(event.get("message") or ""),
        "value": metrics.get("value"),
        "threshold": metrics.get("threshold"),
        "unit": unit,
        "against": value_against_threshold(metrics, metadata) or "",
        "metrics": metrics,
        "metadata": metadata,
        "timestamp": event.get("timestamp"),
        "first_seen": event.get("first_seen") or event.get("timestamp"),
        "last_seen": event.get("last_seen") or event.get("timestamp"),
        "occurrences": event.get("occurrences") or 1,
        "acknowledged_by": event.get("acknowledged_by") or "",
        "comment": event.get("comment") or "",
        "suggested_action": event.get("suggested_action") or "",
        "runbook": event.get("runbook") or "",
        "evidence": evidence(metrics, metadata),
        "trend": trend(item.history, unit),
        "url": links.event(int(event.get("id") or 0)),
        "flow_run_url": links.flow_run(quote(str(run), safe="")) if run else "",
    }
    return {name: plain(value) for name, value in known.items()}


def evidence(metrics: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[dict[str, str]]:
    """All evidence except value and threshold: a name and one line of text each."""
    both = {**metadata, **{name: value for name, value in metrics.items() if name not in metadata}}
    return [
        {"name": flat(str(name), 80), "value": one_line(value)}
        for name, value in both.items()
        if name not in _NOT_EVIDENCE | BOOKKEEPING and value not in (None, "", [], {})
    ]


def one_line(value: Any) -> str:
    """A value of any shape on one line."""
    value = plain(value)
    if isinstance(value, float):
        return with_unit(value, "")
    if isinstance(value, list):
        return flat(", ".join(_named(item) for item in value), VALUE_LIMIT)
    if isinstance(value, dict):
        return flat(", ".join(f"{k}: {_named(v)}" for k, v in value.items()), VALUE_LIMIT)
    return flat(str(value), VALUE_LIMIT)


def _named(value: Any) -> str:
    """An item of a list or mapping in short: a mapping's name, if it has one."""
    if isinstance(value, dict):
        for key in _NAMES:
            if isinstance(value.get(key), str | int) and value[key] != "":
                return str(value[key])
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return with_unit(value, "") if isinstance(value, float) else str(value)


def trend(history: Sequence[tuple[datetime, float]], unit: str) -> View | None:
    """The latest values as a line of bars with its ends; None for fewer than two."""
    values = [value for _, value in history if math.isfinite(value)]
    if len(values) < 2:  # noqa: PLR2004 - one value has no trend
        return None
    return {
        "line": sparkline(values),
        "lowest": roughly(min(values), unit),
        "highest": roughly(max(values), unit),
        "count": len(values),
    }


def runbook_link(runbook: str) -> str:
    """The runbook if it is a web address; empty for a path in a repository."""
    text = flat(runbook, 2_000)
    return text if is_address(text) else ""
