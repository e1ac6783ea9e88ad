"""The fate of pending notifications: still needed or not, the next attempt. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Suppression, SuppressionCode, is_step
from sentinel_core.model.times import utc

MOST_ATTEMPTS = 30  # with the growing pauses between them, about a day
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
LONGEST_ASKED = timedelta(days=1)  # the longest Retry-After that is respected
MUTE_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Wait until `until`, then decide again."""

    until: datetime
    why: str


def still_needed(
    message: Mapping[str, Any], event: Mapping[str, Any], muted: Suppression | None, now: datetime
) -> Suppression | Waiting | None:
    """The reason to drop a pending notification or to wait; None if it is to be sent.

    Steps of an escalation and reminders are for events that nobody has acknowledged.
    """
    step = is_step(message["reason"])
    if not step and message["reason"] != NotifyReason.REMINDER:
        return None
    if event["resolved_at"] is not None:
        return Suppression(SuppressionCode.RESOLVED, f"resolved at {utc(event['resolved_at'])}")
    until = event["acknowledged_until"]
    if event["is_acknowledged"] and (until is None or until > now):
        return acknowledged(event["acknowledged_by"], event["acknowledged_at"])
    if not step:
        return None
    meant = message["route"].get("importance")
    if meant and Importance(event["importance"]).rank > Importance(meant).rank:
        sentence = f"the event is {event['importance']} by now, which has its own steps"
        return Suppression(SuppressionCode.IMPORTANCE_RAISED, sentence)
    return Waiting(now + MUTE_PAUSE, muted.sentence) if muted else None


def acknowledged(by: str, at: datetime | None) -> Suppression:
    """The reason not to send reminders and escalation steps of an acknowledged event."""
    sentence = f"acknowledged by {by}" + (f" at {utc(at)}" if at else "")
    return Suppression(SuppressionCode.ACKNOWLEDGED, sentence)


def exhausted(error: str | None) -> Suppression:
    """The reason not to try a message again: every attempt failed."""
    sentence = f"given up after {MOST_ATTEMPTS} attempts: {error}"
    return Suppression(SuppressionCode.ATTEMPTS_EXHAUSTED, sentence)


def backoff(notification_id: int, attempt: int, asked_seconds: float | None = None) -> timedelta:
    """The pause after the failed attempt number `attempt`: doubling, up to an hour.

    Jitter takes between half and all of it, so that messages that failed together are not retried
    together. The pause is never shorter than the provider asked for.
    """
    doubled = FIRST_PAUSE * (1 << min(attempt - 1, 12))
    share = crc32(f"{notification_id}:{attempt}".encode()) / 0xFFFFFFFF
    own = min(doubled, LONGEST_PAUSE) * (0.5 + share / 2)
    asked = timedelta(seconds=asked_seconds or 0)
    return max(own, min(asked, LONGEST_ASKED))
