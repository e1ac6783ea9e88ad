"""Why people are notified. Codes that decide; sentences for people are made elsewhere."""

from enum import StrEnum


class NotifyReason(StrEnum):
    """Why people are told of an event."""

    OPENED = "opened"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    FLAPPING = "flapping"
    FLAPPING_ENDED = "flapping-ended"
    ACKNOWLEDGEMENT_ENDED = "acknowledgement-ended"
    RESOLVED = "resolved"
