"""A document as an event for PagerDuty's Events API v2. Pure."""

import json
from typing import Any

from sentinel_core.message.content import Links, Medium, Message
from sentinel_core.message.document import Document
from sentinel_core.message.event_view import View
from sentinel_core.message.templating import Writer
from sentinel_core.message.to_text import body
from sentinel_core.wording.text import shorten

SEVERITIES = {"critical": "critical", "high": "error", "medium": "warning", "low": "info"}
DETAILS_LIMIT = 200_000  # bytes as JSON; PagerDuty refuses an event of more than 512 KB
_VALUE_LIMIT = 20_000
_NOT_DETAILS = frozenset({"mark", "colour", "evidence", "trend", "kind_words", "news", "against"})


def message(document: Document, writer: Writer, links: Links) -> Message:
    """The message; its payload is the event without the sender's fields.

    {"payload": {…}, "links": […], "client": …, "client_url": …}: `links` and `client` stand beside
    the payload in Events API v2. The sender adds routing_key, event_action and dedup_key.
    """
    summary = writer.write("summary")
    event = document.events[0] if document.events else None
    payload = {
        "summary": summary,
        "source": (event["ticker"] or event["rule"]) if event else "Sentinel",
        "severity": SEVERITIES.get(document.importance, "info"),
        "custom_details": _details(document, event, writer.notes),
    }
    if event:
        grouping = {  # PagerDuty groups and filters by these
            "timestamp": event["timestamp"].isoformat() if event["timestamp"] else "",
            "component": event["ticker"] or event["rule"],
            "group": event["category"],
            "class": event["kind_words"] or "alert",
        }
        payload |= {name: text for name, text in grouping.items() if text}
    return Message(
        subject=summary,
        body=body(document, Medium.PLAIN, summary, writer.notes),
        payload={
            "payload": payload,
            "links": [{"href": url, "text": label} for label, url in document.links],
            "client": "Sentinel",
            "client_url": event["url"] if event else links.viewer_url,
        },
    )


def _details(document: Document, event: View | None, notes: list[str]) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if event and len(document.events) == 1:
        details = {name: value for name, value in event.items() if name not in _NOT_DETAILS}
        # The evidence comes last, as it may be too long.
        for name in ("metrics", "metadata"):
            details[name] = details.pop(name)
    else:
        details = {"lead": document.lead, **dict(document.facts)}
        for table in document.tables:
            details[table.title or "events"] = [[cell.text for cell in row] for row in table.rows]
    if notes:
        details["notes"] = list(notes)
    return _bounded(details, DETAILS_LIMIT)


def _bounded(values: dict[str, Any], room: int) -> dict[str, Any]:
    """The values in at most `room` bytes of JSON: long ones are cut, the rest is counted."""
    kept: dict[str, Any] = {}
    left_out = 0
    for name, value in values.items():
        if isinstance(value, dict):
            value = _bounded(value, min(room, _size(value)))  # noqa: PLW2901
        elif _size(value) > _VALUE_LIMIT:
            value = shorten(value if isinstance(value, str) else _json(value), _VALUE_LIMIT // 12)  # noqa: PLW2901
        size = _size(name) + _size(value) + 4
        if size > room:
            left_out += 1
            continue
        room -= size
        kept[name] = json.loads(_json(value))
    return {**kept, "left_out": f"{left_out:,} values; the blotter has them"} if left_out else kept


def _json(value: Any) -> str:
    return json.dumps(value, default=str)


def _size(value: Any) -> int:
    return len(_json(value))
