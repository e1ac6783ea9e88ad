"""The reason for a notification in words, and the mark and colour of an importance. Pure."""

from datetime import datetime
from typing import Any

from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Reason
from sentinel_core.model.times import span
from sentinel_core.wording.colours import COLOURS
from sentinel_core.wording.labels import REASONS, RESOLUTIONS, Row
from sentinel_core.wording.text import flat

MARKS = {"critical": "🔴", "high": "🟠", "medium": "🟡", "low": "⚪"}
RESOLVED_MARK, RESOLVED_COLOUR = "✅", "#1a7f37"
INFO_MARK, INFO_COLOUR = "🔵", "#0969da"  # a test message, a report
_NEWS = {
    **REASONS,
    NotifyReason.ESCALATED: "more important than before",
    NotifyReason.FLAPPING: "flapping",
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
    """The reason for a notification in words; empty when an event opens. `at` is now."""
    kind, step, _ = Reason.parse(reason)
    age = _age(event, at)
    match kind:
        case NotifyReason.STEP:
            return f"step {step}: nobody has acknowledged" + (f" for {age}" if age else "")
        case NotifyReason.REMINDER:
            return "still not acknowledged" + (f" after {age}" if age else "")
        case NotifyReason.RESOLVED:
            lasted = _age(event, event.get("resolved_at"))
            words = "resolved" + (f" after {lasted}" if lasted else "")
            how = RESOLUTIONS.get(str(event.get("resolution") or ""))
            return f"{words} ({how})" if how and how != "recovered" else words
        case NotifyReason.ACKNOWLEDGED:
            by = flat(str(event.get("acknowledged_by") or ""), 100)
            return f"acknowledged by {by}" if by else "acknowledged"
    return _NEWS.get(kind, "")


def _age(event: Row, at: datetime | None) -> str:
    """The time from the start of an event to `at` in words; empty if it is unknown or zero."""
    since: Any = event.get("first_seen") or event.get("timestamp")
    return span((at - since).total_seconds()) if at and since and at > since else ""
