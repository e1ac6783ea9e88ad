"""Why people are notified, and why they are not. Codes decide; sentences explain."""

from enum import StrEnum
from typing import NamedTuple


class NotifyReason(StrEnum):
    """Why people are notified of an event."""

    OPENED = "opened"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    FLAPPING = "flapping"
    FLAPPING_ENDED = "flapping-ended"
    ACKNOWLEDGEMENT_ENDED = "acknowledgement-ended"
    RESOLVED = "resolved"


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
