"""Labels of events for pages and terminals. Pure; callers escape them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import takewhile
from typing import Any

from sentinel_core.model.reasons import NotifyReason
from sentinel_core.model.system_actions import SystemAction
from sentinel_core.model.times import utc
from sentinel_core.wording.text import counted, figure

Row = Mapping[str, Any]

KINDS = {
    "failure": "check failed",
    "silent": "not checked",
    "error": "not judged",
    "no_data": "no data",
}
"""Labels of event kinds other than a plain alert."""

RESOLUTIONS = {
    "recovered": "recovered",
    "by-hand": "by hand",
    "expired": "expired, as no run confirmed it any more",
    "rule-removed": "its rule was removed",
    "late": "over before it was recorded",
    "flapping-ended": "flapping ended, and it was ok",
}
"""Labels of resolutions."""

REASONS = {
    NotifyReason.FLAPPING_ENDED: "flapping has ended",
    NotifyReason.ACKNOWLEDGEMENT_ENDED: "the acknowledgement has ended",
    NotifyReason.VALUE_CROSSED: "the acknowledgement has ended, the value crossed its limit",
    NotifyReason.UNACKNOWLEDGED: "no longer acknowledged",
}
"""Labels of reasons for a notification, other than the reason itself."""


def status_of(event: Row) -> list[str]:
    """open; acknowledged; resolved; or resolved and acknowledged."""
    status = ["resolved"] if event["resolved_at"] else []
    if event["is_acknowledged"]:
        status.append("acknowledged")
    return status or ["open"]


def status_words(event: Row) -> str:
    """The status in a list: also `muted` if the event's newest notification was suppressed, and
    `not delivered` if a notification failed for good."""
    # Lists of events may omit the suppression's reason, which is as long as a comment.
    muted = ["muted"] if event.get("suppressed") else []
    return ", ".join([*status_of(event), *muted, *(["not delivered"] if lost(event) else [])])


def held_until(event: Row, until: str) -> str:
    """What ends an event's acknowledgement by itself: `, until …`; `until` is its time in words.

    Empty if only the event's own end does.
    """
    limits = {side: event[f"acknowledged_{side}"] for side in ("above", "below")}
    ends = [until] if until else []
    ends += [
        f"the value is {side} {figure(limit)}"
        for side, limit in limits.items()
        if limit is not None
    ]
    return f", until {' or '.join(ends)}" if ends else ""


def lost(event: Row) -> bool:
    """True if a notification of this event failed for good."""
    return bool(event.get("undelivered"))


def leading_up(earlier: Sequence[Row]) -> list[Row]:
    """The breaches that led to an event, of the readings before it (newest first)."""
    return list(takewhile(lambda row: row["triggered"] and row["event_id"] is None, earlier))


def audit_words(detail: Mapping[str, Any]) -> str:
    """The details of an audit entry in words, the comment first."""
    words = [str(detail["comment"])] if detail.get("comment") else []
    words += [_detail(name, value) for name, value in detail.items() if name != "comment"]
    return "; ".join(words)


def _detail(name: str, value: Any) -> str:
    if name == "disposition":  # the action's own name
        return str(value or "none")
    if name == "sentence":
        return str(value)
    if name == "undone":
        return f"undid: {value}"
    if name in ("above", "below") and isinstance(value, int | float):
        return f"until the value is {name} {figure(value)}"
    if name == "until":
        with suppress(ValueError, OverflowError):
            value = utc(datetime.fromisoformat(str(value)))
    return f"{name} {value}"


def system_words(action: str, detail: Mapping[str, Any]) -> str:
    """What Sentinel itself did, in words: those of the action, else the details of its entry."""
    words = _SYSTEM.get(action)
    return words(detail) if words else audit_words(detail)


def _upgraded(detail: Mapping[str, Any]) -> str:
    return f"the tables went from revision {detail.get('from')} to {detail.get('to')}"


def _adopted(detail: Mapping[str, Any]) -> str:
    former = f" in place of {detail['replaces']}" if detail.get("replaces") else ""
    return f"registered in Prefect on {detail.get('host')} as the store of all runs{former}"


def _deleted(detail: Mapping[str, Any]) -> str:
    gone = [counted(detail[table], *names) for table, names in _ROWS.items() if detail.get(table)]
    return f"deleted {', '.join(gone)}"


def _late(detail: Mapping[str, Any]) -> str:
    recorded, closed = detail.get("recorded"), detail.get("closed")
    done = [f"{counted(recorded, 'run')} recorded that had no record"] if recorded else []
    done += [f"{counted(closed, 'stuck run')} closed"] if closed else []
    return ", ".join(done)


_ROWS: Mapping[str, tuple[str, ...]] = {
    "evaluation": ("evaluation",),
    "evaluation_hour": ("hourly row",),
    "alert_event": ("event",),
    "notification": ("notification",),
    "alert_series": ("series", "series"),
}
_SYSTEM: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    SystemAction.STORE_UPGRADED: _upgraded,
    SystemAction.STORE_ADOPTED: _adopted,
    SystemAction.RETENTION: _deleted,
    SystemAction.RECORDED_LATE: _late,
}
