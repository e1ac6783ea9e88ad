"""Why people are notified, and why they are not. Codes decide; sentences explain."""

from enum import StrEnum
from typing import NamedTuple

from sentinel_core.model.alert import Importance


class NotifyReason(StrEnum):
    """Why people are notified: of an event, of a storm of events, of a report."""

    OPENED = "opened"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    FLAPPING = "flapping"
    FLAPPING_ENDED = "flapping-ended"
    ACKNOWLEDGEMENT_ENDED = "acknowledgement-ended"
    VALUE_CROSSED = "value-crossed"  # the limit up to which the event was acknowledged
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    STEP = "step"  # of an escalation
    STORM = "storm"  # its first message; "storm-2" and so on: what it has grown by
    STORM_ENDED = "storm-ended"
    STORM_RESOLVED = "storm-resolved"  # all of its events, some of them after it ended
    REPORT = "report"
    UNKNOWN = "unknown"  # written by another version of Sentinel


STEPS_LIKE = f"{NotifyReason.STEP}-%"
"""The reasons of all steps on record, as a pattern for SQL's LIKE."""


class Reason(NamedTuple):
    """The reason of a notification: `resolved`, `step-3`, `escalated-high` on record.

    `step` is the number of a step, or of a storm's message after the first.
    """

    kind: NotifyReason
    step: int = 0
    importance: Importance | None = None

    @classmethod
    def parse(cls, text: str) -> "Reason":
        """The reason that a notification's row keeps."""
        kind, _, data = text.partition("-")
        if kind in (NotifyReason.STEP, NotifyReason.STORM) and data.isdecimal():
            return cls(NotifyReason(kind), step=int(data))
        if kind == NotifyReason.ESCALATED:
            known = data in Importance.__members__.values()
            return cls(NotifyReason.ESCALATED, importance=Importance(data) if known else None)
        known = text in NotifyReason.__members__.values()
        return cls(NotifyReason(text) if known else NotifyReason.UNKNOWN)

    def __str__(self) -> str:
        data = self.importance or self.step
        return f"{self.kind}-{data}" if data else self.kind.value


def is_step(reason: str) -> bool:
    """True for a step of an escalation."""
    return Reason.parse(reason).kind is NotifyReason.STEP


class SuppressionCode(StrEnum):
    """Why a notification is not sent, as the record keeps it."""

    SILENCED = "silenced"
    INHIBITED = "inhibited"
    RATE_LIMITED = "rate-limited"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    IMPORTANCE_RAISED = "importance-raised"  # the event has the escalation of a higher importance
    ESCALATION_RESTARTED = "escalation-restarted"
    REPEAT_INTERVAL = "repeat-interval"  # a reminder before the channel's own interval is over
    STORM = "storm"  # the storm's message replaces it
    EVENT_DELETED = "event-deleted"
    ATTEMPTS_EXHAUSTED = "attempts-exhausted"  # failed for good after the last attempt


class Suppression(NamedTuple):
    """Why a notification is not sent: the code decides, the sentence is for people."""

    code: SuppressionCode
    sentence: str
