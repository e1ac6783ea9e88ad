"""An event as people read it, on a page or in a terminal. Pure; whoever shows it escapes it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any

from sentinel_core.model.times import utc

Row = Mapping[str, Any]

KINDS = {
    "failure": "check failed",
    "silent": "not checked",
    "error": "not judged",
    "no_data": "no data",
}
"""What an event is about, where it is not simply that a rule fired."""

RESOLUTIONS = {
    "recovered": "recovered",
    "by-hand": "by hand",
    "expired": "expired, as no run confirmed it any more",
    "late": "over before it was recorded",
    "flapping-ended": "flapping ended, and it was ok",
}
"""How an event came to its end."""


def status_of(event: Row) -> list[str]:
    """open; acknowledged; resolved; or resolved and acknowledged."""
    status = ["resolved"] if event["resolved_at"] else []
    if event["is_acknowledged"]:
        status.append("acknowledged")
    return status or ["open"]


def status_words(event: Row) -> str:
    """The status in a list: `muted` when the newest message about the event was held back, `not
    delivered` when a channel did not take it."""
    # A list of events may come without the reason, which is as long as somebody's comment.
    muted = ["muted"] if event.get("suppressed") else []
    return ", ".join([*status_of(event), *muted, *(["not delivered"] if lost(event) else [])])


def lost(event: Row) -> bool:
    """Did a channel take no message about this event, for good?"""
    return bool(event.get("undelivered"))


def leading_up(earlier: Sequence[Row]) -> list[Row]:
    """Of the readings before an event (newest first) the breaches that were not yet enough."""
    return list(takewhile(lambda row: row["triggered"] and row["event_id"] is None, earlier))


def audit_words(detail: Mapping[str, Any]) -> str:
    """What an audit entry says besides who and what: the comment first."""
    comment = [str(detail["comment"])] if detail.get("comment") else []
    rest = [_said(name, value) for name, value in detail.items() if name != "comment"]
    return "; ".join([*comment, *rest])


def _said(name: str, value: Any) -> str:
    if name == "disposition":  # the action's own name
        return str(value or "none")
    return f"{name} {_moment(value) if name == 'until' else value}"


def _moment(value: Any) -> str:
    """A time as the audit keeps it (ISO 8601), as people read it."""
    try:
        return utc(datetime.fromisoformat(str(value)))
    except (ValueError, OverflowError):
        return str(value)
