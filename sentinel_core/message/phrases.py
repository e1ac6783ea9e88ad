"""The reason for a notification in words, and the mark and colour of an importance. Pure."""

from datetime import datetime
from typing import Any

from sentinel_core.model.alert import Importance
from sentinel_core.model.times import span
from sentinel_core.wording.colours import COLOURS
from sentinel_core.wording.labels import RESOLUTIONS, Row
from sentinel_core.wording.text import flat

MARKS = {"critical": "🔴", "high": "🟠", "medium": "🟡", "low": "⚪"}
RESOLVED_MARK, RESOLVED_COLOUR = "✅", "#1a7f37"
INFO_MARK, INFO_COLOUR = "🔵", "#0969da"  # a test message, a report
_STEP = "step-"
_NEWS = {
    "flapping": "flapping",
    "flapping-ended": "flapping has ended",
    "acknowledgement-ended": "the acknowledgement has ended",
    "unacknowledged": "no longer acknowledged",
}


def mark(importance: str) -> str:
    """The coloured dot of an importance."""
    return MARKS.get(importance, "⚪")


def colour(importance: str) -> str:
    """The colour of an importance as #rrggbb."""
    return COLOURS.get(importance, COLOURS["low"])


def rank(importance: str) -> int:
    """0 for low up to 3 for critical; an unknown importance counts as low."""
    return Importance(importance).rank if importance in COLOURS else 0


def news(event: Row, reason: str, at: datetime | None = None) -> str:
    """The reason for a notification in words; nothing when an event opens. `at` is now."""
    if reason.startswith(_STEP):
        return f"step {flat(reason.removeprefix(_STEP), 20)}: {_unanswered(event, at)}"
    if reason.startswith("escalated"):
        return "more important than before"
    if reason == "reminder":
        return f"still not acknowledged{_after(event, at)}"
    if reason == "resolved":
        return _resolved(event)
    if reason == "acknowledged":
        by = flat(str(event.get("acknowledged_by") or ""), 100)
        return f"acknowledged by {by}" if by else "acknowledged"
    return _NEWS.get(reason, "")


def _unanswered(event: Row, at: datetime | None) -> str:
    seconds = _age(event, at)
    lasted = f" for {span(seconds)}" if seconds else ""
    return f"nobody has acknowledged{lasted}"


def _after(event: Row, at: datetime | None) -> str:
    seconds = _age(event, at)
    return f" after {span(seconds)}" if seconds else ""


def _age(event: Row, at: datetime | None) -> float:
    since: Any = event.get("first_seen") or event.get("timestamp")
    if at is None or since is None:
        return 0.0
    return max(float((at - since).total_seconds()), 0.0)


def _resolved(event: Row) -> str:
    how = RESOLUTIONS.get(str(event.get("resolution") or ""))
    ended, began = event.get("resolved_at"), event.get("first_seen") or event.get("timestamp")
    lasted = span((ended - began).total_seconds()) if ended and began and ended > began else ""
    text = "resolved" + (f" after {lasted}" if lasted else "")
    return f"{text} ({how})" if how and how != "recovered" else text
