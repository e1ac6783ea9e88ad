"""What happened in the demo's store since the last look, in lines for the terminal."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Engine

from sentinel_core.demo.project import ESCALATES_AFTER
from sentinel_core.model.reasons import NotifyReason, Reason, SuppressionCode
from sentinel_core.store.db.tables import Row
from sentinel_core.store.outbox.enqueue import SENT, SUPPRESSED
from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.read.event_list import page
from sentinel_core.store.read.filters import EventFilter
from sentinel_core.wording.labels import RESOLUTIONS

_MOST = 200  # events that are looked at; the demo has far fewer

_WORDS = {
    NotifyReason.OPENED: "sent to #{channel}",
    NotifyReason.RESOLVED: "its end sent to #{channel}",
    NotifyReason.FLAPPING: "it comes and goes, so it is flapping: one event stands for all of "
    "it, #{channel} gets one message",
    NotifyReason.FLAPPING_ENDED: "it flaps no longer: #{channel} was notified",
    NotifyReason.STEP: f"nobody acknowledged it for {ESCALATES_AFTER} s: escalated to #{{channel}}",
}


@dataclass
class Story:
    """The lines that were printed: of events opened and ended, of notifications by their status."""

    engine: Engine
    opened: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)
    settled: set[tuple[int, str]] = field(default_factory=set)

    def news(self) -> Iterator[str]:
        """A line for everything that is new, event by event."""
        now = datetime.now(UTC)
        listed = page(self.engine, EventFilter(), now=now, size=_MOST, descending=False)
        for event in listed.rows:
            yield from self._of_event(event)

    def _of_event(self, event: Row) -> Iterator[str]:
        key, is_over = event["id"], event["resolved_at"] is not None
        if key not in self.opened:
            self.opened.add(key)
            yield f"event {key} opened: {event['rule_name']}, {event['message']}"
        detail = event_detail(self.engine, key)
        for notification in detail.notifications if detail else ():
            seen = (notification["id"], notification["status"])
            if seen not in self.settled and (line := _sent(notification)) is not None:
                self.settled.add(seen)
                yield f"event {key}: {line}"
        if is_over and key not in self.ended and detail is not None:
            self.ended.add(key)
            how = detail.event["resolution"] or ""
            yield f"event {key} resolved: {RESOLUTIONS.get(how, how)}"


def _sent(notification: Row) -> str | None:
    """The outcome of a notification; None while it waits."""
    channel = notification["channel"].partition("/")[2]
    if notification["status"] == SUPPRESSED:
        muted = notification["dropped_code"] == SuppressionCode.SILENCED
        return f"{'muted' if muted else f'not sent to #{channel}'}: {notification['last_error']}"
    if notification["status"] != SENT:
        return None
    kind = Reason.parse(notification["reason"]).kind
    return _WORDS.get(kind, f"{kind} sent to #{{channel}}").format(channel=channel)
