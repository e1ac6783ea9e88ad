"""What an event looks like as a message. Pure: text in, text out; sends nothing."""

from datetime import UTC, datetime
from typing import Any

from sentinel_core.alert import clean_text
from sentinel_core.event_words import KINDS

_MARK = {"critical": "🔴", "high": "🟠", "medium": "🟡", "low": "⚪"}
_BODY_LIMIT = 2_000  # Slack folds longer texts; the blotter has the whole
_LARGE, _HUGE = 1e5, 1e15  # from here on no decimals; from here on no thousands either
_NEWS = {
    "escalated": "more important than before",
    "reminder": "still not acknowledged",
    "flapping": "flapping",
    "flapping-ended": "flapping has ended",
    "acknowledgement-ended": "the acknowledgement has ended",
    "resolved": "resolved",
}


def slack_escape(text: str) -> str:
    """Slack's three control characters as entities: no mention, no link, no channel ping."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, the last one an ellipsis when something was left out."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _flat(text: str, limit: int) -> str:
    """Text from outside on one line, where it cannot pose as a line of ours."""
    return shorten(" ".join(clean_text(text).split()), limit)


def _inline(text: str, limit: int = 200) -> str:
    """Like `_flat`, escaped, and without any formatting."""
    flat = _flat(text, limit)
    for mark in "*_~`":
        flat = flat.replace(mark, f"{mark}\N{WORD JOINER}")
    return slack_escape(flat)


def value_against_threshold(metrics: dict[str, Any], metadata: dict[str, Any]) -> str | None:
    """`97.2% against threshold 90%`, for events that carry both; else None."""
    value, threshold = metrics.get("value"), metrics.get("threshold")
    if value is None or threshold is None:
        return None
    unit = _flat(str(metadata.get("unit") or ""), 20)
    space = " " if unit and unit != "%" else ""
    return f"{_figure(value)}{space}{unit} against threshold {_figure(threshold)}{space}{unit}"


def _figure(value: float) -> str:
    """Six digits as they are read: 1,234,568 rather than 1.23457e+06."""
    whole = value == round(value, 0) or abs(value) >= _LARGE
    return f"{value:,.0f}" if whole and abs(value) < _HUGE else f"{value:.6g}"


def slack_text(
    event: dict[str, Any], *, run_url: str | None, event_url: str, reason: str = "opened"
) -> tuple[str, str]:
    """Subject and body in Slack's mrkdwn, for an event's columns by name."""
    importance = str(event["importance"])
    what = KINDS.get(str(event["kind"]), "")
    subject = f"{_MARK.get(importance, '')} *{importance.upper()}* · {_inline(event['rule_name'])}"
    if event["ticker"]:
        subject += f" · {_inline(event['ticker'])}"
    if what:
        subject += f" · {what}"
    if news := _NEWS.get(reason.partition("-")[0] if reason.startswith("escalated") else reason):
        subject += f" · {news}"
    quoted = slack_escape(shorten(clean_text(event["message"]), _BODY_LIMIT))
    lines = [f"> {line}" for line in quoted.splitlines()] or ["> (no message)"]
    if against := value_against_threshold(event["metrics"], event["metadata"]):
        lines.append(_inline(against))
    lines.append(_when(event["timestamp"]))
    links = [f"<{event_url}|Open in the blotter>"]
    if run_url:
        links.append(f"<{run_url}|Flow run in Prefect>")
    if runbook := event.get("runbook"):
        # Without the joiners of _inline: they would break a path or a link.
        links.append(f"Runbook: {slack_escape(_flat(runbook, 500))}")
    lines.append(" · ".join(links))
    return subject, "\n".join(lines)


def _when(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
